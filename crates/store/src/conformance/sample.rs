//! Made-up onboardings, and the calls that tests make most.

use std::{sync::Arc, time::Duration};

use onboarding::{
    AccountName, Direction, Fault, Key, Mode, OnboardingId, Plan, Secret, SipPassword, Step,
    StepRecord, StepResult, StepState, TraceContext,
};

use crate::{
    Advance, Advanced, Candidate, Claim, Committed, Error, Limits, NewOnboarding, Origin, Permit,
    Settled, Store, Then, WorkerName, WriteId,
};

/// How long the samples' leases last.
pub const LEASE: Duration = Duration::from_millis(3000);
/// How long the samples' requests may take.
pub const TIMEOUT: Duration = Duration::from_millis(1000);
/// The samples' window: short, so that a store with a clock of its own can be tested in time.
pub const WINDOW: Duration = Duration::from_millis(2000);
/// The digest that the samples' recipe is kept under.
pub const RECIPE: &str = "00112233445566778899aabbccddeeff";

/// A worker's name.
#[must_use]
pub fn worker(name: &str) -> WorkerName {
    WorkerName(name.to_owned())
}

/// An account's name.
#[must_use]
pub fn account(name: &str) -> AccountName {
    name.parse().expect("a valid account name")
}

/// Limits that are in nobody's way.
#[must_use]
pub fn wide() -> Limits {
    Limits {
        requests_per_window: 1_000_000,
        window: WINDOW,
        in_flight: 10_000,
        burst: 1_000_000,
    }
}

/// Limits of so many requests a window, unpaced.
#[must_use]
pub fn narrow(requests: u32) -> Limits {
    Limits {
        requests_per_window: requests,
        burst: requests,
        ..wide()
    }
}

/// The `n`th signup of an account: a made-up number, three steps.
#[must_use]
pub fn signup(account_name: &str, n: u64) -> Candidate {
    with_content(account_name, n, "made up")
}

/// The same with other content.
#[must_use]
pub fn with_content(account_name: &str, n: u64, content: &str) -> Candidate {
    let key: Key = format!("{account_name}-{n}").parse().expect("a valid key");
    let id = OnboardingId::of(&key);
    let number = format!("+9180{n:08}").parse().expect("a valid number");
    let steps = vec![
        Step::CreateTrunk {
            name: format!("tl_{n:013}").parse().expect("a valid name"),
            chosen: false,
        },
        Step::MapNumber {
            number: format!("+9180{n:08}").parse().expect("valid"),
            mode: None,
        },
        Step::CreateCredentials {
            user_name: format!("tl_{n:013}").parse().expect("a valid name"),
            friendly_name: None,
        },
    ];
    let new = NewOnboarding {
        id,
        key,
        account: account(account_name),
        partner: if n.is_multiple_of(2) {
            "livekit"
        } else {
            "vapi"
        }
        .parse()
        .expect("valid"),
        number,
        direction: Direction::Outbound,
        signup: format!("{{\"content\":\"{content}\"}}"),
        plan: Plan {
            steps,
            warnings: Vec::new(),
        },
        recipe: RECIPE.to_owned(),
        password: Some(SipPassword::from_secret(Secret::new("planted-password"))),
        trace: None,
    };
    Candidate {
        origin: Origin { file: 0, line: n },
        new,
    }
}

/// The `n`th signup with a trunk name that a person chose.
#[must_use]
pub fn with_trunk_name(account_name: &str, n: u64, name: &str) -> Candidate {
    let mut candidate = signup(account_name, n);
    candidate.new.plan.steps[0] = Step::CreateTrunk {
        name: name.parse().expect("a valid name"),
        chosen: true,
    };
    candidate.new.plan.steps[1] = Step::MapNumber {
        number: candidate.new.number.clone(),
        mode: Some(Mode::Pstn),
    };
    candidate
}

/// The `n`th signup as it came with a made-up trace.
#[must_use]
pub fn traced(account_name: &str, n: u64) -> Candidate {
    let mut candidate = signup(account_name, n);
    let parent = (n + 1).to_be_bytes();
    candidate.new.trace = TraceContext::new([0xab; 16], parent, 1);
    candidate
}

