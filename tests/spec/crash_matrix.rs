//! The promise: whatever step an onboarding is at, and whatever has happened of it, a kill -9 loses
//! nothing and doubles nothing.
//!
//! The method: each cell of the matrix is an onboarding of its own account. A fault rule stops it
//! at the cell's place: its request waits before it is processed, or its answer waits after it was
//! processed. When the simulator shows that every cell is where it should be, the binary is killed
//! with SIGKILL, the rules are removed, and the same command runs again. "After the step was
//! recorded" is the next step's request, waiting: it is sent only after the record. On Redis, three
//! workers share the cells and all are killed; three others take over when the leases end.

use serde_json::{Value, json};
use tests::{
    Place, Program, Request, Resources, STEPS, Signup, Simulator, StoreKind, exactly_once,
    lines_of, until, wrong_outcomes,
};

/// Longer than any test, so that only the kill ends the wait.
const FOR_EVER_MS: u64 = 600_000;

/// Nothing times out while a test gathers its cells; a lease outlasts it too, so that it is the
/// restart that finds what the killed process held.
const PATIENT: &str = "request_timeout_ms = 120000\nshutdown_timeout_ms = 120000\n\
                       lease_ms = 200000\nconcurrency = 64\n";

/// Among several workers nobody knows that one was killed before its leases end, so they end soon
/// after everything has been gathered.
const PATIENT_FLEET: &str =
    "request_timeout_ms = 12000\nshutdown_timeout_ms = 12000\nlease_ms = 16500\n";

/// How many workers share the cells on Redis.
const WORKERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
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
struct Cell {
    account: String,
    step: &'static str,
    method: &'static str,
    path: &'static str,
    moment: Moment,
    signup: Signup,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for chosen in [false, true] {
        for (step, method, path) in STEPS {
            for moment in [Moment::BeforeTheRequest, Moment::BeforeTheAnswer] {
                let n = cells.len();
                let account = format!("cell{n}");
                let mut signup = Signup::new(&account, "everything", n)
                    .with("key", &format!("{step}-{moment:?}-{chosen}"))
                    .with("caller_id", &format!("+9180{n:08}"));
                if chosen {
                    signup = signup.with("trunk_name", "chosen_name");
                }
                cells.push(Cell {
                    account,
                    step,
                    method,
                    path,
                    moment,
                    signup,
                });
            }
        }
    }
    cells
}

impl Cell {
    fn name(&self) -> String {
        let chosen = match self.signup.field("trunk_name") {
            "" => "derived name",
            _ => "chosen name",
        };
        format!("{} {:?}, {chosen}", self.step, self.moment)
    }

    fn rule(&self) -> Value {
        json!({
            "account": self.account, "method": self.method, "path": self.path,
            self.moment.rule(): FOR_EVER_MS,
        })
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

fn onboard(place: &Place) -> Program {
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
fn place_of(simulator: &Simulator, cells: &[Cell], kind: StoreKind) -> Place {
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

fn finish(simulator: &Simulator, place: &Place, cells: &[Cell], kind: StoreKind) {
    let _others = others(place, kind);
    let ended = onboard(place).wait();
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
);

fn a_kill_before_or_after_any_request_of_any_step_leaves_exactly_one_of_each(kind: StoreKind) {
    let simulator = Simulator::start();
    let cells = cells();
    assert_eq!(cells.len(), 28);
    let place = place_of(&simulator, &cells, kind);
    let rules: Vec<Value> = cells.iter().map(Cell::rule).collect();
    simulator.break_with(&rules);

    let programs = start(&place, kind);
    gather(&simulator, &cells, Cell::is_reached);
    programs.into_iter().for_each(Program::kill);
    simulator.mend();

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
    let rules: Vec<Value> = cells.iter().map(Cell::rule).collect();
    simulator.break_with(&rules);
    let programs = start(&place, kind);
    gather(&simulator, &cells, Cell::is_reached);
    programs.into_iter().for_each(Program::kill);

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
