//! A simulator of Exotel's SIP trunking API that any HTTP client can use.
mod api;
mod clock;
mod control;
mod envelope;
mod faults;
mod fields;
mod gate;
mod ids;
mod keys;
mod options;
mod payload;
mod request_log;
mod route;
mod rule;
mod server;
mod service;
mod world;

use std::sync::Arc;

pub use options::{Limits, Options, Profile};
pub use server::Running;

/// One simulator. Clones share everything.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<service::Core>);

impl Sandbox {
    /// An empty world: any account and any key works, and nothing exists.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self(Arc::new(service::Core::new(options)))
    }

    fn core(&self) -> Arc<service::Core> {
        Arc::clone(&self.0)
    }
}
