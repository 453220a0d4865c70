//! What a run left in the simulator.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Place, Request, Simulator, repeats_without_a_read};

/// How many of each an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Trunks.
    pub trunks: usize,
    /// Mapped numbers.
    pub numbers: usize,
    /// ACL entries.
    pub whitelisted_ips: usize,
    /// Digest credentials.
    pub credentials: usize,
    /// Destinations.
    pub destinations: usize,
    /// Settings.
    pub settings: usize,
}

impl Resources {
    /// What the recipe [`crate::EVERYTHING`] leaves for a signup with a `caller_id`.
    pub const EVERYTHING: Self = Self {
        trunks: 1,
        numbers: 1,
        whitelisted_ips: 1,
        credentials: 1,
        destinations: 1,
        settings: 1,
    };

    /// What the recipe [`crate::FIVE_STEPS`] leaves.
    pub const ONE_EACH: Self = Self {
        settings: 0,
        ..Self::EVERYTHING
    };

    /// The same, so many times.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        Self {
            trunks: self.trunks * n,
            numbers: self.numbers * n,
            whitelisted_ips: self.whitelisted_ips * n,
            credentials: self.credentials * n,
            destinations: self.destinations * n,
            settings: self.settings * n,
        }
    }
}

/// What one account of [`crate::Simulator::state`] has. Credentials without a trunk count too.
#[must_use]
pub fn resources(account: &Value) -> Resources {
    let mut found = Resources::default();
    let length = |list: &Value| list.as_array().map_or(0, Vec::len);
    for trunk in account["trunks"].as_array().into_iter().flatten() {
        found.trunks += 1;
        found.numbers += length(&trunk["numbers"]);
        found.whitelisted_ips += length(&trunk["whitelisted_ips"]);
        found.credentials += length(&trunk["credentials"]);
        found.destinations += length(&trunk["destinations"]);
        found.settings += length(&trunk["settings"]);
    }
    found.credentials += length(&account["orphaned_credentials"]);
    found
}

/// Whether an account with one onboarding has exactly what its handoff says, once; what differs.
#[must_use]
pub fn exactly_once(account: &Value, handoff: &Value, wanted: Resources) -> Vec<String> {
    let found = resources(account);
    let mut wrong = Vec::new();
    if found != wanted {
        wrong.push(format!("there are {found:?}, not {wanted:?}"));
    }
    let trunk = &account["trunks"][0];
    let mut same = |what: &str, there: &Value, told: &Value| {
        if there != told {
            wrong.push(format!("{what}: {there} there, {told} in the handoff"));
        }
    };
    same("trunk_sid", &trunk["trunk_sid"], &handoff["trunk"]["sid"]);
    same(
        "trunk_name",
        &trunk["trunk_name"],
        &handoff["trunk"]["name"],
    );
    same(
        "number",
        &trunk["numbers"][0]["phone_number"],
        &handoff["number"],
    );
    same(
        "number_id",
        &trunk["numbers"][0]["id"],
        &handoff["number_id"],
    );
    if wanted.credentials > 0 {
        let (there, told) = (&trunk["credentials"][0], &handoff["credentials"]);
        same("credentials' id", &there["id"], &told["id"]);
        same("user_name", &there["user_name"], &told["user_name"]);
        same("password", &there["password"], &told["password"]);
    }
    if wanted.whitelisted_ips > 0 {
        let (there, told) = (&trunk["whitelisted_ips"][0], &handoff["whitelisted_ips"][0]);
        same("ACL entry's id", &there["id"], &told["id"]);
    }
    if wanted.destinations > 0 {
        let (there, told) = (&trunk["destinations"][0], &handoff["destination"]);
        same("destination's id", &there["id"], &told["id"]);
    }
    wrong
}

