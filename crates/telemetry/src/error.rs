//! What keeps traces from being exported.

/// Traces cannot be exported as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting, or a variable of the environment, cannot be used; the text names it and says what
    /// would be right. Values that may be secret are not in it.
    #[error("{0}")]
    Settings(String),
    /// This machine does not allow it: TLS cannot be set up.
    #[error("traces cannot be exported: {0}")]
    Machine(String),
}
