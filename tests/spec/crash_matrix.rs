//! The promise: whatever step an onboarding is at, and whatever has happened of it, a kill -9 loses
//! nothing and doubles nothing.
//!
//! The method: each cell of the matrix is an onboarding of its own account. A fault rule stops it
//! at the cell's place: its request waits before it is processed, or its answer waits after it was
//! processed. When the simulator shows that every cell is where it should be, the binary is killed
//! with SIGKILL, the rules are removed, and the same command runs again. "After the step was
//! recorded" is the next step's request, waiting: it is sent only after the record. On Redis, three
//! workers share the cells and all are killed; three others take over when the leases end.
//!
//! Exotel may process a request after its client was killed. Such a cell's request is processed by the
//! simulator a while after the kill, or when the test says so: once every cell was read back and found
//! absent, or after the onboardings' end.

use serde_json::{Value, json};
use tests::{
    Collection, Ended, Place, Program, Request, Resources, STEPS, Signup, Simulator, StoreKind,
    exactly_once, lines_of, until, wrong_outcomes,
};

/// Longer than any test, so that only the kill ends the wait.
const FOR_EVER_MS: u64 = 600_000;

/// Nothing times out while a test gathers its cells; a lease outlasts it too, so that it is the
/// restart that finds what the killed process held.
const PATIENT: &str = "request_timeout_ms = 120000\nshutdown_timeout_ms = 120000\n\
                       lease_ms = 200000\nconcurrency = 64\n";

/// Among several workers nobody knows that one was killed before its leases end, so they end soon
/// after everything has been gathered.
pub(crate) const PATIENT_FLEET: &str =
    "request_timeout_ms = 12000\nshutdown_timeout_ms = 12000\nlease_ms = 16500\n";

/// How many workers share the cells on Redis.
const WORKERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The request was sent and not processed; the step before is recorded.
    BeforeTheRequest,
    /// The request was processed and not answered.
    BeforeTheAnswer,
}

impl Moment {
    fn rule(self) -> &'static str {
        match self {
            Self::BeforeTheRequest => "hold_ms",
            Self::BeforeTheAnswer => "delay_ms",
        }
    }
}

/// One onboarding and where it is killed.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) account: String,
    pub(crate) step: &'static str,
    method: &'static str,
    path: &'static str,
    pub(crate) moment: Moment,
    /// So long after the kill the request is processed all the same.
    late_ms: Option<u64>,
    signup: Signup,
}

pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for chosen in [false, true] {
        for step in STEPS {
            for moment in [Moment::BeforeTheRequest, Moment::BeforeTheAnswer] {
                cells.push(Cell::new(cells.len(), step, moment, None, chosen));
            }
        }
    }
    cells
}

