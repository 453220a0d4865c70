//! `deploy/README.md` walked on a real engine: the trial, killed workers, a killed simulator, a Redis that
//! restarts, the fleet, HTTP behind a proxy, stop, down and up again.
//!
//! Everything is in a copy of the checkout and under a project of Compose of its own, with a network, a port
//! and an image's name of its own, so that what else runs on the engine is neither used nor removed.

mod engine;
mod http;

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use self::{
    engine::{Copy, until},
    http::{Answer, ask},
};

/// Building the image compiles everything.
const BUILDS: Duration = Duration::from_secs(90 * 60);
/// Any other command.
const SOON: Duration = Duration::from_secs(180);
/// What work may take: some dozens of onboardings, within the accounts' limits.
const WORK: Duration = Duration::from_secs(300);
/// A started container is healthy, far below the minute that a health check of the image's would take.
const HEALTHY: Duration = Duration::from_secs(40);

/// Lines of the page, by their beginnings.
const PREPARE: &str = "sh deploy/prepare.sh";
const TRIAL_UP: &str = "docker compose --profile sandbox up";
const TRIAL_ENQUEUE: &str = "docker compose run --rm -T sandbox-enqueue";
const TRIAL_LIST: &str = "docker compose exec sandbox-worker trunkline list";
const FLEET_UP: &str = "docker compose up -d --build";
const FLEET_ENQUEUE: &str = "docker compose run --rm -T enqueue enqueue -";
const FLEET_FILE: &str = "SIGNUPS=./signups.csv docker compose run";
const FLEET_STATUS: &str = "docker compose exec worker trunkline status";
const FLEET_FAILED: &str = "docker compose exec worker trunkline list --state failed";
const TOKEN: &str = "docker compose run --rm --no-deps -T serve tokens new";
const HTTP_UP: &str = "docker compose --profile http up";
const HTTP_PROBE: &str = "docker compose exec serve trunkline probe";
const STOP: &str = "docker compose --profile http --profile sandbox stop";
const DOWN: &str = "docker compose --profile http --profile sandbox down";
const ADMIN: &str = "docker compose exec -T redis sh -c";

/// Walks it where there is an engine, and says that it did not where there is none.
pub(crate) fn walk() -> Result<(), String> {
    if let Err(why) = engine::is_there() {
        eprintln!("xtask: containers: skipped, because no Docker Engine answers: {why}");
        return Ok(());
    }
    let copy = Copy::make()?;
    eprintln!("xtask: containers: {}", copy.described());
    let walked = trial(&copy)
        .and_then(|()| fleet(&copy))
        .and_then(|()| http(&copy))
        .and_then(|()| end(&copy));
    if walked.is_err() {
        copy.show_logs();
    }
    let removed = copy.remove();
    walked.and(removed)?;
    eprintln!(
        "xtask: containers: all of {} was walked",
        crate::compose::PAGE
    );
    Ok(())
}

/// Signups of the accounts of `examples/signups.csv`, numbered from `first`.
fn signups(accounts: &[&str], first: usize, count: usize) -> String {
    let mut text =
        String::from("account,partner,number,key,direction,inputs.livekit_sip_subdomain\n");
    for n in first..first + count {
        let account = accounts[n % accounts.len()];
        text.push_str(&format!(
            "{account},livekit,+9180001{n:05},walk-{n},both,bwwn08a2m4o\n"
        ));
    }
    text
}

const ACCOUNTS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

/// How many onboardings a store has, and how many of them succeeded.
fn tally(copy: &Copy, service: &str) -> Result<(u64, u64), String> {
    let asked = format!("docker compose run --rm -T {service} status --json");
    let text = copy.ask(&asked, SOON)?;
    let mut records = text.lines().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        (record["type"] == "tally").then_some(record)
    });
    let record = records
        .next_back()
        .ok_or_else(|| format!("`{asked}` printed no tally: {text}"))?;
    let number = |name: &str| record[name].as_u64().unwrap_or_default();
    Ok((number("total"), number("succeeded")))
}

fn until_all_succeeded(copy: &Copy, total: u64) -> Result<(), String> {
    until(&format!("all {total} have succeeded"), WORK, || {
        let (there, succeeded) = tally(copy, "sandbox-enqueue")?;
        if there > total {
            return Err(format!("there are {there} onboardings, not {total}"));
        }
        Ok(succeeded == total)
    })
}

