//! CSV with a header.

use std::io;

use csv_core::ReadRecordResult;
use onboarding::{
    Problem,
    signup::{Columns, FIELDS},
};

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
    /// Whether it was said that a column without a name has values; once is enough.
    nameless_told: bool,
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
            nameless_told: false,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.columns.is_none() && !self.ended {
            let (mut line, mut row) = self.take_row()?;
            while let Row::Cells(count) = row
                && (self.is_blank(count) || self.is_hint(count))
            {
                (line, row) = self.take_row()?;
            }
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
                let nameless = self.nameless(&row, line);
                let signup = self.signup(&row, line).map(|given| Given {
                    line,
                    raw: given.raw.with_problem(nameless),
                });
                return Ok(Some(signup));
            }
        }
    }

    fn header(&self, row: &Row, line: u64) -> Result<Columns, Bad> {
        let count = self.count_of(row, line)?;
        let text = self.text_of(count, line)?;
        Columns::parse(self.cells_of(text, count)).map_err(|mut problems| {
            if let Some(message) = separator(text, self.cells_of(text, count)) {
                problems = vec![Problem::new("", message)];
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
        let short = count < columns.named();
        let long = count > columns.count()
            && self
                .cells_of(text, count)
                .skip(columns.count())
                .any(|cell| !cell.trim().is_empty());
        if short || long {
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

    /// That a column without a name has a value in this row, the first time.
    fn nameless(&mut self, row: &Row, line: u64) -> Option<Problem> {
        let (Row::Cells(count), false) = (row, self.nameless_told) else {
            return None;
        };
        let text = self.text_of(*count, line).ok()?;
        let found = self.columns.as_ref()?.nameless(self.cells_of(text, *count));
        self.nameless_told = found.is_some();
        found
    }

    /// Whether this is Excel's hint that commas separate, `sep=,`.
    fn is_hint(&self, count: usize) -> bool {
        let cells = self.cells[..self.end_of(count)].trim_ascii();
        cells.eq_ignore_ascii_case(b"sep=") && count > 1 || cells.eq_ignore_ascii_case(b"sep=,")
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

/// Separators that are not ours.
const OTHERS: [char; 5] = [';', '\t', '|', '\u{ff0c}', '\u{ff1b}'];

/// That a header is separated by something else than commas, wholly or in one of its cells.
fn separator<'t>(text: &str, mut cells: impl Iterator<Item = &'t str>) -> Option<String> {
    let known = |name: &str| {
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        FIELDS.contains(&name.as_str()) || name.starts_with("inputs.")
    };
    let splits = |cell: &str| {
        let both = |c: &char| cell.contains(*c) && cell.split(*c).any(known);
        OTHERS.into_iter().find(both)
    };
    let first = cells.next()?;
    if let Some(hint) = first
        .trim()
        .strip_prefix("sep=")
        .filter(|hint| !hint.is_empty())
    {
        return Some(format!(
            "the first line says that the cells are separated by {hint:?}; separate them by commas, and remove that line"
        ));
    }
    if first.len() == text.len() {
        let any = OTHERS.into_iter().find(|c| text.contains(*c));
        return splits(text)
            .or(any)
            .map(|c| format!("the cells are separated by {c:?}; separate them by commas"));
    }
    let mixed = std::iter::once(first).chain(cells).find_map(splits)?;
    Some(format!(
        "some cells are separated by {mixed:?} and some by commas; separate all of them by commas"
    ))
}
