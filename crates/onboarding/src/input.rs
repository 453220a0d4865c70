//! Inputs: what a recipe asks of each signup, and the check of what it was given.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::{
    address::{Destination, HostName, PublicIpv4},
    direction::Direction,
    problem::Invalid,
    visible,
};

/// Most addresses of one list. Each costs one request of the account's allowance, and a
/// partner with more sends from ranges, for which Exotel has digest credentials.
pub const MAX_ADDRESSES: usize = 64;

/// Most bytes of one input's text.
pub const MAX_INPUT_BYTES: usize = 512;

/// What kind of value an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Any text without control and format characters; narrow it with `pattern`.
    Text,
    /// A fully qualified host name, bare.
    HostName,
    /// `host:port;transport=tls` or `...=tcp`.
    SipDestination,
    /// One public IPv4 address.
    Ipv4,
    /// One to 64 public IPv4 addresses: an array in JSON, separated by blanks in CSV.
    Ipv4List,
    /// One of `values`.
    Choice,
}

impl InputKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::HostName,
        Self::SipDestination,
        Self::Ipv4,
        Self::Ipv4List,
        Self::Choice,
    ];

    /// Its name in recipes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::HostName => "host_name",
            Self::SipDestination => "sip_destination",
            Self::Ipv4 => "ipv4",
            Self::Ipv4List => "ipv4_list",
            Self::Choice => "choice",
        }
    }
}

impl std::str::FromStr for InputKind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            Invalid(format!(
                "\"{}\" is not a type; write text, host_name, sip_destination, ipv4, ipv4_list or choice",
                text.escape_debug()
            ))
        })
    }
}

/// A regular expression that the whole of a value must match. Compiled on first use, once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    source: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern that compiles.
    ///
    /// # Errors
    /// Where the expression is broken or too large (100 kB compiled).
    pub fn new(source: &str) -> Result<Self, Invalid> {
        let regex = compile(source).map_err(|error| {
            Invalid(format!(
                "\"{}\" is not a regular expression of Rust's regex crate (no look-around, no back references): {}",
                source.escape_debug(),
                error.to_string().lines().last().unwrap_or_default()
            ))
        })?;
        let pattern = Self::from(source.to_owned());
        pattern.compiled.get_or_init(|| Some(regex));
        Ok(pattern)
    }

    /// As the recipe has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| compile(&self.source).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

fn compile(source: &str) -> Result<Regex, regex::Error> {
    // Checked alone first, so that a stray parenthesis cannot close the group around it.
    regex_syntax_check(source)?;
    RegexBuilder::new(&format!("^(?:{source})$"))
        .size_limit(100_000)
        .build()
}

fn regex_syntax_check(source: &str) -> Result<(), regex::Error> {
    RegexBuilder::new(source)
        .size_limit(100_000)
        .build()
        .map(|_| ())
}

impl From<String> for Pattern {
    fn from(source: String) -> Self {
        Self {
            source,
            compiled: OnceLock::new(),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

/// One thing that a recipe asks of a signup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it is and where a person finds it; shown when it is missing.
    pub description: String,
    /// What kind of value it takes.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// A regular expression for the whole value; for `text` and `host_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub pattern: Option<Pattern>,
    /// Fewest characters; for `text` and `host_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u16>,
    /// Most characters, at most 512; for `text` and `host_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u16>,
    /// Values that fit and are wrong all the same, such as a retired host, in whatever case, and
    /// why; for `text` and `host_name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refuse: BTreeMap<String, String>,
    /// What may be chosen; for `choice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The value where the signup gives none; not for `ipv4_list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A valid value to show people, made up or published; for a list separated by blanks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Whether a signup in one of `directions` has to give it. Default: yes, unless it has a
    /// `default`.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub required: bool,
    /// The directions that use it; asked for only there. Default: all of the recipe's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Direction>,
}

/// What a signup gives for an input: one text, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputValue {
    /// One text. For a list it is taken apart at its blanks.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl InputValue {
    /// The texts in it.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(list) => list,
        }
    }
}

impl fmt::Display for InputValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(" ")),
        }
    }
}

/// Whether something limited to `directions` (empty: to none) belongs to `direction`.
pub(crate) fn applies(directions: &[Direction], direction: Direction) -> bool {
    directions.is_empty()
        || directions.iter().any(|own| {
            (own.is_outbound() && direction.is_outbound())
                || (own.is_inbound() && direction.is_inbound())
        })
}

