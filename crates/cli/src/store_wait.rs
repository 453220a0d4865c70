//! Waiting for a store that is away when a worker starts: containers start in any order.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    output::note,
    signals::Shutdown,
};

/// The first pause before another try, doubled each time.
const FIRST: Duration = Duration::from_millis(100);

/// The longest: what a fleet's store sees of its waiting workers stays small, and nobody waits for
/// long once it answers.
const LONGEST: Duration = Duration::from_secs(2);

/// Does `begin` once the store answers. `None`: a signal came first.
///
/// # Errors
/// What waiting does not mend.
pub(crate) async fn when_there<T>(
    shutdown: &mut Shutdown,
    mut begin: impl AsyncFnMut() -> Result<T>,
) -> Result<Option<T>> {
    let mut pause = FIRST;
    let mut told = false;
    loop {
        let begun = tokio::select! {
            begun = begin() => begun,
            () = shutdown.asked() => return Ok(None),
        };
        match begun {
            Err(Error::Away { message, .. }) => {
                if !told {
                    note(format_args!("{message}; waiting until it answers"));
                    told = true;
                }
            }
            Ok(done) => {
                if told {
                    note("the store answers");
                }
                return Ok(Some(done));
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST),
            () = shutdown.asked() => return Ok(None),
        }
    }
}
