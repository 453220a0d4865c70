//! One JSON array, element by element.

use std::io;

use onboarding::{shape, signup::RawSignup};
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

const NO_ARRAY: &str = "a JSON file holds one array of signups; put [ and ] around them, or name a file with one object per line .jsonl";
const MORE: &str = "after the array's ] comes nothing; remove the rest, or write one object per line in a .jsonl file";
const LAST_COMMA: &str = "after a comma comes another signup; remove the comma before ]";
const COMMA: &str = "here is a comma without a signup before it; remove it";
const NO_COMMA: &str = "between two signups comes one comma; write it";
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
                (Next::Open, Some(b'{')) => return self.no_array(line).map(Some),
                (Next::Open, _) => (Next::Nothing, Some(NO_ARRAY)),
                (Next::Nothing, None) => return Ok(None),
                (Next::Nothing, Some(_)) => (Next::Nothing, Some(MORE)),
                (_, None) => (Next::Nothing, Some(CUT_OFF)),
                (Next::FirstOrClose | Next::CommaOrClose, Some(b']')) => (Next::Nothing, None),
                (Next::Element, Some(b']')) => (Next::Nothing, Some(LAST_COMMA)),
                (Next::FirstOrClose | Next::Element, Some(b',')) => (Next::Element, Some(COMMA)),
                (Next::FirstOrClose | Next::Element, Some(_)) => {
                    return self.element(line).map(Some);
                }
                (Next::CommaOrClose, Some(b',')) => (Next::Element, None),
                (Next::CommaOrClose, Some(b'{')) => {
                    self.next = Next::Element;
                    return Ok(Some(Err(Bad::new(line, NO_COMMA))));
                }
                (Next::CommaOrClose, Some(_)) => (Next::Nothing, Some(NO_COMMA)),
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

    /// An object where the array should be: what an API answered has its list in one.
    fn no_array(&mut self, line: u64) -> io::Result<Record<'_>> {
        self.next = Next::Nothing;
        let taken = self.take_element()?;
        self.bytes.skip_while(|_| true)?;
        let message = match taken {
            Taken::Whole => json::parse(&mut self.text, line)
                .ok()
                .and_then(|value| shape::wrapped(&value))
                .map_or_else(
                    || NO_ARRAY.to_owned(),
                    |what| format!("a JSON file is one array of signups; {what}"),
                ),
            Taken::TooLong | Taken::CutOff => format!(
                "{NO_ARRAY}. If the signups are in a list in this object, such as \"data\", give that list alone: jq '.data'"
            ),
        };
        Ok(Err(Bad::new(line, message)))
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
        self.value = match json::parse(&mut self.text, line) {
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
            let end = scan.end_in(next);
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
    /// Where in `bytes` the element ends: after its last bracket or quote, or before what follows
    /// a word. None if it goes on.
    fn end_in(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_text {
                // A text never spans lines, so an unclosed one does not turn what follows inside
                // out.
                self.in_text = !matches!(byte, b'\n' | b'\r') && (self.escaped || byte != b'"');
                self.escaped = byte == b'\\' && !self.escaped;
                if !self.in_text && self.depth == 0 {
                    return Some(at + 1);
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_text = true;
                    self.escaped = false;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 1 => return Some(at + 1),
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                _ if self.depth > 0 => {}
                b',' | b']' | b'}' => return Some(at),
                _ if is_blank(byte) => return Some(at),
                _ => {}
            }
        }
        None
    }
}
