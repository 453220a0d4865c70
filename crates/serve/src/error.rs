//! What can be wrong with how the server is set up.

use std::io;

/// Why the server cannot be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tokens contradict each other: mend the settings.
    #[error("{0}")]
    Tokens(String),
    /// The listener cannot be used: name another address.
    #[error("the listener cannot be used: {0}")]
    Listener(#[source] io::Error),
}
