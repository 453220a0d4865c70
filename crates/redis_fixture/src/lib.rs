//! Real Redis servers for tests and the bench: started on loopback, killed, stopped, restarted.
//!
//! [`Server`] is one server of its own, [`Server::shared`] the one that all tests of a process use,
//! [`Cluster`] and [`Sentinel`] are three processes each. Nothing of a server outlives the process
//! that started it, however that one ends: beside each server runs a shell that reads a pipe from
//! us. When we are gone, killed or not, the pipe ends, and the shell kills the server and removes
//! its folder. (A parent-death signal would not do: Linux sends it when the *thread* that started
//! the child ends, and a test is a thread.)
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a fixture that cannot be had is a failed test; the panic says what to do"
)]

mod cluster;
mod launch;
mod port;
mod program;
mod sentinel;
mod server;
mod watchdog;
mod wire;

pub use cluster::Cluster;
pub use sentinel::Sentinel;
pub use server::Server;
