//! An OTLP collector that keeps what it is given.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose collector fails has nothing to show"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

/// Longer than any export takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Kept {
    spans: Vec<Span>,
    resources: Vec<Vec<KeyValue>>,
    headers: Vec<HeaderMap>,
    bodies: Vec<Bytes>,
}

/// What a collector does with what it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Takes,
    Hangs,
    Refuses,
}

#[derive(Clone)]
struct Shared {
    kept: Arc<Mutex<Kept>>,
    manner: Arc<Mutex<Manner>>,
}

pub(crate) struct Collector {
    pub(crate) url: String,
    shared: Shared,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Collector {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            kept: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum_serve(listener, router).await });
        Self {
            url,
            shared,
            serving,
        }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    pub(crate) fn spans(&self) -> Vec<Told> {
        let kept = self.shared.kept.lock().unwrap();
        kept.spans.iter().cloned().map(Told).collect()
    }

    pub(crate) fn resources(&self) -> Vec<HashMap<String, String>> {
        let kept = self.shared.kept.lock().unwrap();
        kept.resources.iter().map(|all| texts(all)).collect()
    }

    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.shared.kept.lock().unwrap().headers.clone()
    }

    /// Everything that came, as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.kept.lock().unwrap().bodies.concat()
    }

    /// How many exports came, taken or not.
    pub(crate) fn count(&self) -> usize {
        self.shared.kept.lock().unwrap().headers.len()
    }

    /// Waits until `enough` of what is here.
    pub(crate) async fn until(&self, enough: impl Fn(&Self) -> bool) {
        let all = async {
            while !enough(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, all).await.unwrap();
    }
}

async fn axum_serve(listener: TcpListener, router: Router) {
    use axum::serve::ListenerExt;
    let listener = listener.tap_io(|_| {});
    axum::serve(listener, router).await.unwrap();
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let manner = *shared.manner.lock().unwrap();
    {
        let mut kept = shared.kept.lock().unwrap();
        kept.headers.push(headers);
    }
    match manner {
        Manner::Takes => {}
        Manner::Hangs => std::future::pending().await,
        Manner::Refuses => return StatusCode::UNAUTHORIZED,
    }
    let request = ExportTraceServiceRequest::decode(body.as_ref()).unwrap();
    let mut kept = shared.kept.lock().unwrap();
    kept.bodies.push(body);
    for part in request.resource_spans {
        kept.resources.extend(part.resource.map(|it| it.attributes));
        let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.spans.extend(spans);
    }
    StatusCode::OK
}

/// A span as it came.
#[derive(Debug, Clone)]
pub(crate) struct Told(Span);

impl Told {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn trace(&self) -> String {
        hex(&self.0.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.0.span_id)
    }

    /// Empty where it has none.
    pub(crate) fn parent(&self) -> String {
        hex(&self.0.parent_span_id)
    }

    pub(crate) fn is_client(&self) -> bool {
        self.0.kind == 3
    }

    pub(crate) fn is_error(&self) -> bool {
        self.0
            .status
            .as_ref()
            .is_some_and(|status| status.code == 2)
    }

    pub(crate) fn attributes(&self) -> HashMap<String, String> {
        texts(&self.0.attributes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(all: &[KeyValue]) -> HashMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().and_then(|it| it.value.as_ref());
        let value = match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key.clone(), value)
    };
    all.iter().map(text).collect()
}
