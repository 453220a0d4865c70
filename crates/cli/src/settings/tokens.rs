//! `[tokens.NAME]`: who may ask over HTTP. The file has a digest of the token, never the token.

use std::collections::BTreeMap;

use clap::ValueEnum;
use toml::de::DeTable;

use super::tables::{Family, Head, named};
use crate::toml_file::{TomlFile, join};

/// What a token begins with, so that people and secret scanners know it for one.
pub(crate) const PREFIX: &str = "tl_";

/// Requests a minute where a token says nothing: ten a second.
pub(crate) const REQUESTS_PER_MINUTE: u32 = 600;

const FAMILY: Family = Family {
    key: "tokens",
    one: "token",
    keys: &["sha256", "scope", "requests_per_minute"],
    max: 1000,
};

/// A token that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its name in logs.
    pub(crate) name: String,
    /// The SHA-256 of its text. No secret: the text is 32 random bytes, which nobody finds by trying.
    pub(crate) sha256: [u8; 32],
    /// What it may do.
    pub(crate) scope: Scope,
    /// Most requests a minute.
    pub(crate) requests_per_minute: u32,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// Look at everything but secrets
    Read,
    /// Also accept signups, act, and see secrets
    Write,
}

impl Scope {
    /// Its name in settings and records.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::Write]
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

pub(super) fn read<'t>(file: &mut TomlFile<'t>, top: &DeTable<'t>) -> Vec<Token> {
    let mut seen: BTreeMap<[u8; 32], String> = BTreeMap::new();
    named(file, top, FAMILY, |file, head, table| {
        let token = one(file, head, table)?;
        if let Some(other) = seen.insert(token.sha256, token.name.clone()) {
            let message = format!(
                "this is the token of [tokens.{other}] too; make one for each with `trunkline tokens new NAME`, or remove one of the two"
            );
            file.problem(head.at.clone(), &join(head.field, "sha256"), message);
        }
        Some(token)
    })
}

fn one<'t>(file: &mut TomlFile<'t>, head: &Head<'_>, table: &DeTable<'t>) -> Option<Token> {
    let sha256 = digest(file, head, table);
    let scope = scope(file, head, table);
    let rate = match table.get("requests_per_minute") {
        Some(value) => file.number(
            value,
            &join(head.field, "requests_per_minute"),
            1..=1_000_000,
        ),
        None => Some(REQUESTS_PER_MINUTE),
    };
    Some(Token {
        name: head.name.to_owned(),
        sha256: sha256?,
        scope: scope?,
        requests_per_minute: rate?,
    })
}

/// A value that is no digest is not repeated: it may be the token.
fn digest<'t>(file: &mut TomlFile<'t>, head: &Head<'_>, table: &DeTable<'t>) -> Option<[u8; 32]> {
    const REMEDY: &str =
        "write the 64 hexadecimal digits that `trunkline tokens new NAME` prints with the token";
    let Some(value) = table.get("sha256") else {
        file.missing(&head.at, head.field, "sha256", REMEDY);
        return None;
    };
    let field = join(head.field, "sha256");
    let text = file.text(value, &field)?;
    let digest = from_hex(text);
    if digest.is_none() {
        let what = if text.starts_with(PREFIX) {
            "this looks like the token itself, which must not stand in a file"
        } else {
            "this is not a SHA-256"
        };
        file.problem(value.span(), &field, format!("{what}; {REMEDY}"));
    }
    digest
}

fn scope<'t>(file: &mut TomlFile<'t>, head: &Head<'_>, table: &DeTable<'t>) -> Option<Scope> {
    const REMEDY: &str =
        "write scope = \"read\" to look only, or \"write\" to look, accept and act";
    let Some(value) = table.get("scope") else {
        file.missing(&head.at, head.field, "scope", REMEDY);
        return None;
    };
    let field = join(head.field, "scope");
    let scope = Scope::parse(file.text(value, &field)?);
    if scope.is_none() {
        file.problem(
            value.span(),
            &field,
            format!("this is not a scope; {REMEDY}"),
        );
    }
    scope
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// As hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
