//! How often tokens may be typed in.

use std::{
    fmt,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::auth::per_minute;

/// Attempts of one address in a minute: a person who mistypes has enough of them.
const OF_ONE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Attempts of all together in a minute: more than a company's people, far too few to guess.
const OF_ALL: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// Most addresses that are remembered: some hundred bytes each.
const ADDRESSES_MAX: usize = 10_000;

/// How often those who need not be remembered any more are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// Counts attempts to log in.
pub(crate) struct Attempts {
    of_one: DefaultKeyedRateLimiter<IpAddr>,
    of_all: DefaultDirectRateLimiter,
    forgot_at: Mutex<Option<Instant>>,
}

/// One has to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct TooMany {
    pub(crate) wait: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            of_one: RateLimiter::keyed(Quota::per_minute(OF_ONE)),
            of_all: per_minute(OF_ALL),
            forgot_at: Mutex::new(None),
        }
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").finish_non_exhaustive()
    }
}

impl Attempts {
    /// Counts an attempt of `peer`. Its own allowance comes first, so that one address cannot use up
    /// that of all.
    pub(crate) fn take(&self, peer: IpAddr) -> Result<(), TooMany> {
        if self.of_one.len() >= ADDRESSES_MAX {
            self.forget();
        }
        // Where so many addresses came within a minute, the allowance of all is used up anyway.
        if self.of_one.len() < ADDRESSES_MAX {
            self.of_one.check_key(&network(peer)).map_err(wait)?;
        }
        self.of_all.check().map_err(wait)
    }

    /// Forgets those that may try as often again as if they never had; now and then, because it
    /// looks at all of them.
    fn forget(&self) {
        let mut forgot_at = self
            .forgot_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if forgot_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
            self.of_one.retain_recent();
            *forgot_at = Some(Instant::now());
        }
    }
}

/// What counts as one address: of IPv6 the /64, which one customer has to himself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(own) => IpAddr::V4(own),
        IpAddr::V6(own) => {
            let [a, b, c, d, ..] = own.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the argument of map_err"
)]
fn wait(not_until: NotUntil<<DefaultClock as Clock>::Instant>) -> TooMany {
    TooMany {
        wait: not_until.wait_time_from(DefaultClock::default().now()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_share_their_attempts() {
        let own: IpAddr = "2001:db8:1:2:3::1".parse().unwrap();
        let near: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        let far: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(network(own), network(near));
        assert_ne!(network(own), network(far));
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            IpAddr::from([192, 0, 2, 1])
        );
    }

    #[test]
    fn many_addresses_cost_bounded_memory_and_use_up_the_allowance_of_all() {
        let attempts = Attempts::default();
        let taken = (0..30_000_u32)
            .filter(|n| attempts.take(IpAddr::from(n.to_be_bytes())).is_ok())
            .count();
        assert!(taken < 400, "{taken}");
        assert!(attempts.of_one.len() <= ADDRESSES_MAX);
    }
}
