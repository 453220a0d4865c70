//! The operations on the store: functions in Lua that the server runs as one, over keys that are
//! declared.

use std::sync::{Arc, LazyLock};

use redis::{Cmd, Value};
use sha2::{Digest, Sha256};

use crate::{Limits, feed, outbox, refused};

/// What the scripts of lanes touch.
const LANES: &[&str] = &[
    "count", "account", "lane", "out", "flying", "ready", "queue", "alive",
];
/// What those of stopped lanes touch besides.
const STOPS: &[&str] = &["parked", "outages"];
/// What the scripts of onboardings touch besides.
const PROGRESS: &[&str] = &["onboarding", "entry", "progress", "delayed", "leases"];
/// What taking in and leaving touch besides.
const ORDERS: &[&str] = &["order", "lane_order", "names", "numbers"];
/// What those of batches that said where they came from touch.
const BATCHES: &[&str] = &["batch_order", "batch_rows"];
/// What those of deliveries touch.
const DELIVERIES: &[&str] = &[
    "delivery",
    "delivery_state",
    "delivery_order",
    "delivery_due",
    "delivery_ended",
];

const PARTS: [&str; 9] = [
    include_str!("lua/common.lua"),
    include_str!("lua/feed.lua"),
    include_str!("lua/batches.lua"),
    include_str!("lua/lane.lua"),
    include_str!("lua/stop.lua"),
    include_str!("lua/onboarding.lua"),
    include_str!("lua/order.lua"),
    include_str!("lua/taking.lua"),
    include_str!("lua/outbox.lua"),
];

/// What a server refuses when its memory is full. Everything else goes on: it looks, it brings what
/// was accepted to its end, which is what makes room again, and it adds little.
const TAKE_IN: [&str; 7] = [
    "accept",
    "stage",
    "carry",
    "carry_account",
    "remember",
    "lay_out",
    "refuse",
];

/// A function of the library and the keys that it declares, by their names within the store.
pub(super) struct Script {
    pub(super) code: Code,
    pub(super) keys: Vec<&'static str>,
}

/// A function as the server knows it, and the library that has it.
#[derive(Debug, Clone)]
pub(super) struct Code {
    function: String,
    library: Arc<str>,
}

impl Code {
    /// The call of this function.
    pub(super) fn call(&self, keys: &[impl AsRef<[u8]>], args: &[impl AsRef<[u8]>]) -> Cmd {
        let mut call = Cmd::new();
        call.arg("FCALL").arg(&self.function).arg(keys.len());
        for key in keys {
            call.arg(key.as_ref());
        }
        for arg in args {
            call.arg(arg.as_ref());
        }
        call
    }

    /// Whether a server that answers so does not know this function.
    pub(super) fn is_missing(answer: &Value) -> bool {
        matches!(answer, Value::ServerError(error)
            if error.details().is_some_and(|details| details.contains("Function not found")))
    }

    /// What makes it known.
    pub(super) fn load(&self) -> Cmd {
        let mut load = Cmd::new();
        load.arg("FUNCTION")
            .arg("LOAD")
            .arg("REPLACE")
            .arg(&*self.library);
        load
    }

    /// Whether both come from the same library.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.library == other.library
    }

    /// A library of one function, for tests of the link.
    #[cfg(test)]
    pub(super) fn of(body: &str) -> Self {
        let digest = digest_of(body);
        Self {
            function: format!("test_{digest}"),
            library: format!(
                "#!lua name=test_{digest}\nredis.register_function('test_{digest}', function(KEYS, ARGV)\n{body}\nend)"
            )
            .into(),
        }
    }
}

fn digest_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The library: what the functions share once, so that a call does not make it anew. It is named
/// by its digest, so that those of several versions live side by side while a fleet is upgraded.
static LIBRARY: LazyLock<(Arc<str>, String)> = LazyLock::new(|| {
    let Limits {
        requests_per_window,
        window,
        in_flight,
        burst,
    } = Limits::per_minute(200, 50);
    let mut text = format!(
        "local DEFAULT_LIMITS = {{{requests_per_window},{},{in_flight},{burst}}}\nlocal FEED_KEPT, ENDED_KEPT = {},{}\nlocal REFUSED_KEPT, REFUSED_OF_A_SENDER, REFUSED_IN_ALL = {},{},{}\n{}",
        window.as_millis(),
        feed::KEPT.as_millis(),
        outbox::ENDED_KEPT.as_millis(),
        refused::KEPT.as_millis(),
        refused::OF_A_SENDER_MAX,
        refused::IN_ALL_MAX,
        PARTS.concat()
    );
    for (name, keys, body) in BODIES {
        let keys: Vec<String> = keys
            .concat()
            .iter()
            .enumerate()
            .map(|(at, key)| format!("{key}=KEYS[{}]", at + 1))
            .collect();
        let flags = if TAKE_IN.contains(name) {
            ""
        } else {
            "'allow-oom'"
        };
        text.push_str(&format!(
            "redis.register_function{{ function_name = 'trunkline_@_{name}', flags = {{ {flags} }}, callback = function(KEYS, ARGV)\nbegin({{{}}})\n{body}\nend }}\n",
            keys.join(",")
        ));
    }
    let digest = digest_of(&text);
    let text = format!(
        "#!lua name=trunkline_{digest}\n{}",
        text.replace('@', &digest)
    );
    (text.into(), digest)
});

