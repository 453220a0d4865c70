//! What a run left in the simulator.

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