/// The trial, with what may break broken while it works.
fn trial(copy: &Copy) -> Result<(), String> {
    let _ = copy.step(PREPARE, SOON)?;
    let _ = copy.step(TRIAL_UP, BUILDS)?;
    until_healthy(copy, &["sandbox-worker-1", "sandbox-worker-2"])?;
    let examples = copy.step(TRIAL_ENQUEUE, SOON)?;
    let mut total = tally(copy, "sandbox-enqueue")?.0;
    if total == 0 {
        return Err(format!("nothing was enqueued: {examples}"));
    }
    until_all_succeeded(copy, total)?;
    let _ = copy.step(TRIAL_LIST, SOON)?;
    for (what, breaks) in [
        ("a worker is killed", "docker kill PROJECT-sandbox-worker-2"),
        ("Redis restarts", "docker compose restart redis"),
        ("the simulator is killed", "docker kill PROJECT-sandbox-1"),
    ] {
        eprintln!("xtask: containers: {what} under way");
        copy.write("more.csv", &signups(&ACCOUNTS, usize_of(total), 24))?;
        let enqueue = format!("{TRIAL_ENQUEUE} enqueue - < more.csv");
        let _ = copy.run(&enqueue, SOON)?;
        let _ = copy.run(&breaks.replace("PROJECT", copy.project()), SOON)?;
        total += 24;
        // What was killed by hand Docker leaves dead; that the others go on shows where a worker is missing.
        if what.contains("simulator") {
            let _ = copy.step(TRIAL_UP, BUILDS)?;
        }
        until_all_succeeded(copy, total)?;
        let _ = copy.step(TRIAL_UP, BUILDS)?;
        until_healthy(copy, &["sandbox-worker-1", "sandbox-worker-2"])?;
    }
    // Exits with 1 where anything is missing, or there twice.
    let verify = "docker compose exec -T sandbox-worker trunkline verify --all";
    copy.run(verify, WORK).map(drop)
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn until_healthy(copy: &Copy, containers: &[&str]) -> Result<(), String> {
    for name in containers {
        let ask = format!(
            "docker inspect --format '{{{{.State.Health.Status}}}}' {}-{name}",
            copy.project()
        );
        until(&format!("{name} is healthy"), HEALTHY, || {
            Ok(copy.ask(&ask, SOON)?.trim() == "healthy")
        })?;
    }
    Ok(())
}

/// The fleet, at an Exotel that nobody reaches: nothing of this leaves the machine.
fn fleet(copy: &Copy) -> Result<(), String> {
    let accounts = copy.read("deploy/compose/config/accounts.toml")?;
    let away = accounts.replace("region = \"in\"", "base_url = \"http://127.0.0.1:9\"");
    if away == accounts {
        return Err("accounts.toml has no region to take away".to_owned());
    }
    copy.write("deploy/compose/config/accounts.toml", &away)?;
    for name in ["exotel_acme_key", "exotel_acme_token"] {
        copy.write_secret(&format!("deploy/compose/secrets/{name}"), "made-up\n")?;
    }
    let _ = copy.step(PREPARE, SOON)?;
    copy.write("signups.csv", &signups(&["acme"], 0, 2))?;
    let _ = copy.step(FLEET_UP, BUILDS)?;
    until_healthy(copy, &["worker-1", "worker-2"])?;
    let _ = copy.step(FLEET_ENQUEUE, SOON)?;
    let again = copy.step(FLEET_FILE, SOON)?;
    let _ = copy.step(FLEET_STATUS, SOON)?;
    let _ = copy.step(FLEET_FAILED, SOON)?;
    let _ = copy.step(ADMIN, SOON)?;
    match tally(copy, "enqueue")? {
        (2, _) => Ok(()),
        (total, _) => Err(format!("two signups became {total} onboardings: {again}")),
    }
}

/// HTTP with a token; this program is the proxy.
fn http(copy: &Copy) -> Result<(), String> {
    let made = copy.step(TOKEN, SOON)?;
    let token = made.lines().next().unwrap_or_default().trim().to_owned();
    let table = made.find("[tokens.").map(|at| &made[at..]);
    let table = table.ok_or_else(|| format!("no table of a token was printed: {made}"))?;
    let settings = "deploy/compose/config/trunkline.toml";
    let text = copy.read(settings)?;
    let before = text
        .lines()
        .find(|line| line.starts_with("# trusted_proxies = "))
        .ok_or_else(|| format!("{settings} has no trusted_proxies to take in"))?;
    let trusted = format!("trusted_proxies = [\"{}\"]", copy.gateway());
    copy.write(
        settings,
        &format!("{}\n{table}", text.replace(before, &trusted)),
    )?;
    let _ = copy.step(HTTP_UP, BUILDS)?;
    until_healthy(copy, &["serve-1"])?;
    let _ = copy.step(HTTP_PROBE, SOON)?;
    let to = copy.address();
    let bearer = format!("Authorization: Bearer {token}");
    expect(
        "a list",
        &ask(to, "GET", "/v1/onboardings", &[&bearer], "")?,
        200,
    )?;
    expect(
        "no token",
        &ask(to, "GET", "/v1/onboardings", &[], "")?,
        401,
    )?;
    let signup = r#"{"account":"acme","partner":"livekit","number":"+918000199999","key":"walk-http","direction":"both","inputs":{"livekit_sip_subdomain":"bwwn08a2m4o"}}"#;
    let headers = [bearer.as_str(), "Content-Type: application/json"];
    expect(
        "a signup",
        &ask(to, "POST", "/v1/onboardings", &headers, signup)?,
        202,
    )?;
    lock_out(to)
}

/// One client of the proxy types wrong tokens until it has to wait, and another one need not.
fn lock_out(to: SocketAddr) -> Result<(), String> {
    for _ in 0..10 {
        expect("a wrong token", &log_in(to, "198.51.100.1")?, 401)?;
    }
    expect("one wrong token more", &log_in(to, "198.51.100.1")?, 429)?;
    expect("another client's", &log_in(to, "198.51.100.2")?, 401)
}

fn log_in(to: SocketAddr, client: &str) -> Result<Answer, String> {
    let client = format!("X-Forwarded-For: {client}");
    let form = ask(to, "GET", "/login", &[&client], "")?;
    let csrf = form.text.split_once("name=\"csrf\" value=\"");
    let csrf = csrf.and_then(|(_, rest)| rest.split('"').next());
    let csrf = csrf.ok_or("the log-in page has no form")?;
    let cookie = form
        .cookie
        .as_deref()
        .ok_or("the log-in page sets no cookie")?;
    let headers = [
        client.as_str(),
        &format!("Cookie: {cookie}"),
        "Content-Type: application/x-www-form-urlencoded",
    ];
    ask(
        to,
        "POST",
        "/login",
        &headers,
        &format!("csrf={csrf}&token=wrong"),
    )
}

fn expect(what: &str, answer: &Answer, status: u16) -> Result<(), String> {
    if answer.status == status {
        return Ok(());
    }
    Err(format!(
        "{what} was answered {}, not {status}: {}",
        answer.status, answer.text
    ))
}

/// Everything ends when it is asked to, and what was stored is there afterwards.
fn end(copy: &Copy) -> Result<(), String> {
    let before = (tally(copy, "sandbox-enqueue")?, tally(copy, "enqueue")?.0);
    let _ = copy.step(STOP, SOON)?;
    let running = copy.containers("--quiet")?;
    if !running.is_empty() {
        return Err(format!("`{STOP}` left containers running: {running}"));
    }
    let _ = copy.step(DOWN, SOON)?;
    let left = copy.containers("--quiet --all")? + &copy.networks()?;
    if !left.is_empty() {
        return Err(format!("`{DOWN}` left containers or networks: {left}"));
    }
    let _ = copy.step(TRIAL_UP, BUILDS)?;
    let after = (tally(copy, "sandbox-enqueue")?, tally(copy, "enqueue")?.0);
    if before == after {
        Ok(())
    } else {
        Err(format!("before the end {before:?}, afterwards {after:?}"))
    }
}

/// The one command of the page that begins so.
fn command(page: &str, start: &str) -> Result<String, String> {
    let of_page = crate::compose::commands(page);
    let longer = |own: &str| {
        own.strip_prefix(start)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let found = of_page
        .iter()
        .filter(|own| longer(own))
        .min_by_key(|own| own.len());
    found
        .cloned()
        .ok_or_else(|| format!("{}: there is no command `{start}`", crate::compose::PAGE))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Commands of the section that the walk does itself.
    const BY_HAND: [&str; 1] = ["$EDITOR "];

    #[test]
    fn every_command_of_the_page_is_walked() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(crate::compose::PAGE);
        let page = read(&path).unwrap();
        let page = page.split("## Kubernetes").next().unwrap();
        let walked: BTreeSet<String> = [
            PREPARE,
            TRIAL_UP,
            TRIAL_ENQUEUE,
            TRIAL_LIST,
            FLEET_UP,
            FLEET_ENQUEUE,
            FLEET_FILE,
            FLEET_STATUS,
            FLEET_FAILED,
            TOKEN,
            HTTP_UP,
            HTTP_PROBE,
            STOP,
            DOWN,
            ADMIN,
        ]
        .into_iter()
        .map(|start| command(page, start).unwrap())
        .collect();
        for own in crate::compose::commands(page) {
            let by_hand = BY_HAND.iter().any(|start| own.starts_with(start));
            assert!(by_hand || walked.contains(&own), "nothing runs `{own}`");
        }
    }

    #[test]
    fn signups_of_the_walk_are_all_different() {
        let text = signups(&ACCOUNTS, 3, 10);
        let lines: BTreeSet<&str> = text.lines().skip(1).collect();
        assert_eq!(lines.len(), 10);
    }
}
