//! The records and the exit status of the contract.

use serde_json::{Value, json};

use crate::home::{Home, Simulator, THREE, live};

fn fields(record: &Value) -> Vec<String> {
    let mut names: Vec<String> = record.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

/// The names in the order in which they are printed.
#[track_caller]
fn in_order(line: &str, names: &[&str]) {
    let mut at = 0;
    for name in names {
        let found = line[at..].find(&format!("\"{name}\":"));
        at += found.unwrap_or_else(|| panic!("no {name} after byte {at} of {line}"));
    }
}

#[test]
fn onboard_prints_a_record_for_each_onboarding_and_then_the_summary() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let ran = home
        .run(&["--json", "onboard", "three.csv", "--sandbox"])
        .ends(0);
    let records = ran.records();
    assert_eq!(records.len(), 4, "{}", ran.stdout);
    for (record, line) in records.iter().zip(ran.stdout.lines()).take(3) {
        let names = [
            "type",
            "id",
            "key",
            "account",
            "partner",
            "number",
            "direction",
            "state",
            "steps",
            "error",
            "created_at",
            "updated_at",
        ];
        in_order(line, &names);
        assert_eq!(fields(record).len(), names.len());
        assert_eq!(record["state"], "succeeded");
        assert!(record["error"].is_null());
        assert!(record["id"].as_str().unwrap().starts_with("onb_"));
        let time = record["created_at"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        for step in record["steps"].as_array().unwrap() {
            assert_eq!(
                fields(step),
                ["attempts", "error", "name", "result", "state"]
            );
            assert_eq!(step["state"], "done");
            assert_eq!(step["attempts"], 1);
        }
        assert!(record["steps"][0]["result"]["trunk_sid"].is_string());
    }
    let summary = &records[3];
    in_order(
        ran.stdout.lines().last().unwrap(),
        &[
            "type",
            "total",
            "succeeded",
            "failed",
            "blocked",
            "cancelled",
            "requests",
            "elapsed_ms",
        ],
    );
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["total"], 3);
    assert_eq!(summary["succeeded"], 3);
    let steps = records[..3]
        .iter()
        .map(|it| it["steps"].as_array().unwrap().len());
    assert_eq!(summary["requests"], json!(steps.sum::<usize>()));
}

#[test]
fn a_second_run_of_the_same_file_prints_the_same_and_sends_nothing() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let args = ["--json", "onboard", "three.csv", "--sandbox"];
    let first = home.run(&args).ends(0);
    let second = home.run(&args).ends(0);
    let summary = &second.of_type("summary")[0];
    assert_eq!(summary["succeeded"], 3);
    assert_eq!(summary["requests"], 0);
    let sorted = |ran: &crate::home::Ran| {
        let mut lines: Vec<String> = ran.stdout.lines().take(3).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&first), sorted(&second));
}

#[test]
fn enqueue_says_what_is_new_and_takes_standard_input() {
    let home = Home::of_one_store();
    let args = ["--json", "enqueue", "-", "--sandbox"];
    let ran = home.run_with_stdin(&args, THREE).ends(0);
    let new = json!({"type": "enqueued", "accepted": 3, "duplicates": 0, "total": 3});
    assert_eq!(ran.records(), [new]);
    let lines = r#"{"account":"acme","partner":"rapida","number":"+918000000001","key":"one"}
        {"account":"acme","partner":"rapida","number":"+918000000009"}"#;
    let ran = home.run_with_stdin(&args, lines).ends(0);
    let new = json!({"type": "enqueued", "accepted": 1, "duplicates": 1, "total": 2});
    assert_eq!(ran.records(), [new]);
    let ran = home.run(&["enqueue", "-", "-", "--sandbox"]).ends(2);
    assert!(ran.stderr.contains("name it once"), "{}", ran.stderr);
}

