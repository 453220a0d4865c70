//! `trunkline tokens`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    args::{Tokens as Args, TokensNew},
    error::{Error, Result},
    exit::Exit,
    output::{Output, note},
    settings::{
        Settings,
        tokens::{PREFIX, REQUESTS_PER_MINUTE, Token, hex},
    },
};

/// Makes or lists tokens. Nothing is written to a file: what lets one in is pasted by a person.
///
/// # Errors
/// There is a token of that name.
pub(crate) fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    match args {
        Args::New(args) => new(args, settings, output),
        Args::List => {
            list(&settings.tables.tokens, output);
            Ok(Exit::Done)
        }
    }
}

/// A `token` record. The token itself stands in that of a new one alone.
#[derive(Serialize)]
#[serde(tag = "type", rename = "token")]
struct Record<'r> {
    name: &'r str,
    token: Option<&'r str>,
    sha256: String,
    scope: &'static str,
    requests_per_minute: u32,
}

fn new(args: &TokensNew, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let tables = &settings.tables;
    if tables.tokens.iter().any(|token| token.name == args.name) {
        let message = format!(
            "{} has a token of this name; choose another, such as {}-2, and remove the old table once nobody uses it",
            tables.file, args.name
        );
        return Err(Error::refused("NAME", message));
    }
    let (text, sha256) = make();
    let record = Record {
        name: &args.name,
        token: Some(&text),
        sha256: hex(&sha256),
        scope: args.scope.as_str(),
        requests_per_minute: REQUESTS_PER_MINUTE,
    };
    output.record(&record);
    output.line(format_args!(
        "{text}\n\n[tokens.{}]\nsha256 = \"{}\"\nscope = \"{}\"",
        record.name, record.sha256, record.scope
    ));
    output.flush();
    note(
        "the token is shown this once: keep it where its user keeps secrets. Paste the table at the end of trunkline.toml, and start `trunkline serve` again",
    );
    Ok(Exit::Done)
}

/// A new token's text and the SHA-256 of it: 32 bytes of the system's randomness are beyond guessing,
/// so that a plain digest keeps them.
fn make() -> (String, [u8; 32]) {
    let drawn: [u8; 32] = rand::random();
    let text = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(drawn));
    let digest = Sha256::digest(&text).into();
    (text, digest)
}

fn list(tokens: &[Token], output: &mut Output) {
    if tokens.is_empty() {
        note("there is no token; make one with `trunkline tokens new NAME`");
    }
    for token in tokens {
        let sha256 = hex(&token.sha256);
        output.line(format_args!(
            "{} {} {}/min sha256 {}...",
            token.name,
            token.scope.as_str(),
            token.requests_per_minute,
            &sha256[..12]
        ));
        output.record(&Record {
            name: &token.name,
            token: None,
            sha256,
            scope: token.scope.as_str(),
            requests_per_minute: token.requests_per_minute,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_43_characters_after_its_prefix_and_never_the_same() {
        let (one, digest) = make();
        let (other, _) = make();
        assert_ne!(one, other);
        let drawn = one.strip_prefix(PREFIX).unwrap();
        assert_eq!(drawn.len(), 43);
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        assert!(drawn.chars().all(word), "{one}");
        assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(one.as_bytes())));
    }
}
