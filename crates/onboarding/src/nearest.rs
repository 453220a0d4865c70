//! The known name that a mistyped one is closest to.

/// ` (did you mean NAME?)` if one of `known` is within a third of `given`'s length, or is what `given`
/// begins with, else nothing. Case, blanks and punctuation do not count.
#[must_use]
pub fn hint<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    // Longer texts are no typing mistakes, and the distance is quadratic.
    if given.len() > 64 {
        return String::new();
    }
    let given = folded(given);
    let closest = known
        .into_iter()
        .map(|name| {
            let known = folded(name);
            // `LiveKit Cloud` is a longer way to say livekit.
            let longer = known.len() >= 4 && given.starts_with(&known);
            let edits = distance(&given, &known);
            (if longer { edits.min(1) } else { edits }, name)
        })
        .min();
    match closest {
        Some((edits, name)) if edits <= given.len().max(3) / 3 + 1 => {
            format!(" (did you mean {name}?)")
        }
        _ => String::new(),
    }
}

/// What counts of a name: letters and digits, without case.
fn folded(name: &str) -> Vec<char> {
    let lower = name.chars().flat_map(char::to_lowercase);
    lower.filter(|c| c.is_alphanumeric()).collect()
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
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
    fn a_name_written_for_people_finds_the_one_written_for_programs() {
        let known = ["elevenlabs", "livekit", "inbound", "front_desk"];
        for (given, meant) in [
            ("Eleven Labs", "elevenlabs"),
            ("eleven-labs.io", "elevenlabs"),
            ("LiveKit Cloud", "livekit"),
            ("\"INBOUND\"", "inbound"),
            ("Front-Desk", "front_desk"),
        ] {
            assert_eq!(hint(given, known), format!(" (did you mean {meant}?)"));
        }
        assert_eq!(hint("---", known), "");
    }

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
