//! What tests may rely on.
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use redis_fixture::{Cluster, Sentinel, Server};

/// Says that this process is the one that a test starts and kills.
const CHILD: &str = "REDIS_FIXTURE_CHILD";

fn wait_until(mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_was_written_is_there_after_kill_and_restart() {
    let mut server = Server::with_aof();
    server.ask(&["SET", "kept", "yes"]).unwrap();
    let (port, pid) = (server.port(), server.pid());
    server.kill();
    assert!(server.ask(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.ask(&["GET", "kept"]).unwrap(), "yes");
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert!(server.log().contains("Ready to accept connections"));
}

#[test]
fn a_paused_server_answers_when_it_is_resumed() {
    let server = Server::start(&[]);
    server.pause();
    let port = server.port();
    thread::scope(|scope| {
        let asked = scope.spawn(|| server.ask(&["PING"]));
        wait_until(|| {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", server.pid()));
            !status.is_ok_and(|text| !text.contains(") T "))
        });
        server.resume();
        assert_eq!(asked.join().unwrap().unwrap(), "PONG", "port {port}");
    });
}

#[test]
fn lines_override_what_is_set_but_for_where_it_listens() {
    let server = Server::start(&[
        "maxmemory 50mb",
        "appendonly yes",
        "bind 0.0.0.0",
        "proc-title-template made-up-{port}",
    ]);
    let value = |name| server.ask(&["CONFIG", "GET", name]).unwrap();
    assert_eq!(value("maxmemory"), "maxmemory\n52428800");
    assert_eq!(value("appendonly"), "appendonly\nyes");
    assert_eq!(value("bind"), "bind\n127.0.0.1");
    assert!(value("proc-title-template").ends_with(&server.port().to_string()));
}

#[test]
fn a_server_with_a_password_counts_as_up() {
    let server = Server::start(&["requirepass made-up"]);
    assert!(server.ask(&["GET", "x"]).unwrap_err().starts_with("NOAUTH"));
}

#[test]
fn a_dropped_server_leaves_neither_process_nor_folder() {
    let server = Server::start(&[]);
    let (port, folder) = (server.port(), server.folder().to_owned());
    assert!(folder.is_dir());
    drop(server);
    assert!(!folder.exists());
    std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
}

/// Is no test by itself: the process that the next one kills.
#[test]
fn a_shared_server_is_one_per_process() {
    let server = Server::shared();
    assert_eq!(Server::shared().pid(), server.pid());
    assert_eq!(server.ask(&["PING"]).unwrap(), "PONG");
    if std::env::var_os(CHILD).is_some() {
        println!("\nshared {} {}", server.port(), server.folder().display());
        loop {
            thread::park();
        }
    }
}

#[test]
fn a_shared_server_ends_with_a_process_that_was_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_shared_server_is_one_per_process",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("shared "))
        .expect("it says where its server is");
    let words: Vec<_> = line.split(' ').collect();
    let port: u16 = words[1].parse().unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    wait_until(|| !Path::new(words[2]).exists());
}

#[test]
fn a_newer_server_has_waitaof() {
    let Some(server) = Server::newer(&["appendonly yes"]) else {
        return;
    };
    assert_eq!(server.ask(&["WAITAOF", "1", "0", "1000"]).unwrap(), "1\n0");
}

#[test]
fn a_cluster_is_whole() {
    let mut cluster = Cluster::start(&[]);
    assert_eq!(cluster.addresses().split(',').count(), 3);
    let set = cluster
        .nodes()
        .iter()
        .filter(|node| node.ask(&["SET", "{made}:up", "1"]).is_ok())
        .count();
    assert_eq!(set, 1, "one node has the slot");
}

#[test]
fn a_failover_keeps_what_was_copied() {
    let mut sentinel = Sentinel::start(&[]);
    let first = sentinel.primary().port();
    sentinel.primary().ask(&["SET", "kept", "yes"]).unwrap();
    sentinel.copy();
    sentinel.fail_over();
    assert_ne!(sentinel.primary().port(), first);
    assert_eq!(sentinel.primary().ask(&["GET", "kept"]).unwrap(), "yes");
}
