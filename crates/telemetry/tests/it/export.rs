//! What the export does, and what it never does: hold anything up.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot start its export has nothing to show"
)]

use std::time::{Duration, Instant};

use telemetry::trace::{self, Config, Traces};
use tokio::{net::TcpListener, runtime::Handle};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use crate::{
    collector::{Collector, Manner},
    world::World,
};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn start(url: &str, set: &[(&str, &str)]) -> (Traces, DefaultGuard) {
    let config = Config::read(Some(url), |name| {
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let traces = Traces::start(config.unwrap().unwrap(), Handle::current()).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    (traces, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn the_trace_that_code_runs_in_can_be_asked_for_and_gone_on_with() {
    assert_eq!(trace::current(), None);
    let collector = Collector::start(Manner::Takes).await;
    let (traces, _guard) = start(&collector.url, &[]);
    assert_eq!(trace::current(), None);
    let intake = tracing::info_span!(target: "serve", "intake");
    trace::follow(&intake, TRACEPARENT.parse().unwrap());
    let inside = intake.in_scope(trace::current).unwrap();
    let given: onboarding::TraceContext = TRACEPARENT.parse().unwrap();
    assert_eq!(inside.trace_id(), given.trace_id());
    assert_ne!(inside.parent_id(), given.parent_id());
    assert_eq!(inside.flags(), 1);
    drop(intake);
    traces.end().await;
    let spans = collector.spans();
    assert_eq!(spans[0].parent(), "00f067aa0ba902b7");
    assert!(inside.to_string().contains(&spans[0].id()), "{inside}");
}

#[tokio::test]
async fn keys_go_to_the_collector_as_headers_and_the_resource_says_who_tells() {
    let collector = Collector::start(Manner::Takes).await;
    let set = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=made%20up"),
        ("OTEL_SERVICE_NAME", "trunks"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ];
    let (traces, _guard) = start(&collector.url, &set);
    tracing::info_span!(target: "serve", "one").in_scope(|| {});
    traces.end().await;
    assert_eq!(collector.headers()[0]["x-key"], "made up");
    assert_eq!(
        collector.headers()[0]["content-type"],
        "application/x-protobuf"
    );
    let resource = &collector.resources()[0];
    assert_eq!(resource["service.name"], "trunks");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource["service.version"], "0.1.0");
}

#[tokio::test]
async fn a_ratio_of_nothing_tells_nothing_but_what_a_sampled_parent_brings() {
    let collector = Collector::start(Manner::Takes).await;
    let set = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ];
    let (traces, _guard) = start(&collector.url, &set);
    tracing::info_span!(target: "serve", "own").in_scope(|| {});
    let brought = tracing::info_span!(target: "serve", "brought");
    trace::follow(&brought, TRACEPARENT.parse().unwrap());
    brought.in_scope(|| {});
    drop(brought);
    traces.end().await;
    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name()).collect();
    assert_eq!(names, ["brought"]);
}

#[tokio::test]
async fn a_collector_that_is_away_hangs_or_refuses_keeps_no_work_from_being_done() {
    // Bound and never accepting more than its backlog: nobody answers there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let hangs = Collector::start(Manner::Hangs).await;
    let refuses = Collector::start(Manner::Refuses).await;
    for url in ["http://127.0.0.1:1", &silent, &hangs.url, &refuses.url] {
        // A queue that is full at once.
        let (traces, _guard) = start(url, &[("OTEL_BSP_MAX_QUEUE_SIZE", "4")]);
        let world = World::new().await;
        world.accept(20, Some(TRACEPARENT.parse().unwrap())).await;
        let before = Instant::now();
        let stats = world.drain().await;
        assert_eq!(stats.succeeded, 20, "{url}");
        assert!(before.elapsed() < Duration::from_secs(30), "{url}");
        let before = Instant::now();
        traces.end().await;
        // Five seconds for the last spans, and a busy machine.
        assert!(before.elapsed() < Duration::from_secs(9), "{url}");
    }
    assert!(refuses.count() > 0);
}

#[tokio::test]
async fn spans_are_told_again_once_the_collector_takes_them() {
    let collector = Collector::start(Manner::Refuses).await;
    let (traces, _guard) = start(&collector.url, &[]);
    // Until the first export came to nothing.
    tracing::info_span!(target: "serve", "lost").in_scope(|| {});
    collector.until(|it| it.count() > 0).await;
    collector.behave(Manner::Takes);
    tracing::info_span!(target: "serve", "told").in_scope(|| {});
    traces.end().await;
    assert!(collector.spans().iter().any(|span| span.name() == "told"));
}