impl Input {
    /// Whether a signup in `direction` uses it.
    #[must_use]
    pub fn used_in(&self, direction: Direction) -> bool {
        applies(&self.directions, direction)
    }

    /// The value in its normal form: a list as a list without repeats, an address without `/32`.
    ///
    /// # Errors
    /// What is wrong with it and what would be right; of a list every address that is wrong.
    pub fn check(&self, value: InputValue) -> Result<InputValue, Vec<Invalid>> {
        if self.kind == InputKind::Ipv4List {
            return addresses(value);
        }
        match value {
            InputValue::Text(text) => self
                .check_one(text)
                .map(InputValue::Text)
                .map_err(|why| vec![why]),
            InputValue::List(_) => Err(vec![Invalid("this is a list; give one text".into())]),
        }
    }

    fn check_one(&self, text: String) -> Result<String, Invalid> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(Invalid(format!(
                "has {} bytes; give at most {MAX_INPUT_BYTES}",
                text.len()
            )));
        }
        match self.kind {
            InputKind::Text => self.check_text(text),
            InputKind::HostName => {
                text.parse::<HostName>()?;
                self.check_text(text)
            }
            InputKind::SipDestination => Ok(text.parse::<Destination>()?.to_string()),
            InputKind::Ipv4 => Ok(text.parse::<PublicIpv4>()?.to_string()),
            InputKind::Choice if self.values.contains(&text) => Ok(text),
            InputKind::Choice | InputKind::Ipv4List => Err(Invalid(format!(
                "\"{}\" cannot be chosen; write {}",
                text.escape_debug(),
                self.values.join(", ")
            ))),
        }
    }

    fn check_text(&self, text: String) -> Result<String, Invalid> {
        let shown = text.escape_debug();
        if text.is_empty() || text.chars().any(visible::acts) {
            return Err(Invalid(format!(
                "\"{shown}\" is empty or has control or format characters; give one line of text"
            )));
        }
        let length = text.chars().count();
        let min = self.min_length.map_or(1, usize::from);
        let max = self.max_length.map_or(MAX_INPUT_BYTES, usize::from);
        if !(min..=max).contains(&length) {
            return Err(Invalid(format!(
                "\"{shown}\" has {length} characters; give {min} to {max}"
            )));
        }
        if let Some(pattern) = &self.pattern
            && !pattern.matches(&text)
        {
            return Err(Invalid(format!(
                "\"{shown}\" does not match {}. {}{}",
                pattern.as_str(),
                self.description.trim_end_matches('.'),
                self.like()
            )));
        }
        let refused = self
            .refuse
            .iter()
            .find(|(value, _)| value.eq_ignore_ascii_case(&text));
        match refused {
            Some((_, why)) => Err(Invalid(format!("\"{shown}\" is refused: {why}"))),
            None => Ok(text),
        }
    }

    /// `; write it like EXAMPLE`, where there is one.
    pub(crate) fn like(&self) -> String {
        match &self.example {
            Some(example) => format!("; write it like {example}"),
            None => String::new(),
        }
    }
}

