//! The promise: a worker that is asked to tells whether it lives, whether it can work, and what it counts,
//! also while it waits for its store and while it stops.
//!
//! The method: a worker with a listener on a free port, asked while its Redis is away, there, and hangs.

use std::net::SocketAddr;

use serde_json::json;
use tests::{Answer, Place, Program, Server, Signal, Signup, Simulator, ask, lines_of, until};

fn address(worker: &Program) -> SocketAddr {
    until("it says where it tells", || {
        let told = worker.stderr();
        let (_, rest) = told.split_once("how it is on http://")?;
        let (address, _) = rest.split_once('\n')?;
        address.parse().ok()
    })
}

fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, &[], "").expect("a whole answer")
}

fn until_ready(to: SocketAddr, status: u16) {
    until(&format!("/readyz answers {status}"), || {
        (get(to, "/readyz").status == status).then_some(())
    });
}

#[test]
fn a_worker_tells_that_it_lives_whether_it_is_ready_and_what_it_counts() {
    let simulator = Simulator::start();
    let mut redis = Server::with_aof();
    let place = Place::new(&simulator, &["acme"]).on_redis(&redis.url());
    place.settings("worker_listen = \"127.0.0.1:0\"\n");
    redis.kill();
    let worker = place.start(&["work"]);
    let to = address(&worker);
    // Containers start in any order: one that waits for its store is not to be started again.
    assert_eq!(get(to, "/healthz").status, 200);
    assert_eq!(get(to, "/readyz").status, 503);
    assert_eq!(get(to, "/metrics").status, 200);
    assert_eq!(get(to, "/").status, 404);

    redis.restart();
    until_ready(to, 200);
    place.write(
        "signups.jsonl",
        &lines_of(&[Signup::new("acme", "five_steps", 1)]),
    );
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    until("it has succeeded", || {
        (place.tally()["succeeded"] == json!(1)).then_some(())
    });
    let told = get(to, "/metrics").text();
    for name in ["trunkline_build", "trunkline_store_up 1", "acme"] {
        assert!(told.contains(name), "no {name} in {told}");
    }

    redis.pause();
    until_ready(to, 503);
    assert_eq!(get(to, "/healthz").status, 200);
    redis.resume();
    until_ready(to, 200);
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_begun() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    place.settings(&format!("worker_listen = \"{address}\"\n"));
    let refused = place.run(&["work", "--json"]).with(2);
    assert_eq!(refused.record("problem")["field"], "worker_listen");
    assert!(!place.has_store());
}
