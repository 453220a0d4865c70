//! The known name that a mistyped one is closest to.

/// ` (did you mean NAME?)` if one of `known` is within a third of `given`'s length, else nothing.
#[must_use]
pub fn hint<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    // Longer texts are no typing mistakes, and the distance is quadratic.
    if given.len() > 64 {
        return String::new();
    }
    let closest = known
        .into_iter()
        .map(|name| (distance(given, name), name))
        .min();
    match closest {
        Some((edits, name)) if edits <= given.chars().count().max(3) / 3 + 1 => {
            format!(" (did you mean {name}?)")
        }
        _ => String::new(),
    }
}

/// Levenshtein's distance, without case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_name_and_a_stranger_finds_none() {
        let known = ["number", "partner", "account"];
        assert_eq!(hint("nubmer", known), " (did you mean number?)");
        assert_eq!(hint("Partner", known), " (did you mean partner?)");
        assert_eq!(hint("colour_of_hair", known), "");
        assert_eq!(hint(&"n".repeat(100), known), "");
        assert_eq!(hint("x", []), "");
    }
}
