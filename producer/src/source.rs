//! Where signups are read from.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// How signups are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma separated values with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// One JSON array of objects.
    JsonArray,
}

impl Format {
    /// The format that a file's name tells, if any.
    fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "json" => Some(Self::JsonArray),
            _ => None,
        }
    }

    /// The format of a text that begins with this byte, blanks aside.
    pub(crate) fn of_first_byte(byte: u8) -> Self {
        match byte {
            b'[' => Self::JsonArray,
            b'{' => Self::JsonLines,
            _ => Self::Csv,
        }
    }
}

enum Origin {
    Stdin,
    File(PathBuf),
    Reader(Box<dyn Read + Send>),
}

/// One input: a file, standard input, or anything that can be read. It is read once, from its
/// beginning to its end, and never held in memory as a whole.
pub struct Source {
    name: String,
    format: Option<Format>,
    origin: Origin,
}

impl Source {
    /// What a person named on the command line: `-` is standard input, anything else a file. The
    /// format follows from the extension (`.csv`, `.jsonl`, `.ndjson`, `.json`), else from the
    /// first byte that is no blank: `[` begins a JSON array, `{` JSON Lines, anything else CSV.
    #[must_use]
    pub fn from_argument(argument: impl Into<PathBuf>) -> Self {
        let path = argument.into();
        if path.as_os_str() == "-" {
            return Self {
                name: "-".into(),
                format: None,
                origin: Origin::Stdin,
            };
        }
        Self {
            name: path.display().to_string(),
            format: Format::of_name(&path),
            origin: Origin::File(path),
        }
    }

    /// Anything that can be read. `name` is what problems call it; without a `format` the first
    /// byte tells it.
    #[must_use]
    pub fn from_reader(
        name: impl Into<String>,
        format: Option<Format>,
        reader: impl Read + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            format,
            origin: Origin::Reader(Box::new(reader)),
        }
    }

    /// What problems call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format, where it is known before reading.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    pub(crate) fn open(self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self.origin {
            Origin::Stdin => Box::new(io::stdin()),
            Origin::File(path) => Box::new(File::open(path)?),
            Origin::Reader(reader) => reader,
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_the_format_and_a_dash_is_standard_input() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.CSV", Some(Format::Csv)),
            ("a.jsonl", Some(Format::JsonLines)),
            ("a.ndjson", Some(Format::JsonLines)),
            ("a.b.json", Some(Format::JsonArray)),
            ("a.txt", None),
            ("csv", None),
            ("-", None),
        ] {
            assert_eq!(Source::from_argument(name).format(), format, "{name}");
        }
        assert!(matches!(Source::from_argument("-").origin, Origin::Stdin));
        assert!(matches!(
            Source::from_argument("./-").origin,
            Origin::File(_)
        ));
    }
}
