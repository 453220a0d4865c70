//! Where a secret is kept: an environment variable or a file, never the configuration itself.

use std::{env, fs::File, io::Read, path::Path, path::PathBuf};

use onboarding::Secret;

use crate::{
    toml_file::{TomlFile, Value, join, kind},
    unreadable::{cannot_be_read, text_of},
};

/// Most bytes of a secret's file: longer than any key or token, shorter than a mistaken path.
const MAX_BYTES: u64 = 4096;

/// `{ env = "VAR" }` or `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// The environment variable that holds it.
    Env(String),
    /// The file that holds it, blanks around it not counted.
    File(PathBuf),
}

/// What would be right.
pub(crate) const FORM: &str = "write { env = \"VARIABLE\" } or { file = \"PATH\" }";

impl SecretSource {
    /// Reads a source out of `value`; `base` is what relative paths start from. Problems are noted
    /// in `file`, without the value, which may be the secret itself.
    pub(crate) fn read<'t>(
        file: &mut TomlFile<'t>,
        value: &Value<'t>,
        field: &str,
        base: &Path,
    ) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            let found = kind(value.get_ref());
            file.problem(
                value.span(),
                field,
                format!("this is {found}, and secrets do not stand in this file; {FORM}"),
            );
            return None;
        };
        file.refuse_unknown(table, field, &["env", "file"]);
        let mut given = table.iter().filter_map(|(key, value)| {
            let key = key.get_ref().as_ref();
            ["env", "file"].contains(&key).then_some((key, value))
        });
        let (first, second) = (given.next(), given.next());
        let (Some((key, value)), None) = (first, second) else {
            file.problem(
                value.span(),
                field,
                format!("name exactly one place; {FORM}"),
            );
            return None;
        };
        match Self::of(key, value.get_ref().as_str().unwrap_or_default(), base) {
            Ok(source) => Some(source),
            Err(message) => {
                file.problem(value.span(), &join(field, key), message);
                None
            }
        }
    }

    /// The source that `key` (`env` or `file`) and `text` name.
    pub(crate) fn of(key: &str, text: &str, base: &Path) -> Result<Self, String> {
        if key == "file" {
            if text.is_empty() {
                return Err("this is not a path; write the path of the secret's file".into());
            }
            return Ok(Self::File(base.join(text)));
        }
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || text.len() > 128 || !text.chars().all(name) {
            return Err(
                "this is not the name of an environment variable; write letters, digits and _"
                    .into(),
            );
        }
        if text.to_ascii_uppercase().starts_with("TRUNKLINE_") {
            return Err(
                "variables that begin with TRUNKLINE_ are settings; keep the secret in one of another name"
                    .into(),
            );
        }
        Ok(Self::Env(text.to_owned()))
    }

    /// The secret itself. The message of a failure says where it was looked for.
    pub(crate) fn load(&self) -> Result<Secret, String> {
        let secret = match self {
            Self::Env(name) => Secret::new(env::var(name).map_err(|_| {
                format!("the environment variable {name} is not set, or is not text; set it")
            })?),
            Self::File(path) => read_file(path)?,
        };
        let bare = secret.expose().trim();
        if bare.is_empty() {
            return Err(format!("{self} is empty; put the secret in it"));
        }
        let quoted = |quote| bare.len() > 1 && bare.starts_with(quote) && bare.ends_with(quote);
        if quoted('"') || quoted('\'') {
            return Err(format!(
                "{self} has quotes around the secret, which would be sent with it (`docker --env-file` keeps them, a shell does not); remove them"
            ));
        }
        Ok(Secret::new(bare))
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// A source with the line that names it, to tell what is wrong with it once it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Where the secret is.
    pub(crate) source: SecretSource,
    /// The line of the configuration.
    pub(crate) line: u64,
}

impl Placed {
    /// As [`SecretSource::read`].
    pub(crate) fn read<'t>(
        file: &mut TomlFile<'t>,
        value: &Value<'t>,
        field: &str,
        base: &Path,
    ) -> Option<Self> {
        let line = file.line(&value.span());
        let source = SecretSource::read(file, value, field, base)?;
        Some(Self { source, line })
    }
}

fn read_file(path: &Path) -> Result<Secret, String> {
    let wrong = |why: &str| format!("the file {} {why}", path.display());
    let file = File::open(path).map_err(|error| {
        wrong(&cannot_be_read(
            path,
            &error,
            "make it, or correct the path",
        ))
    })?;
    let mut bytes = Vec::new();
    let text = file
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .and_then(|_| text_of(bytes))
        .map_err(|error| wrong(&cannot_be_read(path, &error, "put the secret alone in it")))?;
    let secret = Secret::new(text);
    if secret.expose().len() as u64 > MAX_BYTES {
        return Err(wrong(
            "is longer than 4096 bytes; put the secret alone in it",
        ));
    }
    Ok(secret)
}