fn script(name: &str, keys: &[&[&'static str]]) -> Script {
    let (library, digest) = &*LIBRARY;
    Script {
        code: Code {
            function: format!("trunkline_{digest}_{name}"),
            library: Arc::clone(library),
        },
        keys: keys.concat(),
    }
}

/// A function's name, its keys, its text.
type Body = (
    &'static str,
    &'static [&'static [&'static str]],
    &'static str,
);

macro_rules! scripts {
    ($($constant:ident = $name:literal, keys [$($keys:expr),*];)*) => {
        $(
            pub(super) static $constant: LazyLock<Script> =
                LazyLock::new(|| script($name, &[$($keys),*]));
        )*

        const BODIES: &[Body] = &[
            $(($name, &[$($keys),*], include_str!(concat!("lua/", $name, ".lua")))),*
        ];
    };
}

scripts! {
    OPEN = "open", keys [&["meta"]];
    ACCEPT = "accept", keys [LANES, PROGRESS, ORDERS, BATCHES, &["meta", "batch"]];
    STAGE = "stage", keys [&["onboarding", "entry", "names", "meta", "batches", "rows"]];
    COMMIT = "commit", keys [BATCHES, &["count", "meta", "batches", "committed", "batch", "rows"]];
    APPLY = "apply", keys [LANES, ORDERS, &["entry", "committed", "batch", "rows"]];
    UNSTAGE = "unstage", keys [&["onboarding", "entry", "names", "batches", "batch", "rows"]];
    REGISTER = "register", keys [LANES, &["meta", "groups"]];
    CLAIM = "claim", keys [LANES, STOPS, PROGRESS, ORDERS, BATCHES, &["meta", "done", "cancelled", "batches", "committed", "late"]];
    ADVANCE = "advance", keys [LANES, PROGRESS, BATCHES, &["numbers", "meta", "done", "failed", "cancelled", "feed", "late"]];
    RENEW = "renew", keys [&["progress", "leases"]];
    ABANDON = "abandon", keys [LANES, PROGRESS];
    PERMIT = "permit", keys [LANES, STOPS, &["meta"]];
    SETTLE = "settle", keys [LANES];
    ACCOUNT = "account", keys [LANES, STOPS, &["meta", "feed"]];
    RETRY = "retry", keys [LANES, PROGRESS, &["numbers", "meta", "failed", "cancelled", "feed", "late"]];
    CANCEL = "cancel", keys [LANES, PROGRESS, &["numbers", "meta", "done", "failed", "cancelled", "feed", "late"]];
    TAKE_LATE = "take_late", keys [&["progress", "late"]];
    LATE_CHECKED = "late_checked", keys [&["progress", "late"]];
    DISTRUST = "distrust", keys [LANES, PROGRESS, &["meta"]];
    MARK = "mark", keys [LANES, PROGRESS, &["meta", "batches", "committed"]];
    CARRY = "carry", keys [LANES, PROGRESS, ORDERS, &["meta", "done", "failed", "cancelled", "late"]];
    CARRY_ACCOUNT = "carry_account", keys [LANES, STOPS];
    REMEMBER = "remember", keys [&["meta", "answer"]];
    KEEP_ANSWER = "answer", keys [&["answer"]];
    LAY_OUT = "lay_out", keys [DELIVERIES, &["meta", "count"]];
    TAKE_DUE = "take_due", keys [DELIVERIES, &["meta"]];
    ATTEMPTED = "attempted", keys [DELIVERIES];
    RESEND = "resend", keys [DELIVERIES, &["meta"]];
    HEARD = "heard", keys [&["workers", "worker"]];
    WORKERS = "workers", keys [&["workers", "worker"]];
    REFUSE = "refuse", keys [&["meta", "count", "refused", "refused_order", "feed"]];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keys that a text names.
    fn keys_of(text: &str) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for after in text.split("K.").skip(1) {
            let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            keys.insert(&after[..end.unwrap_or(after.len())]);
        }
        keys
    }

    #[test]
    fn a_script_names_no_key_that_it_does_not_declare() {
        for (name, keys, body) in BODIES {
            let declared: BTreeSet<&str> = keys.concat().into_iter().collect();
            let named = keys_of(body);
            assert!(named.is_subset(&declared), "{name}: {named:?} {declared:?}");
        }
    }

    #[test]
    fn every_key_is_in_the_table_of_keys() {
        let table: Vec<&str> = include_str!("mod.rs")
            .lines()
            .filter(|line| line.starts_with("//! | `"))
            .filter_map(|line| line.split('|').nth(1))
            .flat_map(str::split_whitespace)
            .collect();
        for (name, keys, _) in BODIES {
            for key in keys.concat() {
                let told = match key {
                    "batch" | "rows" => "`batch:ID`".to_owned(),
                    "answer" => "`answer:ID`".to_owned(),
                    key => format!("`{key}`"),
                };
                assert!(table.contains(&told.as_str()), "{key} of {name}");
            }
        }
    }

    #[test]
    fn no_script_reads_a_whole_key_that_grows() {
        let bodies = BODIES.iter().map(|(_, _, body)| *body);
        for text in PARTS.into_iter().chain(bodies) {
            let whole = [
                "'KEYS'", "SCAN", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "LRANGE", "XRANGE",
                "XREAD",
            ];
            for command in whole {
                assert!(!text.contains(command), "{command} in {text}");
            }
            for line in text.lines().filter(|line| line.contains("ZRANGEBY")) {
                assert!(line.contains("'LIMIT', 0, "), "{line}");
            }
        }
    }
}
