//! One JSON array, element by element.

use std::io;

use onboarding::signup::RawSignup;
use serde_json::Value;

use super::{
    Bad, Given, RECORD_BYTES_MAX, Record,
    bytes::{Bytes, is_blank},
    json,
};

/// Signups in one array. Where an element ends is found by counting brackets outside of texts;
/// whether it is a signup is the parser's question, so that one bad element hides no other.
pub(crate) struct Array {
    bytes: Bytes,
    text: Vec<u8>,
    value: Value,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Open,
    FirstOrClose,
    Element,
    CommaOrClose,
    Nothing,
}

/// How an element's text ended.
enum Taken {
    Whole,
    TooLong,
    CutOff,
}

const CUT_OFF: &str = "the array has no end; the file may be cut off. Close it with ]";

impl Array {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            text: Vec::new(),
            value: Value::Null,
            next: Next::Open,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        loop {
            let found = self.bytes.skip_while(is_blank)?;
            let line = self.bytes.line();
            let (next, complaint) = match (self.next, found) {
                (Next::Open, Some(b'[')) => (Next::FirstOrClose, None),
                (Next::Open, _) => (
                    Next::Nothing,
                    Some(
                        "a JSON file holds one array of signups; put [ and ] around them, or name a file with one object per line .jsonl",
                    ),
                ),
                (Next::Nothing, None) => return Ok(None),
                (_, None) => (Next::Nothing, Some(CUT_OFF)),
                (Next::FirstOrClose | Next::CommaOrClose, Some(b']')) => (Next::Nothing, None),
                (Next::FirstOrClose | Next::Element, Some(byte))
                    if !matches!(byte, b',' | b']') =>
                {
                    return self.element(line).map(Some);
                }
                (Next::CommaOrClose, Some(b',')) => (Next::Element, None),
                (Next::Element, Some(b']')) => (
                    Next::Nothing,
                    Some("after a comma comes another signup; remove the comma before ]"),
                ),
                (Next::FirstOrClose | Next::Element, Some(_)) => (
                    Next::Element,
                    Some("here is a comma without a signup before it; remove it"),
                ),
                (Next::CommaOrClose, Some(_)) => (
                    Next::Nothing,
                    Some("between two signups comes one comma; write it"),
                ),
                (Next::Nothing, Some(_)) => (
                    Next::Nothing,
                    Some(
                        "after the array's ] comes nothing; remove the rest, or write one object per line in a .jsonl file",
                    ),
                ),
            };
            self.next = next;
            if let Some(complaint) = complaint {
                if next == Next::Nothing {
                    self.bytes.skip_while(|_| true)?;
                } else {
                    self.bytes.consume(1);
                }
                return Ok(Some(Err(Bad::new(line, complaint))));
            }
            self.bytes.consume(1);
        }
    }

    fn element(&mut self, line: u64) -> io::Result<Record<'_>> {
        self.next = Next::CommaOrClose;
        match self.take_element()? {
            Taken::Whole => {}
            Taken::TooLong => return Ok(Err(Bad::too_long(line, "close its brackets"))),
            Taken::CutOff => {
                self.next = Next::Nothing;
                let why =
                    "this signup has no end; the file may be cut off. Close its texts and brackets";
                return Ok(Err(Bad::new(line, why)));
            }
        }
        self.value = match json::parse(&self.text, line) {
            Ok(value) => value,
            Err(bad) => return Ok(Err(bad)),
        };
        let raw = RawSignup::from_json(&self.value);
        Ok(Ok(Given { line, raw }))
    }

    fn take_element(&mut self) -> io::Result<Taken> {
        self.text.clear();
        let mut scan = Scan::default();
        let mut fits = true;
        loop {
            let next = self.bytes.fill()?;
            if next.is_empty() {
                return Ok(Taken::CutOff);
            }
            let end = next.iter().position(|&byte| scan.ends_before(byte));
            let part = &next[..end.unwrap_or(next.len())];
            fits &= self.text.len() + part.len() <= RECORD_BYTES_MAX;
            if fits {
                self.text.extend_from_slice(part);
            }
            let count = part.len();
            self.bytes.consume(count);
            if end.is_some() {
                return Ok(if fits { Taken::Whole } else { Taken::TooLong });
            }
        }
    }
}

/// What an element's bytes so far tell about its end.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// Whether the element ended before `byte`.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.in_text {
            // A text never spans lines, so an unclosed one damages its own signup only.
            self.in_text = byte != b'\n' && (self.escaped || byte != b'"');
            self.escaped = byte == b'\\' && !self.escaped;
            return false;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.escaped = false;
            }
            b'{' | b'[' => self.depth += 1,
            b']' | b'}' | b',' if self.depth == 0 => return true,
            b']' | b'}' => self.depth -= 1,
            _ => {}
        }
        false
    }
}
