//! Measures Trunkline's figures on the real binary: `cargo xtask bench [NAME...]`.
//!
//! Every load is bounded and stops by itself; every server is on loopback. Nothing is asserted
//! here: a figure that is missed is printed like one that is met.
#![expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]

mod accept;
mod accept_one;
mod bare;
mod cost;
mod first_request;
mod help;
mod http;
mod http_accept;
mod http_events;
mod http_hostile;
mod latency;
mod memory;
mod process;
mod redis_accept;
mod redis_cost;
mod redis_fairness;
mod redis_fill;
mod redis_million;
mod redis_monitor;
mod redis_scripts;
mod redis_server;
mod redis_steady;
mod serving;
mod setup;
mod window;

use anyhow::{Result, bail};

/// The product's, so that the bare loop differs from it in nothing but the work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAMES: &[&str] = &[
    "accept",
    "accept-one",
    "cost",
    "memory",
    "help",
    "latency",
    "window",
    "redis-accept",
    "redis-million",
    "redis-fairness",
    "redis-cost",
    "redis-steady",
    "redis-scripts",
    "http-accept",
    "http-events",
    "http-hostile",
];

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "bare") {
        return bare::run(&arguments[1..]);
    }
    if arguments.is_empty() {
        arguments = NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    setup::print_machine();
    for name in &arguments {
        match name.as_str() {
            "accept" => accept::run()?,
            "accept-one" => accept_one::run()?,
            "cost" => cost::run()?,
            "memory" => memory::run()?,
            "help" => help::run()?,
            "latency" => latency::run()?,
            "window" => window::run()?,
            "redis-fairness" => redis_fairness::run()?,
            "redis-million" => redis_million::run()?,
            "redis-accept" => redis_accept::run()?,
            "redis-cost" => redis_cost::run()?,
            "redis-steady" => redis_steady::run()?,
            "redis-scripts" => redis_scripts::run()?,
            "http-accept" => http_accept::run()?,
            "http-events" => http_events::run()?,
            "http-hostile" => http_hostile::run()?,
            other => bail!("{other}: there are {}", NAMES.join(", ")),
        }
    }
    Ok(())
}
