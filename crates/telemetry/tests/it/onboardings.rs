//! One trace from the signup to every request.
#![expect(clippy::unwrap_used, reason = "a span that is missing fails its test")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use telemetry::trace::{Config, Traces};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::{
    collector::{Collector, Manner, Told},
    world::{KEY, TOKEN, World},
};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A log as it is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// The record with this message.
    fn line(&self, message: &str) -> Value {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let found = records.find(|record: &Value| record["message"] == message);
        found.unwrap_or_else(|| panic!("no {message} in {text}"))
    }
}

fn by_name<'a>(spans: &'a [Told], name: &str) -> &'a Told {
    let mut found = spans.iter().filter(|span| span.name() == name);
    let one = found.next().unwrap_or_else(|| panic!("no span {name}"));
    assert!(found.next().is_none(), "more than one span {name}");
    one
}

#[tokio::test]
async fn one_trace_goes_from_the_signup_through_the_worker_to_every_request() {
    let collector = Collector::start(Manner::Takes).await;
    let config = Config::read(Some(&collector.url), |_| None)
        .unwrap()
        .unwrap();
    let traces = Traces::start(config, Handle::current()).unwrap();
    // A log beside it, at a level of its own: it keeps nothing from being traced.
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .with_filter(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry()
        .with(log)
        .with(traces.layer());
    let guard = tracing::subscriber::set_default(subscriber);

    let world = World::new().await;
    world
        .fault(json!({
            "method": "POST", "path": "/phone-numbers$", "nth": 1, "status": 503, "after": true,
        }))
        .await;
    let ids = world.accept(1, Some(TRACEPARENT.parse().unwrap())).await;
    let stats = world.drain().await;
    assert_eq!(stats.succeeded, 1);
    traces.end().await;
    drop(guard);

    let spans = collector.spans();
    for span in &spans {
        assert_eq!(span.trace(), "4bf92f3577b34da6a3ce929d0e0e4736", "{span:?}");
    }
    // Claimed again after the answer that left it open, and when it had settled.
    let claims: Vec<&Told> = spans
        .iter()
        .filter(|it| it.name() == "onboarding")
        .collect();
    assert_eq!(claims.len(), 3);
    for claim in &claims {
        assert_eq!(claim.parent(), "00f067aa0ba902b7");
        let attributes = claim.attributes();
        assert_eq!(attributes["onboarding"], ids[0].to_string());
        assert_eq!(attributes["account"], "acme");
        assert_eq!(attributes["partner"], "livekit");
    }
    let requests: Vec<&Told> = spans.iter().filter(|it| it.is_client()).collect();
    assert_eq!(requests.len() as u64, stats.requests);
    for request in &requests {
        let step = spans.iter().find(|it| it.id() == request.parent()).unwrap();
        let claim = claims.iter().find(|it| it.id() == step.parent());
        assert!(claim.is_some(), "{step:?}");
        let attributes = request.attributes();
        assert_eq!(attributes["server.address"], "127.0.0.1");
        assert!(attributes["url.template"].starts_with("/v2/accounts/{account_sid}/trunks"));
        assert!(attributes.contains_key("http.request.method"));
    }
    assert_read_back(&spans);
    let end = written.line("onboarding succeeded");
    assert_eq!(end["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(end["onboarding"], ids[0].to_string());
    assert_nothing_secret(&collector, &world, ids[0]).await;
}

/// The step whose answer left it open, and the one that found what it had made.
fn assert_read_back(spans: &[Told]) {
    let is_step = |it: &&Told| it.name() == "map_number" && !it.is_client();
    let steps: Vec<&Told> = spans.iter().filter(is_step).collect();
    let outcome = |step: &Told| step.attributes()["outcome"].clone();
    let outcomes: Vec<String> = steps.iter().map(|step| outcome(step)).collect();
    assert_eq!(outcomes, ["unknown", "adopted"]);
    assert!(steps[0].is_error() && !steps[1].is_error());
    let sent = spans
        .iter()
        .find(|it| it.name() == "map_number" && it.is_client());
    let sent = sent.unwrap();
    assert!(sent.is_error());
    assert_eq!(sent.parent(), steps[0].id());
    let attributes = sent.attributes();
    assert_eq!(attributes["http.request.method"], "POST");
    assert_eq!(attributes["http.response.status_code"], "503");
    assert_eq!(attributes["error.type"], "server_error");
    assert_eq!(
        attributes["url.template"],
        "/v2/accounts/{account_sid}/trunks/{trunk_sid}/phone-numbers"
    );
    let look = by_name(spans, "numbers_page");
    assert_eq!(look.parent(), steps[1].id());
    assert_eq!(look.attributes()["http.request.method"], "GET");
    assert_eq!(look.attributes()["http.response.status_code"], "200");
    assert!(!look.is_error());
}

async fn assert_nothing_secret(collector: &Collector, world: &World, id: onboarding::OnboardingId) {
    let bytes = collector.bytes();
    let told = String::from_utf8_lossy(&bytes);
    assert!(told.contains("create_trunk"));
    let password = world.store.password(id).await.unwrap();
    let password = password.as_ref().map(|it| it.secret().expose());
    let number = "8000000000";
    let planted = [KEY, TOKEN, "acme1", number].into_iter().chain(password);
    for secret in planted {
        assert!(!told.contains(secret), "{secret} is told");
    }
}

#[tokio::test]
async fn a_signup_without_a_trace_begins_one_and_what_is_not_sampled_is_not_told() {
    let collector = Collector::start(Manner::Takes).await;
    let config = Config::read(Some(&collector.url), |_| None)
        .unwrap()
        .unwrap();
    let traces = Traces::start(config, Handle::current()).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    world.accept(1, None).await;
    assert_eq!(world.drain().await.succeeded, 1);
    let unsampled = "00-00000000000000000000000000000abc-00f067aa0ba902b7-00";
    let other = World::new().await;
    other.accept(1, Some(unsampled.parse().unwrap())).await;
    assert_eq!(other.drain().await.succeeded, 1);
    traces.end().await;
    drop(guard);
    let spans = collector.spans();
    let onboarding = by_name(&spans, "onboarding");
    assert_eq!(onboarding.parent(), "");
    assert!(spans.iter().all(|span| span.trace() == onboarding.trace()));
}
