//! Slow and malicious clients cost bounded memory and time, and get their error.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use serve::ConnectionLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    events::until,
    server::{Options, Server, WRITE, answer, signup},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What comes back until the server closes, or nothing more comes.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            text.extend_from_slice(&buffer[..count]);
        }
    };
    timeout(PATIENCE, reading).await.expect("the server closes");
    String::from_utf8_lossy(&text).into_owned()
}

async fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

fn head(path: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {WRITE}\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn ten_gigabytes_that_are_announced_are_refused_at_once() {
    let server = Server::start().await;
    let began = Instant::now();
    for path in ["/v1/onboardings", "/v1/webhooks/signups"] {
        let head = head(path, "content-length: 10737418240\r\n");
        let mut stream = send(&server, head.as_bytes()).await;
        let told = read_all(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
        assert!(told.contains("too_large"), "{told}");
        assert!(told.to_lowercase().contains("connection: close"), "{told}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_at_the_same_size() {
    let server = Server::start().await;
    let head = head("/v1/onboardings", "transfer-encoding: chunked\r\n");
    let mut stream = send(&server, head.as_bytes()).await;
    let chunk = [b"10000\r\n", [b' '; 65_536].as_slice(), b"\r\n"].concat();
    let mut sent = 0;
    // The server stops reading: sooner or later nothing can be sent any more.
    while sent < 200 && stream.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 200, "{sent} chunks of 64 KiB were taken");
    assert_eq!(answer(server.get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn a_list_of_100_000_signups_is_refused() {
    let server = Server::start().await;
    let small: Vec<_> = (0..100_000).map(|_| json!({})).collect();
    let refused = answer(server.post("/v1/onboardings").json(&small)).await;
    refused.is_problem(413, "too_large", "within the size");
    let whole: Vec<_> = (0..100_000).map(signup).collect();
    let request = server.post("/v1/onboardings").json(&whole).send().await;
    // The answer may be lost to the client that is still sending; what counts is that it is refused.
    if let Ok(response) = request {
        assert_eq!(response.status(), 413);
    }
    let none = answer(server.get("/v1/onboardings")).await;
    assert_eq!(none.json["items"], json!([]));
}

#[tokio::test]
async fn deeply_nested_json_is_refused() {
    let server = Server::start().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = [open.repeat(300_000), "1".into(), close.repeat(300_000)].concat();
        let request = server.post("/v1/onboardings");
        let request = request
            .header("content-type", "application/json")
            .body(body);
        answer(request).await.is_problem(400, "invalid_body", open);
    }
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let server = Server::start().await;
    let long = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    for (case, bytes) in [("long", long), ("many", many), ("path", path)] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // It may be closed while it is still being sent.
        let _ = stream.write_all(bytes.as_bytes()).await;
        let told = read_all(&mut stream).await;
        let refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"];
        // Where what was sent is still unread, the system resets the connection.
        let fine = told.is_empty() || refused.iter().any(|line| told.starts_with(line));
        assert!(fine, "{case}: {told}");
    }
}

#[tokio::test]
async fn garbage_is_answered_and_closed() {
    let server = Server::start().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS to a plain port"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/onboardings HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /v1/onboardings HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut stream = send(&server, garbage).await;
        stream.shutdown().await.unwrap();
        let told = read_all(&mut stream).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    }
    let pipelined = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100) + "garbage\r\n\r\n";
    let mut stream = send(&server, pipelined.as_bytes()).await;
    let told = read_all(&mut stream).await;
    assert_eq!(told.matches("HTTP/1.1 200 OK").count(), 100);
    assert!(told.contains("HTTP/1.1 400"), "the garbage behind them");
}

#[tokio::test]
async fn a_request_that_a_proxy_may_have_read_otherwise_is_refused() {
    let server = Server::start().await;
    let get =
        |more: &str| format!("GET /v1/onboardings HTTP/1.1\r\n{more}connection: close\r\n\r\n");
    let token = format!("authorization: Bearer {WRITE}\r\n");
    for (case, head, status) in [
        ("one of each", get(&format!("host: x\r\n{token}")), 200),
        ("no host", get(&token), 400),
        (
            "two hosts",
            get(&format!("host: x\r\nhost: y\r\n{token}")),
            400,
        ),
        (
            "two tokens",
            get(&format!(
                "host: x\r\n{token}authorization: Bearer other\r\n"
            )),
            401,
        ),
        (
            "the same token twice",
            get(&format!("host: x\r\n{token}{token}")),
            401,
        ),
        (
            "an old client",
            "GET /healthz HTTP/1.0\r\n\r\n".to_owned(),
            200,
        ),
    ] {
        let mut stream = send(&server, head.as_bytes()).await;
        let told = read_all(&mut stream).await;
        assert_eq!(
            told.get(9..12),
            Some(status.to_string().as_str()),
            "{case}: {told}"
        );
        let closes = told.to_lowercase().contains("connection: close");
        assert!(closes || case == "an old client", "{case}: {told}");
    }
}

/// Short times, so that nobody waits for a minute.
fn hasty() -> Options {
    Options {
        limits: ConnectionLimits {
            connections_max: 8,
            head_timeout: Duration::from_millis(300),
            idle_timeout: Duration::from_millis(1500),
            write_timeout: Duration::from_millis(500),
            shutdown_timeout: Duration::from_secs(2),
        },
        ..Options::default()
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off_sooner_than_a_connection_that_idles() {
    let server = Server::with(hasty()).await;
    let mut slow = send(&server, b"GET /healthz HTTP/1.1\r\n").await;
    let began = Instant::now();
    let trickling = async {
        // A byte now and then does not help.
        while slow.write_all(b"a").await.is_ok() && began.elapsed() < PATIENCE {
            let mut buffer = [0; 1];
            let read = timeout(Duration::from_millis(50), slow.read(&mut buffer)).await;
            if matches!(read, Ok(Ok(0) | Err(_))) {
                break;
            }
        }
    };
    trickling.await;
    assert!(
        began.elapsed() < Duration::from_millis(1200),
        "{:?}",
        began.elapsed()
    );

    let mut idle = send(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let began = Instant::now();
    let told = read_all(&mut idle).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert!(
        began.elapsed() > Duration::from_millis(1200),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn slow_clients_hold_no_more_connections_than_allowed_and_others_get_their_turn() {
    let server = Server::with(hasty()).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(send(&server, b"GET /healthz HTTP/1.1\r\n").await);
    }
    let healthy = timeout(PATIENCE, answer(server.get("/healthz"))).await;
    assert_eq!(healthy.expect("it gets its turn").status, 200);
    drop(slow);
}

#[tokio::test]
async fn who_watches_and_does_not_read_is_let_go() {
    let server = Server::with(hasty()).await;
    let head =
        format!("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {WRITE}\r\n\r\n");
    let deaf = send(&server, head.as_bytes()).await;
    until(async || (server.app.live().clients() == 1).then_some(())).await;
    // So much happens that no buffer between the two holds it.
    let filler = Arc::new("x".repeat(190));
    for round in 0..400_u32 {
        let signups: Vec<_> = (0..500)
            .map(|n| {
                let mut signup = signup(round * 500 + n);
                signup["key"] = json!(format!("{filler}{n:03}{round:04}"));
                signup
            })
            .collect();
        let taken = server.enqueue(json!(signups)).await;
        for own in taken["onboardings"].as_array().unwrap() {
            let id = own["id"].as_str().unwrap().parse().unwrap();
            server.store.cancel(id).await.unwrap();
        }
        if server.app.live().clients() == 0 {
            break;
        }
    }
    until(async || (server.app.live().clients() == 0).then_some(())).await;
    drop(deaf);
}
