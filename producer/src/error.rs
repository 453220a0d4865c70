//! What can go wrong with an input, by what the caller can do about it.

use std::io;

use crate::problem::{Located, Problems};

/// Why nothing was accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is wrong: mend it and give all of it again.
    #[error("nothing was accepted; problems in the input: {}, first {}", problems.len() as u64 + more, first(problems))]
    Input {
        /// The first thousand, in the order of the input.
        problems: Vec<Located>,
        /// How many more there are.
        more: u64,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}; nothing was accepted")]
    Read {
        /// Which, as it was named.
        file: String,
        /// Why.
        source: io::Error,
    },
}

fn first(problems: &[Located]) -> String {
    problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::Input {
            problems: problems.first,
            more: problems.more,
        }
    }
}
