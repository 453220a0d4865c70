//! The promise: a worker with nothing to do asks for nothing, and begins at once when there is
//! something.
//!
//! The method: the commands that a Redis of the test's own has counted, and the simulator's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tests::{Place, Program, Server, Signup, Simulator, lines_of, until};

/// How long an idle worker is watched.
const WATCHED: Duration = Duration::from_secs(6);

/// How often an idle worker may ask for work meanwhile: once when it begins, and rarely to be on
/// the safe side.
const CLAIMS_MAX: u64 = 4;

/// How much else it may send in a second: the counts for its progress, and signs that its
/// connections live.
const OTHERS_PER_SECOND: u64 = 5;

/// The bench measures milliseconds; this is for a busy machine.
const SOON_MS: u64 = 1000;

fn place(simulator: &Simulator, redis: &Server) -> Place {
    let place = Place::new(simulator, &["acme"]).on_redis(&redis.url());
    place.settings("log_level = \"info\"\n");
    place
}

fn started(place: &Place) -> Program {
    let worker = place.start(&["work"]);
    until("the worker has started", || {
        (worker.said("worker started") > 0).then_some(())
    });
    worker
}

/// How often each command was called, those of the test left out.
fn calls(redis: &Server) -> Vec<(String, u64)> {
    let info = redis.ask(&["INFO", "commandstats"]).expect("it answers");
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        (name != "info").then(|| (name.to_owned(), calls))
    };
    info.lines().filter_map(read).collect()
}

#[test]
fn an_idle_worker_asks_for_almost_nothing() {
    let simulator = Simulator::start();
    let redis = Server::start(&[]);
    let place = place(&simulator, &redis);
    let _worker = started(&place);
    let (before, since) = (calls(&redis), Instant::now());
    until("it has been watched", || {
        (since.elapsed() > WATCHED).then_some(())
    });
    let after = calls(&redis);
    let sum = |calls: &[(String, u64)], of: fn(&str) -> bool| -> u64 {
        let counted = calls.iter().filter(|(name, _)| of(name));
        counted.map(|(_, calls)| calls).sum()
    };
    let scripts = |name: &str| name.starts_with("eval") || name.starts_with("fcall");
    // What scripts call is counted too, and costs no round trip; these hardly come from scripts.
    let others = |name: &str| matches!(name, "ping" | "hget" | "hmget" | "hgetall");
    let claims = sum(&after, scripts) - sum(&before, scripts);
    assert!(claims <= CLAIMS_MAX, "{claims}: {before:?}, then {after:?}");
    let others = sum(&after, others) - sum(&before, others);
    assert!(
        others <= OTHERS_PER_SECOND * WATCHED.as_secs(),
        "{others}: {before:?}, then {after:?}"
    );
}

#[test]
fn a_signup_starts_at_once_on_an_idle_worker() {
    let simulator = Simulator::start();
    let redis = Server::with_aof();
    let place = place(&simulator, &redis);
    let _workers = [started(&place), started(&place)];
    for n in 0..5 {
        place.write(
            "one.jsonl",
            &lines_of(&[Signup::new("acme", "five_steps", n)]),
        );
        let _ = place.run(&["enqueue", "one.jsonl"]).with(0);
        let accepted = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let accepted = u64::try_from(accepted.as_millis()).unwrap();
        let first = until("its first request arrives", || {
            let log = simulator.requests();
            log.get(n * 5).cloned()
        });
        let after = first.at_ms.saturating_sub(accepted);
        assert!(after < SOON_MS, "{after} ms after it was accepted");
        until("it is done", || {
            (simulator.requests().len() == (n + 1) * 5).then_some(())
        });
    }
}
