//! The promise: a store that lost several steps, or never had them, makes nothing twice, cuts nothing
//! off and takes nothing over that is somebody else's.
//!
//! The method: onboardings that were killed at every step run to their end; then the store is set back
//! to what it was at the kill, and the same command runs again. Others are run from another store, or
//! meet a trunk that was there before.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tests::{
    Collection, Ended, Place, Request, Resources, STEPS, Server, Signup, Simulator, StoreKind,
    exactly_once, lines_of, until, until_within, wrong_outcomes, wrong_records,
};

use crate::{
    crash_anywhere::Draw,
    crash_matrix::{Cell, PATIENT_FLEET, cells, kill_at, onboard, place_of},
    resumed_cost::VERIFY,
};

/// For what waits for a minute's allowance, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(180);

const DATABASE: [&str; 2] = ["trunkline.db", "trunkline.db-wal"];

/// Runs them to their end. What each has of Exotel is there once.
fn run(simulator: &Simulator, place: &Place, cells: &[Cell]) -> Ended {
    let mut program = onboard(place);
    let look = Duration::from_millis(50);
    until_within(PATIENCE, look, "all have ended", || {
        (!program.runs()).then_some(())
    });
    let ended = program.wait().with(0);
    let accounts = cells.iter().map(|cell| (cell.name(), &*cell.account));
    let wrong = wrong_outcomes(simulator, place, accounts);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ended.stderr);
    ended
}

/// Handoffs by account, and the resources that they are about.
fn handed_off(simulator: &Simulator, place: &Place) -> (Vec<Value>, Value) {
    let mut handoffs = place.handoffs("out");
    handoffs.sort_by_key(|it| it["account"].to_string());
    (handoffs, simulator.state())
}

/// Runs them to their end again with a store that `set_back` made older.
fn nothing_changes(
    simulator: &Simulator,
    place: &Place,
    cells: &[Cell],
    set_back: impl FnOnce(),
) -> Ended {
    let _ = run(simulator, place, cells);
    let before = handed_off(simulator, place);
    set_back();
    fs::remove_dir_all(place.path("out")).unwrap();
    let sent = simulator.requests().len();
    let ended = run(simulator, place, cells);
    let after = simulator.requests().split_off(sent);
    let (handoffs, state) = handed_off(simulator, place);
    assert_eq!(handoffs, before.0);
    for cell in cells {
        let of = |state: &Value| state[&cell.account]["trunks"][0]["credentials"].clone();
        assert_eq!(of(&state), of(&before.1), "{}", cell.name());
        let mine: Vec<&Request> = after
            .iter()
            .filter(|it| it.account == cell.account)
            .collect();
        let (reads, writes): (Vec<&Request>, _) = mine.iter().partition(|it| it.method == "GET");
        // Only a caller id cannot be read back.
        let again = writes.iter().all(|it| it.makes(Collection::Settings));
        assert!(again, "{}: {mine:#?}", cell.name());
        let index = STEPS.iter().position(|(step, ..)| *step == cell.step);
        let found = 5_usize.saturating_sub(index.expect("a step"));
        assert!(
            reads.len() <= VERIFY + found + 2,
            "{}: {mine:#?}",
            cell.name()
        );
    }
    ended
}

