//! Documents that say which test shows something name tests that are there.

use std::{collections::BTreeSet, fs};

use crate::sources;

/// The documents, and how a test is written in them: in backticks, with at least so many words, so
/// that a setting or a function is not taken for one.
const DOCUMENTS: &[&str] = &["docs/security.md"];
const WORDS_MIN: usize = 4;

/// Looks for every test that the documents name.
pub(crate) fn check() -> Result<(), String> {
    let mut there = BTreeSet::new();
    for name in sources::tracked()? {
        // Deleted and not yet committed: there is nothing in it.
        if let Ok(text) = fs::read_to_string(&name)
            && name.ends_with(".rs")
        {
            there.extend(functions(&text));
        }
    }
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(document).map_err(|e| format!("{document}: {e}"))?;
        let named: Vec<String> = named(&text).collect();
        if named.is_empty() {
            missing.push(format!("{document} names no test"));
        }
        let gone = named.into_iter().filter(|name| !there.contains(name));
        missing.extend(
            gone.map(|name| format!("{document} names `{name}`, and there is no such test")),
        );
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing.join("\n"))
    }
}

fn functions(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("fn ").skip(1).filter_map(|after| {
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        Some(after[..end].to_owned())
    })
}

fn named(text: &str) -> impl Iterator<Item = String> + '_ {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.split('_').count() >= WORDS_MIN
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    quoted.filter(is_test).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_told_from_a_setting_by_its_length() {
        let text = "| `requests_per_minute` | `a_lost_reply_never_makes_a_second_trunk` `x` |";
        assert_eq!(
            named(text).collect::<Vec<_>>(),
            ["a_lost_reply_never_makes_a_second_trunk"]
        );
    }
}
