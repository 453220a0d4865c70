//! The records' promises.

mod accounts;
mod handoffs;
mod onboardings;
mod shelf;
