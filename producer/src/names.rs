//! How people find a signup of an input.

use store::Origin;

/// What the parts of an input are called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Names<'n> {
    /// Files with lines.
    Files(&'n [String]),
    /// One list, counted from 1.
    List(&'n str),
}

impl<'n> Names<'n> {
    /// The file, or what stands for one.
    pub(crate) fn file(self, origin: Origin) -> &'n str {
        match self {
            Self::Files(files) => files.get(origin.file as usize).map_or("", String::as_str),
            Self::List(name) => name,
        }
    }

    /// How a person finds the signup at `other`, told beside the one at `own`.
    pub(crate) fn place(self, other: Origin, own: Origin) -> String {
        let line = other.line;
        match self {
            Self::List(_) => format!("signup {line} of the list"),
            Self::Files(files) => match files.get(other.file as usize) {
                Some(file) if other.file != own.file => {
                    format!("the signup on line {line} of {file}")
                }
                _ => format!("the signup on line {line}"),
            },
        }
    }
}