/// Every write of these steps processed so long after the kill.
fn late_cells(steps: &[(&'static str, &'static str, &'static str)], late: &[u64]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for chosen in [false, true] {
        for step in steps {
            for ms in late {
                let moment = Moment::BeforeTheRequest;
                cells.push(Cell::new(cells.len(), *step, moment, Some(*ms), chosen));
            }
        }
    }
    cells
}

impl Cell {
    fn new(
        n: usize,
        (step, method, path): (&'static str, &'static str, &'static str),
        moment: Moment,
        late_ms: Option<u64>,
        chosen: bool,
    ) -> Self {
        let account = format!("cell{n}");
        let mut signup = Signup::new(&account, "everything", n)
            .with("key", &format!("{step}-{moment:?}-{chosen}-{n}"))
            .with("caller_id", &format!("+9180{n:08}"));
        if chosen {
            signup = signup.with("trunk_name", "chosen_name");
        }
        Self {
            account,
            step,
            method,
            path,
            moment,
            late_ms,
            signup,
        }
    }

    pub(crate) fn name(&self) -> String {
        let chosen = match self.signup.field("trunk_name") {
            "" => "derived name",
            _ => "chosen name",
        };
        let late = self.late_ms.map(|ms| format!(", {ms} ms late"));
        let late = late.unwrap_or_default();
        format!("{} {:?}, {chosen}{late}", self.step, self.moment)
    }

    fn rule(&self) -> Value {
        let mut rule = json!({
            "account": self.account, "method": self.method, "path": self.path,
            self.moment.rule(): FOR_EVER_MS,
        });
        if let Some(late_ms) = self.late_ms {
            rule["late_ms"] = json!(late_ms);
        }
        rule
    }

    /// Whether its log ends where it is to be killed.
    fn is_reached(&self, log: &[Request]) -> bool {
        let last = log.iter().rfind(|request| request.account == self.account);
        let ending = self.path.trim_end_matches('$');
        let here = |request: &Request| {
            // The trunk's own path ends with its SID.
            let there = request.path.ends_with(ending) || self.step == "verify";
            request.method == self.method && there && request.status.is_none()
        };
        last.is_some_and(|request| {
            here(request)
                && match self.moment {
                    Moment::BeforeTheRequest => request.held,
                    Moment::BeforeTheAnswer => request.processed,
                }
        })
    }
}

pub(crate) fn onboard(place: &Place) -> Program {
    place.start(&["onboard", "signups.jsonl", "--out", "out", "--json"])
}

/// The others of a fleet; there are none beside a worker on a file.
fn others(place: &Place, kind: StoreKind) -> Vec<Program> {
    let others = match kind {
        StoreKind::Sqlite => 0,
        StoreKind::Redis => WORKERS - 1,
    };
    (0..others).map(|_| place.start(&["work"])).collect()
}

fn start(place: &Place, kind: StoreKind) -> Vec<Program> {
    let mut programs = vec![onboard(place)];
    programs.extend(others(place, kind));
    programs
}

fn patient(place: &Place, kind: StoreKind, cells: usize) {
    match kind {
        StoreKind::Sqlite => place.settings(PATIENT),
        // So few at once that none can take the cells of all.
        StoreKind::Redis => place.settings(&format!(
            "{PATIENT_FLEET}concurrency = {}\n",
            cells.div_ceil(WORKERS)
        )),
    }
}

/// A place with the cells' accounts and signups.
pub(crate) fn place_of(simulator: &Simulator, cells: &[Cell], kind: StoreKind) -> Place {
    let accounts: Vec<&str> = cells.iter().map(|cell| &*cell.account).collect();
    let place = Place::new(simulator, &accounts).kept_in(kind);
    patient(&place, kind, cells.len());
    let signups: Vec<Signup> = cells.iter().map(|cell| cell.signup.clone()).collect();
    place.write("signups.jsonl", &lines_of(&signups));
    place
}

/// Waits until `reached` holds for every cell.
fn gather(simulator: &Simulator, cells: &[Cell], reached: impl Fn(&Cell, &[Request]) -> bool) {
    let mut missing = Vec::new();
    let mut looks = 0;
    until("every cell is where it is to be killed", || {
        let log = simulator.requests();
        missing = cells
            .iter()
            .filter(|cell| !reached(cell, &log))
            .map(|cell| {
                let mine = log.iter().filter(|request| request.account == cell.account);
                (cell.name(), mine.cloned().collect::<Vec<_>>())
            })
            .collect();
        looks += 1;
        assert!(looks < 5_000, "not where they should be: {missing:#?}");
        missing.is_empty().then_some(())
    });
}

/// Kills everything once every cell is where it is to be killed.
pub(crate) fn kill_at(simulator: &Simulator, place: &Place, cells: &[Cell], kind: StoreKind) {
    let rules: Vec<Value> = cells.iter().map(Cell::rule).collect();
    simulator.break_with(&rules);
    let programs = start(place, kind);
    gather(simulator, cells, Cell::is_reached);
    programs.into_iter().for_each(Program::kill);
    simulator.mend();
}

pub(crate) fn finish(simulator: &Simulator, place: &Place, cells: &[Cell], kind: StoreKind) {
    let _others = others(place, kind);
    let ended = onboard(place).wait();
    each_is_there_once(simulator, place, cells, ended);
}

fn each_is_there_once(simulator: &Simulator, place: &Place, cells: &[Cell], ended: Ended) {
    let accounts = cells.iter().map(|cell| (cell.name(), &*cell.account));
    let wrong = wrong_outcomes(simulator, place, accounts);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ended.stdout);
    let summary = ended.with(0).record("summary");
    assert_eq!(summary["succeeded"], json!(cells.len()));
}

on_both_stores!(
    a_kill_before_or_after_any_request_of_any_step_leaves_exactly_one_of_each,
    a_second_kill_while_the_first_is_being_read_back_changes_nothing,
    a_kill_after_an_onboarding_finished_loses_neither_it_nor_its_handoff,
    what_is_processed_after_the_kill_and_before_its_absence_is_believed_is_there_once,
    what_is_processed_after_the_end_is_removed_by_the_late_check_of_the_same_command,
    what_is_processed_after_the_late_check_is_told_by_verify,
);

fn a_kill_before_or_after_any_request_of_any_step_leaves_exactly_one_of_each(kind: StoreKind) {
    let simulator = Simulator::start();
    let cells = cells();
    assert_eq!(cells.len(), 28);
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);
    finish(&simulator, &place, &cells, kind);
}