#[test]
fn refused_input_leaves_the_store_as_it_was() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
    home.write(
        "bad.csv",
        "account,partner,number,key\nacme,rapida,+918000000004,four\nacme,nobody,12,five\n\
         acme,rapida,+918000000099,one\n",
    );
    for command in ["enqueue", "onboard", "plan"] {
        let ran = home
            .run(&["--json", command, "bad.csv", "--sandbox"])
            .ends(2);
        let problems = ran.of_type("problem");
        assert_eq!(problems.len(), 2, "{}", ran.stdout);
        in_order(
            ran.stdout
                .lines()
                .find(|line| line.contains("\"problem\""))
                .unwrap(),
            &["type", "file", "line", "field", "message"],
        );
        assert!(
            problems
                .iter()
                .all(|it| it["line"] == 3 && it["file"] == "bad.csv")
        );
        assert!(ran.stderr.contains("bad.csv:3: number:"), "{}", ran.stderr);
    }
    // The key is taken with another number: that only the store can know.
    home.write(
        "clash.csv",
        "account,partner,number,key\nacme,rapida,+918000000099,one\n",
    );
    let ran = home
        .run(&["--json", "enqueue", "clash.csv", "--sandbox"])
        .ends(2);
    assert_eq!(ran.of_type("problem")[0]["line"], 2);
    let tally = &home.run(&["--json", "status"]).ends(0).of_type("tally")[0];
    assert_eq!(tally["total"], 3);
}

#[test]
fn plan_tells_steps_requests_and_time_and_makes_no_store() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let ran = home
        .run(&["--json", "plan", "three.csv", "--sandbox"])
        .ends(0);
    let plans = ran.of_type("plan");
    assert_eq!(plans.len(), 3);
    assert_eq!(plans[0]["line"], 2);
    assert_eq!(plans[0]["steps"][0]["name"], "create_trunk");
    assert!(plans[0]["steps"][0]["values"]["name"].is_string());
    let summary = &ran.of_type("plan_summary")[0];
    assert_eq!(summary["total"], 3);
    assert_eq!(summary["accounts"][0]["account"], "acme");
    assert_eq!(summary["accounts"][0]["requests_per_minute"], 200);
    let text = home.run(&["plan", "three.csv", "--sandbox"]).ends(0).stdout;
    assert!(text.contains("3 signups (0 repeated)"), "{text}");
    assert_eq!(home.files(), ["three.csv"]);
}

#[test]
fn a_failed_onboarding_ends_the_run_with_1_and_says_which_step_and_why() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    simulator.control(
        "PUT",
        "faults",
        r#"[{"method": "POST", "path": "phone-numbers", "nth": 1, "status": 400}]"#,
    );
    let ran = home.run(&["--json", "onboard", "three.csv"]).ends(1);
    let summary = &ran.of_type("summary")[0];
    assert_eq!(
        (&summary["succeeded"], &summary["failed"]),
        (&json!(2), &json!(1))
    );
    let all = ran.of_type("onboarding");
    let failed = all.iter().find(|it| it["state"] == "failed").unwrap();
    assert_eq!(fields(&failed["error"]), ["code", "message", "step"]);
    assert_eq!(failed["error"]["step"], "map_number");
    assert_eq!(failed["steps"][1]["state"], "failed");
    assert_eq!(fields(&failed["steps"][1]["error"]), ["code", "message"]);
    let key = failed["key"].as_str().unwrap();
    assert!(
        ran.stderr.contains(&format!("{key} failed at map_number")),
        "{}",
        ran.stderr
    );
    assert!(!format!("{ran:?}").contains("KEEPOUT"));
    let list = home.run(&["list"]).ends(0).stdout;
    for told in [&ran.stderr, &list] {
        assert!(!told.contains("map_number: map_number"), "{told}");
    }

    let again = home.run(&["--json", "work", "--drain"]).ends(1);
    assert_eq!(again.of_type("summary")[0]["total"], 0, "nothing ran");
    home.run(&["retry", "--all"]).ends(0);
    let again = home.run(&["--json", "work", "--drain"]).ends(0);
    assert_eq!(again.of_type("summary")[0]["succeeded"], 1);
    assert_eq!(again.of_type("onboarding")[0]["key"], key);
}

