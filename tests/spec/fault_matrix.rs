//! The promise: whatever a request meets, every signup ends in exactly one set of resources, or in
//! one clear error that leaves no doubles.
//!
//! The method: each cell is an onboarding of its own account, with fault rules on one of its
//! steps' requests: at the first attempt, at the first two, or at the read that follows a lost
//! answer. All cells run in one process. What each ends in, what the simulator has of it, and that
//! nothing was repeated without a read, is checked cell by cell.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{
    Collection, Ended, Place, Request, Resources, STEPS, Signup, Simulator, StoreKind,
    exactly_once, lines_of, repeats_without_a_read, resources, until,
};

/// The request timeout of the settings that places begin with is half of this.
const TOO_LATE_MS: u64 = 3_000;

/// All cells at once.
const CONCURRENCY: &str = "concurrency = 256\n";

/// An HTTP date so many seconds from now.
fn http_date(seconds: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What a request may meet, besides duplicates.
fn faults() -> Vec<(&'static str, Value)> {
    vec![
        ("a reset before processing", json!({"reset_before": true})),
        ("a reset after processing", json!({"reset_after": true})),
        ("half a body", json!({"truncate": true})),
        ("HTML 502 before", json!({"html": true})),
        ("HTML 502 after", json!({"html": true, "after": true})),
        ("JSON 500 before", json!({"status": 500})),
        ("JSON 500 after", json!({"status": 500, "after": true})),
        ("JSON 503 before", json!({"status": 503})),
        (
            "an empty 504 after",
            json!({"status": 504, "body": "empty", "after": true}),
        ),
        (
            "inner 500 after",
            json!({"status": 200, "inner_code": 500, "after": true}),
        ),
        ("an answer too late", json!({"delay_ms": TOO_LATE_MS})),
        ("a hold past the timeout", json!({"hold_ms": TOO_LATE_MS})),
        ("429, seconds", json!({"status": 429, "retry_after": 1})),
        (
            "429, zero seconds",
            json!({"status": 429, "retry_after": 0}),
        ),
        (
            "429, a date",
            json!({"status": 429, "retry_after": http_date(4)}),
        ),
        (
            "429, a date that is over",
            json!({"status": 429, "retry_after": http_date(-60)}),
        ),
        (
            "429, nonsense",
            json!({"status": 429, "retry_after": "soon"}),
        ),
        ("429, bare", json!({"status": 429})),
        ("429, HTML", json!({"status": 429, "body": "html"})),
        ("429, empty", json!({"status": 429, "body": "empty"})),
        (
            "429, empty, seconds",
            json!({"status": 429, "body": "empty", "retry_after": 1}),
        ),
        ("inner 429", json!({"status": 200, "inner_code": 429})),
        (
            "inner 429, seconds",
            json!({"status": 200, "inner_code": 429, "retry_after": 1}),
        ),
    ]
}

/// A duplicate in both wire shapes, with the resource there and not there.
fn duplicates() -> Vec<(&'static str, Value, bool)> {
    vec![
        (
            "HTTP 409, there",
            json!({"status": 409, "after": true}),
            true,
        ),
        (
            "inner 409, there",
            json!({"status": 200, "inner_code": 409, "after": true}),
            true,
        ),
        ("HTTP 409, not there", json!({"status": 409}), false),
        (
            "inner 409, not there",
            json!({"status": 200, "inner_code": 409}),
            false,
        ),
    ]
}

/// How a cell has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeds,
    /// Fails at the step with this code.
    Fails(&'static str),
}

#[derive(Debug)]
struct Cell {
    name: String,
    step: &'static str,
    rules: Vec<Value>,
    end: End,
    chosen: bool,
}

impl Cell {
    fn new(
        step: (&'static str, &'static str, &'static str),
        name: &str,
        fault: &Value,
        attempts: u64,
        end: End,
    ) -> Self {
        Self {
            name: format!("{} meets {name}, {attempts} in a row", step.0),
            step: step.0,
            rules: (1..=attempts)
                .map(|nth| rule(step.1, step.2, nth, fault))
                .collect(),
            end,
            chosen: false,
        }
    }
}

fn rule(method: &str, path: &str, nth: u64, fault: &Value) -> Value {
    let mut rule = json!({"method": method, "path": path, "nth": nth});
    let members = rule.as_object_mut().expect("an object");
    members.extend(fault.as_object().expect("an object").clone());
    rule
}

/// Cells, each with an account of its own, whose faults are in force.
struct Table<'c> {
    cells: &'c [Cell],
    accounts: Vec<String>,
    simulator: Simulator,
    place: Place,
}

impl<'c> Table<'c> {
    fn new(cells: &'c [Cell], kind: StoreKind) -> Self {
        let simulator = Simulator::start();
        let accounts: Vec<String> = (0..cells.len()).map(|n| format!("cell{n}")).collect();
        let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
        let place = Place::new(&simulator, &names).kept_in(kind);
        place.settings(CONCURRENCY);
        let mut rules = Vec::new();
        let mut signups = Vec::new();
        for (n, (cell, account)) in cells.iter().zip(&accounts).enumerate() {
            for rule in &cell.rules {
                let mut rule = rule.clone();
                rule["account"] = json!(account);
                rules.push(rule);
            }
            let mut signup =
                Signup::new(account, "everything", n).with("caller_id", &format!("+9180{n:08}"));
            if cell.chosen {
                signup = signup.with("trunk_name", "chosen_name");
            }
            signups.push(signup);
        }
        simulator.break_with(&rules);
        place.write("signups.jsonl", &lines_of(&signups));
        Self {
            cells,
            accounts,
            simulator,
            place,
        }
    }

    fn onboard(&self) -> Ended {
        let arguments = ["onboard", "signups.jsonl", "--out", "out", "--json"];
        self.place.run(&arguments)
    }

    /// What came of the cells, with the name of each that is wrong.
    fn check(&self, ended: Ended) {
        let records = ended.records_of("onboarding");
        let (state, log, handoffs) = (
            self.simulator.state(),
            self.simulator.requests(),
            self.place.handoffs("out"),
        );
        let mut wrong = Vec::new();
        for (cell, account) in self.cells.iter().zip(&self.accounts) {
            let of = |it: &&Value| it["account"] == **account;
            let mine: Vec<Request> = log
                .iter()
                .filter(|r| r.account == *account)
                .cloned()
                .collect();
            let mut problems = repeats_without_a_read(&mine);
            if !cell_fired(cell, &mine) {
                problems.push("its fault was never met".into());
            }
            match records.iter().find(of) {
                Some(record) => problems.extend(check(
                    cell,
                    record,
                    &state[account],
                    handoffs.iter().find(of),
                )),
                None => problems.push("it did not end".into()),
            }
            if !problems.is_empty() {
                wrong.push(format!(
                    "{}: {}\n{}",
                    cell.name,
                    problems.join("; "),
                    told(&mine)
                ));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} cells:\n{}\n{}",
            wrong.len(),
            self.cells.len(),
            wrong.join("\n"),
            ended.stderr
        );
        let failed = self.cells.iter().any(|cell| cell.end != End::Succeeds);
        let _ = ended.with(i32::from(failed));
    }
}

fn run(cells: &[Cell], kind: StoreKind) {
    let table = Table::new(cells, kind);
    table.check(table.onboard());
}

fn cell_fired(cell: &Cell, mine: &[Request]) -> bool {
    let fired = mine.iter().filter(|request| request.fault.is_some());
    let slow = |rule: &Value| rule.get("delay_ms").is_some();
    fired.count() > 0 || cell.rules.iter().any(slow)
}

fn told(log: &[Request]) -> String {
    let line = |it: &Request| {
        format!(
            "    {} {} {:?} {:?} {:?}\n",
            it.method, it.path, it.status, it.inner_code, it.fault
        )
    };
    log.iter().map(line).collect()
}

/// What is wrong with how a cell ended.
fn check(cell: &Cell, record: &Value, account: &Value, handoff: Option<&Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    match (cell.end, handoff) {
        (End::Succeeds, Some(handoff)) => {
            wrong.extend(exactly_once(account, handoff, Resources::EVERYTHING));
        }
        (End::Succeeds, None) => wrong.push(format!("it ended so: {record}")),
        (End::Fails(code), _) => {
            let error = &record["error"];
            if record["state"] != "failed" || error["code"] != code || error["step"] != cell.step {
                wrong.push(format!("it did not fail with {code}: {record}"));
            }
            let message = error["message"].as_str().unwrap_or_default();
            if !message.contains("Exotel's side") {
                wrong.push(format!("it does not say what it left behind: {message}"));
            }
            let found = resources(account);
            let most = Resources::EVERYTHING;
            let pairs = [
                (found.trunks, most.trunks),
                (found.numbers, most.numbers),
                (found.whitelisted_ips, most.whitelisted_ips),
                (found.credentials, most.credentials),
                (found.destinations, most.destinations),
            ];
            if pairs.iter().any(|(there, most)| there > most) {
                wrong.push(format!("it left {found:?}"));
            }
        }
    }
    wrong
}

on_both_stores!(
    a_success_about_something_else_is_read_back_like_a_lost_answer,
    one_foreign_entry_in_a_list_neither_hides_ours_nor_stands_for_it,
    a_fault_at_the_first_attempt_of_any_step_leaves_exactly_one_of_each,
    a_duplicate_in_either_shape_is_read_back_and_decided,
    what_is_processed_before_its_absence_is_believed_is_found_and_not_sent_again,
    what_is_processed_about_when_its_absence_is_believed_is_there_once_after_the_late_check,
);

fn a_fault_at_the_first_attempt_of_any_step_leaves_exactly_one_of_each(kind: StoreKind) {
    let mut cells = Vec::new();
    for step in STEPS {
        for (name, fault) in faults() {
            cells.push(Cell::new(step, name, &fault, 1, End::Succeeds));
        }
    }
    run(&cells, kind);
}

/// A tenth of the real times of requests and of settling: 10 s and 30 s.
const SCALED: &str = "request_timeout_ms = 1000\nconnect_timeout_ms = 900\nsettling_ms = 3000\n";

/// What the client sees of a request that is processed `late_ms` later.
fn late(late_ms: u64) -> [(&'static str, Value); 3] {
    [
        (
            "a gateway's 504",
            json!({"status": 504, "body": "html", "late_ms": late_ms}),
        ),
        ("a timeout", json!({"hold_ms": 600_000, "late_ms": late_ms})),
        ("a reset", json!({"reset_before": true, "late_ms": late_ms})),
    ]
}

fn late_cells(delays_ms: &[u64]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for step in &STEPS[..6] {
        for ms in delays_ms {
            for (seen, fault) in late(*ms) {
                let name = format!("{seen}, processed {ms} ms later");
                cells.push(Cell::new(*step, &name, &fault, 1, End::Succeeds));
            }
        }
    }
    cells
}

fn what_is_processed_before_its_absence_is_believed_is_found_and_not_sent_again(kind: StoreKind) {
    // A tenth of 0.2, 1, 5 and 12 s.
    let cells = late_cells(&[20, 100, 500, 1_200]);
    let table = Table::new(&cells, kind);
    table.simulator.append_credentials();
    table.place.settings(&format!("{CONCURRENCY}{SCALED}"));
    table.check(table.onboard());
    table.simulator.process_pending();
    table.check(table.onboard());
    for (cell, account) in cells.iter().zip(&table.accounts) {
        let Some(appended) = Collection::appended_by(cell.step) else {
            continue;
        };
        let log = table.simulator.requests_of(account);
        let sent = log.iter().filter(|it| it.makes(appended)).count();
        assert_eq!(sent, 1, "{}", cell.name);
    }
}

fn what_is_processed_about_when_its_absence_is_believed_is_there_once_after_the_late_check(
    kind: StoreKind,
) {
    // A tenth of 40 s.
    let cells = late_cells(&[4_000]);
    let table = Table::new(&cells, kind);
    table.simulator.append_credentials();
    let late_check = "late_check_ms = 5000\n";
    let settings = format!("{CONCURRENCY}{SCALED}{late_check}");
    table.place.settings(&settings);
    let mut ended = table.onboard();
    table.simulator.process_pending();
    until("no late check is left", || {
        ended = table.onboard();
        (table.place.tally()["late_checks_left"] == 0).then_some(())
    });
    table.check(ended);
}

/// What a mixed-up answer tells of: nothing that any onboarding asks for.
fn something_else() -> Value {
    json!({"echo": {
        "trunk_sid": "trmum1made0up0000000000000009", "trunk_name": "somebody_else",
        "id": "4711", "phone_number": "+918099999999", "ip": "9.9.9.1", "user_name": "somebody",
        "destination": "sip:somebody.example:5061;transport=tls", "value": "+918099999999",
    }})
}

fn a_success_about_something_else_is_read_back_like_a_lost_answer(kind: StoreKind) {
    let mut cells = Vec::new();
    for step in &STEPS[..6] {
        for attempts in [1, 2] {
            let name = "a success about something else";
            cells.push(Cell::new(
                *step,
                name,
                &something_else(),
                attempts,
                End::Succeeds,
            ));
        }
    }
    run(&cells, kind);
}

fn one_foreign_entry_in_a_list_neither_hides_ours_nor_stands_for_it(kind: StoreKind) {
    let item = |data: Value| json!({"code": 200, "status": "success", "data": data});
    let foreign = [
        item(json!({"id": null, "trunk_sid": 7, "made_up": "somebody's"})),
        item(Value::Null),
        json!("nonsense"),
    ];
    let mut cells = Vec::new();
    for (step, method, path) in &STEPS[..5] {
        for lost in ["reset_before", "reset_after"] {
            for entry in &foreign {
                cells.push(Cell {
                    name: format!("{step} meets {lost}, its list has {entry}"),
                    step,
                    rules: vec![
                        rule(method, path, 1, &json!({lost: true})),
                        // Only the first read: what is on a trunk in the end is for `verify`.
                        rule("GET", path, 1, &json!({"foreign": entry})),
                    ],
                    end: End::Succeeds,
                    chosen: false,
                });
            }
        }
    }
    run(&cells, kind);
}

#[test]
fn a_fault_twice_in_a_row_at_any_step_leaves_exactly_one_of_each() {
    let mut cells = Vec::new();
    for step in STEPS {
        for (name, fault) in faults() {
            cells.push(Cell::new(step, name, &fault, 2, End::Succeeds));
        }
    }
    run(&cells, StoreKind::Sqlite);
}

#[test]
fn a_fault_at_the_read_that_follows_a_lost_answer_leaves_exactly_one_of_each() {
    let mut cells = Vec::new();
    let read_back = STEPS
        .into_iter()
        .filter(|(step, ..)| !matches!(*step, "set_caller_id" | "verify"));
    for (step, method, path) in read_back {
        for (name, fault) in faults() {
            for lost in ["reset_before", "reset_after"] {
                cells.push(Cell {
                    name: format!("{step} meets {lost}, its read {name}"),
                    step,
                    rules: vec![
                        rule(method, path, 1, &json!({lost: true})),
                        rule("GET", path, 1, &fault),
                    ],
                    end: End::Succeeds,
                    chosen: false,
                });
            }
        }
    }
    run(&cells, StoreKind::Sqlite);
}

#[test]
fn a_chosen_trunk_name_meets_the_same_faults_and_is_adopted_only_as_its_own() {
    let mut cells = Vec::new();
    for (name, fault) in faults() {
        for attempts in [1, 2] {
            let mut cell = Cell::new(STEPS[0], name, &fault, attempts, End::Succeeds);
            cell.chosen = true;
            cells.push(cell);
        }
    }
    for (name, fault, _) in duplicates() {
        // Nothing was in doubt, so whatever bears the name is somebody else's.
        let end = End::Fails("trunk_name_taken");
        let mut cell = Cell::new(STEPS[0], name, &fault, 1, end);
        cell.chosen = true;
        cells.push(cell);
    }
    run(&cells, StoreKind::Sqlite);
}

fn a_duplicate_in_either_shape_is_read_back_and_decided(kind: StoreKind) {
    let mut cells = Vec::new();
    for step in &STEPS[..6] {
        for (name, fault, there) in duplicates() {
            for attempts in [1, 2] {
                let end = match (step.0, there, attempts) {
                    (_, true, _) if step.0 != "set_caller_id" => End::Succeeds,
                    ("create_trunk", ..) => End::Fails("trunk_name_taken"),
                    ("map_number", ..) => End::Fails("duplicate_number"),
                    (_, _, 1) => End::Succeeds,
                    _ => End::Fails("duplicate_unlisted"),
                };
                cells.push(Cell::new(*step, name, &fault, attempts, end));
            }
        }
    }
    run(&cells, kind);
}