/// The read that a repeat of the cell's step begins with.
fn read_back(cell: &Cell) -> &'static str {
    match cell.step {
        // Nothing of it is read back: a repeat is harmless.
        "set_caller_id" => "/settings$",
        _ => cell.path,
    }
}

fn a_second_kill_while_the_first_is_being_read_back_changes_nothing(kind: StoreKind) {
    let simulator = Simulator::start();
    let cells: Vec<Cell> = cells()
        .into_iter()
        .filter(|cell| !matches!(cell.step, "verify" | "set_caller_id"))
        .collect();
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);

    let hold = |cell: &Cell| json!({"account": cell.account, "method": "GET", "path": read_back(cell), "hold_ms": FOR_EVER_MS});
    let rules: Vec<Value> = cells.iter().map(hold).collect();
    simulator.break_with(&rules);
    let programs = start(&place, kind);
    gather(&simulator, &cells, |cell, log| {
        let mut mine = log.iter().filter(|request| request.account == cell.account);
        mine.any(|request| request.method == "GET" && request.held)
    });
    programs.into_iter().for_each(Program::kill);
    simulator.mend();

    finish(&simulator, &place, &cells, kind);
}

fn a_kill_after_an_onboarding_finished_loses_neither_it_nor_its_handoff(kind: StoreKind) {
    let simulator = Simulator::start();
    let signups = [
        Signup::new("acme", "everything", 1).with("caller_id", "+918000000001"),
        Signup::new("globex", "everything", 2).with("caller_id", "+918000000002"),
    ];
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    patient(&place, kind, signups.len());
    place.write("signups.jsonl", &lines_of(&signups));
    // The second keeps the process alive.
    simulator.break_with(&[json!({"account": "globex", "hold_ms": FOR_EVER_MS})]);
    let program = onboard(&place);
    until("the first has succeeded", || {
        let known = place.has_store() && simulator.requests_of("acme").len() > 6;
        (known && place.tally()["succeeded"] == 1).then_some(())
    });
    program.kill();
    let before = simulator.requests_of("acme");
    std::fs::remove_dir_all(place.path("out")).unwrap();
    simulator.mend();

    let ended = onboard(&place).wait().with(0);
    assert_eq!(ended.record("summary")["succeeded"], 2);
    assert_eq!(
        simulator.requests_of("acme"),
        before,
        "nothing more is sent"
    );
    let (state, handoffs) = (simulator.state(), place.handoffs("out"));
    for account in ["acme", "globex"] {
        let mut found = handoffs.iter().filter(|it| it["account"] == account);
        let handoff = found.next().expect("a handoff");
        let wrong = exactly_once(&state[account], handoff, Resources::EVERYTHING);
        assert!(wrong.is_empty(), "{account}: {wrong:#?}");
    }
}

/// The settings of the runs after a kill.
fn settle(place: &Place, settling_ms: u64, late_check_ms: u64) {
    place.settings(&format!(
        "concurrency = 64\nsettling_ms = {settling_ms}\nlate_check_ms = {late_check_ms}\n"
    ));
}

fn what_is_processed_after_the_kill_and_before_its_absence_is_believed_is_there_once(
    kind: StoreKind,
) {
    // On Redis others look when the leases end, three quarters of a lease after the kill or later, and
    // not all at once.
    let (late, settling_ms) = match kind {
        StoreKind::Sqlite => ([200, 1_000, 2_000, FOR_EVER_MS], 6_000),
        StoreKind::Redis => ([200, 12_500, 17_000, FOR_EVER_MS], 10_000),
    };
    let simulator = Simulator::start();
    let cells = late_cells(&STEPS[..6], &late);
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);

    settle(&place, settling_ms, 0);
    let _others = others(&place, kind);
    let program = onboard(&place);
    gather(&simulator, &cells, |cell, log| {
        let mut mine = log.iter().filter(|request| request.account == cell.account);
        let looked = |request: &Request| request.method == "GET" && request.status.is_some();
        cell.late_ms != Some(FOR_EVER_MS) || cell.step == "set_caller_id" || mine.any(looked)
    });
    simulator.process_pending();
    each_is_there_once(&simulator, &place, &cells, program.wait());
    for cell in &cells {
        let Some(appended) = Collection::appended_by(cell.step) else {
            continue;
        };
        let log = simulator.requests_of(&cell.account);
        let sent = log.iter().filter(|it| it.makes(appended)).count();
        assert_eq!(sent, 1, "{} was found, not sent again", cell.name());
    }
}

