//! The promise: kill anything at any moment, start it again, and every signup still ends in exactly
//! one set of resources.
//!
//! The method: a batch against a simulator that answers slowly and breaks one request in six. The
//! binary is killed with SIGKILL again and again, each time after a number of requests drawn from a
//! seed; what is in flight then is whatever is in flight. The last run is left alone.

use serde_json::{Value, json};
use tests::{Place, Signup, Simulator, StoreKind, lines_of, until, wrong_outcomes};

/// A sequence of numbers that is the same for the same seed (a linear congruential generator with
/// Knuth's constants).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Breaks one request in six, in six ways.
pub(crate) fn trouble(seed: u64) -> Vec<Value> {
    let ways = [
        json!({"reset_before": true}),
        json!({"reset_after": true}),
        json!({"truncate": true}),
        json!({"html": true}),
        json!({"status": 500, "after": true}),
        json!({"status": 429}),
    ];
    let rule = |(n, way): (u64, &Value)| {
        let mut rule = way.clone();
        rule["probability"] = json!(1.0 / 36.0);
        rule["seed"] = json!(seed * 10 + n);
        rule
    };
    (0..).zip(&ways).map(rule).collect()
}

const ONBOARDINGS: usize = 48;
const KILLS: usize = 12;

fn survives(seed: u64, kind: StoreKind) {
    let mut draw = Draw(seed);
    let simulator = Simulator::slow(2, 20);
    let accounts: Vec<String> = (0..ONBOARDINGS).map(|n| format!("acc{n}")).collect();
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let place = Place::new(&simulator, &names).kept_in(kind);
    // More attempts than any unlucky sequence takes. On Redis each kill's onboardings wait until
    // their leases end.
    place.settings("attempts_max = 50\nconcurrency = 12\nlease_ms = 2100\n");
    let signups: Vec<Signup> = accounts
        .iter()
        .enumerate()
        .map(|(n, account)| {
            let signup =
                Signup::new(account, "everything", n).with("caller_id", &format!("+9180{n:08}"));
            match n % 3 {
                0 => signup.with("trunk_name", "chosen_name"),
                _ => signup,
            }
        })
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    simulator.break_with(&trouble(seed));
    let command = ["onboard", "signups.jsonl", "--out", "out", "--json"];

    let mut killed = 0;
    for _ in 0..KILLS {
        let wanted = simulator.requests().len() + 1 + draw.below(60) as usize;
        let mut program = place.start(&command);
        let alive = until("enough requests arrived", || {
            let enough = simulator.requests().len() >= wanted;
            let alive = program.runs();
            (enough || !alive).then_some(alive)
        });
        killed += usize::from(alive);
        program.kill();
    }
    assert!(
        killed > 3,
        "seed {seed}: only {killed} kills met a running process"
    );
    simulator.mend();
    let ended = place.run(&command);

    let named = accounts.iter().map(|it| (it.clone(), it.as_str()));
    let wrong = wrong_outcomes(&simulator, &place, named);
    assert!(
        wrong.is_empty(),
        "seed {seed}: {}\n{}",
        wrong.join("\n"),
        ended.stderr
    );
    let summary = ended.with(0).record("summary");
    assert_eq!(summary["succeeded"], json!(ONBOARDINGS), "seed {seed}");
}

#[test]
fn kills_at_moments_drawn_from_seed_1_leave_exactly_one_of_each() {
    survives(1, StoreKind::Sqlite);
}

#[test]
fn kills_at_moments_drawn_from_seed_2_leave_exactly_one_of_each() {
    survives(2, StoreKind::Sqlite);
}

#[test]
fn kills_at_moments_drawn_from_seed_3_leave_exactly_one_of_each() {
    survives(3, StoreKind::Sqlite);
}

#[test]
fn kills_at_moments_drawn_from_seed_4_leave_exactly_one_of_each_on_redis() {
    survives(4, StoreKind::Redis);
}

#[test]
fn the_draw_differs_by_seed_and_reaches_its_bounds() {
    let many = |seed| {
        let mut draw = Draw(seed);
        (0..200).map(|_| draw.below(6)).collect::<Vec<_>>()
    };
    assert_ne!(many(1), many(2));
    assert!((0..6).all(|value| many(1).contains(&value)));
    assert!(
        many(1).iter().all(|value| *value < 6),
        "{:?}",
        many(1).iter().max().expect("some")
    );
}
