//! What can end a worker, or keep it from starting.

/// A worker's failure. What goes wrong with one onboarding is not one: it is in its journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings contradict themselves. Nothing was started.
    #[error("{0}")]
    Settings(String),
    /// The store did not take this worker, or could not be read.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// The job runtime ended by itself. Every lease was given back; start the worker again.
    #[error("the job runtime ended by itself: {0}; start the worker again")]
    Runtime(String),
    /// The account is parked, so that nothing may be sent to it.
    #[error(
        "account {account} is parked: {reason}; correct it, then run `trunkline accounts resume {account}`"
    )]
    Parked {
        /// Which.
        account: onboarding::AccountName,
        /// Why.
        reason: String,
    },
    /// The worker was asked to stop; nothing more is sent.
    #[error("the worker stops")]
    Stopped,
    /// The account has no permit for longer than the caller waits.
    #[error("account {account} has no request left for {} s", wait.as_secs())]
    NoPermit {
        /// Which.
        account: onboarding::AccountName,
        /// For how long.
        wait: std::time::Duration,
    },
    /// Exotel did not answer as asked.
    #[error(transparent)]
    Exotel(#[from] exotel::Error),
    /// An entry of a list cannot be read and may be the one that is looked for.
    #[error("an entry in the list of {what} cannot be read; look at it in Exotel's dashboard")]
    Unreadable {
        /// Of what.
        what: &'static str,
    },
    /// A list is longer than is read.
    #[error("the list of {what} has more than {most} pages; narrow it down in Exotel's dashboard")]
    ListTooLong {
        /// Of what.
        what: &'static str,
        /// Most pages that are read.
        most: u32,
    },
}
