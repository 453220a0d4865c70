//! The simulator's log of requests.

use serde_json::Value;

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: u64,
    /// The account's SID.
    pub account: String,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// What was answered; `None` when nothing was, or not yet.
    pub status: Option<u64>,
    /// The envelope's code.
    pub inner_code: Option<u64>,
    /// What a fault rule did.
    pub fault: Option<String>,
    /// Whether a rule holds it back, unprocessed.
    pub held: bool,
    /// Whether it has been processed, answered or not.
    pub processed: bool,
    /// Whether its client has been answered or has left, and it will be processed.
    pub pending: bool,
    /// When it was processed after its client had been answered or had left.
    pub late_at_ms: Option<u64>,
}

/// A kind of resource by the path that makes it and lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collection {
    /// Trunks of an account.
    Trunks,
    /// Numbers of a trunk.
    Numbers,
    /// ACL entries of a trunk.
    WhitelistedIps,
    /// Digest credentials of a trunk.
    Credentials,
    /// Destinations of a trunk.
    Destinations,
    /// Settings of a trunk.
    Settings,
}

impl Collection {
    /// Those whose entries may not be made twice. A setting may be set twice.
    pub const ONCE: [Self; 5] = [
        Self::Trunks,
        Self::Numbers,
        Self::WhitelistedIps,
        Self::Credentials,
        Self::Destinations,
    ];

    /// What this step adds to where a repeat adds another one.
    #[must_use]
    pub fn appended_by(step: &str) -> Option<Self> {
        match step {
            "create_credentials" => Some(Self::Credentials),
            "map_destination" => Some(Self::Destinations),
            _ => None,
        }
    }

    /// The end of its path.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Trunks => "/trunks",
            Self::Numbers => "/phone-numbers",
            Self::WhitelistedIps => "/whitelisted-ips",
            Self::Credentials => "/credentials",
            Self::Destinations => "/destination-uris",
            Self::Settings => "/settings",
        }
    }
}

impl Request {
    pub(crate) fn read(line: &Value) -> Self {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let path = text("path").unwrap_or_default();
        Self {
            at_ms: line["at_ms"].as_u64().unwrap_or_default(),
            account: text("account").unwrap_or_default(),
            method: text("method").unwrap_or_default(),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            status: line["status"].as_u64(),
            inner_code: line["inner_code"].as_u64(),
            fault: text("fault"),
            held: line["held"] == true,
            processed: line["processed"] == true,
            pending: line["pending"] == true,
            late_at_ms: line["late_at_ms"].as_u64(),
        }
    }

    /// Whether it wants to make an entry of `collection`.
    #[must_use]
    pub fn makes(&self, collection: Collection) -> bool {
        self.method == "POST" && self.path.ends_with(collection.suffix())
    }

    /// Whether it lists `collection`.
    #[must_use]
    pub fn lists(&self, collection: Collection) -> bool {
        self.method == "GET" && self.path.ends_with(collection.suffix())
    }

    /// Whether it was refused for the limit or the key, so that it certainly made nothing.
    #[must_use]
    pub fn was_turned_away(&self) -> bool {
        let refused = |code| matches!(code, Some(429 | 401));
        refused(self.status) || refused(self.inner_code)
    }
}

/// Where one account's log has a write of a collection that was sent again without that collection
/// being listed in between, though the first may have taken effect. For accounts whose onboardings
/// make one entry of each kind.
#[must_use]
pub fn repeats_without_a_read(log: &[Request]) -> Vec<String> {
    let mut found = Vec::new();
    for collection in Collection::ONCE {
        let mut doubtful = false;
        for request in log {
            if request.lists(collection) {
                doubtful = false;
            } else if request.makes(collection) {
                if doubtful {
                    found.push(format!(
                        "POST {} was repeated without a GET of it before",
                        collection.suffix()
                    ));
                }
                doubtful = !request.was_turned_away();
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, status: Option<u64>) -> Request {
        Request {
            at_ms: 0,
            account: "a".into(),
            method: method.into(),
            path: path.into(),
            status,
            inner_code: status,
            fault: None,
            held: false,
            processed: true,
            pending: false,
            late_at_ms: None,
        }
    }

    #[test]
    fn a_repeat_is_told_from_a_repeat_after_a_read_and_from_one_after_a_429() {
        let post = |status| request("POST", "/v2/accounts/a/trunks/t/credentials", status);
        let get = request("GET", "/v2/accounts/a/trunks/t/credentials", Some(200));
        let other = request("GET", "/v2/accounts/a/trunks", Some(200));
        assert_eq!(
            repeats_without_a_read(&[post(None), post(Some(200))]).len(),
            1
        );
        assert_eq!(
            repeats_without_a_read(&[post(None), other, post(Some(200))]).len(),
            1
        );
        assert!(repeats_without_a_read(&[post(None), get, post(Some(200))]).is_empty());
        assert!(repeats_without_a_read(&[post(Some(429)), post(Some(200))]).is_empty());
    }
}
