//! The commented file that a new recipe begins with.

use crate::{Label, id::PartnerName};

/// A recipe file for `name` that can be read as it is.
pub(crate) fn recipe_file(name: &PartnerName) -> String {
    include_str!("blank.toml")
        .replace("@NAME@", name.as_str())
        .replace("@PREFIX@", &prefix(name))
        .replace("@LABEL@", &label(name))
}

fn label(name: &PartnerName) -> String {
    let characters = name.as_str().chars().take(Label::MAX);
    characters.map(|c| if c == '-' { '_' } else { c }).collect()
}

/// Two characters to begin with: the first two of the name that a prefix may have.
fn prefix(name: &PartnerName) -> String {
    let mut usable = name.as_str().chars().filter(char::is_ascii_alphanumeric);
    let first = usable.next().unwrap_or('x');
    let second = usable.next().unwrap_or('x');
    [first, second].into_iter().collect()
}
