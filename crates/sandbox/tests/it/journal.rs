//! A simulator that is started again, or killed, with a journal.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandbox::{Limits, Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{World, client, roomy, start, trunk_body};

fn kept(path: &Path) -> Options {
    Options {
        journal: Some(path.to_owned()),
        ..roomy()
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.journal");
    (folder, path)
}

async fn stop(world: World) {
    // Its idle connections first, or the server would wait for them.
    drop(world.client);
    world.running.stop().await;
}

async fn fill(world: &World) {
    let sip = world.trunk("first").await;
    let other = world.trunk("second").await;
    let gone = world.trunk("third").await;
    for (leaf, body) in [
        ("phone-numbers", json!({"phone_number": "+918047110001"})),
        (
            "phone-numbers",
            json!({"phone_number": "+918047110002", "mode": "flow"}),
        ),
        (
            "whitelisted-ips",
            json!({"ip": "8.8.8.8", "friendly_name": "edge_1"}),
        ),
        ("whitelisted-ips", json!({"ip": "9.9.9.0", "mask": 24})),
        (
            "credentials",
            json!({"user_name": "agent", "password": "made_up_1"}),
        ),
        (
            "credentials",
            json!({"user_name": "other", "password": "made_up_2"}),
        ),
        (
            "destination-uris",
            json!({"destinations": [{"destination": "8.8.8.8:5060"}, {"destination": "1.1.1.1:5060"}, {"destination": "sip.example.com:5061;transport=tls"}]}),
        ),
        (
            "settings",
            json!({"settings": [{"name": "trunk_external_alias", "value": "+918047110001"}]}),
        ),
    ] {
        let got = world.post(&format!("{sip}/{leaf}"), body).await;
        assert!([200, 207].contains(&got.status), "{}", got.text);
    }
    for (path, body) in [
        (&other, json!({"phone_number": "+918047110003"})),
        (&gone, json!({"phone_number": "+918047110004"})),
    ] {
        world
            .post(&format!("{path}/phone-numbers"), body)
            .await
            .data();
    }
    let orphan = json!({"user_name": "orphan", "password": "made_up_3"});
    world
        .post(&format!("{gone}/credentials"), orphan)
        .await
        .data();
    change(world, &sip, &other, &gone).await;
}

/// Changes and removes something of each kind.
async fn change(world: &World, sip: &str, other: &str, gone: &str) {
    let state = world.state().await;
    let trunk = &state["accounts"]["acme1"]["trunks"][0];
    let id = |list: &str, at: usize| trunk[list][at]["id"].as_str().unwrap().to_owned();
    let (number, ip) = (id("numbers", 0), id("whitelisted_ips", 0));
    let (credential, destination) = (id("credentials", 0), id("destinations", 0));
    for (path, body) in [
        (
            format!("phone-numbers/{number}"),
            json!({"phone_number": "+918047110001", "mode": "pstn"}),
        ),
        (
            format!("whitelisted-ips/{ip}"),
            json!({"ip": "8.8.4.4", "mask": 30}),
        ),
        (
            format!("credentials/{credential}"),
            json!({"password": "made_up_4"}),
        ),
        (
            format!("destination-uris/{destination}"),
            json!({"priority": 3, "weight": 7}),
        ),
    ] {
        world.put(&format!("{sip}/{path}"), body).await.data();
    }
    world
        .put(other, json!({"trunk_name": "renamed"}))
        .await
        .data();
    for (leaf, list) in [
        ("phone-numbers", "numbers"),
        ("whitelisted-ips", "whitelisted_ips"),
        ("credentials", "credentials"),
        ("destination-uris", "destinations"),
    ] {
        let path = format!("{sip}/{leaf}?id={}", id(list, 1));
        world.delete(&path).await.data();
    }
    let alias = json!({"settings": [{"name": "trunk_external_alias", "value": "+918047110003"}]});
    world.post(&format!("{other}/settings"), alias).await;
    world
        .delete(&format!("{other}/settings?name=trunk_external_alias"))
        .await
        .data();
    let sid = gone.strip_prefix("trunks/").unwrap();
    world
        .delete(&format!("trunks?trunk_sid={sid}"))
        .await
        .data();
}

#[tokio::test]
async fn a_simulator_that_starts_again_is_as_it_was() {
    let (_folder, path) = place();
    let world = start(kept(&path)).await;
    fill(&world).await;
    let before = world.state().await;
    assert_eq!(before["counts"]["orphaned_credentials"], 1, "{before}");
    stop(world).await;
    // From the lines as they were appended, and then from those of the rewritten file.
    for _ in 0..2 {
        let world = start(kept(&path)).await;
        assert_eq!(world.state().await, before);
        let taken = world.post("trunks", trunk_body("renamed")).await;
        assert_eq!(taken.codes(), [200, 200, 409, 1008]);
        stop(world).await;
    }
}

#[tokio::test]
async fn no_id_is_given_twice_even_when_the_newest_was_removed_or_all_was_forgotten() {
    let (_folder, path) = place();
    let mut sids = Vec::new();
    let mut ids = Vec::new();
    for round in 0..4 {
        let world = start(kept(&path)).await;
        let trunk = world.trunk("outbound").await;
        let number = json!({"phone_number": "+918047110001"});
        let number = world.post(&format!("{trunk}/phone-numbers"), number).await;
        ids.push(
            number.data()["id"]
                .as_str()
                .unwrap()
                .parse::<u32>()
                .unwrap(),
        );
        let sid = trunk.strip_prefix("trunks/").unwrap().to_owned();
        if round % 2 == 0 {
            world
                .delete(&format!("trunks?trunk_sid={sid}"))
                .await
                .data();
        } else {
            assert_eq!(world.delete("/_sandbox/state").await.status, 204);
        }
        sids.push(sid);
        assert_eq!(world.state().await["counts"]["trunks"], 0);
        stop(world).await;
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    sids.sort();
    sids.dedup();
    assert_eq!(sids.len(), 4);
}

#[tokio::test]
async fn a_window_that_was_used_up_stays_so() {
    let (_folder, path) = place();
    let limits = Limits {
        requests_per_minute: 3,
        ..Limits::default()
    };
    let options = || Options {
        limits,
        ..kept(&path)
    };
    let world = start(options()).await;
    for _ in 0..2 {
        assert_eq!(world.get("trunks").await.status, 200);
    }
    world.trunk("outbound").await;
    stop(world).await;
    let world = start(options()).await;
    let got = world.get("trunks").await;
    assert_eq!(got.status, 429);
    let wait: u64 = got.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Forgetting opens it, now and after the next start.
    world.delete("/_sandbox/state").await;
    stop(world).await;
    let world = start(options()).await;
    assert_eq!(world.get("trunks").await.status, 200);
}

#[tokio::test]
async fn a_line_that_was_cut_off_is_cut() {
    let (_folder, path) = place();
    let world = start(kept(&path)).await;
    world.trunk("outbound").await;
    let before = world.state().await;
    stop(world).await;
    let whole = std::fs::read(&path).unwrap();
    for tail in ["[", "[{\"gone\":[\"trm", "[{\"gone\"", "\u{0}\u{0}"] {
        std::fs::write(&path, [&whole[..], tail.as_bytes()].concat()).unwrap();
        let world = start(kept(&path)).await;
        assert_eq!(world.state().await, before, "{tail}");
        world.trunk("another").await;
        stop(world).await;
        let world = start(kept(&path)).await;
        assert_eq!(world.state().await["counts"]["trunks"], 2, "{tail}");
        stop(world).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_with_its_place_and_left_alone() {
    let (_folder, path) = place();
    let start_line = r#"[{"start":{"version":1,"salt":7}}]"#;
    let newer = r#"[{"start":{"version":2,"salt":7}}]"#;
    let lost = r#"[{"gone":["trmum1000000000000000000001a1n","caller_id"]}]"#;
    let table = [
        ("notes".to_owned(), "line 1"),
        ("notes\n".to_owned(), "line 1"),
        ("[]\n".to_owned(), "line 1"),
        (format!("{newer}\n"), "version 2"),
        (format!("{start_line}\nnonsense\n{start_line}\n"), "line 2"),
        (format!("{start_line}\n[{{\"unknown\":1}}]\n"), "line 2"),
        (format!("{start_line}\n{lost}\n"), "line 2"),
    ];
    for (text, wanted) in table {
        std::fs::write(&path, &text).unwrap();
        let error = Sandbox::open(kept(&path)).unwrap_err().to_string();
        for part in [wanted, path.to_str().unwrap(), "move the file away"] {
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn a_journal_that_is_in_use_or_has_no_folder_is_refused_with_a_remedy() {
    let (folder, path) = place();
    let _open = Sandbox::open(kept(&path)).unwrap();
    let error = Sandbox::open(kept(&path)).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    assert!(error.contains("stop that one"), "{error}");
    let nowhere = folder.path().join("no/such/folder/sandbox.journal");
    let error = Sandbox::open(kept(&nowhere)).unwrap_err().to_string();
    assert!(error.contains("its folder must exist"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_a_journal() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    // Left behind by a kill, with a mode that is too wide.
    std::fs::write(folder.path().join("sandbox.journal.new"), "half").unwrap();
    let world = start(kept(&path)).await;
    world.trunk("outbound").await;
    world.delete("/_sandbox/state").await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
    }
}

/// A process that is killed when it is dropped, at the latest.
struct Killed(Child);

impl Killed {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(path: &Path) -> (Killed, String) {
    // Cargo builds the examples along with the tests, into the folder beside theirs.
    let tests = std::env::current_exe().unwrap();
    let serve = tests
        .parent()
        .unwrap()
        .with_file_name("examples")
        .join("serve");
    let mut child = Command::new(serve)
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let child = Killed(child);
    let url = BufReader::new(out)
        .lines()
        .map(|line| line.unwrap())
        .find_map(|line| line.find("http://").map(|at| line[at..].to_owned()));
    (child, url.unwrap())
}

/// Makes trunks with a number each until the server is gone; gives what was answered.
async fn write(url: String, account: String, answered: Arc<AtomicUsize>) -> Vec<(String, String)> {
    let client = client();
    let base = format!("{url}/v2/accounts/{account}/trunks");
    let post = async |url: &str, body: Value| {
        let sent = client
            .post(url)
            .basic_auth("key", Some("token"))
            .json(&body);
        let answer = sent.send().await.ok()?.json::<Value>().await.ok()?;
        assert_eq!(answer["response"]["status"], "success", "{answer}");
        Some(answer["response"]["data"].clone())
    };
    let mut got = Vec::new();
    loop {
        let at = answered.load(Ordering::Relaxed);
        let name = format!("t{}_{at}", got.len());
        let Some(trunk) = post(&base, trunk_body(&name)).await else {
            return got;
        };
        let sid = trunk["trunk_sid"].as_str().unwrap().to_owned();
        got.push((sid.clone(), String::new()));
        let ip = json!({"ip": "8.8.8.8"});
        let Some(ip) = post(&format!("{base}/{sid}/whitelisted-ips"), ip).await else {
            return got;
        };
        got.last_mut().unwrap().1 = ip["id"].as_str().unwrap().to_owned();
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_loses_nothing_that_was_answered() {
    let (_folder, path) = place();
    let mut all: Vec<(String, String)> = Vec::new();
    for round in 0..4 {
        let (mut server, url) = spawn(&path);
        let answered = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..4)
            .map(|n| {
                tokio::spawn(write(
                    url.clone(),
                    format!("acme{round}{n}"),
                    Arc::clone(&answered),
                ))
            })
            .collect();
        while answered.load(Ordering::Relaxed) < 20 + round * 7 {
            tokio::task::yield_now().await;
        }
        server.kill();
        for writer in writers {
            all.extend(writer.await.unwrap());
        }
        let world = start(kept(&path)).await;
        let state = world.state().await;
        let mut there = Vec::new();
        for account in state["accounts"].as_object().unwrap().values() {
            for trunk in account["trunks"].as_array().unwrap() {
                let ip = trunk["whitelisted_ips"][0]["id"]
                    .as_str()
                    .unwrap_or_default();
                there.push((
                    trunk["trunk_sid"].as_str().unwrap().to_owned(),
                    ip.to_owned(),
                ));
            }
        }
        for (sid, ip) in &all {
            // An address that was not answered may be there or not.
            let found = there.iter().find(|(there, _)| there == sid);
            let (_, there) = found.unwrap_or_else(|| panic!("{sid} was answered and is lost"));
            assert!(ip.is_empty() || ip == there, "{ip} became {there}");
        }
        let mut ids: Vec<_> = there
            .iter()
            .map(|(_, ip)| ip)
            .filter(|ip| !ip.is_empty())
            .collect();
        ids.sort_unstable();
        assert!(
            ids.is_sorted_by(|a, b| a != b),
            "an id was given twice: {ids:?}"
        );
        stop(world).await;
    }
}
