//! The names of fields in the log and in spans: one dictionary, in `docs/observability.md`.

use std::{collections::BTreeMap, fs};

use crate::sources;

const PAGE: &str = "docs/observability.md";

/// Compares what the macros of `tracing` name with the dictionary, both ways.
pub(crate) fn check() -> Result<(), String> {
    let page = fs::read_to_string(PAGE).map_err(|error| format!("{PAGE}: {error}"))?;
    let dictionary = dictionary(&page);
    let mut used = BTreeMap::new();
    for name in sources::tracked()? {
        // What tests and tasks say is read by nobody else.
        let is_apart = ["tests/", "xtask/", "crates/bench/", "crates/redis_fixture/"]
            .iter()
            .any(|folder| name.starts_with(folder));
        let is_ours = name.ends_with(".rs") && name.contains("/src/") && !is_apart;
        let Ok(text) = fs::read_to_string(&name) else {
            continue;
        };
        if is_ours {
            let of_program = text.split("#[cfg(test)]\nmod tests {").next();
            for field in fields(of_program.unwrap_or_default()) {
                used.entry(field).or_insert_with(|| name.clone());
            }
        }
    }
    let unknown = used
        .iter()
        .filter(|(field, _)| !dictionary.contains(field))
        .map(|(field, file)| format!("{file}: {PAGE} does not list the field {field}"));
    let unused = dictionary
        .iter()
        .filter(|field| !used.contains_key(*field))
        .map(|field| format!("{PAGE}: nothing has the field {field}"));
    let wrong: Vec<String> = unknown.chain(unused).collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The first column of the tables that begin with `| Field`.
fn dictionary(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        inside = line.starts_with("| Field") || (inside && line.starts_with('|'));
        if inside
            && let Some(rest) = line.strip_prefix("| `")
            && let Some((name, _)) = rest.split_once('`')
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// What begins a macro, with whether a name comes before its fields.
const MACROS: [(&str, bool); 10] = [
    ("error!(", false),
    ("warn!(", false),
    ("info!(", false),
    ("debug!(", false),
    ("trace!(", false),
    ("error_span!(", true),
    ("warn_span!(", true),
    ("info_span!(", true),
    ("debug_span!(", true),
    ("trace_span!(", true),
];

/// The names of the fields that a file's macros have, and of those that are recorded later.
fn fields(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, is_span) in MACROS {
        for (at, _) in text.match_indices(name) {
            let before = text[..at].chars().next_back();
            if before.is_none_or(|it| !it.is_alphanumeric() && it != '_') {
                let inside = arguments(&text[at + name.len()..]);
                found.extend(of_arguments(&inside, is_span));
            }
        }
    }
    for (at, start) in text.match_indices(".record(\"") {
        let rest = &text[at + start.len()..];
        found.extend(rest.split('"').next().map(str::to_owned));
    }
    found
}

/// The arguments up to the bracket that closes them, apart.
fn arguments(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for character in text.chars() {
        let quoted = in_text;
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            in_text = true;
        }
        if !quoted {
            match character {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        if let Some(last) = all.last_mut() {
            last.push(character);
        }
    }
    all
}

fn of_arguments(arguments: &[String], is_span: bool) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_named = !is_span;
    for argument in arguments {
        let argument = argument.trim();
        let is_option = ["target:", "parent:", "name:"]
            .iter()
            .any(|start| argument.starts_with(start));
        if argument.is_empty() || is_option {
            continue;
        }
        if argument.starts_with('"') {
            if is_named {
                // The message; what follows fills it in.
                break;
            }
            is_named = true;
            continue;
        }
        let name = argument.split('=').next().unwrap_or_default();
        let name = name.trim().trim_start_matches(['%', '?']).trim();
        names.push(name.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_however_they_are_written() {
        for (text, found) in [
            ("tracing::info!(\"plain, {text}\", a = 1)", &[][..]),
            (
                "tracing::warn!(account = %name, delay_ms, \"it (closed), \\\"so\\\"\")",
                &["account", "delay_ms"],
            ),
            (
                "tracing::error!(%error, seen = f(a, \"b, c\"), \"x\")",
                &["error", "seen"],
            ),
            (
                "debug_span!(target: \"x\", \"name\", a.b = 1, c = Empty,)",
                &["a.b", "c"],
            ),
            ("otel_debug!(not = 1)", &[]),
            ("span.record(\"error.type\", 1)", &["error.type"]),
        ] {
            assert_eq!(fields(text), found, "{text}");
        }
    }

    #[test]
    fn the_dictionary_is_what_its_tables_list() {
        let page = "| Metric |\n| `no` | x |\n\n| Field | Meaning |\n|---|---|\n| `a` | x |\n| `b` | y |\n\n| `c` |";
        assert_eq!(dictionary(page), ["a", "b"]);
    }
}
