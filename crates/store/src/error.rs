//! What can go wrong with a store, by what the caller can do about it.

use onboarding::OnboardingId;

/// Why a store that answers must not be used as it is configured now. It is used again automatically once
/// that is corrected. The source of an [`Error::Unavailable`]. The text has no address in it, so that
/// clients may see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// Why a store that is a file did not do it: it changed nothing, for certain. The source of an
/// [`Error::Unavailable`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untouched(pub String);

impl Error {
    /// Whether it is certain that what failed changed nothing.
    #[must_use]
    pub fn changed_nothing(&self) -> bool {
        std::error::Error::source(self).is_some_and(|source| source.is::<Untouched>())
    }

    /// Why the store must not be used as it is configured now, if that is the failure. Then nothing was
    /// done.
    #[must_use]
    pub fn unfit(&self) -> Option<&Unfit> {
        std::error::Error::source(self)?.downcast_ref()
    }
}

/// A store's failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lease is not the caller's any more: let go, write nothing, send nothing.
    #[error("the lease on {id} (epoch {epoch}) is lost; another worker may hold it now")]
    LeaseLost {
        /// Whose lease.
        id: OnboardingId,
        /// The epoch that the caller holds.
        epoch: u64,
    },
    /// Another process works on this store already, and it allows one.
    #[error(
        "{place} has a worker already; stop that one, or let it do the work and use `trunkline enqueue` here"
    )]
    WorkerRunning {
        /// The store.
        place: String,
    },
    /// The store cannot be used as it is configured: a person has to change something.
    #[error("{place}: {message}")]
    Unusable {
        /// The store.
        place: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The store did not do it now; trying again later may help. The embedded store has changed
    /// nothing then; with one behind a network the answer alone may be lost.
    #[error("{place}: {message}")]
    Unavailable {
        /// The store.
        place: String,
        /// What happened.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The store is not where it was opened any more: another one may be in its place. What was being
    /// written may be lost with it, and nothing more is written; the process has to be started again.
    #[error("{place}: the database file was replaced under this process; start again")]
    Replaced {
        /// The store.
        place: String,
    },
    /// What the store holds cannot be understood: a newer version wrote it, or it is damaged.
    #[error("{place}: {message}")]
    Corrupt {
        /// The store, and where in it.
        place: String,
        /// What was found.
        message: String,
    },
}

impl Error {
    /// The same failure for another caller that it concerns. Causes go along as text.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::LeaseLost { id, epoch } => Self::LeaseLost {
                id: *id,
                epoch: *epoch,
            },
            Self::WorkerRunning { place } => Self::WorkerRunning {
                place: place.clone(),
            },
            Self::Replaced { place } => Self::Replaced {
                place: place.clone(),
            },
            Self::Unusable { place, message } => Self::Unusable {
                place: place.clone(),
                message: message.clone(),
            },
            Self::Corrupt { place, message } => Self::Corrupt {
                place: place.clone(),
                message: message.clone(),
            },
            Self::Unavailable { place, message, .. } if self.unfit().is_some() => {
                let unfit = self.unfit().cloned();
                Self::Unavailable {
                    place: place.clone(),
                    message: message.clone(),
                    source: unfit.map(|unfit| Box::new(unfit) as _),
                }
            }
            Self::Unavailable {
                place,
                message,
                source: Some(source),
            } if source.is::<Untouched>() => Self::Unavailable {
                place: place.clone(),
                message: message.clone(),
                source: Some(Box::new(Untouched(source.to_string()))),
            },
            Self::Unavailable {
                place,
                message,
                source,
            } => Self::Unavailable {
                place: place.clone(),
                message: match source {
                    Some(source) => format!("{message} ({source})"),
                    None => message.clone(),
                },
                source: None,
            },
        }
    }
}
