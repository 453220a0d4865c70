//! Waiting for conditions.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up: far more than it takes on a loaded machine
/// of two cores, and short enough that a hanging run tells which test it was.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(4);

/// Waits until `look` finds something.
///
/// # Panics
/// After [`PATIENCE`], saying `what` was waited for.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, LOOK, what, look)
}

/// The same with another patience, and another pause between two looks: for those that cost much.
///
/// # Panics
/// After `patience`, saying `what` was waited for.
pub fn until_within<T>(
    patience: Duration,
    pause: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            started.elapsed() < patience,
            "waited {patience:?} in vain until {what}"
        );
        thread::sleep(pause);
    }
}
