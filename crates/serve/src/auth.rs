//! Bearer tokens: who may ask, what, and how often.

use std::{collections::BTreeSet, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::error::Error;

/// Most tokens; each costs a comparison of every request.
const TOKENS_MAX: usize = 1000;

/// Most bytes of a presented token. Those that `trunkline tokens new` makes have 47.
const PRESENTED_BYTES_MAX: usize = 512;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Looking.
    Read,
    /// Looking, and changing things.
    Write,
}

impl Scope {
    /// Its name in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write]
            .into_iter()
            .find(|scope| scope.as_str() == name)
    }
}

/// One token, as it is configured: its digest, never itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What logs call it: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// The SHA-256 of its text.
    pub sha256: [u8; 32],
    /// What it is for.
    pub scope: Scope,
    /// How many requests it may send in a minute, at least 1; all of them may come at once.
    pub requests_per_minute: u32,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// A token and how much of its allowance is left.
pub(crate) struct Known {
    pub(crate) token: Token,
    limiter: Limiter,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.token.fmt(f)
    }
}

/// All tokens there are.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<[Arc<Known>]>);

impl Tokens {
    /// These tokens, at most a thousand.
    ///
    /// # Errors
    /// [`Error::Tokens`] where two have the same name or digest, a name is none, an allowance is zero,
    /// or there are too many.
    pub fn new(tokens: Vec<Token>) -> Result<Self, Error> {
        if tokens.len() > TOKENS_MAX {
            return Err(Error::Tokens(format!(
                "there are {} tokens and at most {TOKENS_MAX} are allowed; remove some",
                tokens.len()
            )));
        }
        let mut names = BTreeSet::new();
        let mut digests = BTreeSet::new();
        let mut known = Vec::with_capacity(tokens.len());
        for token in tokens {
            check_name(&token.name)?;
            if !names.insert(token.name.clone()) {
                let message = format!("the token {} is there twice; remove one", token.name);
                return Err(Error::Tokens(message));
            }
            if !digests.insert(token.sha256) {
                return Err(Error::Tokens(format!(
                    "the token {} has the same sha256 as another; make each its own",
                    token.name
                )));
            }
            let Some(allowed) = NonZeroU32::new(token.requests_per_minute) else {
                return Err(Error::Tokens(format!(
                    "the token {} may send no requests; set requests_per_minute to 1 or more",
                    token.name
                )));
            };
            let limiter = RateLimiter::direct(Quota::per_minute(allowed)).with_middleware();
            known.push(Arc::new(Known { token, limiter }));
        }
        Ok(Self(known.into()))
    }

    /// The token whose text is `presented`. The time it takes tells nothing about any token: the
    /// digest of what was presented is compared with all of them, each in constant time.
    pub(crate) fn identify(&self, presented: &[u8]) -> Option<Arc<Known>> {
        if presented.len() > PRESENTED_BYTES_MAX {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(presented).into();
        let mut place = u32::MAX;
        for (at, known) in (0_u32..).zip(self.0.iter()) {
            let same: Choice = known.token.sha256.ct_eq(&digest);
            place.conditional_assign(&at, same);
        }
        self.0.get(usize::try_from(place).ok()?).cloned()
    }

    /// The token with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Known>> {
        self.0.iter().find(|known| known.token.name == name)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(known) {
        return Err(Error::Tokens(format!(
            "\"{}\" is not a name for a token; use 1 to 64 letters, digits, _, . or -",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// How much of a token's allowance is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests of a minute.
    pub(crate) per_minute: u32,
    /// Requests that may be sent at once now.
    pub(crate) left: u32,
    /// Where none may be sent: in how long one may.
    pub(crate) wait: Option<Duration>,
}

impl Known {
    /// Takes one request out of the allowance.
    pub(crate) fn take(&self) -> Allowance {
        let per_minute = self.token.requests_per_minute;
        match self.limiter.check() {
            Ok(state) => Allowance {
                per_minute,
                left: state.remaining_burst_capacity(),
                wait: None,
            },
            Err(not_until) => Allowance {
                per_minute,
                left: 0,
                wait: Some(not_until.wait_time_from(DefaultClock::default().now())),
            },
        }
    }
}

/// Somebody who may ask: whose token it is, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub(crate) token: Arc<str>,
    pub(crate) scope: Scope,
}

impl Caller {
    /// The name of the token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What it is for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }
}

impl Known {
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            token: self.token.name.as_str().into(),
            scope: self.token.scope,
        }
    }
}

/// A limiter that lets through so many in a minute, all of them at once if need be.
pub(crate) fn per_minute(count: NonZeroU32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_minute(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, text: &str) -> Token {
        Token {
            name: name.into(),
            sha256: Sha256::digest(text).into(),
            scope: Scope::Read,
            requests_per_minute: 2,
        }
    }

    #[test]
    fn a_token_is_found_by_its_text_alone() {
        let tokens = Tokens::new(vec![token("a", "one"), token("b", "two")]).unwrap();
        let found = |text: &str| tokens.identify(text.as_bytes());
        assert_eq!(found("one").unwrap().token.name, "a");
        assert_eq!(found("two").unwrap().token.name, "b");
        for wrong in ["", "three", "on", &"x".repeat(600)] {
            assert!(found(wrong).is_none(), "{wrong}");
        }
        assert!(Tokens::new(vec![]).unwrap().identify(b"one").is_none());
    }

    #[test]
    fn an_allowance_is_used_up_and_says_how_long_to_wait() {
        let tokens = Tokens::new(vec![token("a", "one")]).unwrap();
        let known = tokens.find("a").unwrap();
        assert_eq!(known.take().left, 1);
        assert_eq!(known.take().left, 0);
        let wait = known.take().wait.unwrap();
        assert!(
            wait > Duration::from_secs(25) && wait <= Duration::from_secs(30),
            "{wait:?}"
        );
    }

    #[test]
    fn tokens_that_contradict_each_other_are_refused() {
        let mut nothing = token("a", "one");
        nothing.requests_per_minute = 0;
        for (case, tokens) in [
            ("same name", vec![token("a", "one"), token("a", "two")]),
            ("same text", vec![token("a", "one"), token("b", "one")]),
            ("no name", vec![token("", "one")]),
            ("name with blanks", vec![token("a b", "one")]),
            ("no requests", vec![nothing]),
        ] {
            assert!(Tokens::new(tokens).is_err(), "{case}");
        }
    }
}