/// Runs to the end what was killed, and has processed what is pending after it.
fn processed_after_the_end(
    simulator: &Simulator,
    place: &Place,
    cells: &[Cell],
    kind: StoreKind,
    before: impl Fn(),
) {
    let others = others(place, kind);
    let ended = onboard(place).wait().with(0);
    assert_eq!(ended.record("summary")["succeeded"], json!(cells.len()));
    others.into_iter().for_each(Program::kill);
    before();
    simulator.process_pending();
}

/// How many copies an account has of what may be made twice.
fn copies(simulator: &Simulator, cell: &Cell) -> usize {
    let found = tests::resources(&simulator.state()[&cell.account]);
    found.credentials + found.destinations - 2
}

fn no_late_check_is_left(place: &Place) {
    until("no late check is left", || {
        let _ = onboard(place).wait().with(0);
        (place.tally()["late_checks_left"] == 0).then_some(())
    });
}

fn what_is_processed_after_the_end_is_removed_by_the_late_check_of_the_same_command(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    simulator.append_credentials();
    let cells = late_cells(&STEPS[..6], &[FOR_EVER_MS]);
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);

    // Longer than it takes from the first end to the last.
    settle(&place, 100, 12_000);
    processed_after_the_end(&simulator, &place, &cells, kind, || {});
    for cell in &cells {
        let doubled = Collection::appended_by(cell.step).is_some();
        let copies = copies(&simulator, cell);
        assert_eq!(copies, usize::from(doubled), "{}", cell.name());
    }
    no_late_check_is_left(&place);
    let ended = onboard(&place).wait();
    assert_eq!(
        ended.record("summary")["requests"],
        0,
        "nothing is left to do"
    );
    each_is_there_once(&simulator, &place, &cells, ended);
}

fn what_is_processed_after_the_late_check_is_told_by_verify(kind: StoreKind) {
    let simulator = Simulator::start();
    simulator.append_credentials();
    let cells = late_cells(&STEPS[3..5], &[FOR_EVER_MS]);
    let place = place_of(&simulator, &cells, kind);
    kill_at(&simulator, &place, &cells, kind);

    settle(&place, 100, 1);
    processed_after_the_end(&simulator, &place, &cells, kind, || {
        no_late_check_is_left(&place);
        let _ = place.run(&["verify", "--all"]).with(0);
    });
    let told = place.run(&["verify", "--all", "--json"]).with(1);
    let told = told.records_of("verification");
    for cell in &cells {
        let own = told.iter().find(|it| it["account"] == *cell.account);
        let extra = own.map(|it| it["extra"].as_array().map_or(0, Vec::len));
        assert_eq!(extra, Some(1), "{}: {told:#?}", cell.name());
    }
}

#[test]
fn a_killed_run_in_the_built_in_sandbox_finds_its_trunks_again() {
    let place = Place::bare();
    // Few for each account, so that none comes to its allowance.
    let signups: Vec<Signup> = (0..24)
        .map(|n| Signup::new(&format!("acc{}", n % 12), "everything", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let command = [
        "onboard",
        "signups.jsonl",
        "--sandbox",
        "--out",
        "out",
        "--json",
    ];
    let mut met = 0;
    for wanted in [1, 6, 12] {
        let mut program = place.start(&command);
        until("some have succeeded", || {
            let done = place.handoffs("out").len() >= wanted;
            (done || !program.runs()).then_some(())
        });
        met += usize::from(program.runs());
        program.kill();
    }
    assert!(met > 0, "no kill met a running process");
    // The recipe's last step compares what was made with what the simulator has.
    let ended = place.run(&command).with(0);
    let summary = ended.record("summary");
    assert_eq!(summary["succeeded"], 24, "{}", ended.stderr);
    let verified = place.run(&["verify", "--all", "--sandbox", "--json"]);
    assert!(!verified.with(0).records().is_empty());
}
