//! Text from outside, made fit for errors and logs.

use onboarding::visible;

/// Most characters of a description that are kept: a long sentence, not a page.
pub(crate) const DESCRIPTION: usize = 300;
/// Most characters of a request id: Exotel's have 32.
pub(crate) const REQUEST_ID: usize = 64;

/// Takes control characters and what reorders a line out of `text`, and cuts it to `most` characters.
/// Secrets are out of it already: [`crate::mask`].
pub(crate) fn clean(text: &str, most: usize) -> String {
    let text = text.trim();
    let printed = |c: char| if visible::acts(c) { ' ' } else { c };
    let mut kept: String = text.chars().take(most).map(printed).collect();
    if text.chars().nth(most).is_some() {
        kept.push_str("...");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_excess_are_taken_out() {
        assert_eq!(clean("bad\r\n\u{1b}[31m", 300), "bad   [31m");
        assert_eq!(clean(&"x".repeat(1000), 300).len(), 303);
        assert_eq!(clean("a\u{202e}b\u{ad}c", 10), "a b c");
    }
}