/// Says that the account is parked, why, and once how it goes on.
#[track_caller]
fn why(error: &Value) {
    assert_eq!(error["code"], "account_parked");
    assert!(error["step"].is_null());
    let message = error["message"].as_str().unwrap();
    let remedy = "`trunkline accounts resume acme`";
    assert_eq!(message.matches(remedy).count(), 1, "{message}");
    assert!(message.contains("region"), "{message}");
}

#[test]
fn an_account_with_a_wrong_key_blocks_its_onboardings_until_it_is_resumed() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme", "globex"])
        .write("three.csv", THREE)
        .write(
            "other.csv",
            "account,partner,number\nglobex,rapida,+918000000007\n",
        );
    let right = r#"{"api_key": "key-KEEPOUT", "api_token": "token-KEEPOUT"}"#;
    simulator.control("PUT", "accounts", &format!(r#"{{"globex1": {right}}}"#));
    let ran = home
        .run(&["--json", "onboard", "three.csv", "other.csv"])
        .ends(1);
    let summary = &ran.of_type("summary")[0];
    assert_eq!(
        (&summary["succeeded"], &summary["blocked"]),
        (&json!(1), &json!(3))
    );
    let all = ran.of_type("onboarding");
    let blocked = all.iter().filter(|it| it["state"] == "blocked").count();
    assert_eq!(blocked, 3);
    all.iter()
        .filter(|it| it["state"] == "blocked")
        .for_each(|it| why(&it["error"]));
    let notes = |text: &str| {
        let told = text.lines().filter(|line| !line.contains(" WARN "));
        told.filter(|line| line.contains("accounts resume acme"))
            .count()
    };
    assert_eq!(notes(&ran.stderr), 1, "once for all: {}", ran.stderr);
    assert!(
        ran.stderr.contains("acme is parked with 3 onboardings: "),
        "{}",
        ran.stderr
    );
    why(&home.run(&["--json", "status", "one"]).ends(0).records()[0]["error"]);
    why(&home
        .run(&["--json", "list", "--account", "acme"])
        .ends(0)
        .records()[0]["error"]);
    let drained = home.run(&["--json", "work", "--drain"]).ends(1);
    why(&drained.of_type("onboarding")[0]["error"]);
    let text = home.run(&["status", "one"]).ends(0).stdout;
    assert!(text.contains("account_parked: "), "{text}");
    for args in [&["status"][..], &["accounts", "list"], &["list"]] {
        let ran = home.run(args).ends(0);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(told.matches("accounts resume acme").count(), 1, "{told}");
    }

    let account = &home
        .run(&["--json", "accounts", "list"])
        .ends(0)
        .of_type("account")[0];
    assert!(account["parked"]["reason"].is_string());
    simulator.control(
        "PUT",
        "accounts",
        &format!(r#"{{"globex1": {right}, "acme1": {right}}}"#),
    );
    home.run(&["accounts", "resume", "nobody"]).ends(2);
    home.run(&["accounts", "resume", "--all"]).ends(0);
    let ran = home.run(&["--json", "onboard", "three.csv"]).ends(0);
    assert_eq!(ran.of_type("summary")[0]["succeeded"], 3);
    assert!(!format!("{ran:?}").contains("KEEPOUT"));
}

/// The fields that the page names for a kind of record, `type` included.
fn documented(kind: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/records.md");
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| `{kind}` |")));
    let cells: Vec<&str> = row
        .unwrap_or_else(|| panic!("no {kind} in docs/records.md"))
        .split('|')
        .collect();
    let mut names: Vec<String> = cells[3]
        .split(',')
        .map(|name| name.trim().replace('`', ""))
        .collect();
    names.push("type".into());
    names.sort();
    names
}

#[test]
fn every_record_has_the_fields_that_the_page_names() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE)
        .write("bad.csv", "account,partner,number\nacme,rapida,1\n");
    let mut seen = std::collections::BTreeSet::new();
    for (args, status) in [
        (&["plan", "three.csv"][..], 0),
        (&["plan", "bad.csv"], 2),
        (&["enqueue", "three.csv"], 0),
        (&["cancel", "one"], 0),
        (&["retry", "one"], 0),
        (&["work", "--drain"], 0),
        (&["onboard", "three.csv"], 0),
        (&["status"], 0),
        (&["status", "one"], 0),
        (&["list"], 0),
        (&["handoff", "one"], 0),
        (&["verify", "one"], 0),
        (&["accounts", "list"], 0),
        (&["accounts", "check"], 0),
        (&["accounts", "resume", "acme"], 0),
        (&["recipes", "list"], 0),
        (&["recipes", "check"], 0),
    ] {
        let ran = home.run(&[&["--json"], args].concat()).ends(status);
        let records = ran.records();
        assert!(!records.is_empty(), "{args:?} prints nothing");
        let first = |line: &str| line.starts_with("{\"type\":\"");
        assert!(ran.stdout.lines().all(first), "{}", ran.stdout);
        for record in records {
            let kind = record["type"].as_str().unwrap().to_owned();
            assert_eq!(fields(&record), documented(&kind), "{args:?}");
            seen.insert(kind);
        }
    }
    // All kinds but the sandbox's own, by which every test here finds it.
    assert_eq!(seen.len(), 13, "{seen:?}");
}

