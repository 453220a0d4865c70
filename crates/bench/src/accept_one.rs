//! What one signup of a request costs before the store has it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use onboarding::RecipeBook;
use producer::{About, Accounts, Desk};
use serde_json::Value;

use crate::{
    redis_fill::Catcher,
    setup::{median, runtime},
};

/// Signups in a round.
const SIGNUPS: usize = 20_000;

/// Rounds; the first one warms up.
const ROUNDS: usize = 6;

/// One signup at a time, parsed and accepted by a store that only catches, on one thread.
pub(crate) fn run() -> Result<()> {
    let desk = Desk::new(RecipeBook::builtin(), Accounts::Any);
    let bodies: Vec<String> = (0..SIGNUPS).map(body).collect();
    let (mut accepted, mut parsed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let took = runtime()?.block_on(round_of(&bodies, &desk))?;
        if round > 0 {
            accepted.push(each(took.accepted));
            parsed.push(each(took.parsed));
        }
    }
    let (accepted, parsed) = (median(accepted), median(parsed));
    println!(
        "accept-one: {accepted:.1} us per signup of four steps before the store has it, and {parsed:.1} us to parse it (one thread, median of {}) [aim below 100 together: 3,000 a second leave 330 for all]",
        ROUNDS - 1
    );
    Ok(())
}

/// What a round took.
struct Took {
    parsed: Duration,
    accepted: Duration,
}

async fn round_of(bodies: &[String], desk: &Desk) -> Result<Took> {
    let store = Catcher::default();
    let begun = Instant::now();
    let items: Vec<Value> = bodies
        .iter()
        .map(|body| producer::read_json(body.as_bytes()))
        .collect::<Result<_, _>>()?;
    let parsed = begun.elapsed();
    let begun = Instant::now();
    for item in &items {
        let one = std::slice::from_ref(item);
        let taken = producer::accept(one, "request", About::default(), desk, &store).await?;
        ensure!(taken.report.accepted == 1, "{:?}", taken.report);
        store.take();
    }
    Ok(Took {
        parsed,
        accepted: begun.elapsed(),
    })
}

/// A signup as a request brings it; four steps.
fn body(n: usize) -> String {
    format!(
        r#"{{"account":"bench{}","partner":"retell","number":"+9180{n:08}","direction":"both","key":"order-{n}"}}"#,
        n % 20
    )
}

/// Microseconds for each signup of a round.
fn each(round: Duration) -> f64 {
    round.as_secs_f64() * 1e6 / SIGNUPS as f64
}
