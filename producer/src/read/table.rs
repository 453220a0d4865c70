//! CSV with a header.

use std::io;

use csv_core::ReadRecordResult;
use onboarding::signup::Columns;

use super::{Bad, Given, RECORD_BYTES_MAX, Record, bytes::Bytes};

/// Most columns. The fields and the inputs of every partner's recipe together are far below.
const COLUMNS_MAX: usize = 1024;

/// Signups in rows. Built on csv-core, because the csv crate's records grow without bound when a
/// quote is never closed, and an unclosed quote at the end goes unnoticed.
pub(crate) struct Table {
    bytes: Bytes,
    core: csv_core::Reader,
    cells: Box<[u8]>,
    ends: Box<[usize]>,
    columns: Option<Columns>,
    ended: bool,
}

/// What the next row is.
enum Row {
    /// So many cells.
    Cells(usize),
    TooLong,
    TooManyCells,
    OpenQuote,
    End,
}

impl Table {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            core: csv_core::Reader::new(),
            cells: vec![0; RECORD_BYTES_MAX].into_boxed_slice(),
            ends: vec![0; COLUMNS_MAX + 1].into_boxed_slice(),
            columns: None,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.columns.is_none() && !self.ended {
            let (line, row) = self.take_row()?;
            match self.header(&row, line) {
                Ok(columns) => self.columns = Some(columns),
                Err(bad) => {
                    // Without the header no row means anything.
                    self.ended = true;
                    return Ok(Some(Err(bad)));
                }
            }
        }
        loop {
            if self.ended {
                return Ok(None);
            }
            let (line, row) = self.take_row()?;
            if let Row::End = row {
                self.ended = true;
            } else if let Row::Cells(count) = row
                && self.is_blank(count)
            {
                // Spreadsheets leave rows of nothing but commas below the last one.
            } else {
                return Ok(Some(self.signup(&row, line)));
            }
        }
    }

    fn header(&self, row: &Row, line: u64) -> Result<Columns, Bad> {
        let count = self.count_of(row, line)?;
        let text = self.text_of(count, line)?;
        Columns::parse(self.cells_of(text, count)).map_err(|mut problems| {
            let other = [';', '\t']
                .into_iter()
                .find(|&c| count == 1 && text.contains(c));
            if let Some(other) = other {
                problems.clear();
                problems.push(onboarding::Problem::new(
                    "",
                    format!("the cells are separated by {other:?}; separate them by commas"),
                ));
            }
            Bad { line, problems }
        })
    }

    fn signup(&self, row: &Row, line: u64) -> Record<'_> {
        let count = self.count_of(row, line)?;
        let text = self.text_of(count, line)?;
        let Some(columns) = &self.columns else {
            return Err(Bad::new(line, "the header is missing; write one"));
        };
        if columns.count() != count {
            return Err(Bad::new(
                line,
                format!(
                    "this row has {count} cells and the header {}; write a cell for every column, in double quotes if it has a comma",
                    columns.count()
                ),
            ));
        }
        let raw = columns.row(self.cells_of(text, count));
        Ok(Given { line, raw })
    }

    fn count_of(&self, row: &Row, line: u64) -> Result<usize, Bad> {
        match row {
            Row::Cells(count) => Ok(*count),
            Row::TooLong => Err(Bad::too_long(
                line,
                "close every double quote that it opens",
            )),
            Row::TooManyCells => Err(Bad::new(
                line,
                format!(
                    "this row has more than {COLUMNS_MAX} cells; end each signup with a line break"
                ),
            )),
            Row::OpenQuote => Err(Bad::new(
                line,
                "a double quote in this row is never closed; close it. The file may be cut off",
            )),
            Row::End => Err(Bad::new(line, "the input is empty; write a header")),
        }
    }

    fn text_of(&self, count: usize, line: u64) -> Result<&str, Bad> {
        let ends = &self.ends[..count];
        let (at, text) = match std::str::from_utf8(&self.cells[..self.end_of(count)]) {
            // Two broken cells can make a whole character where they meet.
            Ok(text) => (
                ends.iter().position(|&end| !text.is_char_boundary(end)),
                text,
            ),
            Err(error) => {
                let valid = error.valid_up_to();
                (Some(ends.partition_point(|&end| end <= valid)), "")
            }
        };
        match at {
            None => Ok(text),
            Some(at) => Err(Bad::new(
                line,
                format!(
                    "cell {} is not UTF-8; save the file in that encoding",
                    at + 1
                ),
            )),
        }
    }

    fn end_of(&self, count: usize) -> usize {
        count.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    fn cells_of<'t>(&'t self, text: &'t str, count: usize) -> impl Iterator<Item = &'t str> {
        let ends = &self.ends[..count];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts
            .zip(ends)
            .filter_map(|(from, &to)| text.get(from..to))
    }

    fn is_blank(&self, count: usize) -> bool {
        self.cells[..self.end_of(count)]
            .iter()
            .all(u8::is_ascii_whitespace)
    }

    /// Takes the next row, and the line that it begins on.
    fn take_row(&mut self) -> io::Result<(u64, Row)> {
        let found = self
            .bytes
            .skip_while(|byte| matches!(byte, b'\r' | b'\n'))?;
        let line = self.bytes.line();
        if found.is_none() {
            return Ok((line, Row::End));
        }
        let (mut used, mut count) = (0, 0);
        // A row that does not fit is read to its end over and over the same buffer.
        let mut excess = None;
        let mut closing = false;
        loop {
            let next = self.bytes.fill()?;
            let at_end = next.is_empty();
            let input = match (at_end, closing) {
                (false, _) => next,
                // A line break ends any row but one with an open quote.
                (true, false) => b"\n",
                (true, true) => b"",
            };
            let no_more = input.is_empty();
            let (result, taken, written, ended) =
                self.core
                    .read_record(input, &mut self.cells[used..], &mut self.ends[count..]);
            if at_end {
                closing |= taken > 0;
            } else {
                self.bytes.consume(taken);
            }
            (used, count) = (used + written, count + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => (used, excess) = (0, Some(Row::TooLong)),
                ReadRecordResult::OutputEndsFull => {
                    (count, excess) = (0, Some(excess.unwrap_or(Row::TooManyCells)));
                }
                ReadRecordResult::Record if no_more => {
                    return Ok((line, Row::OpenQuote));
                }
                ReadRecordResult::Record | ReadRecordResult::End => {
                    return Ok((line, excess.unwrap_or(Row::Cells(count))));
                }
            }
        }
    }
}
