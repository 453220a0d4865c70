//! Text from outside, made fit for errors and logs.

/// Most characters of a description that are kept: a long sentence, not a page.
pub(crate) const DESCRIPTION: usize = 300;
/// Most characters of a request id: Exotel's have 32.
pub(crate) const REQUEST_ID: usize = 64;

/// Shorter secrets are not looked for: they would be found in every other word.
const SHORTEST_SECRET: usize = 4;

/// Takes `secrets` (an answer may echo what it was sent), control characters and what reorders a
/// line out of `text`, and cuts it to `most` characters.
pub(crate) fn clean(text: &str, secrets: &[&str], most: usize) -> String {
    let mut text = text.trim().to_owned();
    for secret in secrets {
        if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    let mut kept: String = text
        .chars()
        .take(most)
        .map(|c| if is_printed(c) { c } else { ' ' })
        .collect();
    if text.chars().nth(most).is_some() {
        kept.push_str("...");
    }
    kept
}

/// Whether a terminal prints it as itself, where it stands.
fn is_printed(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_control_characters_and_excess_are_taken_out() {
        assert_eq!(
            clean("bad password hunter22!\r\n\u{1b}[31m", &["hunter22"], 300),
            "bad password ***!   [31m"
        );
        let long = "x".repeat(1000);
        assert_eq!(clean(&long, &[], 300).len(), 303);
        // A secret that the cut would have halved is gone too.
        let late = format!("{}hunter22", "x".repeat(296));
        assert!(!clean(&late, &["hunter22"], 300).contains("hunt"));
        assert_eq!(clean("a\u{202e}b", &[], 10), "a b");
    }
}
