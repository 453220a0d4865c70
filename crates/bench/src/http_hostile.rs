//! Slow and malicious clients: what they are answered, and what they cost in memory.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};

use crate::{
    http::{Connection, post},
    process,
    redis_server::{Aof, Redis},
    serving::{Serving, TOKEN},
    setup::{Place, runtime},
};

/// Clients of each kind at once.
const CLIENTS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that a client sends before it gives up being refused.
const SENT_MAX: usize = 64 * 1024 * 1024;

/// Each kind in its turn, all clients of it at once; the memory is the most that the server held so
/// far.
pub(crate) fn run() -> Result<()> {
    let redis = Redis::start(Aof::Everysec);
    let place = Place::new("http://127.0.0.1:9", 10, "requests_per_minute = 200")?.on(&redis);
    let serving = Serving::start(&place)?;
    let runtime = runtime()?;
    println!(
        "http-hostile: at rest {} kB",
        process::peak_of(serving.pid())?
    );
    for (name, kind) in [
        ("headers that never end", Kind::SlowHeaders),
        ("a body that never comes", Kind::SlowBody),
        ("a body of 10 GB announced", Kind::Announced),
        ("a body without end, in chunks", Kind::Chunks),
        ("a list of 100,000 signups", Kind::List),
        ("JSON of 100,000 levels", Kind::Deep),
        ("1 MB of headers", Kind::Headers),
    ] {
        let statuses = runtime.block_on(all(serving.address, kind))?;
        println!(
            "http-hostile: {CLIENTS} clients with {name}: {statuses}; memory at most {} kB so far",
            process::peak_of(serving.pid())?
        );
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    SlowHeaders,
    SlowBody,
    Announced,
    Chunks,
    List,
    Deep,
    Headers,
}

async fn all(address: SocketAddr, kind: Kind) -> Result<String> {
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(one(address, kind)))
        .collect();
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    for task in tasks {
        *statuses.entry(task.await??).or_default() += 1;
    }
    let told: Vec<String> = statuses
        .iter()
        .map(|(status, n)| format!("{n} x {status}"))
        .collect();
    Ok(told.join(", "))
}

/// What one client is answered: a status, or that its connection was ended.
async fn one(address: SocketAddr, kind: Kind) -> Result<String> {
    let mut connection = Connection::open(address).await?;
    let head = format!(
        "POST /v1/onboardings HTTP/1.1\r\nhost: trunkline.test\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
    );
    let sent = match kind {
        Kind::SlowHeaders => connection.send(head.as_bytes()).await,
        Kind::SlowBody => {
            connection
                .send(format!("{head}content-length: 100\r\n\r\n{{").as_bytes())
                .await
        }
        Kind::Announced => {
            let all = format!("{head}content-length: 10000000000\r\n\r\n");
            connection.send(all.as_bytes()).await?;
            pour(&mut connection, &[b' '; 65536]).await
        }
        Kind::Chunks => {
            let all = format!("{head}transfer-encoding: chunked\r\n\r\n");
            connection.send(all.as_bytes()).await?;
            let mut chunk = b"10000\r\n".to_vec();
            chunk.extend([b' '; 65536]);
            chunk.extend(b"\r\n");
            pour(&mut connection, &chunk).await
        }
        Kind::List => {
            let one = r#"{"account":"bench1","partner":"retell","number":"+918000000001"}"#;
            let body = format!("[{}]", vec![one; 100_000].join(","));
            connection
                .send(post("/v1/onboardings", TOKEN, &body).as_bytes())
                .await
        }
        Kind::Deep => {
            let body = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
            connection
                .send(post("/v1/onboardings", TOKEN, &body).as_bytes())
                .await
        }
        Kind::Headers => {
            let all = format!("{head}x-long: {}\r\n\r\n", "a".repeat(1_000_000));
            connection.send(all.as_bytes()).await
        }
    };
    // Refused while it still sends is an answer, too.
    drop(sent);
    Ok(match connection.answer_within(PATIENCE).await {
        Some(answer) => answer.status.to_string(),
        None => "ended".to_owned(),
    })
}

/// Sends the same again and again until the server has had enough.
async fn pour(connection: &mut Connection, bytes: &[u8]) -> Result<()> {
    let mut sent = 0;
    while sent < SENT_MAX {
        connection.send(bytes).await?;
        sent += bytes.len();
    }
    bail!("the server took {SENT_MAX} bytes")
}
