//! Secrets that come back in answers, in the usual encodings, and what stands in their place.
//!
//! An answer may repeat what it was sent. So each one is masked as a whole when it comes in, before
//! anything of it is read: what an answer says later, in a record, an error, a log or a trace, has no
//! secret of its request.
//!
//! Found are a secret as it is, in any case; with its characters escaped for a URL, a form, JSON or
//! HTML, all or some of them, and also repeatedly; in hexadecimal; and in base 64 of both alphabets,
//! wherever it begins in the encoded text.

use std::{borrow::Cow, iter, ops::Range};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use bytes::Bytes;
use memchr::memmem::Finder;

/// What stands in a secret's place.
const MASKED: &[u8] = b"***";

/// Shorter secrets are not looked for: they would be found in every other word. Exotel's keys and
/// tokens have 40 characters and more, passwords that this program makes 24.
const SHORTEST_SECRET: usize = 6;

/// How often escapes are taken out of what was escaped repeatedly.
const MOST_LAYERS: usize = 4;

/// Finds secrets. It is made anew for every onboarding's password, so it has to be cheap to make.
pub(crate) struct Mask(Vec<Finder<'static>>);

impl Mask {
    /// For these secrets.
    pub(crate) fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let long = secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST_SECRET);
        let finder = |form: String| Finder::new(form.as_bytes()).into_owned();
        Self(long.flat_map(forms).map(finder).collect())
    }

    /// A text without them.
    pub(crate) fn hide_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match hidden(iter::once(self), text.as_bytes()) {
            Some(hidden) => Cow::Owned(String::from_utf8_lossy(&hidden).into_owned()),
            None => Cow::Borrowed(text),
        }
    }
}

/// The body of an answer without what any of `masks` finds.
pub(crate) fn hide<'m>(masks: impl Iterator<Item = &'m Mask> + Clone, body: Bytes) -> Bytes {
    match hidden(masks, &body) {
        Some(hidden) => hidden.into(),
        None => body,
    }
}

/// `None`: there are none.
fn hidden<'m>(masks: impl Iterator<Item = &'m Mask> + Clone, text: &[u8]) -> Option<Vec<u8>> {
    let in_lower_case = |text: &[u8]| -> Vec<Range<usize>> {
        let text = text.to_ascii_lowercase();
        let finders = masks.clone().flat_map(|mask| &mask.0);
        let hits = finders.flat_map(|finder| {
            let length = finder.needle().len();
            finder.find_iter(&text).map(move |at| at..at + length)
        });
        hits.collect()
    };
    let mut found = in_lower_case(text);
    let mut layer = Layer::under(text);
    for _ in 0..MOST_LAYERS {
        let Some(at_hand) = layer else { break };
        let hits = in_lower_case(&at_hand.text).into_iter();
        found.extend(hits.map(|hit| at_hand.from[hit.start]..at_hand.from[hit.end]));
        layer = at_hand.next();
    }
    found.sort_unstable_by_key(|range| range.start);
    (!found.is_empty()).then(|| without(text, &found))
}

/// `text` with what is `found`, in order, masked.
fn without(text: &[u8], found: &[Range<usize>]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut end = 0;
    for range in found {
        if range.start >= end {
            kept.extend_from_slice(&text[end..range.start]);
            kept.extend_from_slice(MASKED);
        }
        end = end.max(range.end);
    }
    kept.extend_from_slice(&text[end..]);
    kept
}

/// What a secret looks like where it is not escaped character by character, in lower case.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        // Backslashes are taken for escapes in what is escaped.
        secret.replace('\\', ""),
        secret.replace(' ', "+"),
        secret.replace('\\', "").replace(' ', "+"),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ];
    for before in 0..3 {
        let text = [&[0; 2][..before], secret.as_bytes()].concat();
        // Characters at the ends that also depend on what stands beside it are left out.
        let own = (before * 8).div_ceil(6)..text.len() * 8 / 6;
        for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text)] {
            forms.extend(encoded.get(own.clone()).map(str::to_owned));
        }
    }
    forms.retain(|form| form.len() >= SHORTEST_SECRET);
    forms
        .iter_mut()
        .for_each(|form| form.make_ascii_lowercase());
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// A text with escapes taken out, and where each of its bytes comes from.
struct Layer {
    text: Vec<u8>,
    /// Where each byte begins in the text that came; one more for its end.
    from: Vec<usize>,
}