#[test]
fn output_that_cannot_be_written_ends_with_1() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let full = || {
        let device = std::fs::OpenOptions::new().write(true).open("/dev/full");
        std::process::Stdio::from(device.unwrap())
    };
    for args in [
        &["--json", "onboard", "three.csv", "--sandbox"][..],
        &["status"],
        &["--json", "list"],
        &["recipes", "show", "livekit"],
        &["completions", "bash"],
    ] {
        let child = home.command(args).stdout(full()).spawn().unwrap();
        let ran = crate::home::finish(child).ends(1);
        assert!(
            ran.stderr.contains("the output cannot be written"),
            "{args:?}: {}",
            ran.stderr
        );
    }
    let tally = &home.run(&["--json", "status"]).ends(0).of_type("tally")[0];
    assert_eq!(tally["succeeded"], 3, "the work was done all the same");
}

#[test]
fn plan_leaves_out_what_was_accepted_before_and_refuses_what_enqueue_would() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    home.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
    home.write(
        "four.csv",
        &format!("{THREE}acme,rapida,+918000000004,four\n"),
    );
    let args = ["--json", "plan", "four.csv", "--sandbox"];
    let ran = home.run(&args).ends(0);
    let plans = ran.of_type("plan");
    let states: Vec<&Value> = plans.iter().map(|plan| &plan["state"]).collect();
    let done = &json!("succeeded");
    assert_eq!(states, [done, done, done, &Value::Null]);
    let summary = &ran.of_type("plan_summary")[0];
    assert_eq!(summary["total"], 4);
    assert_eq!(summary["accepted_before"], 3);
    assert_eq!(summary["finished_before"], 3);
    assert_eq!(summary["requests"], plans[3]["requests"]);
    assert_eq!(summary["accounts"][0]["signups"], 1);
    let text = home.run(&["plan", "three.csv", "--sandbox"]).ends(0).stdout;
    assert!(
        text.contains("3 accepted before, of which 3 are finished") && text.contains("0 requests"),
        "{text}"
    );

    home.write(
        "clash.csv",
        "account,partner,number,key\nacme,rapida,+918000000004,four\nacme,rapida,+918000000099,one\n",
    );
    let problems = |command| {
        let ran = home.run(&["--json", command, "clash.csv", "--sandbox"]);
        ran.ends(2).of_type("problem")
    };
    let planned = problems("plan");
    assert_eq!(planned[0]["line"], 3);
    assert_eq!(planned, problems("enqueue"));
    // It is the other world's store, as enqueue says too.
    home.write("accounts.toml", "[accounts.acme]\naccount_sid = \"acme1\"\nregion = \"in\"\napi_key = { env = \"KEY\" }\napi_token = { env = \"TOKEN\" }\n");
    let ran = home.run(&["plan", "three.csv"]).ends(2);
    assert!(ran.stderr.contains("--sandbox"), "{}", ran.stderr);
}

