//! Rows of a batch on their way in: in memory, then in a temporary file, so that a batch of any
//! length takes the same memory.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Seek, Write},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// Rows kept in memory before they go to a temporary file: about 8 MB.
const MEMORY_ROWS: usize = 8192;

/// Rows in the order of the input.
pub(crate) struct Spool<R> {
    memory: Vec<R>,
    file: Option<BufWriter<File>>,
}

impl<R> Default for Spool<R> {
    fn default() -> Self {
        Self {
            memory: Vec::new(),
            file: None,
        }
    }
}

impl<R: Serialize + DeserializeOwned> Spool<R> {
    pub(crate) fn push(&mut self, row: R) -> std::io::Result<()> {
        self.memory.push(row);
        if self.memory.len() >= MEMORY_ROWS {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> std::io::Result<()> {
        if self.file.is_none() {
            self.file = Some(BufWriter::new(tempfile::tempfile()?));
        }
        if let Some(file) = &mut self.file {
            for row in self.memory.drain(..) {
                serde_json::to_writer(&mut *file, &row)?;
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// The rows from the first on. Nothing is to be added while they are read.
    pub(crate) fn rows(&mut self, place: &str) -> Result<Rows<'_, R>> {
        let fail = |error: std::io::Error| failed(place, error);
        let reader = match &mut self.file {
            None => None,
            Some(writer) => {
                writer.flush().map_err(fail)?;
                let mut file = writer.get_ref();
                file.rewind().map_err(fail)?;
                Some(BufReader::with_capacity(1 << 16, file))
            }
        };
        Ok(Rows {
            reader,
            memory: self.memory.iter(),
            line: String::new(),
        })
    }

    /// Calls `f` with every row, in order.
    pub(crate) fn each(&mut self, mut f: impl FnMut(&R) -> Result<()>, place: &str) -> Result<()> {
        let mut rows = self.rows(place)?;
        while rows.next(place, &mut f)? {}
        Ok(())
    }
}

/// Rows, one after the other.
pub(crate) struct Rows<'s, R> {
    reader: Option<BufReader<&'s File>>,
    memory: std::slice::Iter<'s, R>,
    line: String,
}

impl<R: DeserializeOwned> Rows<'_, R> {
    /// Calls `f` with the next row. `false`: there is none.
    pub(crate) fn next(
        &mut self,
        place: &str,
        mut f: impl FnMut(&R) -> Result<()>,
    ) -> Result<bool> {
        let fail = |error: std::io::Error| failed(place, error);
        if let Some(reader) = &mut self.reader {
            self.line.clear();
            if reader.read_line(&mut self.line).map_err(fail)? > 0 {
                let row = serde_json::from_str(&self.line).map_err(|error| fail(error.into()))?;
                f(&row)?;
                return Ok(true);
            }
            self.reader = None;
        }
        match self.memory.next() {
            Some(row) => f(row).map(|()| true),
            None => Ok(false),
        }
    }
}

pub(crate) fn failed(place: &str, error: std::io::Error) -> Error {
    Error::Unavailable {
        place: place.to_owned(),
        message: "the temporary file for a large batch cannot be written or read; see TMPDIR and its space"
            .to_owned(),
        source: Some(Box::new(error)),
    }
}
