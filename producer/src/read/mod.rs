//! Reading signups, one at a time, in bounded memory.

mod array;
mod bytes;
mod json;
mod lines;
mod table;

use std::io;

use onboarding::{Problem, signup::RawSignup};

use crate::source::{Format, Source};
use bytes::{Bytes, is_blank};
pub use json::read_json;

/// Most bytes of one signup. A signup with 64 addresses has 2 kB; what is longer is most likely an
/// unclosed quote or bracket, and must not fill the memory.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// A signup, or something that is none.
pub(crate) type Record<'r> = Result<Given<'r>, Bad>;

/// A signup as it was read.
pub(crate) struct Given<'r> {
    /// The line that it begins on.
    pub(crate) line: u64,
    /// What is in it.
    pub(crate) raw: RawSignup<'r>,
}

/// Something that is no signup.
pub(crate) struct Bad {
    /// Where it is.
    pub(crate) line: u64,
    /// Why; at least one.
    pub(crate) problems: Vec<Problem>,
}

impl Bad {
    /// One problem of the record as a whole.
    fn new(line: u64, message: impl Into<String>) -> Self {
        Self {
            line,
            problems: vec![Problem::new("", message)],
        }
    }

    fn too_long(line: u64, advice: &str) -> Self {
        Self::new(
            line,
            format!(
                "a signup has at most {RECORD_BYTES_MAX} bytes, and this one is longer; {advice}"
            ),
        )
    }
}

/// The records of one source.
pub(crate) enum Records {
    Table(Box<table::Table>),
    Lines(Box<lines::Lines>),
    Array(Box<array::Array>),
    /// Nothing can be read in it: from which line on, and why.
    Unreadable(Option<(u64, String)>),
}

impl Records {
    /// Opens `source` and finds out its format.
    pub(crate) fn open(source: Source) -> io::Result<Self> {
        let format = source.format();
        let mut bytes = Bytes::new(source.open()?);
        if let Some(why) = bytes.begin()? {
            return Ok(Self::Unreadable(Some((1, why))));
        }
        let Some(first) = bytes.skip_while(is_blank)? else {
            let why =
                "the input is empty; write a CSV header and a line per signup, or JSON objects";
            return Ok(Self::Unreadable(Some((1, why.to_owned()))));
        };
        if format == Some(Format::Csv) && matches!(first, b'{' | b'[') {
            let why = "this looks like JSON, not CSV; name it .jsonl (one signup a line) or .json (one array)";
            return Ok(Self::Unreadable(Some((bytes.line(), why.to_owned()))));
        }
        Ok(
            match format.unwrap_or_else(|| Format::of_first_byte(first)) {
                Format::Csv => Self::Table(Box::new(table::Table::new(bytes))),
                Format::JsonLines => Self::Lines(Box::new(lines::Lines::new(bytes))),
                Format::JsonArray => Self::Array(Box::new(array::Array::new(bytes))),
            },
        )
    }

    /// The next record; none at the end. Bad records do not end the reading as long as it is clear
    /// where the next one begins.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        match self {
            Self::Table(table) => table.next(),
            Self::Lines(lines) => lines.next(),
            Self::Array(array) => array.next(),
            Self::Unreadable(why) => Ok(why.take().map(|(line, why)| Err(Bad::new(line, why)))),
        }
    }
}
