//! Bytes on their way in, with the line they stand on.

use std::io::{self, Read};

/// How much is read ahead at most, in bytes.
pub(crate) const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A reader with one buffer of fixed size that counts lines.
pub(super) struct Bytes {
    reader: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    line: u64,
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
        let taken = &self.buffer[self.from..self.from + count];
        self.line += taken
            .iter()
            .map(|&byte| u64::from(byte == b'\n'))
            .sum::<u64>();
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

    /// Takes a UTF-8 byte order mark. Returns whether there is one of UTF-16 instead.
    pub(super) fn skip_byte_order_mark(&mut self) -> io::Result<bool> {
        // A pipe may hand over less than the mark at first.
        while self.to - self.from < 3 && !self.ended {
            self.read_more()?;
        }
        let next = &self.buffer[self.from..self.to];
        if next.starts_with(b"\xef\xbb\xbf") {
            self.from += 3;
        }
        let next = &self.buffer[self.from..self.to];
        Ok(next.starts_with(b"\xff\xfe") || next.starts_with(b"\xfe\xff"))
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
