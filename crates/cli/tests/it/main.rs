//! The `trunkline` binary, as a person or a program uses it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod accounts;
mod asked;
mod handoff;
mod help;
mod home;
mod json_log;
mod operator;
mod recipes;
mod records;
mod sandbox;
mod settings;
mod shared_store;
mod signals;
mod tables;
mod tokens;
mod traces;
