//! Why a record cannot be made, by what the caller can do about it.

/// Why a record cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account is in no accounts file any more: a person adds it again.
    #[error("{message}")]
    AccountUnknown {
        /// Which, where it was looked for, and what to do.
        message: String,
    },
    /// The store did not answer, or not with what it should have.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What the store has cannot be understood: a person restores a backup.
    #[error("{message}")]
    Damaged {
        /// What was found, and what to do.
        message: String,
    },
}
