//! The link against real servers.

mod cluster;
mod durable;
mod outage;
mod refusal;
mod sentinel;
mod tls;
mod wake;

use crate::redis::script::Code;
use std::{sync::Arc, time::Duration};

use super::{super::url::RedisPlace, Link};
use crate::{Error, Result};
use redis::Value;

/// How long a condition may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const NONE: &[&str] = &[];

fn place(url: &str) -> RedisPlace {
    RedisPlace::parse(url).expect("a good URL")
}

async fn link(url: &str) -> Arc<Link> {
    Link::open(&place(url)).await.expect("the store opens")
}

/// A script that writes.
fn count() -> Code {
    Code::of("return redis.call('INCR', KEYS[1])")
}

async fn counted(link: &Link) -> Result<Value> {
    link.run(&count(), &["{trunkline}:n"], NONE).await
}

/// Repeats a call until it succeeds, as callers do; only a passing failure is repeated.
async fn counted_at_last(link: &Link) -> Value {
    let end = tokio::time::Instant::now() + SOON;
    loop {
        match counted(link).await {
            Ok(value) => return value,
            Err(Error::Unavailable { message, .. }) => {
                assert!(tokio::time::Instant::now() < end, "still: {message}");
            }
            Err(other) => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
