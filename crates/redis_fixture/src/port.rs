//! Ports on loopback that nobody uses.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
};

/// Where we look. Below the range from which systems take the local ends of connections (32768 on
/// Linux, 49152 elsewhere): while a server is down, a client that tries again and again to reach a
/// port of that range can be given the very port and be connected with itself, and the server
/// cannot come back.
const FIRST: u64 = 20_000;
const COUNT: u64 = 10_000;

/// One that is free now. It may be taken before its user gets to it.
pub(crate) fn free() -> u16 {
    (0..1000)
        .find_map(|_| {
            let drawn = FIRST + RandomState::new().hash_one(()) % COUNT;
            let port = u16::try_from(drawn).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            Some(port)
        })
        .expect("among a thousand ports on loopback one is free")
}
