//! From a path to the resource that it names.

use std::borrow::Cow;

/// What a path under an account names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Trunks,
    Trunk(&'a str),
    Leaf(&'a str, Leaf),
    LeafItem(&'a str, Leaf, &'a str),
    TrunkMaps,
    IncomingNumbers,
    Unknown,
}

/// The five lists below a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    PhoneNumbers,
    WhitelistedIps,
    Credentials,
    DestinationUris,
    Settings,
}

impl Leaf {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "phone-numbers" => Some(Self::PhoneNumbers),
            "whitelisted-ips" => Some(Self::WhitelistedIps),
            "credentials" => Some(Self::Credentials),
            "destination-uris" => Some(Self::DestinationUris),
            "settings" => Some(Self::Settings),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PhoneNumbers => "phone-numbers",
            Self::WhitelistedIps => "whitelisted-ips",
            Self::Credentials => "credentials",
            Self::DestinationUris => "destination-uris",
            Self::Settings => "settings",
        }
    }
}

/// The account that a path names, and what it names there. `None`: no path of the API.
pub(crate) fn parse(path: &str) -> Option<(&str, Route<'_>)> {
    if let Some(rest) = path.strip_prefix("/v2_beta/Accounts/") {
        let (account, rest) = rest.split_once('/')?;
        let known = matches!(rest, "IncomingPhoneNumbers" | "IncomingPhoneNumbers/");
        return named(
            account,
            if known {
                Route::IncomingNumbers
            } else {
                Route::Unknown
            },
        );
    }
    let rest = path.strip_prefix("/v2/accounts/")?;
    let (account, rest) = rest.split_once('/')?;
    let mut parts = rest.trim_end_matches('/').split('/');
    let parts = [
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ];
    let route = match parts {
        [Some("trunks"), None, ..] => Route::Trunks,
        [Some("trunk-maps"), None, ..] => Route::TrunkMaps,
        [Some("trunks"), Some(sid), None, ..] => Route::Trunk(sid),
        [Some("trunks"), Some(sid), Some(leaf), id, None] => match (Leaf::parse(leaf), id) {
            (Some(leaf), None) => Route::Leaf(sid, leaf),
            (Some(leaf), Some(id)) => Route::LeafItem(sid, leaf, id),
            (None, _) => Route::Unknown,
        },
        _ => Route::Unknown,
    };
    named(account, route)
}

fn named<'a>(account: &'a str, route: Route<'a>) -> Option<(&'a str, Route<'a>)> {
    (!account.is_empty()).then_some((account, route))
}

/// A query string, decoded when asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decode(value))
    }
}

/// Decodes `%2B` and, as forms do, reads a bare plus sign as a blank.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        at += if escaped.is_some() { 3 } else { 1 };
        decoded.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_api_is_told_apart() {
        let table = [
            ("/v2/accounts/a/trunks", Some(("a", Route::Trunks))),
            ("/v2/accounts/a/trunks/", Some(("a", Route::Trunks))),
            ("/v2/accounts/a/trunks/t", Some(("a", Route::Trunk("t")))),
            (
                "/v2/accounts/a/trunks/t/settings",
                Some(("a", Route::Leaf("t", Leaf::Settings))),
            ),
            (
                "/v2/accounts/a/trunks/t/phone-numbers/1",
                Some(("a", Route::LeafItem("t", Leaf::PhoneNumbers, "1"))),
            ),
            (
                "/v2/accounts/a/trunks/t/phone-numbers/1/x",
                Some(("a", Route::Unknown)),
            ),
            (
                "/v2/accounts/a/trunks/t/nothing",
                Some(("a", Route::Unknown)),
            ),
            ("/v2/accounts/a/trunk-maps", Some(("a", Route::TrunkMaps))),
            (
                "/v2_beta/Accounts/a/IncomingPhoneNumbers",
                Some(("a", Route::IncomingNumbers)),
            ),
            ("/v2/accounts//trunks", None),
            ("/v2/accounts/a", None),
            ("/", None),
        ];
        for (path, want) in table {
            assert_eq!(parse(path), want, "{path}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let query = Query("exophone=%2B9198&name=a%20b+c&bad=%zz&none");
        assert_eq!(query.get("exophone").as_deref(), Some("+9198"));
        assert_eq!(query.get("name").as_deref(), Some("a b c"));
        assert_eq!(query.get("bad").as_deref(), Some("%zz"));
        assert_eq!(query.get("none").as_deref(), Some(""));
        assert_eq!(query.get("other"), None);
    }
}
