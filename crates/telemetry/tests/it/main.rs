//! Traces and metrics against real servers on loopback.

mod collector;
mod export;
mod gathering;
mod onboardings;
mod world;
