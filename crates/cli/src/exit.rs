//! How the command ends.

use std::process::ExitCode;

/// The exit status, as the contract has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0: all done.
    Done,
    /// 1: it ran, but something is left failed or blocked, or it could not go on.
    Left,
    /// 2: bad input or configuration; nothing was changed.
    Refused,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::from(0),
            Exit::Left => Self::from(1),
            Exit::Refused => Self::from(2),
        }
    }
}
