//! The log: on stderr, for people or as one JSON object a line.
//!
//! Fields have the same names in every part; `docs/observability.md` lists them.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use onboarding::visible::{visible, visible_json};
use telemetry::trace::{Config, Traces};
use tokio::runtime::Handle;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    args::LogForm,
    error::{Error, Result},
    output::note,
    progress,
    settings::Settings,
};

/// Whether the log is read by a program.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether the log is coloured.
static COLOUR: AtomicBool = AtomicBool::new(false);

/// Takes note of the log's form: from here on [`fatal`] tells in it.
pub(crate) fn speak(form: LogForm) {
    JSON.store(form == LogForm::Json, Ordering::Relaxed);
}

/// Tells why a command ends: a record of the log where a program reads that, else a line. The log's
/// level does not keep it back, and the log need not have been started.
pub(crate) fn fatal(why: &str) {
    if !JSON.load(Ordering::Relaxed) {
        return note(why);
    }
    let alone = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_writer(BesideProgress)
        .json()
        .flatten_event(true)
        .finish();
    tracing::subscriber::with_default(alone, || tracing::error!("{why}"));
}

/// Where traces go, if anywhere: to `otlp_endpoint`, or to what OpenTelemetry's variables name.
///
/// # Errors
/// They cannot go there.
pub(crate) fn traces(settings: &Settings, runtime: &Handle) -> Result<Option<Traces>> {
    let variable = |name: &str| std::env::var(name).ok();
    let refused = |error: telemetry::Error| Error::refused("traces", error.to_string());
    let config = Config::read(settings.otlp_endpoint.as_deref(), variable).map_err(refused)?;
    config
        .map(|config| Traces::start(config, runtime.clone()))
        .transpose()
        .map_err(refused)
}

/// Starts the log, and with it the taking in of spans.
///
/// # Errors
/// `level` is not a filter.
pub(crate) fn start(form: LogForm, level: &str, traces: Option<&Traces>) -> Result<()> {
    speak(form);
    let filter = EnvFilter::builder().parse(level).map_err(|error| {
        Error::refused(
            "log_level",
            format!(
                "\"{}\" is not a log level ({error}); write error, warn, info, debug or trace, also by part as in warn,worker=debug",
                level.escape_debug()
            ),
        )
    })?;
    // It advises an order of layers under which a request that timed out would be missing from the
    // spans; ours is meant.
    let filter = match "apalis_core::worker::context=error".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    // Who did what over HTTP is told unless somebody says otherwise: it is of no use afterwards.
    let audit = "audit=info"
        .parse()
        .ok()
        .filter(|_| !level.contains("audit"));
    let filter = match audit {
        Some(audit) => filter.add_directive(audit),
        None => filter,
    };
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    COLOUR.store(colour, Ordering::Relaxed);
    let log = fmt::layer().with_writer(BesideProgress).with_ansi(colour);
    let log = match form {
        LogForm::Json => log.json().flatten_event(true).boxed(),
        LogForm::Text => log.boxed(),
    };
    // The filter is the log's alone: what is traced does not depend on it.
    let subscriber = tracing_subscriber::registry().with(log.with_filter(filter));
    // It is set once, at the start of the process; a second time is of no consequence.
    let _ = match traces {
        // Not an optional layer: without a filter of its own it would have every callsite of the
        // process asked each time.
        Some(traces) => subscriber.with(traces.layer()).try_init(),
        None => subscriber.try_init(),
    };
    Ok(())
}

/// Writes to stderr without tearing the progress bar.
struct BesideProgress;

impl<'w> MakeWriter<'w> for BesideProgress {
    type Writer = Line;

    fn make_writer(&'w self) -> Line {
        Line
    }
}

struct Line;

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(text);
        let shown = if JSON.load(Ordering::Relaxed) {
            visible_json(&line)
        } else if COLOUR.load(Ordering::Relaxed) {
            // These escape characters are the colours'; those of others the formatter has replaced.
            let parts: Vec<_> = line.split('\u{1b}').map(visible).collect();
            parts.join("\u{1b}").into()
        } else {
            visible(&line)
        };
        progress::beside(|| io::stderr().lock().write_all(shown.as_bytes()))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