/// What is wrong with any of these accounts, each with one onboarding of the recipe
/// [`crate::EVERYTHING`] and its handoff under `out`: anything twice, missing, or other than the
/// handoff says, or repeated without a read. `accounts` has a name for each, and the account.
#[must_use]
pub fn wrong_outcomes<'a>(
    simulator: &Simulator,
    place: &Place,
    accounts: impl IntoIterator<Item = (String, &'a str)>,
) -> Vec<String> {
    let (state, log) = (simulator.state(), simulator.requests());
    let handoffs = place.handoffs("out");
    let mut wrong = Vec::new();
    for (name, account) in accounts {
        let of = |request: &&Request| request.account == account;
        let mine: Vec<Request> = log.iter().filter(of).cloned().collect();
        let mut problems = repeats_without_a_read(&mine);
        match handoffs
            .iter()
            .find(|handoff| handoff["account"] == *account)
        {
            Some(handoff) => problems.extend(exactly_once(
                &state[account],
                handoff,
                Resources::EVERYTHING,
            )),
            None => problems.push("there is no handoff".into()),
        }
        if !problems.is_empty() {
            wrong.push(format!("{name}: {}\n{mine:#?}", problems.join("; ")));
        }
    }
    wrong
}

/// What is wrong with accounts of which every onboarding made one trunk with one entry of each of
/// these collections: `records` are all onboardings as `list --json` tells them.
#[must_use]
pub fn wrong_records(state: &Value, records: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told: HashMap<&str, usize> = HashMap::new();
    for record in records {
        let account = record["account"].as_str().unwrap_or_default();
        *told.entry(account).or_default() += 1;
        let problems = wrong_record(&state[account], record);
        if !problems.is_empty() {
            wrong.push(format!("{}: {}", record["key"], problems.join("; ")));
        }
    }
    for (account, n) in told {
        let (found, wanted) = (resources(&state[account]), Resources::ONE_EACH.times(n));
        if found != wanted {
            wrong.push(format!("{account} has {found:?}, not {wanted:?}"));
        }
    }
    wrong
}

fn wrong_record(account: &Value, record: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if record["state"] != "succeeded" {
        wrong.push(format!("it is {}: {}", record["state"], record["error"]));
    }
    let result = |step: &str| {
        let mut steps = record["steps"].as_array().into_iter().flatten();
        let found = steps.find(|it| it["name"] == step);
        found.map_or(Value::Null, |it| it["result"].clone())
    };
    let sid = &result("create_trunk")["trunk_sid"];
    let mut trunks = account["trunks"].as_array().into_iter().flatten();
    let Some(trunk) = trunks.find(|trunk| trunk["trunk_sid"] == *sid) else {
        wrong.push(format!("its trunk {sid} is not there"));
        return wrong;
    };
    if trunk["numbers"][0]["phone_number"] != record["number"] {
        wrong.push(format!("{} is not its number", trunk["numbers"]));
    }
    for (step, list) in [
        ("map_number", "numbers"),
        ("whitelist_ip", "whitelisted_ips"),
        ("create_credentials", "credentials"),
        ("map_destination", "destinations"),
    ] {
        let (there, told) = (&trunk[list], &result(step)["id"]);
        let length = there.as_array().map_or(0, Vec::len);
        if length != 1 || text(&there[0]["id"]) != text(told) {
            wrong.push(format!("{step} told {told}, and there is {there}"));
        }
    }
    wrong
}

fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Where a trunk's collection was written to again without being listed in between, by its path.
/// For trunks with one entry of each kind.
#[must_use]
pub fn repeats_on_trunks(log: &[Request]) -> Vec<String> {
    let mut by_path: HashMap<&str, Vec<Request>> = HashMap::new();
    for request in log.iter().filter(|it| !it.path.ends_with("/trunks")) {
        by_path
            .entry(&request.path)
            .or_default()
            .push(request.clone());
    }
    let mut wrong = Vec::new();
    for (path, requests) in by_path {
        let problems = repeats_without_a_read(&requests);
        if !problems.is_empty() {
            wrong.push(format!("{path}: {requests:#?}"));
        }
    }
    wrong
}
