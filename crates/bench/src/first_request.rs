//! How soon an accepted signup sends its first request.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use onboarding::{Direction, Key, OnboardingId, Plan, Step};
use store::{Candidate, Committed, Intake, NewOnboarding, Origin};

use crate::setup::Simulator;

/// The wall clock, which the simulator's log tells too, in milliseconds.
pub(crate) fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1e3
}

/// Accepts a signup of one step for each of these accounts (`bench` and a number), with a pause
/// after each. Returns the accounts and when their acceptance was answered.
pub(crate) async fn accept_one_by_one(
    store: &dyn Intake,
    accounts: std::ops::Range<usize>,
    pause: Duration,
) -> Result<Vec<(String, f64)>> {
    let mut accepted = Vec::new();
    for n in accounts {
        let account = format!("bench{n}");
        let mut batch = store.begin().await?;
        batch
            .add_recipe("0123456789abcdef0123456789abcdef", "{}")
            .await?;
        batch.add(vec![signup(&account, n)?]).await?;
        let committed = batch.commit().await?;
        ensure!(
            matches!(committed, Committed::Accepted { accepted: 1, .. }),
            "{committed:?}"
        );
        accepted.push((account, now_ms()));
        // Not in step with anything the worker does.
        tokio::time::sleep(pause + Duration::from_micros((n as u64 * 377) % 5000)).await;
    }
    Ok(accepted)
}

fn signup(account: &str, n: usize) -> Result<Candidate> {
    let key: Key = format!("latency-{n}").parse()?;
    let id = OnboardingId::of(&key);
    let name = format!("be_{n:013}").parse()?;
    let plan = Plan {
        steps: vec![Step::CreateTrunk {
            name,
            chosen: false,
        }],
        warnings: vec![],
    };
    let new = NewOnboarding {
        id,
        key,
        account: account.parse()?,
        partner: "retell".parse()?,
        number: format!("+9170{n:08}").parse()?,
        direction: Direction::Outbound,
        signup: "{}".to_owned(),
        plan,
        recipe: "0123456789abcdef0123456789abcdef".to_owned(),
        password: None,
        trace: None,
    };
    Ok(Candidate {
        origin: Origin::default(),
        new,
    })
}

/// Milliseconds between acceptance and the arrival of the first request at the simulator, once
/// every account has sent one.
pub(crate) fn waits(simulator: &Simulator, accepted: &[(String, f64)]) -> Result<Vec<f64>> {
    let deadline = now_ms() + 20_000.0;
    loop {
        let first = first_requests(simulator)?;
        let waits: Option<Vec<f64>> = accepted
            .iter()
            .map(|(account, at)| Some(first.get(account)? - at))
            .collect();
        if let Some(waits) = waits {
            return Ok(waits);
        }
        ensure!(
            now_ms() < deadline,
            "an account of {} has not sent a request",
            accepted.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn first_requests(simulator: &Simulator) -> Result<HashMap<String, f64>> {
    let log = simulator.get("requests")?;
    let mut first: HashMap<String, f64> = HashMap::new();
    for request in log.as_array().context("the log is a list")? {
        let account = request["account"].as_str().unwrap_or_default().to_owned();
        let at = request["at_ms"].as_f64().context("at_ms")?;
        let earliest = first.entry(account).or_insert(at);
        *earliest = earliest.min(at);
    }
    Ok(first)
}
