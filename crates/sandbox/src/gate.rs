//! Who may come in: the window, the connections, and what was seen of both.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::clock::Moment;
use crate::options::Limits;
use crate::request_log::{Logged, Outcome, RequestLog};

/// One TCP connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// The accounts whose requests it has carried, and whether each let it in. Only touched while
    /// the gate is locked.
    joined: Mutex<Vec<(u32, bool)>>,
    /// Set to end it with a reset instead of an orderly close.
    reset: AtomicBool,
    /// Set when it has been closed, by whichever side.
    closed: AtomicBool,
    /// Wakes those who wait for that.
    closing: Notify,
}

impl Connection {
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    /// Waits until it has been closed.
    pub(crate) async fn closed(&self) {
        let mut woken = std::pin::pin!(self.closing.notified());
        // Registered before the look at the flag, so that no close goes unseen in between.
        woken.as_mut().enable();
        if !self.closed.load(Ordering::Acquire) {
            woken.await;
        }
    }
}

/// An arrival at the gate.
pub(crate) struct Arrival<'a> {
    /// `None`: the path names no account.
    pub(crate) account: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Whether key and token are right. Wrong ones are logged but take no allowance.
    pub(crate) authorised: bool,
    pub(crate) at: Moment,
}

/// What the gate says of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Welcome,
    /// More than the window allows; the oldest accepted request leaves it after so many µs.
    WindowFull {
        wait_us: u64,
        limit: u32,
    },
    TooManyConnections {
        limit: u32,
    },
}

#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    /// From a name to its number, counted from 1.
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    accounts: Vec<Traffic>,
    log: RequestLog,
}

/// What one account sends.
#[derive(Debug, Default)]
struct Traffic {
    /// All arrivals of the last window, refused ones included.
    arrivals: VecDeque<Moment>,
    /// Those of them that took allowance.
    accepted: VecDeque<Moment>,
    open: u32,
    admitted: u32,
    stats: Stats,
}

/// What was seen of one account since the start or the last `DELETE /_sandbox/state`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Stats {
    /// All arrivals.
    requests: u64,
    /// Those refused by window or connections.
    refused: u64,
    /// Most arrivals, refused ones included, in any window.
    max_in_window: usize,
    /// Most TCP connections open at once that had carried a request of the account.
    max_connections: u32,
}

impl Gate {
    pub(crate) fn new(limits: Limits, request_log: usize) -> Self {
        Self {
            limits,
            numbers: HashMap::new(),
            names: Vec::new(),
            accounts: Vec::new(),
            log: RequestLog::new(request_log),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Forgets log, windows and statistics; open connections stay counted.
    pub(crate) fn clear(&mut self) {
        self.log.clear();
        for traffic in &mut self.accounts {
            traffic.arrivals.clear();
            traffic.accepted.clear();
            traffic.stats = Stats {
                max_connections: traffic.open,
                ..Stats::default()
            };
        }
    }

    /// Puts a request that was accepted before this simulator started into its account's window.
    /// Requests come in the order of their times.
    pub(crate) fn remember(&mut self, account: &str, at: Moment) {
        let number = self.number(account);
        let traffic = &mut self.accounts[number as usize - 1];
        traffic.arrivals.push_back(at);
        traffic.accepted.push_back(at);
    }

    /// Whether a request on this connection would make the account have more than its limit.
    pub(crate) fn would_exceed(&self, account: &str, connection: &Connection) -> bool {
        let Some(&number) = self.numbers.get(account) else {
            return false;
        };
        let joined = connection
            .joined
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !joined.contains(&(number, true)) && self.of(number).admitted >= self.limits.connections
    }

    /// Takes an arrival, and gives its number in the log.
    pub(crate) fn arrive(
        &mut self,
        arrival: &Arrival<'_>,
        connection: &Connection,
    ) -> (u64, Verdict) {
        let Arrival {
            account,
            method,
            path,
            authorised,
            at,
        } = *arrival;
        let number = account.map_or(0, |account| self.number(account));
        let entry = self.log.arrive(at, number, method, path);
        if number == 0 {
            return (entry, Verdict::Welcome);
        }
        let limits = self.limits;
        let traffic = &mut self.accounts[number as usize - 1];
        let admitted = traffic.join(number, connection, limits.connections);
        traffic.expire(at, limits.window_ms);
        traffic.arrivals.push_back(at);
        traffic.stats.requests += 1;
        traffic.stats.max_in_window = traffic.stats.max_in_window.max(traffic.arrivals.len());
        if !authorised {
            return (entry, Verdict::Welcome);
        }
        let verdict = traffic.judge(at, admitted, limits);
        match verdict {
            Verdict::Welcome => traffic.accepted.push_back(at),
            Verdict::WindowFull { .. } | Verdict::TooManyConnections { .. } => {
                traffic.stats.refused += 1;
            }
        }
        (entry, verdict)
    }

    pub(crate) fn settle(&mut self, entry: u64, outcome: Outcome) {
        self.log.settle(entry, outcome);
    }

    pub(crate) fn late(&mut self, entry: u64, at: Moment) {
        self.log.late(entry, at);
    }

    /// Takes a closed connection out of the counts.
    pub(crate) fn leave(&mut self, connection: &Connection) {
        let mut joined = connection
            .joined
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (number, admitted) in joined.drain(..) {
            let traffic = &mut self.accounts[number as usize - 1];
            traffic.open = traffic.open.saturating_sub(1);
            traffic.admitted = traffic.admitted.saturating_sub(u32::from(admitted));
        }
    }

    pub(crate) fn requests(&self, since_ms: u64, limit: usize) -> Vec<Logged<'_>> {
        self.log.list(since_ms, limit, &self.names)
    }

    pub(crate) fn stats(&self) -> std::collections::BTreeMap<&str, Stats> {
        self.names
            .iter()
            .map(|name| &**name)
            .zip(self.accounts.iter().map(|t| t.stats))
            .collect()
    }

    fn of(&self, number: u32) -> &Traffic {
        &self.accounts[number as usize - 1]
    }

    fn number(&mut self, account: &str) -> u32 {
        if let Some(&number) = self.numbers.get(account) {
            return number;
        }
        let name: Arc<str> = account.into();
        self.names.push(Arc::clone(&name));
        self.accounts.push(Traffic::default());
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name, number);
        number
    }
}

