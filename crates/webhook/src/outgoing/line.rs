//! The deliveries of one endpoint that are in hand.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use store::Delivery;
use tokio::time::Instant;

use super::endpoint::Endpoint;

/// Most requests to one endpoint at once: enough for some hundred a second, and no flood.
const SLOTS_MAX: usize = 8;

/// Most requests at once, to all endpoints together.
const REQUESTS_MAX: usize = 32;

/// Most endpoints: each has a request of its own, so that no other can keep it waiting.
pub const ENDPOINTS_MAX: usize = REQUESTS_MAX;

/// Deliveries that wait for each request that may be under way.
const WAITING_PER_SLOT: usize = 2;

/// The longest that a delivery is sent away for because too many are before it.
const TURN_MAX: Duration = Duration::from_secs(600);
const TURN_MIN: Duration = Duration::from_secs(1);

/// How long nothing is sent to a receiver that has too much to do, unless it says how long.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest that nothing is sent to it, whatever it says: then one message asks again. Each message
/// that it refused has its own, longer pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A delivery that was taken from the store, and when.
pub(super) struct Taken {
    pub(super) delivery: Delivery,
    pub(super) at: Instant,
}

/// An endpoint, and what of its deliveries is in hand.
pub(super) struct Line {
    pub(super) endpoint: Arc<Endpoint>,
    waiting: VecDeque<Taken>,
    in_flight: usize,
    slots: usize,
    /// How long an attempt takes, the last ones weighing most.
    typical: Duration,
    /// When a delivery that is sent away now would have its turn.
    turn: Instant,
    /// Nothing is sent before, because the receiver has too much to do.
    paused_until: Instant,
    health: Health,
}

/// What was said of an endpoint last, so that it is said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Working,
    Failing,
    /// And some of its deliveries were given up.
    GivingUp,
}

impl Line {
    /// The lines of endpoints. Each has its own share of requests.
    pub(super) fn all(endpoints: &[Arc<Endpoint>]) -> Vec<Self> {
        let share = REQUESTS_MAX / endpoints.len().max(1);
        let line = |endpoint: &Arc<Endpoint>| Self {
            endpoint: Arc::clone(endpoint),
            waiting: VecDeque::new(),
            in_flight: 0,
            slots: share.clamp(1, SLOTS_MAX),
            typical: Duration::from_millis(100),
            turn: Instant::now(),
            paused_until: Instant::now(),
            health: Health::Working,
        };
        endpoints.iter().map(line).collect()
    }

    /// How many more it takes.
    pub(super) fn room(&self) -> usize {
        if self.paused().is_some() {
            return 0;
        }
        let most = self.slots * (1 + WAITING_PER_SLOT);
        most.saturating_sub(self.in_flight + self.waiting.len())
    }

    pub(super) fn add(&mut self, taken: Taken) {
        self.waiting.push_back(taken);
    }

    /// The next delivery to be sent, if one may be sent now. Counts it as under way.
    pub(super) fn start(&mut self) -> Option<Taken> {
        if self.in_flight >= self.slots || self.paused().is_some() {
            return None;
        }
        let taken = self.waiting.pop_front()?;
        self.in_flight += 1;
        Some(taken)
    }

    /// Sends nothing for a while: as long as the receiver asked for, within bounds.
    pub(super) fn pause(&mut self, asked: Option<Duration>) {
        let pause = asked.unwrap_or_default().clamp(PAUSE_MIN, PAUSE_MAX);
        self.paused_until = self.paused_until.max(Instant::now() + pause);
    }

    /// When it goes on, if it is paused.
    pub(super) fn paused(&self) -> Option<Instant> {
        Some(self.paused_until).filter(|until| *until > Instant::now())
    }

    /// A request is not under way any more.
    pub(super) fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// What waits, when nothing more is sent.
    pub(super) fn give_back(&mut self) -> VecDeque<Taken> {
        std::mem::take(&mut self.waiting)
    }

    /// When a delivery for which there is no room has its turn, as far as can be told: each that is
    /// sent away gets a later one, so that they come back as fast as they can be sent.
    pub(super) fn turn(&mut self) -> Duration {
        let now = Instant::now();
        let each = self.typical / u32::try_from(self.slots).unwrap_or(1);
        let before = each * u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let earliest = self.paused_until.max(now) + before;
        self.turn = (self.turn.max(earliest) + each).min(now + TURN_MAX);
        let turn = self.turn - now;
        // Those beyond the longest do not all come back at once.
        let spread = if turn < TURN_MAX {
            1.0
        } else {
            0.5 + rand::random::<f64>() / 2.0
        };
        turn.mul_f64(spread).max(TURN_MIN)
    }

    /// Whether its last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.health != Health::Working
    }

    /// Notes how an attempt went. Tells the log once that the endpoint fails, and once that it works again.
    pub(super) fn note(&mut self, took: Duration, outcome: Outcome<'_>) {
        self.typical = (self.typical * 7 + took) / 8;
        let (endpoint, origin) = (self.endpoint.name(), self.endpoint.origin());
        match outcome {
            Outcome::Delivered => {
                if self.is_failing() {
                    tracing::info!(endpoint, origin, "webhooks are delivered again");
                }
                self.health = Health::Working;
            }
            Outcome::Failed { error } => {
                if !self.is_failing() {
                    tracing::warn!(
                        endpoint,
                        origin,
                        error,
                        "a webhook cannot be delivered; it is tried again for a day"
                    );
                    self.health = Health::Failing;
                }
            }
            Outcome::GivenUp { error, delivery } => {
                if self.health != Health::GivingUp {
                    tracing::warn!(
                        endpoint,
                        origin,
                        error,
                        delivery,
                        "a webhook was given up, and others may follow; correct the endpoint and send them again"
                    );
                    self.health = Health::GivingUp;
                }
            }
        }
    }
}

/// How an attempt went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    Delivered,
    Failed { error: &'a str },
    GivenUp { error: &'a str, delivery: &'a str },
}
