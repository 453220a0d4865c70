//! What is served over HTTP, and told to others.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::MakeHistogram;

/// From an answer out of memory to one that waited for the store as long as it may.
const HTTP_SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// From a receiver next door to the longest that is waited for one.
const DELIVERY_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// Most routes that are told apart: several times those that there are. Patterns are few; should a
/// path come here by mistake, it must not make a series of its own for every id.
const ROUTES_MAX: usize = 200;

/// Where signups come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupSource {
    /// The HTTP API.
    Api,
    /// A webhook.
    Webhook,
    /// A file that a person uploaded.
    Upload,
}

impl SignupSource {
    const ALL: [Self; 3] = [Self::Api, Self::Webhook, Self::Upload];

    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Upload => "upload",
        }
    }
}

/// What a signup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupOutcome {
    /// It is an onboarding now.
    Accepted,
    /// It was one before.
    Duplicate,
    /// It was refused.
    Refused,
}

impl SignupOutcome {
    const ALL: [Self; 3] = [Self::Accepted, Self::Duplicate, Self::Refused];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

/// What an attempt of a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver took it.
    Delivered,
    /// It is tried again.
    Again,
    /// It was the last one.
    GivenUp,
}

impl DeliveryOutcome {
    const ALL: [Self; 3] = [Self::Delivered, Self::Again, Self::GivenUp];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again => "again",
            Self::GivenUp => "given_up",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: Route,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerTime {
    route: Route,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Signup {
    source: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    outcome: &'static str,
}

/// Shared, so that a request does not copy it.
type Route = Arc<str>;

#[derive(Debug)]
pub(super) struct Families {
    http_requests: Family<Answered, Counter>,
    http_duration: Family<AnswerTime, Histogram, MakeHistogram>,
    routes: RwLock<HashSet<Route>>,
    other: Route,
    signups: Family<Signup, Counter>,
    pub(super) sse_clients: Gauge,
    attempts: Family<Attempt, Counter>,
    attempt_duration: Family<Attempt, Histogram, MakeHistogram>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self {
            http_requests: Family::default(),
            http_duration: Family::new_with_constructor(|| Histogram::new(HTTP_SECONDS)),
            routes: RwLock::default(),
            other: "other".into(),
            signups: Family::default(),
            sse_clients: Gauge::default(),
            attempts: Family::default(),
            attempt_duration: Family::new_with_constructor(|| Histogram::new(DELIVERY_SECONDS)),
        };
        all.enter(registry);
        all.begin();
        all
    }

    fn enter(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "HTTP requests that were answered, by the pattern of their path, method and status",
            self.http_requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from an HTTP request's head to its answer's",
            Unit::Seconds,
            self.http_duration.clone(),
        );
        registry.register(
            "signups",
            "Signups by where they came from and what they came to",
            self.signups.clone(),
        );
        registry.register(
            "sse_clients",
            "Clients that watch the events now",
            self.sse_clients.clone(),
        );
        registry.register(
            "delivery_attempts",
            "Attempts to tell others, by what they came to",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "delivery_attempt_duration",
            "Time that an attempt to tell others took",
            Unit::Seconds,
            self.attempt_duration.clone(),
        );
    }

    /// Those whose labels are all known begin at zero, so that their first increase is seen as one.
    fn begin(&self) {
        for source in SignupSource::ALL {
            for outcome in SignupOutcome::ALL {
                self.signups(source, outcome, 0);
            }
        }
        for outcome in DeliveryOutcome::ALL {
            let outcome = outcome.as_str();
            drop(self.attempts.get_or_create(&Attempt { outcome }));
            drop(self.attempt_duration.get_or_create(&Attempt { outcome }));
        }
    }

    pub(super) fn http(&self, route: &str, method: &str, status: u16, duration: Duration) {
        let route = self.route(route);
        let method = method_of(method);
        self.http_duration
            .get_or_create(&AnswerTime {
                route: Arc::clone(&route),
                method,
            })
            .observe(duration.as_secs_f64());
        let answered = Answered {
            route,
            method,
            // Others do not exist; one that a handler made up must not make a series.
            status: if (100..600).contains(&status) {
                status
            } else {
                0
            },
        };
        self.http_requests.get_or_create(&answered).inc();
    }

    fn route(&self, route: &str) -> Route {
        if route.is_empty() {
            return Arc::clone(&self.other);
        }
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(route) {
            return Arc::clone(known);
        }
        drop(known);
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ROUTES_MAX {
            return Arc::clone(&self.other);
        }
        let route: Route = route.into();
        known.insert(Arc::clone(&route));
        route
    }

    pub(super) fn signups(&self, source: SignupSource, outcome: SignupOutcome, count: u64) {
        let signup = Signup {
            source: source.as_str(),
            outcome: outcome.as_str(),
        };
        self.signups.get_or_create(&signup).inc_by(count);
    }

    pub(super) fn delivery(&self, outcome: DeliveryOutcome, duration: Duration) {
        let attempt = Attempt {
            outcome: outcome.as_str(),
        };
        self.attempts.get_or_create(&attempt).inc();
        let durations = self.attempt_duration.get_or_create(&attempt);
        durations.observe(duration.as_secs_f64());
    }
}

/// Anybody may send any word as a method.
fn method_of(method: &str) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
