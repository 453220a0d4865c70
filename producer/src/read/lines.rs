//! JSON Lines.

use std::io;

use onboarding::signup::RawSignup;
use serde_json::Value;

use super::{
    Bad, Given, RECORD_BYTES_MAX, Record,
    bytes::{Bytes, is_blank},
    json,
};

/// Signups, one object a line.
pub(crate) struct Lines {
    bytes: Bytes,
    text: Vec<u8>,
    value: Value,
    begun: bool,
    ended: bool,
}

/// Otherwise every line of it is a problem of its own.
const SPREAD: &str = "this is JSON over many lines; name it .json if it is one array, or write each object on a line of its own: jq -c";

impl Lines {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            text: Vec::new(),
            value: Value::Null,
            begun: false,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.ended || self.bytes.skip_while(is_blank)?.is_none() {
            return Ok(None);
        }
        let line = self.bytes.line();
        if !self.take_line()? {
            let bad = Bad::too_long(line, "end each signup with a line break");
            return Ok(Some(Err(bad)));
        }
        let first = !std::mem::replace(&mut self.begun, true);
        if first && matches!(self.text.trim_ascii(), b"{" | b"[") {
            self.ended = true;
            return Ok(Some(Err(Bad::new(line, SPREAD))));
        }
        self.value = match json::parse(&mut self.text, line) {
            Ok(value) => value,
            Err(bad) => return Ok(Some(Err(bad))),
        };
        let raw = RawSignup::from_json(&self.value);
        Ok(Some(Ok(Given { line, raw })))
    }

    /// Takes the rest of the line into `text`; whether all of it fits.
    fn take_line(&mut self) -> io::Result<bool> {
        self.text.clear();
        let mut fits = true;
        loop {
            let next = self.bytes.fill()?;
            let end = next.iter().position(|&byte| matches!(byte, b'\n' | b'\r'));
            let part = &next[..end.unwrap_or(next.len())];
            fits &= self.text.len() + part.len() <= RECORD_BYTES_MAX;
            if fits {
                self.text.extend_from_slice(part);
            }
            let (count, at_end) = (part.len(), end.is_some() || next.is_empty());
            self.bytes.consume(count);
            if at_end {
                return Ok(fits);
            }
        }
    }
}
