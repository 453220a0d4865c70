//! Characters that cannot be seen: what they are, and text that shows them.
//!
//! Text of others (keys, names of files, messages of an API) may have characters that move the cursor,
//! turn the direction of what follows, or look like nothing. People see them as `\u{202e}`.

use std::{
    borrow::Cow,
    fmt::{self, Display, Formatter, Write},
};

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Whether a terminal or a page may do something else with it than show it: control and format
/// characters, and separators of lines and paragraphs.
#[must_use]
pub fn acts(c: char) -> bool {
    match c {
        ' '..='~' => false,
        _ => matches!(
            category(c),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ),
    }
}

/// Whether it cannot be seen or typed: what [`acts`], what is ignored by default, and what has no
/// agreed meaning. Blanks are none of these.
fn is_unseen(c: char) -> bool {
    match c {
        ' '..='~' => false,
        _ => {
            let unknown = matches!(
                category(c),
                GeneralCategory::PrivateUse | GeneralCategory::Unassigned
            );
            unknown || acts(c) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        }
    }
}

/// Without blanks and characters that cannot be seen at both ends: they come along when text is copied
/// from a document or a chat.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// What is wrong with `text` as something that people have to type again: the first character that
/// cannot be seen or is a blank, or that it is written in another way than usual.
pub(crate) fn fault_in(text: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || is_unseen(c);
    if let Some(at) = text.find(odd) {
        let code = text[at..].chars().next().map_or(0, u32::from);
        return Some(format!("has U+{code:04X} {}", place(text, at)));
    }
    let normal = ComposingNormalizerBorrowed::new_nfc();
    if normal.is_normalized(text) {
        return None;
    }
    let same = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .find(|end| !normal.is_normalized(&text[..*end]))
        .and_then(|end| text[..end].char_indices().next_back());
    let (at, code) = same.map_or((0, 0), |(at, c)| (at, u32::from(c)));
    Some(format!(
        "is not in Unicode's form NFC: U+{code:04X} {} is part of a letter that has a code point of its own",
        place(text, at)
    ))
}

/// Where something is, for people.
fn place(text: &str, at: usize) -> String {
    match &text[..at] {
        "" => "at its beginning".to_owned(),
        before => format!("after `{}`", Visible(before)),
    }
}

/// Text in which everything that [`acts`] is shown as `\u{...}`, except ends of lines and tabs.
#[derive(Debug, Clone, Copy)]
pub struct Visible<T>(pub T);

impl<T: Display> Display for Visible<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Showing(f), "{}", self.0)
    }
}

/// Shows what is written to it.
#[derive(Debug)]
pub struct Showing<W>(pub W);

impl<W: Write> Write for Showing<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&visible(text))
    }
}

/// The same of a text at hand.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| {
        (!matches!(c, '\n' | '\t') && acts(c)).then(|| c.escape_unicode().to_string())
    })
}

/// JSON in which they are escaped as JSON does it. It means the same.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    replaced(json, |c| {
        let mut units = [0; 2];
        let escape = |unit: &u16| format!("\\u{unit:04x}");
        // JSON itself has some between its values, and none in a text.
        (c > '~' && acts(c)).then(|| c.encode_utf16(&mut units).iter().map(escape).collect())
    })
}

fn replaced(text: &str, mut by: impl FnMut(char) -> Option<String>) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match by(c) {
            Some(instead) => shown.push_str(&instead),
            None => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_a_page_is_shown_and_the_rest_stays() {
        for (text, shown) in [
            ("crm-4704", "crm-4704"),
            ("a\u{1b}[2J", "a\\u{1b}[2J"),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{85}b\u{2028}c\u{2029}", "a\\u{85}b\\u{2028}c\\u{2029}"),
            ("a\u{7f}\r\n\tb", "a\\u{7f}\\u{d}\n\tb"),
            ("Zoë, ग्राहक, 顧客 🙂", "Zoë, ग्राहक, 顧客 🙂"),
        ] {
            assert_eq!(Visible(text).to_string(), shown);
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        for text in ["\u{202e}a\u{e0041}\u{85}\u{7f}", "plain", "Zoë\n\u{1}"] {
            let json = serde_json::to_string(text).unwrap();
            let shown = visible_json(&json);
            assert!(!shown.chars().any(acts), "{shown}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_seen_goes_from_both_ends() {
        for text in [
            "\u{202a}crm-4704\u{202c}",
            "\u{feff} crm-4704\u{200b}\u{a0}",
            "crm-4704",
        ] {
            assert_eq!(trim(text), "crm-4704");
        }
        assert_eq!(trim("\u{200b} "), "");
    }

    #[test]
    fn a_fault_names_the_code_point_and_its_place() {
        for (text, says) in [
            ("crm-4704\u{200b}x", "has U+200B after `crm-4704`"),
            ("\u{202e}crm", "has U+202E at its beginning"),
            ("a b", "has U+0020 after `a`"),
            ("a\u{200b}b\u{200b}", "has U+200B after `a`"),
            ("a\u{fe0f}", "has U+FE0F after `a`"),
            ("a\u{3164}", "has U+3164 after `a`"),
            ("a\u{e000}", "has U+E000 after `a`"),
            ("a\u{378}", "has U+0378 after `a`"),
            (
                "Zoe\u{308}",
                "is not in Unicode's form NFC: U+0308 after `Zoe`",
            ),
            (
                "\u{212b}",
                "is not in Unicode's form NFC: U+212B at its beginning",
            ),
        ] {
            let fault = fault_in(text).unwrap();
            assert!(fault.starts_with(says), "{text:?}: {fault}");
        }
        for text in ["crm-4704", "Zoë", "ग्राहक-7", "顧客", "a/b:c#1🙂"] {
            assert_eq!(fault_in(text), None, "{text}");
        }
    }
}
