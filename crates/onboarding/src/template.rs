//! Text with placeholders: `{number}`. Nothing but placeholders; a brace itself is `{{` or `}}`.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::problem::Invalid;

/// Every placeholder that a recipe's `partner_settings` and `todo` may use besides its own inputs
/// and tables, with what it stands for.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("account", "the account's name in the accounts file"),
    ("account_sid", "the account's SID at Exotel"),
    ("caller_id", "the signup's caller id"),
    (
        "destination",
        "where Exotel sends inbound calls: host:port;transport=tls",
    ),
    (
        "destination_id",
        "Exotel's id of that destination, for changing it",
    ),
    (
        "dial_whom",
        "what the Flow's Connect applet dials: sip: and the trunk's SID",
    ),
    (
        "domain",
        "the trunk's SIP domain, the account's SID and .pstn.exotel.com",
    ),
    (
        "each_exotel_signalling_ip",
        "repeats the list element it stands in, once per address",
    ),
    ("edge.address", "the account's edge as host:port"),
    ("edge.host", "the account's edge: its host"),
    ("edge.port", "the account's edge: its port, a number"),
    (
        "edge.tcp_address",
        "the account's edge as host:port for partners that have TCP only",
    ),
    (
        "edge.tcp_port",
        "the edge's own port over TCP; 5070 beside 443 for TLS, as Exotel publishes the pair",
    ),
    ("edge.transport", "the account's edge: tls or tcp"),
    ("edge.transport_upper", "the account's edge: TLS or TCP"),
    ("edge.uri", "the account's edge as host:port;transport=tls"),
    (
        "exotel_signalling_cidrs",
        "the same addresses, each with /32",
    ),
    (
        "exotel_signalling_ips",
        "the addresses Exotel's INVITEs come from: the signup's, else the account's",
    ),
    ("id", "the onboarding's id"),
    ("key", "the onboarding's key"),
    ("number", "the number in E.164, with +"),
    ("number_digits", "the number without +"),
    (
        "number_regex",
        "a regular expression for the number with or without +",
    ),
    (
        "password",
        "the SIP password, masked unless secrets are shown",
    ),
    ("trunk_name", "the trunk's name"),
    ("trunk_sid", "the trunk's SID"),
    ("user_name", "the SIP user name"),
    ("whitelisted_ips", "the addresses on the trunk's ACL"),
];

/// The placeholder that repeats the list element it stands in, once per signalling address.
pub(crate) const EACH: &str = "each_exotel_signalling_ip";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// A text with `{placeholders}`. Two templates are equal when their source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

impl Template {
    /// Most bytes of one template; a todo's detail is the longest text there is.
    pub const MAX_BYTES: usize = 8_192;

    /// As the recipe has it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The placeholders' names, in order, repeated as in the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The placeholder's name, if the text is one placeholder and nothing else.
    #[must_use]
    pub fn only_name(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with every placeholder replaced.
    ///
    /// # Errors
    /// The first name for which `value` has nothing.
    pub fn fill<'t, 'v>(
        &'t self,
        mut value: impl FnMut(&str) -> Option<Cow<'v, str>>,
    ) -> Result<String, &'t str> {
        let mut text = String::with_capacity(self.source.len() + 32);
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name(name) => text.push_str(&value(name).ok_or(name.as_str())?),
            }
        }
        Ok(text)
    }
}

impl FromStr for Template {
    type Err = Invalid;
    fn from_str(source: &str) -> Result<Self, Invalid> {
        if source.len() > Self::MAX_BYTES {
            return Err(Invalid(format!(
                "a text has at most {} bytes, this one has {}; shorten it",
                Self::MAX_BYTES,
                source.len()
            )));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = tail.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (name, after) = placeholder(tail)?;
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Name(name.to_owned()));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }
}

/// The name in the braces that `text` begins with, and what follows them.
fn placeholder(text: &str) -> Result<(&str, &str), Invalid> {
    let Some(inner) = text.strip_prefix('{') else {
        return Err(Invalid(
            "a } without its {; write }} where a brace itself is meant".into(),
        ));
    };
    let Some((name, after)) = inner.split_once('}') else {
        return Err(Invalid(
            "a { without its }; close the placeholder, or write {{ where a brace itself is meant"
                .into(),
        ));
    };
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(known) {
        return Ok((name, after));
    }
    Err(Invalid(format!(
        "{{{}}} is not a placeholder; use small letters, digits and _ such as {{number}}, or write {{{{ where a brace itself is meant",
        name.escape_debug()
    )))
}

impl TryFrom<String> for Template {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.source
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(source: &str) -> String {
        let template: Template = source.parse().unwrap();
        let filled = template.fill(|name| (name == "a").then_some(Cow::Borrowed("1")));
        filled.unwrap_or_else(|name| format!("no {name}"))
    }

    #[test]
    fn placeholders_are_replaced_and_doubled_braces_are_braces() {
        for (source, filled) in [
            ("", ""),
            ("x{a}y", "x1y"),
            ("{a}{a}", "11"),
            ("{{a}}", "{a}"),
            ("{{{a}}}", "{1}"),
            ("{b}", "no b"),
        ] {
            assert_eq!(fill(source), filled, "{source}");
        }
    }

    #[test]
    fn a_broken_placeholder_is_refused() {
        for bad in [
            "{", "}", "{a", "a}", "{}", "{A}", "{a b}", "{a{b}}", "{{a}", "{\u{e9}}",
        ] {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_placeholders_are_listed_in_order_once_each() {
        assert!(PLACEHOLDERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
