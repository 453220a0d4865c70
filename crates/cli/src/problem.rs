//! One thing that is wrong with what was given, where it is, and what would be right.

use std::fmt;

use serde::Serialize;

/// A `problem` record. As text: `accounts.toml:3: accounts.acme.region: ...`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "problem")]
pub(crate) struct Problem {
    /// The file, as it was named; `None` for options and environment variables.
    pub(crate) file: Option<String>,
    /// The line, from 1.
    pub(crate) line: Option<u64>,
    /// The field, setting, option or environment variable.
    pub(crate) field: Option<String>,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

impl Problem {
    /// A problem that is in no file.
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            field: Some(field.into()).filter(|field| !field.is_empty()),
            message: message.into(),
        }
    }

    /// A problem in a file.
    pub(crate) fn at(
        file: impl Into<String>,
        line: Option<u64>,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: Some(file.into()),
            line,
            ..Self::new(field, message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
