//! Where answers go: records or text on stdout, notes for people on stderr.

use std::{
    fmt,
    io::{self, BufWriter, StdoutLock, Write},
};

use onboarding::visible::{Visible, visible_json};
use serde::Serialize;

use crate::{problem::Problem, progress, telemetry};

/// The two streams.
pub(crate) struct Output {
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
    closed: bool,
    /// It was lost for another reason than that nobody reads.
    lost: bool,
}

impl Output {
    /// Takes stdout. With `json` records are written to it, else text.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
            closed: false,
            lost: false,
        }
    }

    /// Whether records are written instead of text.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads any more. Then a query may stop; work goes on.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a record, if records are wanted.
    pub(crate) fn record(&mut self, record: &impl Serialize) {
        if self.json {
            self.json_line(record);
        }
    }

    /// Writes one line of JSON, whatever is wanted.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) {
        let written = serde_json::to_string(value)
            .map_err(io::Error::from)
            .and_then(|json| writeln!(self.out, "{}", visible_json(&json)));
        self.note(written);
    }

    /// Writes a line of text, if text is wanted.
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        if !self.json {
            self.text(format_args!("{line}\n"));
        }
    }

    /// Writes text, whatever is wanted.
    pub(crate) fn text(&mut self, text: fmt::Arguments<'_>) {
        let written = write!(self.out, "{}", Visible(text));
        self.note(written);
    }

    /// Hands over what is left. Whether all that was written arrived, or nobody wanted it.
    pub(crate) fn end(mut self) -> bool {
        self.flush();
        !self.lost
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) {
        let flushed = self.out.flush();
        self.note(flushed);
    }

    /// Tells what is wrong: a record each where records are wanted, and on stderr.
    pub(crate) fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            self.record(problem);
            telemetry::fatal(&problem.to_string());
        }
    }

    /// Nobody reading is not an error of ours; a full disk behind stdout is told once.
    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && !self.closed
        {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.lost = true;
                note(format_args!("the output cannot be written: {error}"));
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
        if self.closed {
            // What is left in the buffer would be tried again, and told by nobody.
            let sink = BufWriter::with_capacity(0, io::stdout().lock());
            let _ = std::mem::replace(&mut self.out, sink).into_parts();
        }
    }
}

/// How many there are, for people: `1 signup`, `2 signups`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// A line for people, on stderr.
pub(crate) fn note(line: impl fmt::Display) {
    progress::beside(|| {
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{}", Visible(line));
    });
}
