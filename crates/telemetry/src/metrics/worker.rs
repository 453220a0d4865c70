//! What a worker does.

use exotel::Class;
use onboarding::{State, StepKind};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use worker::{Event, Release, StepOutcome};

use super::MakeHistogram;

/// From a near answer to the longest that a request may take by default.
const REQUEST_SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// A saturated account of Exotel's allowance gives a permit every 0.3 s.
const WAIT_SECONDS: [f64; 9] = [0.05, 0.1, 0.3, 0.6, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Claim {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    call: &'static str,
    class: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestTime {
    call: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    step: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Surplus {
    step: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Wait {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: &'static str,
}

#[derive(Debug)]
pub(super) struct Families {
    claims: Family<Claim, Counter>,
    requests: Family<Request, Counter>,
    request_duration: Family<RequestTime, Histogram, MakeHistogram>,
    steps: Family<Step, Counter>,
    permit_wait: Family<Wait, Histogram, MakeHistogram>,
    leases_released: Family<Why, Counter>,
    lease_losses: Counter,
    handlers_broken: Counter,
    onboardings_ended: Family<Ended, Counter>,
    parkings: Counter,
    settling: Counter,
    surplus_removed: Family<Surplus, Counter>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self {
            claims: Family::default(),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            steps: Family::default(),
            permit_wait: Family::new_with_constructor(|| Histogram::new(WAIT_SECONDS)),
            leases_released: Family::default(),
            lease_losses: Counter::default(),
            handlers_broken: Counter::default(),
            onboardings_ended: Family::default(),
            parkings: Counter::default(),
            settling: Counter::default(),
            surplus_removed: Family::default(),
        };
        all.enter(registry);
        all.begin();
        all
    }

    fn enter(&self, registry: &mut Registry) {
        registry.register(
            "claims",
            "Onboardings that were claimed, for the first time or again",
            self.claims.clone(),
        );
        registry.register(
            "requests",
            "Requests to Exotel by call, by what they came to and by the class of the HTTP status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from before a request to Exotel was sent until it ended",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        registry.register(
            "steps",
            "Steps by kind and by what they came to under one lease",
            self.steps.clone(),
        );
        registry.register_with_unit(
            "permit_wait",
            "Time for which an onboarding held its lease for want of a permit",
            Unit::Seconds,
            self.permit_wait.clone(),
        );
        registry.register(
            "leases_released",
            "Leases that were given back before the end, by why",
            self.leases_released.clone(),
        );
        registry.register(
            "lease_losses",
            "Leases that were lost, or left to end because a handler broke",
            self.lease_losses.clone(),
        );
        registry.register(
            "handlers_broken",
            "Handlers that panicked or hung",
            self.handlers_broken.clone(),
        );
        registry.register(
            "onboardings_ended",
            "Onboardings that this process brought to an end, by their state",
            self.onboardings_ended.clone(),
        );
        registry.register(
            "parkings",
            "Times that this process parked an account",
            self.parkings.clone(),
        );
        registry.register(
            "settling",
            "Times that an onboarding waited because an earlier request might still be processed",
            self.settling.clone(),
        );
        registry.register(
            "surplus_removed",
            "Copies of a repeated write that were removed, by step",
            self.surplus_removed.clone(),
        );
    }

    /// Those whose labels are all known begin at zero, so that their first increase is seen as one.
    fn begin(&self) {
        for kind in ["first", "again"] {
            drop(self.claims.get_or_create(&Claim { kind }));
        }
        let outcomes = [
            StepOutcome::Done,
            StepOutcome::Adopted,
            StepOutcome::Failed,
            StepOutcome::PutBack,
            StepOutcome::Unknown,
        ];
        // What a repeat may double.
        for step in [StepKind::CreateCredentials, StepKind::MapDestination] {
            let step = step.as_str();
            drop(self.surplus_removed.get_or_create(&Surplus { step }));
        }
        for step in StepKind::ALL {
            for outcome in outcomes {
                let step = step.as_str();
                let outcome = outcome.as_str();
                drop(self.steps.get_or_create(&Step { step, outcome }));
            }
        }
        for why in [Release::NoPermit, Release::Later, Release::Shutdown] {
            let reason = why.as_str();
            drop(self.leases_released.get_or_create(&Why { reason }));
        }
        for state in State::ALL.into_iter().filter(|state| state.is_finished()) {
            let state = state.as_str();
            drop(self.onboardings_ended.get_or_create(&Ended { state }));
        }
        for granted in [true, false] {
            drop(self.permit_wait.get_or_create(&wait(granted)));
        }
    }

    pub(super) fn event(&self, event: Event<'_>) {
        match event {
            Event::Claimed { epoch, .. } => {
                let kind = if epoch > 1 { "again" } else { "first" };
                self.claims.get_or_create(&Claim { kind }).inc();
            }
            Event::Request {
                call,
                failure,
                status,
                duration,
                ..
            } => {
                let class = class_of(failure);
                let status = status_class(status);
                let request = Request {
                    call,
                    class,
                    status,
                };
                self.requests.get_or_create(&request).inc();
                self.request_duration
                    .get_or_create(&RequestTime { call, class })
                    .observe(duration.as_secs_f64());
            }
            Event::PermitWait {
                waited, granted, ..
            } => {
                let waits = self.permit_wait.get_or_create(&wait(granted));
                waits.observe(waited.as_secs_f64());
            }
            Event::Step { step, outcome, .. } => {
                let step = Step {
                    step: step.as_str(),
                    outcome: outcome.as_str(),
                };
                self.steps.get_or_create(&step).inc();
            }
            Event::Released { why, .. } => {
                let reason = why.as_str();
                self.leases_released.get_or_create(&Why { reason }).inc();
            }
            Event::LeaseLost { .. } => {
                self.lease_losses.inc();
            }
            Event::Broken { .. } => {
                self.handlers_broken.inc();
            }
            Event::Finished { state, .. } => {
                let state = state.as_str();
                self.onboardings_ended.get_or_create(&Ended { state }).inc();
            }
            Event::Parked { .. } => {
                self.parkings.inc();
            }
            Event::Settling { .. } => {
                self.settling.inc();
            }
            Event::SurplusRemoved { step, copies, .. } => {
                let step = step.as_str();
                let removed = self.surplus_removed.get_or_create(&Surplus { step });
                removed.inc_by(u64::from(copies));
            }
            // Counted as the request that was answered so.
            Event::Closed { .. } | _ => {}
        }
    }
}

fn wait(granted: bool) -> Wait {
    let outcome = if granted { "granted" } else { "put_back" };
    Wait { outcome }
}

fn class_of(failure: Option<Class>) -> &'static str {
    let Some(class) = failure else {
        return "ok";
    };
    match class {
        Class::Duplicate => "duplicate",
        Class::Throttled { .. } => "throttled",
        Class::Unauthorized => "unauthorized",
        Class::NotThere => "not_there",
        Class::Refused => "refused",
        Class::Unsupported => "unsupported",
        Class::NeverSent => "never_sent",
        Class::Unknown => "unknown",
        _ => "other",
    }
}

fn status_class(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) => "other",
    }
}