#[test]
fn an_older_database_that_is_put_back_doubles_nothing_and_cuts_nothing_off() {
    let simulator = Simulator::start();
    let cells = cells();
    let place = place_of(&simulator, &cells, StoreKind::Sqlite);
    kill_at(&simulator, &place, &cells, StoreKind::Sqlite);
    place.settings("concurrency = 64\n");
    let copy = |file: &str| place.path(&format!("older-{file}"));
    for file in DATABASE {
        fs::copy(place.path(file), copy(file)).unwrap();
    }
    let ended = nothing_changes(&simulator, &place, &cells, || {
        for file in DATABASE {
            fs::rename(copy(file), place.path(file)).unwrap();
        }
        drop(fs::remove_file(place.path("trunkline.db-shm")));
        let tally = place.tally();
        assert_eq!(tally["succeeded"], 0, "it is the older one: {tally}");
    });
    assert!(
        ended.stderr.contains("the database was restored or copied"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_append_only_file_that_lost_its_end_doubles_nothing_and_cuts_nothing_off() {
    let simulator = Simulator::start();
    let cells = cells();
    let mut redis = Server::with_aof();
    let place = place_of(&simulator, &cells, StoreKind::Sqlite).on_redis(&redis.url());
    place.settings(&format!("{PATIENT_FLEET}concurrency = 64\n"));
    kill_at(&simulator, &place, &cells, StoreKind::Sqlite);
    // Within the last write.
    let older = redis.aof_length() - 3;
    place.settings("concurrency = 64\n");
    let _ = nothing_changes(&simulator, &place, &cells, || {
        redis.kill();
        redis.cut_aof(older);
        redis.restart();
        let tally = place.tally();
        assert_eq!(tally["succeeded"], 0, "it is the older one: {tally}");
    });
}

#[test]
fn workers_whose_redis_loses_the_end_of_its_file_again_and_again_double_nothing() {
    const ONBOARDINGS: usize = 60;
    const LOSSES: usize = 4;
    let mut draw = Draw(7);
    let simulator = Simulator::slow(10, 40);
    let accounts: Vec<String> = (0..ONBOARDINGS).map(|n| format!("acc{n}")).collect();
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let mut redis = Server::with_aof();
    let place = Place::new(&simulator, &names).on_redis(&redis.url());
    place.settings("concurrency = 4\n");
    let signups: Vec<Signup> = accounts
        .iter()
        .enumerate()
        .map(|(n, account)| Signup::new(account, "five_steps", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let accepted = redis.aof_length();
    let workers = [place.start(&["work"]), place.start(&["work"])];
    for loss in 0..LOSSES {
        let wanted = simulator.requests().len() + 20 + draw.below(40) as usize;
        until("more was sent", || {
            let sent = simulator.requests().len() >= wanted;
            (sent || place.tally()["succeeded"] == ONBOARDINGS).then_some(())
        });
        redis.kill();
        let end = redis.aof_length();
        let lost = 2_000 + draw.below(20_000);
        redis.cut_aof(end.saturating_sub(lost).max(accepted));
        redis.restart();
        for worker in &workers {
            until("the worker has it again", || {
                (worker.said("the Redis answers again") > loss).then_some(())
            });
        }
    }
    until_within(
        PATIENCE,
        Duration::from_millis(100),
        "all have ended",
        || {
            let tally = place.tally();
            let failed = || place.run(&["list", "--state", "failed", "--json"]).with(0);
            assert_eq!(tally["failed"], 0, "{}", failed().stdout);
            (tally["succeeded"] == ONBOARDINGS).then_some(())
        },
    );
    let wrong = wrong_records(&simulator.state(), &place.list());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

on_both_stores!(
    a_strangers_trunk_is_not_taken_over_though_the_first_create_was_lost,
    the_same_list_from_another_store_stops_at_live_credentials_and_the_first_store_stays_right,
);

/// A trunk of this name that somebody made long ago, and its SID.
fn strangers_trunk(simulator: &Simulator, name: &str) -> String {
    simulator.set_clock(-3_600_000);
    let made = simulator.create_trunk("acme", name);
    simulator.set_clock(0);
    made
}

fn a_strangers_trunk_is_not_taken_over_though_the_first_create_was_lost(kind: StoreKind) {
    // Lost before Exotel saw it: in the process that goes on, and with the process.
    for killed in [false, true] {
        let simulator = Simulator::start();
        let place = Place::new(&simulator, &["acme"]).kept_in(kind);
        let signup = Signup::new("acme", "everything", 1)
            .with("key", "crm-1")
            .with("trunk_name", "main_line");
        place.write("signups.jsonl", &lines_of(&[signup]));
        let sid = strangers_trunk(&simulator, "main_line");
        let before = simulator.state();
        let mut rule = json!({"method": "POST", "path": "/trunks$", "nth": 1});
        if killed {
            rule["hold_ms"] = json!(600_000);
        } else {
            rule["reset_before"] = json!(true);
        }
        simulator.break_with(&[rule]);
        let program = onboard(&place);
        if killed {
            until("the create is on its way", || {
                let last = simulator.requests().pop()?;
                last.held.then_some(())
            });
            program.kill();
        } else {
            drop(program.wait());
        }
        let ended = onboard(&place).wait().with(1);
        let record = ended.record("onboarding");
        let message = record["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(record["error"]["code"], "trunk_name_taken", "{message}");
        assert!(
            message.contains("main_line") && message.contains(&sid),
            "{message}"
        );
        assert_eq!(simulator.state(), before, "killed: {killed}");
    }
}

fn the_same_list_from_another_store_stops_at_live_credentials_and_the_first_store_stays_right(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    let signup = Signup::new("acme", "everything", 1)
        .with("key", "crm-1")
        .with("caller_id", "+918000000001");
    let [first, second] = [(); 2].map(|()| {
        let place = Place::new(&simulator, &["acme"]).kept_in(kind);
        place.write("signups.jsonl", &lines_of(std::slice::from_ref(&signup)));
        place
    });
    let password = |place: &Place| {
        let shown = place.run(&["handoff", "crm-1", "--show-secrets", "--json"]);
        shown.with(0).record("handoff")["credentials"]["password"].clone()
    };
    let there = || simulator.state()["acme"]["trunks"].clone();
    let _ = onboard(&first).wait().with(0);
    let (before, given) = (there(), password(&first));
    assert_eq!(before[0]["credentials"][0]["password"], given);

    let stopped = onboard(&second).wait().with(1).record("onboarding");
    let error = &stopped["error"];
    assert_eq!(error["code"], "credentials_live", "{error}");
    assert_eq!(error["step"], "create_credentials");
    assert_eq!(there(), before, "nothing of the first was touched");
    assert_eq!(password(&first), given);
    let _ = first.run(&["verify", "--all"]).with(0);

    let allowed = ["retry", "crm-1", "--replace-credentials", "--yes"];
    let _ = second.run(&allowed).with(0);
    let _ = onboard(&second).wait().with(0);
    let replaced = password(&second);
    assert_ne!(replaced, given);
    let handoff = &second.handoffs("out")[0];
    let wrong = exactly_once(&simulator.state()["acme"], handoff, Resources::EVERYTHING);
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The first store shows what it gave out, and says that this is not it any more.
    assert_eq!(password(&first), given);
    let told = first.run(&["verify", "--all", "--json"]).with(1);
    assert_eq!(told.record("verification")["as_planned"], false);
}
