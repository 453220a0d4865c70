//! The log: on stderr, for people or as one JSON object a line.
//!
//! Fields have the same names in every part: `onboarding`, `account`, `partner`, `worker`, `epoch`,
//! `step`, `attempt`, `request_id`, `code`, `status`, `error`, `duration_ms`.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    args::LogForm,
    error::{Error, Result},
    output::note,
    progress,
};

/// Whether the log is read by a program.
static JSON: AtomicBool = AtomicBool::new(false);

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

/// Starts the log.
///
/// # Errors
/// `level` is not a filter.
pub(crate) fn start(form: LogForm, level: &str) -> Result<()> {
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
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(BesideProgress)
        .with_ansi(colour);
    // It is set once, at the start of the process; a second time is of no consequence.
    let _ = match form {
        LogForm::Json => builder.json().flatten_event(true).try_init(),
        LogForm::Text => builder.try_init(),
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
        progress::beside(|| io::stderr().lock().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
