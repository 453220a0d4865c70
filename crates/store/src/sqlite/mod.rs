//! The embedded store: one SQLite file.

use std::{path::PathBuf, sync::Arc};

use crate::{SealingKey, clock::Clock};

/// Which world a store belongs to. A store that was filled against the simulator holds trunks that
/// exist nowhere else, so the two are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// Exotel's API, or whatever the accounts file names.
    Live,
    /// The built-in simulator.
    Sandbox,
}

/// How to open a [`SqliteStore`].
pub struct SqliteOptions {
    /// The database file; made if it is not there.
    pub path: PathBuf,
    /// Seals the secrets in it.
    pub key: SealingKey,
    /// Fixed when the file is made; another one is refused later.
    pub world: World,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
}
