//! The promise: what a backup does not have is found instead of made again, whether the restore is
//! noticed by itself or said with `doctor --restored`.
//!
//! The method: onboardings are run, and the store is set back to before they were, in the ways that an
//! operator has; everything that the simulator has is there once.

use std::{fs, time::Duration};

use tests::{
    Ended, Place, Resources, Signup, Simulator, StoreKind, exactly_once, lines_of,
    repeats_without_a_read, until_within,
};

/// One onboarding of each, under its name.
const ACCOUNTS: [&str; 3] = ["acme", "globex", "initech"];

/// What accounts wait for after a restore, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a worker says of a restore that it notices.
const WARNING: &str = "the database was restored or copied";

fn place(simulator: &Simulator) -> Place {
    let place = Place::new(simulator, &ACCOUNTS);
    let signups: Vec<Signup> = ACCOUNTS
        .iter()
        .enumerate()
        .map(|(n, account)| {
            Signup::new(account, "everything", n)
                .with("caller_id", "+918000000099")
                .with("key", account)
        })
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    place
}

fn enqueue(place: &Place) {
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
}

/// Works until nothing is left.
fn drain(place: &Place) -> Ended {
    let mut worker = place.start(&["work", "--drain"]);
    let look = Duration::from_millis(100);
    until_within(PATIENCE, look, "nothing is left", || {
        (!worker.runs()).then_some(())
    });
    worker.wait().with(0)
}

fn back_up(place: &Place) {
    let backup = place.path("backup.db");
    let backed_up = place
        .database()
        .execute("VACUUM INTO ?1", [backup.to_str()]);
    backed_up.unwrap();
}

/// Every onboarding has succeeded, what it made is there once, and nothing was sent twice that was not
/// read in between.
fn assert_each_once(simulator: &Simulator, place: &Place) {
    let state = simulator.state();
    for account in ACCOUNTS {
        let shown = place.run(&["handoff", account, "--show-secrets", "--json"]);
        let handoff = shown.with(0).record("handoff");
        let mut wrong = exactly_once(&state[account], &handoff, Resources::EVERYTHING);
        wrong.extend(repeats_without_a_read(&simulator.requests_of(account)));
        assert!(wrong.is_empty(), "{account}: {wrong:#?}");
    }
}

#[test]
fn a_backup_that_is_put_in_place_is_noticed_and_makes_nothing_twice() {
    let simulator = Simulator::start();
    let place = place(&simulator);
    enqueue(&place);
    back_up(&place);
    let before = drain(&place);
    assert!(!before.stderr.contains(WARNING), "{}", before.stderr);
    fs::rename(place.path("backup.db"), place.path("trunkline.db")).unwrap();
    assert_eq!(place.tally()["queued"], ACCOUNTS.len());
    let after = drain(&place);
    assert_eq!(after.stderr.matches(WARNING).count(), 1, "{}", after.stderr);
    assert_each_once(&simulator, &place);
}

#[test]
fn a_disk_that_was_set_back_as_a_whole_makes_nothing_twice_once_that_is_said() {
    let simulator = Simulator::start();
    let place = place(&simulator);
    // A worker that has nothing to do, so that there is a counter.
    let _ = drain(&place);
    enqueue(&place);
    back_up(&place);
    fs::copy(place.path("trunkline.db.mark"), place.path("backup.mark")).unwrap();
    let _ = drain(&place);
    fs::copy(place.path("backup.db"), place.path("trunkline.db")).unwrap();
    fs::copy(place.path("backup.mark"), place.path("trunkline.db.mark")).unwrap();
    let said = place.run(&["doctor", "--restored", "--json"]).with(0);
    assert_eq!(said.record("restored")["unfinished"], ACCOUNTS.len());
    let after = drain(&place);
    assert!(!after.stderr.contains(WARNING), "{}", after.stderr);
    assert_each_once(&simulator, &place);
}

#[test]
fn a_restore_is_not_said_beside_a_worker() {
    let simulator = Simulator::start();
    let place = place(&simulator);
    enqueue(&place);
    let worker = place.start(&["work"]);
    tests::until("it works", || {
        (place.tally()["succeeded"] == ACCOUNTS.len()).then_some(())
    });
    let refused = place.run(&["doctor", "--restored"]).with(2);
    assert!(
        refused.stderr.contains("has a worker"),
        "{}",
        refused.stderr
    );
    drop(worker);
}

on_both_stores!(once_a_restore_is_said_everything_is_read_before_it_is_written,);

fn once_a_restore_is_said_everything_is_read_before_it_is_written(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator).kept_in(kind);
    enqueue(&place);
    let said = place.run(&["doctor", "--restored", "--json"]).with(0);
    assert_eq!(said.record("restored")["unfinished"], ACCOUNTS.len());
    let _ = drain(&place);
    for account in ACCOUNTS {
        let log = simulator.requests_of(account);
        assert_eq!(log[0].method, "GET", "{account}: {log:#?}");
    }
    assert_each_once(&simulator, &place);
}