fn addresses(value: InputValue) -> Result<InputValue, Vec<Invalid>> {
    let given: Vec<&str> = match &value {
        InputValue::Text(text) => text.split_whitespace().collect(),
        InputValue::List(list) => list.iter().map(String::as_str).collect(),
    };
    if given.is_empty() || given.len() > MAX_ADDRESSES {
        return Err(vec![Invalid(format!(
            "has {} addresses; give 1 to {MAX_ADDRESSES}, because each costs one request",
            given.len()
        ))]);
    }
    let mut list: Vec<String> = Vec::with_capacity(given.len());
    let mut wrong = Vec::new();
    for text in given {
        match text.parse::<PublicIpv4>() {
            Ok(ip) => {
                let ip = ip.to_string();
                if !list.contains(&ip) {
                    list.push(ip);
                }
            }
            Err(why) if wrong.contains(&why) => {}
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() {
        Ok(InputValue::List(list))
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(kind: InputKind) -> Input {
        Input {
            description: "made up".into(),
            kind,
            pattern: None,
            min_length: None,
            max_length: None,
            refuse: BTreeMap::new(),
            values: vec!["tls".into(), "tcp".into()],
            default: None,
            example: None,
            required: true,
            directions: Vec::new(),
        }
    }

    fn check(input: &Input, text: &str) -> Result<String, String> {
        let checked = input.check(InputValue::Text(text.into()));
        checked.map(|value| value.to_string()).map_err(|all| {
            let all: Vec<String> = all.into_iter().map(|why| why.0).collect();
            all.join("\n")
        })
    }

    #[test]
    fn each_kind_takes_its_values_and_refuses_others() {
        let long = "a.".repeat(300);
        for (kind, good, bad) in [
            (InputKind::Text, "x y", "tab\there"),
            (InputKind::Text, "x", ""),
            (InputKind::Text, "x", &long),
            (
                InputKind::HostName,
                "sip.partner.example",
                "sip:sip.partner.example",
            ),
            (
                InputKind::HostName,
                "sip.partner.example",
                "me@sip.partner.example",
            ),
            (
                InputKind::HostName,
                "sip.partner.example",
                "sip.partner.example/x",
            ),
            (
                InputKind::SipDestination,
                "sip.partner.example:1;transport=tls",
                "sip.partner.example:1;transport=udp",
            ),
            (
                InputKind::SipDestination,
                "44.248.146.11:1;transport=tls",
                "10.0.0.1:1;transport=tls",
            ),
            (InputKind::Ipv4, "44.248.146.11", "44.248.146.0/24"),
            (InputKind::Ipv4List, "44.248.146.11 44.248.146.12", ""),
            (
                InputKind::Ipv4List,
                "44.248.146.11",
                "44.248.146.11,44.248.146.12",
            ),
            (InputKind::Ipv4List, "44.248.146.11", "203.0.113.1"),
            (InputKind::Choice, "tls", "udp"),
        ] {
            assert_eq!(check(&input(kind), good).unwrap(), good, "{kind:?}");
            assert!(check(&input(kind), bad).is_err(), "{kind:?} {bad}");
        }
    }

    #[test]
    fn repeated_addresses_collapse_and_a_list_is_bounded() {
        let list = input(InputKind::Ipv4List);
        let twice = "44.248.146.11 44.248.146.11/32 44.248.146.12";
        assert_eq!(check(&list, twice).unwrap(), "44.248.146.11 44.248.146.12");
        let many: Vec<String> = (1..=65).map(|n| format!("44.248.146.{n}")).collect();
        assert!(
            check(&list, &many.join(" "))
                .unwrap_err()
                .contains("1 to 64")
        );
    }

    #[test]
    fn every_wrong_address_of_a_list_is_told_once() {
        let list = input(InputKind::Ipv4List);
        let told = check(&list, "10.0.0.1 x 44.248.146.11 x 203.0.113.1 44.0.0.0/8").unwrap_err();
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told.len(), 4, "{told:?}");
        for (message, part) in
            told.iter()
                .zip(["10.0.0.1 is private", "\"x\"", "203.0.113.1", "range"])
        {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_refused_value_is_told_why_in_whatever_case() {
        let mut host = input(InputKind::HostName);
        let why = "it is retired; take the new one";
        host.refuse.insert("old.partner.example".into(), why.into());
        assert!(check(&host, "new.partner.example").is_ok());
        for old in ["old.partner.example", "OLD.partner.example"] {
            assert!(check(&host, old).unwrap_err().contains(why), "{old}");
        }
    }

    #[test]
    fn what_does_not_match_is_described_and_shown() {
        let mut id = input(InputKind::Text);
        id.pattern = Some(Pattern::new("^[0-9a-f]{4}$").unwrap());
        id.description = "Four digits in lower-case hex.".into();
        id.example = Some("00ff".into());
        let told = check(&id, "00FF").unwrap_err();
        assert!(
            told.contains("Four digits in lower-case hex; write it like 00ff"),
            "{told}"
        );
    }

    #[test]
    fn a_pattern_covers_the_whole_value_and_is_tried_before_use() {
        let mut text = input(InputKind::Text);
        text.pattern = Some(Pattern::new("a|b").unwrap());
        assert!(check(&text, "a").is_ok());
        assert!(check(&text, "ab").is_err());
        for bad in ["(", "a)(b", "(?=x)", "\\1", "a{1000}{1000}"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_input_is_asked_for_only_in_its_directions() {
        let mut text = input(InputKind::Text);
        text.directions = vec![Direction::Inbound];
        assert!(text.used_in(Direction::Inbound) && text.used_in(Direction::Both));
        assert!(!text.used_in(Direction::Outbound));
        text.directions.clear();
        assert!(text.used_in(Direction::Outbound));
    }
}