impl Layer {
    /// `None`: there is no escape in it.
    fn under(text: &[u8]) -> Option<Self> {
        Self::read(text, |at| at)
    }

    fn next(&self) -> Option<Self> {
        Self::read(&self.text, |at| self.from[at])
    }

    fn read(text: &[u8], from: impl Fn(usize) -> usize) -> Option<Self> {
        let first = memchr::memchr3(b'%', b'\\', b'&', text)?;
        let mut layer = Self {
            text: text[..first].to_vec(),
            from: (0..first).map(&from).collect(),
        };
        let mut at = first;
        while let Some((byte, length)) = character(&text[at..]) {
            layer.text.push(byte);
            layer.from.push(from(at));
            at += length;
        }
        layer.from.push(from(text.len()));
        (layer.text.len() < text.len()).then_some(layer)
    }
}

/// The first byte that is meant, and how many it is written with.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    let escaped = match first {
        b'%' => hex(text.get(1..3)).map(|byte| (byte, 3)),
        b'\\' => Some(backslashed(text)),
        b'&' => entity(text),
        _ => None,
    };
    Some(escaped.unwrap_or((first, 1)))
}

/// ASCII in hexadecimal digits; other characters are in no secret.
fn hex(digits: Option<&[u8]>) -> Option<u8> {
    number(digits?, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digits = str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, radix).ok().filter(|_| plain)?;
    u8::try_from(number).ok().filter(u8::is_ascii)
}

/// `\u0041`, `\u{41}`, `\x41`, `\/`, also after more than one backslash.
fn backslashed(text: &[u8]) -> (u8, usize) {
    let run = text.iter().take_while(|byte| **byte == b'\\').count();
    let rest = &text[run..];
    let Some(letter) = rest.first() else {
        return (b'\\', run);
    };
    let braced = || {
        let inside = rest.strip_prefix(b"u{")?;
        let end = inside.iter().take(7).position(|byte| *byte == b'}')?;
        Some((number(&inside[..end], 16)?, end + 3))
    };
    let coded = match letter {
        b'u' | b'U' => hex(rest.get(1..5)).map(|byte| (byte, 5)).or_else(braced),
        b'x' => hex(rest.get(1..3)).map(|byte| (byte, 3)),
        _ => None,
    };
    let (byte, length) = coded.unwrap_or((*letter, 1));
    (byte, run + length)
}