impl Traffic {
    /// Counts the connection for the account, and says whether it is within the limit. One that
    /// was not may get in later, when another has closed.
    fn join(&mut self, number: u32, connection: &Connection, limit: u32) -> bool {
        let mut joined = connection
            .joined
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = joined.iter_mut().find(|(account, _)| *account == number);
        let entry = match known {
            Some(entry) => entry,
            None => {
                self.open += 1;
                self.stats.max_connections = self.stats.max_connections.max(self.open);
                joined.push((number, false));
                let Some(entry) = joined.last_mut() else {
                    return false;
                };
                entry
            }
        };
        if !entry.1 && self.admitted < limit {
            entry.1 = true;
            self.admitted += 1;
        }
        entry.1
    }

    fn expire(&mut self, now: Moment, window_ms: u64) {
        let window_us = window_ms.saturating_mul(1000);
        for queue in [&mut self.arrivals, &mut self.accepted] {
            while queue
                .front()
                .is_some_and(|at| now.0.saturating_sub(at.0) >= window_us)
            {
                queue.pop_front();
            }
        }
    }

    fn judge(&self, now: Moment, admitted: bool, limits: Limits) -> Verdict {
        if !admitted {
            return Verdict::TooManyConnections {
                limit: limits.connections,
            };
        }
        let limit = limits.requests_per_minute;
        if self.accepted.len() < limit as usize {
            return Verdict::Welcome;
        }
        // The limit may have been lowered: room comes when enough of the oldest have left.
        let blocking = self.accepted.len() - limit as usize;
        let leaves = self
            .accepted
            .get(blocking)
            .or(self.accepted.back())
            .map_or(now.0, |at| at.0);
        let wait_us = (leaves + limits.window_ms.saturating_mul(1000)).saturating_sub(now.0);
        Verdict::WindowFull { wait_us, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(gate: &mut Gate, connection: &Connection, at_ms: u64) -> Verdict {
        let at = Moment(at_ms * 1000);
        let (account, authorised) = (Some("acme"), true);
        gate.arrive(
            &Arrival {
                account,
                method: "GET",
                path: "/",
                authorised,
                at,
            },
            connection,
        )
        .1
    }

    #[test]
    fn no_window_wherever_it_starts_accepts_more_than_the_limit() {
        let limits = Limits {
            requests_per_minute: 5,
            connections: 1,
            window_ms: 1000,
        };
        let mut gate = Gate::new(limits, 10);
        let connection = Connection::default();
        let mut accepted = Vec::new();
        // A sequence without a pattern that a fixed window or a bucket would follow.
        let mut at = 0;
        for step in 0..2000u64 {
            at += crate::ids::mix(step) % 150;
            if arrive(&mut gate, &connection, at) == Verdict::Welcome {
                accepted.push(at);
            }
        }
        assert!(accepted.len() > 500, "{}", accepted.len());
        for six in accepted.windows(6) {
            assert!(six[5] - six[0] >= 1000, "{six:?}");
        }
    }

    #[test]
    fn the_wait_it_names_is_exactly_long_enough() {
        let limits = Limits {
            requests_per_minute: 2,
            connections: 1,
            window_ms: 1000,
        };
        let mut gate = Gate::new(limits, 10);
        let connection = Connection::default();
        arrive(&mut gate, &connection, 0);
        arrive(&mut gate, &connection, 400);
        let full = Verdict::WindowFull {
            wait_us: 1000,
            limit: 2,
        };
        assert_eq!(arrive(&mut gate, &connection, 999), full);
        assert_eq!(arrive(&mut gate, &connection, 1000), Verdict::Welcome);
        assert_eq!(gate.stats()["acme"].max_in_window, 3);
    }

    #[test]
    fn a_connection_beyond_the_limit_gets_in_when_another_has_closed() {
        let limits = Limits {
            requests_per_minute: 9,
            connections: 1,
            window_ms: 1000,
        };
        let mut gate = Gate::new(limits, 10);
        let (first, second) = (Connection::default(), Connection::default());
        assert_eq!(arrive(&mut gate, &first, 0), Verdict::Welcome);
        let refused = Verdict::TooManyConnections { limit: 1 };
        assert_eq!(arrive(&mut gate, &second, 0), refused);
        gate.leave(&first);
        assert_eq!(arrive(&mut gate, &second, 0), Verdict::Welcome);
        assert_eq!(gate.stats()["acme"].max_connections, 2);
    }
}
