//! Bytes on their way in, with the line they stand on.

use std::io::{self, Read};

use crate::foreign::{self, HEAD_BYTES};

/// How much is read ahead at most, in bytes.
pub(crate) const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A reader with one buffer of fixed size that counts lines.
pub(super) struct Bytes {
    reader: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    line: u64,
    /// Whether the last byte taken was a carriage return, which ends a line as `\n` and `\r\n` do.
    returned: bool,
    ended: bool,
}

impl Bytes {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: vec![0; READ_AHEAD_BYTES].into_boxed_slice(),
            from: 0,
            to: 0,
            line: 1,
            returned: false,
            ended: false,
        }
    }

    /// The line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The bytes that come next; none at the end.
    pub(super) fn fill(&mut self) -> io::Result<&[u8]> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            self.read_more()?;
        }
        Ok(&self.buffer[self.from..self.to])
    }

    /// Takes the next `count` bytes of what [`Bytes::fill`] returned.
    pub(super) fn consume(&mut self, count: usize) {
        for &byte in &self.buffer[self.from..self.from + count] {
            let ends = byte == b'\r' || byte == b'\n' && !self.returned;
            self.line += u64::from(ends);
            self.returned = byte == b'\r';
        }
        self.from += count;
    }

    /// Takes every next byte for which `skip` holds; returns the first other one, which stays.
    pub(super) fn skip_while(&mut self, skip: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            let next = self.fill()?;
            if next.is_empty() {
                return Ok(None);
            }
            let (count, found) = match next.iter().position(|&byte| !skip(byte)) {
                Some(at) => (at, Some(next[at])),
                None => (next.len(), None),
            };
            self.consume(count);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Takes a UTF-8 byte order mark. Returns what else than text this is, if anything.
    pub(super) fn begin(&mut self) -> io::Result<Option<String>> {
        // A pipe may hand over less at first.
        while self.to - self.from < HEAD_BYTES && !self.ended {
            self.read_more()?;
        }
        let next = &self.buffer[self.from..self.to];
        let what = foreign::not_text(&next[..next.len().min(HEAD_BYTES)]);
        if next.starts_with(b"\xef\xbb\xbf") {
            self.from += 3;
        }
        Ok(what)
    }

    fn read_more(&mut self) -> io::Result<()> {
        while !self.ended && self.to < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.to..]) {
                Ok(count) => {
                    self.ended = count == 0;
                    self.to += count;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Blanks between values, in every format.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