/// `&#65;`, `&#x41;`, `&amp;`.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    let named: [(&[u8], u8); 5] = [
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
    ];
    if let Some((name, byte)) = named.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*byte, name.len()));
    }
    let rest = text.strip_prefix(b"&#")?;
    let (radix, digits, before) = match rest.first()? {
        b'x' | b'X' => (16, &rest[1..], 3),
        _ => (10, rest, 2),
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let count = digits.iter().take(7).take_while(is_digit).count();
    let ended = usize::from(digits.get(count) == Some(&b';'));
    Some((number(&digits[..count], radix)?, before + count + ended))
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    /// Has what is escaped in forms, JSON, HTML and base 64.
    const SECRET: &str = r#"mAde>up~?"Pass\word&+ 01%"#;

    fn each(secret: &str, write: impl Fn(u8) -> String) -> String {
        secret.bytes().map(write).collect()
    }

    fn encodings(secret: &str) -> Vec<String> {
        let percent = each(secret, |b| format!("%{b:02X}"));
        let json = serde_json::to_string(secret).unwrap();
        let escaped = each(secret, |b| format!("\\u{b:04x}"));
        let form = secret.replace('%', "%25").replace('+', "%2B");
        let html = secret.replace('&', "&amp;").replace('>', "&gt;");
        let mut all = vec![
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            percent.to_lowercase(),
            percent.replace('%', "%25"),
            percent.replace('%', "\\u0025"),
            percent,
            form.replace(' ', "+"),
            serde_json::to_string(&json).unwrap(),
            serde_json::to_string(&escaped).unwrap(),
            json.trim_matches('"').to_owned(),
            escaped.to_uppercase().replace("\\U", "\\u"),
            escaped,
            each(secret, |b| format!("\\u{{{b:x}}}")),
            each(secret, |b| format!("\\x{b:02x}")),
            each(secret, |b| format!("&#{b};")),
            each(secret, |b| format!("&#x{b:X};")),
            each(secret, |b| format!("&amp;#{b};")),
            html.replace('"', "&quot;"),
            each(secret, |b| format!("{b:02x}")),
            each(secret, |b| format!("{b:02X}")),
        ];
        for before in ["", "a", "ab", "abc", "key:"] {
            for after in ["", "z", "yz", " and more"] {
                let text = [before, secret, after].concat();
                let encoded = BASE64_STANDARD.encode(&text);
                all.extend([
                    BASE64_STANDARD_NO_PAD.encode(&text),
                    BASE64_URL_SAFE.encode(&text),
                    BASE64_URL_SAFE_NO_PAD.encode(&text),
                    encoded.replace('+', "%2B").replace('=', "%3D"),
                    encoded.replace('/', "\\/"),
                    encoded,
                ]);
            }
        }
        all
    }

    #[test]
    fn a_secret_is_masked_in_every_usual_encoding() {
        for secret in [SECRET, "MadeUpPassword0000000001", "0123456789abcdef"] {
            let mask = Mask::of([secret, "another-secret"]);
            for encoded in encodings(secret) {
                let text = format!("no: {encoded}, sent");
                let hidden = mask.hide_text(&text);
                assert!(hidden.contains("***"), "{text}");
                // Of base 64 a character may stay at each end, and what was beside the secret.
                let left = hidden.strip_prefix("no: ").unwrap();
                let left = left.strip_suffix(", sent").unwrap().replace("***", "");
                assert!(left.len() <= 26, "{text}: {hidden}");
                assert!(mask.hide_text(&hidden) == hidden, "{hidden}");
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays_byte_for_byte() {
        let mask = Mask::of(["MadeUpPassword0000000001", "", "short"]);
        for text in [
            "",
            "short",
            r#"{"a":"\u00e9 \/ 100% &amp; &#65; %zz \\","next":"/v2?offset=0&page_size=20"}"#,
            "\\",
            "&#;&#x;&#99999999;%4",
            "MadeUpPassword000000000",
        ] {
            assert!(matches!(mask.hide_text(text), Cow::Borrowed(same) if same == text));
        }
        let body = Bytes::from_static(b"\xff\xfe%ff\\u0");
        assert_eq!(hide(iter::once(&mask), body.clone()), body);
    }

    #[test]
    fn json_stays_json_and_the_rest_of_it_the_same() {
        let mask = Mask::of(["MadeUpPassword0000000001"]);
        let body =
            r#"{"a\"":"é\n\"MadeUp\u0050assword0000000001\"\\","madeuppassword0000000001":[1]}"#;
        let hidden: serde_json::Value =
            serde_json::from_slice(&hide(iter::once(&mask), Bytes::from(body))).unwrap();
        assert_eq!(
            hidden,
            serde_json::json!({"a\"": "é\n\"***\"\\", "***": [1]})
        );
    }

    #[test]
    fn a_large_answer_is_searched_in_a_moment() {
        let mask = Mask::of(["MadeUpPassword0000000001"]);
        let body = "%25252525&amp;amp;\\\\\\\\".repeat(300_000);
        assert!(matches!(mask.hide_text(&body), Cow::Borrowed(_)));
    }
}