#[test]
fn one_of_a_thing_is_told_in_the_singular() {
    let home = Home::of_one_store();
    home.write(
        "one.csv",
        "account,partner,number\nacme,rapida,+918000000001\n",
    );
    for args in [
        &["plan", "one.csv", "--sandbox"][..],
        &["enqueue", "one.csv", "--sandbox"],
        &["onboard", "one.csv", "--sandbox"],
    ] {
        let ran = home.run(args).ends(0);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            told.contains("1 signup ") || told.contains("1 signup:"),
            "{told}"
        );
        assert!(!told.contains("1 onboardings"), "{told}");
    }
    home.run(&["recipes", "new", "umbrella"]).ends(0);
    let ran = home
        .run(&["recipes", "check", "recipes/umbrella.toml"])
        .ends(0);
    assert!(ran.stdout.starts_with("1 recipe checked"), "{}", ran.stdout);
}

#[test]
fn a_key_with_a_character_that_cannot_be_seen_is_refused_with_its_place_and_never_shown_raw() {
    let home = Home::of_one_store();
    let row = |key: &str| format!("account,partner,number,key\nacme,retell,+918000000001,{key}\n");
    for (key, says) in [
        ("crm\u{200b}-4704", "U+200B after `crm`"),
        ("crm\u{202e}-4704", "U+202E after `crm`"),
        ("Zoe\u{308}-1", "U+0308 after `Zoe`"),
    ] {
        home.write("one.csv", &row(key));
        let ran = home
            .run(&["--json", "plan", "one.csv", "--sandbox"])
            .ends(2);
        let problem = &ran.of_type("problem")[0];
        assert_eq!(
            (&problem["line"], &problem["field"]),
            (&2.into(), &"key".into())
        );
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    // Both ends are cleaned, as of blanks.
    home.write("one.csv", &row("\u{202a}crm-4704\u{202c}\u{200b}"));
    home.run(&["enqueue", "one.csv", "--sandbox"]).ends(0);
    home.run(&["status", "crm-4704"]).ends(0);
    home.run(&["status", "\u{200b}crm-4704"]).ends(0);
    // Names of files and of columns are text of others, too.
    let name = "a\u{202e}\u{1b}[2Jb.csv";
    home.write(name, "account,par\u{202e}tner,number\n");
    for form in [
        &["plan"][..],
        &["--json", "plan"],
        &["--log", "json", "plan"],
    ] {
        let ran = home.run(&[form, &[name, "--sandbox"]].concat()).ends(2);
        let all = ran.stdout + &ran.stderr;
        assert!(all.contains("202e"), "{all}");
        assert!(!all.contains(['\u{202e}', '\u{1b}']), "{all:?}");
    }
    // So is what is typed.
    let option = format!("--{name}");
    for wrong in [
        &[name][..],
        &["list", "--state", name],
        &[&option],
        &["status", name],
    ] {
        let ran = home.run(wrong);
        let all = ran.stdout + &ran.stderr;
        let named = all.to_lowercase().contains("202e");
        assert!(named && !all.contains(['\u{202e}', '\u{1b}']), "{all:?}");
    }
}
