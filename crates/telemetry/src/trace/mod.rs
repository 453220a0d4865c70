//! Traces, over OTLP (HTTP, protobuf).
//!
//! ```text
//! tracing spans ──layer──▶ queue (bounded) ──a thread──▶ OTLP collector
//! ```
//!
//! Nothing waits for the collector: a span that finds the queue full is dropped. Where there is no
//! [`Traces`], spans cost the look at one flag.

mod client;
mod config;

use std::time::Duration;

use onboarding::TraceContext;
use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
    },
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};
use tokio::runtime::Handle;
use tracing::{Metadata, Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::Error;

pub use config::Config;

/// The parts whose spans are told. Those of libraries may hold URLs and bodies.
const OURS: [&str; 8] = [
    "dashboard",
    "exotel",
    "producer",
    "serve",
    "telemetry",
    "trunkline",
    "webhook",
    "worker",
];

/// How long the last spans may take to leave at the end.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);

/// Traces that are exported until the end of the process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts the thread that exports. Connects to nothing yet; requests run on `runtime`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start(config: Config, runtime: Handle) -> Result<Self, Error> {
        let client = client::Client::new(&config, runtime)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(config.endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(config.timeout)
            .build()
            .map_err(|error| Error::Settings(format!("otlp_endpoint: {error}")))?;
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(config.queue_max)
            .build();
        let processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batch)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(config.sampler)
            .with_resource(config.resource)
            .build();
        Ok(Self { provider })
    }

    /// The layer that takes in our spans; events stay with the log.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let layer: OpenTelemetryLayer<S, SdkTracer> =
            tracing_opentelemetry::layer().with_tracer(self.provider.tracer("trunkline"));
        layer
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_ours).with_max_level_hint(LevelFilter::TRACE))
    }

    /// Sends what is left, for at most five seconds, and ends the export.
    pub async fn end(self) {
        let provider = self.provider;
        let flushed =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSHED_WITHIN));
        if !matches!(flushed.await, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be exported; they are lost");
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let part = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && OURS.contains(&part)
}

/// The trace and the span within it that this code runs in; `None` where nothing is traced.
#[must_use]
pub fn current() -> Option<TraceContext> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    TraceContext::new(
        span.trace_id().to_bytes(),
        span.span_id().to_bytes(),
        span.trace_flags().to_u8(),
    )
}

/// Makes `span` a child within a trace that began elsewhere. It must not have been entered yet;
/// where nothing is traced it stays as it is.
pub fn follow(span: &Span, trace: TraceContext) {
    let remote = SpanContext::new(
        TraceId::from_bytes(trace.trace_id()),
        SpanId::from_bytes(trace.parent_id()),
        TraceFlags::new(trace.flags()),
        true,
        TraceState::default(),
    );
    // Without a layer, or once entered, it cannot: then it is a trace of its own.
    let _ = span.set_parent(Context::new().with_remote_span_context(remote));
}