/// Offers signups as one batch that says where it comes from.
pub async fn offer_from(
    store: &Arc<dyn Store>,
    source: &str,
    signups: Vec<Candidate>,
) -> Committed {
    let mut batch = store.begin().await.expect("a batch begins");
    batch.describe(source);
    batch
        .add_recipe(RECIPE, "{\"made\":\"up\"}")
        .await
        .expect("a recipe is taken");
    batch.add(signups).await.expect("signups are taken");
    batch.commit().await.expect("a batch is committed")
}

/// Offers signups as one batch.
pub async fn offer(store: &Arc<dyn Store>, signups: Vec<Candidate>) -> Committed {
    let mut batch = store.begin().await.expect("a batch begins");
    batch
        .add_recipe(RECIPE, "{\"made\":\"up\"}")
        .await
        .expect("a recipe is taken");
    batch.add(signups).await.expect("signups are taken");
    batch.commit().await.expect("a batch is committed")
}

/// Has signups accepted, all of them new.
pub async fn accept(store: &Arc<dyn Store>, signups: Vec<Candidate>) {
    let all = signups.len() as u64;
    let committed = offer(store, signups).await;
    let counts = match &committed {
        Committed::Accepted {
            accepted,
            duplicates,
            batch: None,
            ..
        } => (*accepted, *duplicates),
        other @ (Committed::Accepted { .. } | Committed::Refused { .. }) => panic!("{other:?}"),
    };
    assert_eq!(counts, (all, 0));
}

/// Registers a worker for accounts with the same limits.
pub async fn register(store: &Arc<dyn Store>, name: &str, accounts: &[&str], limits: Limits) {
    let accounts: Vec<_> = accounts
        .iter()
        .map(|name| (account(name), limits))
        .collect();
    store
        .register(&worker(name), &accounts)
        .await
        .expect("a worker registers");
}

/// Claims up to `max`.
pub async fn claim(store: &Arc<dyn Store>, name: &str, max: usize) -> Vec<Claim> {
    store
        .claim(&worker(name), max, LEASE, TIMEOUT)
        .await
        .expect("a claim is answered")
        .claims
}

/// Claims exactly one.
pub async fn claim_one(store: &Arc<dyn Store>, name: &str) -> Claim {
    let mut claims = claim(store, name, 1).await;
    assert_eq!(claims.len(), 1, "one onboarding is handed out");
    claims.remove(0)
}

/// An answered permit.
#[must_use]
pub fn answered(permit: &Permit) -> Settled {
    Settled {
        permit: permit.clone(),
        answered: true,
    }
}

/// Records the step at `index` as done, its request answered, and what comes then.
#[must_use]
pub fn done(index: usize, permit: &Permit, then: Then) -> Advance {
    let result = if index == 0 {
        StepResult::Trunk {
            trunk_sid: "trmum1sample".parse().expect("valid"),
        }
    } else {
        StepResult::Entry {
            id: format!("{index}"),
        }
    };
    let record = StepRecord {
        state: StepState::Done,
        attempts: 1,
        result: Some(result),
        ..StepRecord::default()
    };
    Advance {
        write: WriteId::draw(),
        steps: vec![(index, record)],
        settled: vec![answered(permit)],
        then,
        late_check: false,
    }
}

/// Records nothing and says what comes then, the request answered.
#[must_use]
pub fn only(permit: &Permit, then: Then) -> Advance {
    Advance {
        write: WriteId::draw(),
        steps: Vec::new(),
        settled: vec![answered(permit)],
        then,
        late_check: false,
    }
}

/// A failure to record.
#[must_use]
pub fn failure() -> Then {
    let fault = Fault {
        code: "made_up".to_owned(),
        message: "made up".to_owned(),
    };
    Then::Fail {
        fault,
        step: Some(0),
    }
}

/// Advances and expects it to be taken.
pub async fn advance(store: &Arc<dyn Store>, claim: &Claim, advance: Advance) -> Advanced {
    store
        .advance(&claim.lease, advance)
        .await
        .expect("an advance is taken")
}

/// Whether an advance was refused because the lease is lost.
#[must_use]
pub fn is_lost(result: &Result<Advanced, Error>) -> bool {
    matches!(result, Err(Error::LeaseLost { .. }))
}
