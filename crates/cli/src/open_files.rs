//! How many files the system lets this process open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections of clients: the store, recipes, the log, connections to others.
const BESIDES: u64 = 200;

/// Raises the limit to what `connections` need, as far as the system lets it. A shell's usual limit of
/// 1024 is for programs that cannot deal with more.
///
/// # Errors
/// How many connections there is room for, where that is fewer.
pub(crate) fn allow(connections: usize) -> Result<(), u64> {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX - BESIDES) + BESIDES;
    let limit = getrlimit(Resource::Nofile);
    // `None` is no limit.
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let possible = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = Rlimit {
        current: Some(possible),
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => possible,
        Err(_) => limit.current.unwrap_or_default(),
    };
    if current < wanted {
        return Err(current.saturating_sub(BESIDES));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_grants_is_taken_and_what_it_does_not_is_told() {
        assert_eq!(allow(1), Ok(()));
        if let Some(most) = getrlimit(Resource::Nofile).maximum {
            assert_eq!(allow(usize::MAX / 2), Err(most.saturating_sub(BESIDES)));
        }
    }
}
