//! The controls under `/_sandbox/`. They are for people and tests, not part of the API: no key,
//! no limits, no log.

use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api;
use crate::envelope::{self, Reply};
use crate::keys::Keys;
use crate::options::Limits;
use crate::route::Query;
use crate::rule;
use crate::service::{Core, lock};

/// Ten years: further than any clock is wrong.
const FARTHEST_AHEAD_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// Answers a control. `path` is what follows `/_sandbox/`.
pub(crate) fn answer(
    core: &Core,
    method: &str,
    path: &str,
    query: Query<'_>,
    body: &[u8],
) -> Reply {
    match (method, path) {
        ("GET", "state") => {
            let only = query.get("account");
            plain(&api::state(&lock(&core.world), only.as_deref()))
        }
        ("DELETE", "state") => clear(core),
        ("GET", "requests") => requests(core, query),
        ("GET", "stats") => plain(&json!({ "accounts": lock(&core.gate).stats() })),
        ("GET", "limits") => limits(lock(&core.gate).limits()),
        ("PUT", "limits") => set_limits(core, body),
        ("GET", "clock") => clock(core),
        ("PUT", "clock") => set_clock(core, body),
        ("POST", "pending") => {
            core.process_pending();
            done()
        }
        ("PUT", "quirks") => set_quirks(core, body),
        ("PUT", "faults") => match rule::parse(body) {
            Ok(rules) => {
                core.faults.replace(rules);
                done()
            }
            Err(problem) => refused(&problem),
        },
        ("DELETE", "faults") => {
            core.faults.replace(Vec::new());
            done()
        }
        ("PUT", "accounts") => match Keys::parse(body) {
            Ok(keys) => set_keys(core, Some(keys)),
            Err(problem) => refused(&problem),
        },
        ("DELETE", "accounts") => set_keys(core, None),
        (
            _,
            "state" | "requests" | "stats" | "limits" | "clock" | "pending" | "quirks" | "faults"
            | "accounts",
        ) => problem(405, &format!("/_sandbox/{path} has no {method}")),
        _ => problem(
            404,
            "there are GET and DELETE state, GET requests, GET stats, GET and PUT limits, GET and \
             PUT clock, POST pending, PUT quirks, PUT and DELETE faults, PUT and DELETE accounts",
        ),
    }
}

fn clear(core: &Core) -> Reply {
    let mut world = lock(&core.world);
    world.clear();
    lock(&core.gate).clear();
    let rewritten = core.journal.as_ref().map(|journal| journal.rewrite(&world));
    match rewritten {
        None | Some(Ok(())) => done(),
        Some(Err(error)) => problem(500, &format!("forgotten here, but not there: {error}")),
    }
}

/// What is not documented and may be either way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quirks {
    credentials_append: bool,
}

fn set_quirks(core: &Core, body: &[u8]) -> Reply {
    match serde_json::from_slice::<Quirks>(body) {
        Ok(quirks) => {
            lock(&core.world).credentials_append = quirks.credentials_append;
            done()
        }
        Err(problem) => refused(&format!(
            "the body is {{\"credentials_append\": true}} or false: {problem}"
        )),
    }
}

fn plain<T: Serialize>(value: &T) -> Reply {
    envelope::json(200, None, value)
}

fn done() -> Reply {
    envelope::empty(204)
}

fn refused(text: &str) -> Reply {
    problem(400, text)
}

fn problem(status: u16, text: &str) -> Reply {
    envelope::json(status, None, &json!({ "error": text }))
}

fn set_keys(core: &Core, keys: Option<Keys>) -> Reply {
    *core.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.map(Arc::new);
    done()
}

fn requests(core: &Core, query: Query<'_>) -> Reply {
    let number = |name: &str, default: u64| match query.get(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name}: must be a whole number")),
    };
    match (number("since", 0), number("limit", u64::MAX)) {
        (Ok(since), Ok(limit)) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            plain(&lock(&core.gate).requests(since, limit))
        }
        (Err(problem), _) | (_, Err(problem)) => refused(&problem),
    }
}

fn limits(limits: Limits) -> Reply {
    plain(&json!({
        "requests_per_minute": limits.requests_per_minute,
        "connections": limits.connections,
        "window_ms": limits.window_ms,
    }))
}

/// Sets what is named, and leaves the rest.
fn set_limits(core: &Core, body: &[u8]) -> Reply {
    let mut gate = lock(&core.gate);
    match changed(gate.limits(), body) {
        Ok(new) => {
            gate.set_limits(new);
            limits(new)
        }
        Err(problem) => refused(&problem),
    }
}

fn clock(core: &Core) -> Reply {
    plain(&json!({ "ahead_ms": core.clock.ahead_ms() }))
}

fn set_clock(core: &Core, body: &[u8]) -> Reply {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let ahead = match value.as_object() {
        Some(members) if members.len() == 1 => value["ahead_ms"].as_i64(),
        _ => return refused("the body must be an object with ahead_ms and nothing else"),
    };
    match ahead.filter(|ahead| ahead.unsigned_abs() <= FARTHEST_AHEAD_MS) {
        Some(ahead) => {
            core.clock.set_ahead_ms(ahead);
            clock(core)
        }
        None => refused("ahead_ms: must be whole milliseconds, at most ten years either way"),
    }
}

fn changed(mut limits: Limits, body: &[u8]) -> Result<Limits, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    for (name, value) in value.as_object().ok_or("the body must be an object")? {
        let wrong = || format!("{name}: must be a whole number from 1 to {}", u32::MAX);
        let number = value
            .as_u64()
            .filter(|&number| number > 0)
            .ok_or_else(wrong)?;
        let number = u32::try_from(number).map_err(|_| wrong())?;
        match name.as_str() {
            "requests_per_minute" => limits.requests_per_minute = number,
            "connections" => limits.connections = number,
            "window_ms" => limits.window_ms = number.into(),
            _ => return Err(format!("{name}: is no limit")),
        }
    }
    Ok(limits)
}
