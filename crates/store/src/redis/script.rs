//! The operations on the store: Lua that the server runs as one, over keys that are declared.

use std::sync::LazyLock;

use crate::Limits;

/// What the scripts of lanes touch.
const LANES: &[&str] = &[
    "count", "account", "lane", "out", "flying", "ready", "queue", "alive",
];
/// What the scripts of onboardings touch besides.
const PROGRESS: &[&str] = &["onboarding", "entry", "progress", "delayed", "leases"];
/// What taking in and leaving touch besides.
const ORDERS: &[&str] = &["order", "lane_order", "names"];

const COMMON: &str = include_str!("lua/common.lua");
const LANE: &str = include_str!("lua/lane.lua");
const ONBOARDING: &str = include_str!("lua/onboarding.lua");
const ORDER: &str = include_str!("lua/order.lua");
const TAKING: &str = include_str!("lua/taking.lua");

/// A script and the keys that it declares, by their names within the store.
pub(super) struct Script {
    pub(super) code: redis::Script,
    pub(super) keys: Vec<&'static str>,
}

impl Script {
    fn new(keys: &[&[&'static str]], parts: &[&str]) -> Self {
        let keys: Vec<&'static str> = keys.concat();
        let mut text = String::from("local K = {");
        for (at, key) in keys.iter().enumerate() {
            text.push_str(&format!("{key}=KEYS[{}],", at + 1));
        }
        text.push_str("}\n");
        if keys.contains(&"count") {
            text.push_str("local CHANNEL = string.gsub(K.count, ':count$', ':wake')\n");
        }
        let Limits {
            requests_per_window,
            window,
            in_flight,
            burst,
        } = Limits::per_minute(200, 50);
        text.push_str(&format!(
            "local DEFAULT_LIMITS = {{{requests_per_window},{},{in_flight},{burst}}}\n",
            window.as_millis()
        ));
        for part in parts {
            text.push_str(part);
        }
        Self {
            code: redis::Script::new(&text),
            keys,
        }
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal, keys [$($keys:expr),*], after [$($part:expr),*];)*) => {
        $(
            $(#[$doc])*
            pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::new(&[$($keys),*], &[COMMON, $($part,)* include_str!(concat!("lua/", $file))])
            });
        )*

        #[cfg(test)]
        fn all() -> Vec<(&'static str, &'static str, &'static Script)> {
            vec![$(($file, include_str!(concat!("lua/", $file)), &*$name)),*]
        }
    };
}

scripts! {
    OPEN = "open.lua", keys [&["meta"]], after [];
    ACCEPT = "accept.lua", keys [LANES, PROGRESS, ORDERS, &["meta", "batch"]], after [LANE, ONBOARDING, ORDER, TAKING];
    STAGE = "stage.lua", keys [&["onboarding", "entry", "names", "meta", "batches", "rows"]], after [LANE, ONBOARDING, ORDER, TAKING];
    COMMIT = "commit.lua", keys [&["count", "meta", "batches", "committed", "batch"]], after [LANE, ONBOARDING, ORDER, TAKING];
    APPLY = "apply.lua", keys [LANES, ORDERS, &["entry", "committed", "batch", "rows"]], after [LANE, ONBOARDING, ORDER, TAKING];
    UNSTAGE = "unstage.lua", keys [&["onboarding", "entry", "names", "batches", "batch", "rows"]], after [LANE, ONBOARDING, ORDER, TAKING];
    REGISTER = "register.lua", keys [LANES, &["meta", "groups"]], after [LANE];
    CLAIM = "claim.lua", keys [LANES, PROGRESS, ORDERS, &["meta", "done", "cancelled", "batches", "committed"]], after [LANE, ONBOARDING, ORDER];
    ADVANCE = "advance.lua", keys [LANES, PROGRESS, &["done", "failed", "cancelled"]], after [LANE, ONBOARDING];
    RENEW = "renew.lua", keys [&["progress", "leases"]], after [LANE, ONBOARDING];
    ABANDON = "abandon.lua", keys [LANES, PROGRESS], after [LANE, ONBOARDING];
    PERMIT = "permit.lua", keys [LANES, &["meta", "parked"]], after [LANE];
    SETTLE = "settle.lua", keys [LANES], after [LANE];
    ACCOUNT = "account.lua", keys [LANES, &["parked"]], after [LANE];
    RETRY = "retry.lua", keys [LANES, PROGRESS, &["meta", "failed", "cancelled"]], after [LANE, ONBOARDING];
    CANCEL = "cancel.lua", keys [LANES, PROGRESS, &["meta", "done", "failed", "cancelled"]], after [LANE, ONBOARDING];
    MARK = "mark.lua", keys [LANES, PROGRESS, &["meta", "batches", "committed"]], after [LANE, ONBOARDING];
    CARRY = "carry.lua", keys [LANES, PROGRESS, ORDERS, &["meta", "done", "failed", "cancelled"]], after [LANE, ONBOARDING, ORDER];
    CARRY_ACCOUNT = "carry_account.lua", keys [LANES, &["parked"]], after [LANE];
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
        for (file, text, script) in all() {
            let declared: BTreeSet<&str> = script.keys.iter().copied().collect();
            let named = keys_of(text);
            assert!(named.is_subset(&declared), "{file}: {named:?} {declared:?}");
        }
    }

    #[test]
    fn no_script_reads_a_whole_key_that_grows() {
        for (file, text, _) in all() {
            for text in [text, COMMON, LANE, ONBOARDING, ORDER, TAKING] {
                for command in [
                    "'KEYS'", "SCAN", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "LRANGE",
                ] {
                    assert!(!text.contains(command), "{file}: {command}");
                }
                for line in text.lines().filter(|line| line.contains("ZRANGEBY")) {
                    assert!(line.contains("'LIMIT', 0, "), "{file}: {line}");
                }
            }
        }
    }
}
