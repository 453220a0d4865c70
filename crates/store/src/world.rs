//! Which world a store belongs to.

/// Which world a store belongs to. A store that was filled against the simulator holds trunks that
/// exist nowhere else, so the two are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// Exotel's API, or whatever the accounts file names.
    Live,
    /// The built-in simulator.
    Sandbox,
}

impl World {
    /// Its name in a store.
    pub(crate) fn name(self) -> &'static [u8] {
        match self {
            Self::Live => b"live",
            Self::Sandbox => b"sandbox",
        }
    }

    /// The one with this name.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        [Self::Live, Self::Sandbox]
            .into_iter()
            .find(|world| world.name() == name)
    }
}
