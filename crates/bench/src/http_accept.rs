//! Single signups over HTTP, accepted durably into Redis.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::{
    http::{Connection, post},
    process,
    redis_server::{Aof, Redis},
    serving::{Serving, TOKEN},
    setup::{Place, runtime, share},
};

/// Signups a second, as the aim has it.
const RATE: usize = 3000;
const SECONDS: usize = 20;
const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 1000;

/// Sends at a fixed rate, whatever the answers take: a wait is counted from when the signup was due
/// to be sent, so that a server that stalls is not spared what it would have had to do meanwhile.
pub(crate) fn run() -> Result<()> {
    for aof in [Aof::Always, Aof::Everysec] {
        let redis = Redis::start(aof);
        let place =
            Place::new("http://127.0.0.1:9", ACCOUNTS, "requests_per_minute = 200")?.on(&redis);
        let serving = Serving::start(&place)?;
        let before = [process::cpu(serving.pid())?, redis.cpu()?];
        let started = Instant::now();
        let mut waits = runtime()?.block_on(all(serving.address, Some(RATE), RATE * SECONDS))?;
        let elapsed = started.elapsed().as_secs_f64();
        let cpu = [
            (process::cpu(serving.pid())? - before[0]).as_secs_f64(),
            (redis.cpu()? - before[1]).as_secs_f64(),
        ];
        let count = waits.len();
        println!(
            "http-accept: {count} single signups, {:.0}/s for {elapsed:.1} s over {CONNECTIONS} connections, Redis {aof}: \
             {:.1} ms p50, {:.1} ms p99, {:.1} ms worst; processor time {:.0} us each of the server, {:.0} us of Redis \
             [aim 3000/s with p99 under 50 ms]",
            count as f64 / elapsed,
            share(&mut waits, 0.5),
            share(&mut waits, 0.99),
            share(&mut waits, 1.0),
            cpu[0] * 1e6 / count as f64,
            cpu[1] * 1e6 / count as f64,
        );
        let started = Instant::now();
        let mut waits = runtime()?.block_on(all(serving.address, None, RATE * 10))?;
        let elapsed = started.elapsed().as_secs_f64();
        println!(
            "http-accept: as fast as {CONNECTIONS} connections go, Redis {aof}: {:.0}/s, {:.1} ms p50, {:.1} ms p99",
            waits.len() as f64 / elapsed,
            share(&mut waits, 0.5),
            share(&mut waits, 0.99),
        );
    }
    Ok(())
}

/// Sends `count` signups over all connections; returns how long each took, in milliseconds.
async fn all(address: SocketAddr, rate: Option<usize>, count: usize) -> Result<Vec<f64>> {
    let begin = Instant::now() + Duration::from_millis(100);
    let mut tasks = Vec::with_capacity(CONNECTIONS);
    for lane in 0..CONNECTIONS {
        tasks.push(tokio::spawn(one(address, lane, rate, count, begin)));
    }
    let mut waits = Vec::with_capacity(count);
    for task in tasks {
        waits.extend(task.await??);
    }
    Ok(waits)
}

async fn one(
    address: SocketAddr,
    lane: usize,
    rate: Option<usize>,
    count: usize,
    begin: Instant,
) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let mut waits = Vec::with_capacity(count / CONNECTIONS + 1);
    // Other numbers than those of the run before it.
    let first = if rate.is_some() { 0 } else { 50_000_000 };
    for n in (lane..count).step_by(CONNECTIONS) {
        let due = rate.map_or_else(Instant::now, |rate| {
            begin + Duration::from_secs_f64(n as f64 / rate as f64)
        });
        tokio::time::sleep_until(due).await;
        let body = format!(
            r#"{{"account":"bench{}","partner":"retell","number":"+9180{:08}","direction":"both"}}"#,
            n % ACCOUNTS,
            first + n
        );
        connection
            .send(post("/v1/onboardings", TOKEN, &body).as_bytes())
            .await?;
        let answer = connection.answer().await?;
        ensure!(
            answer.status == 202,
            "{}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        waits.push(due.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(waits)
}
