//! Where in a message something is.

use std::fmt;

use onboarding::visible;
use serde_json::Value;

/// Most bytes of a pointer, far beyond what messages nest.
const BYTES_MAX: usize = 512;

/// Most keys that are shown of an object, and characters of each.
const KEYS_SHOWN: usize = 10;
const KEY_CHARS_SHOWN: usize = 40;

/// A JSON Pointer (RFC 6901): in a signup of the message, or with `#` in front in the message as a
/// whole. Besides keys and numbers a part may be `[MEMBER=VALUE]`, which chooses an element of a list
/// by what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    whole: bool,
    pointer: String,
    parts: Vec<Part>,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// As it stands in the pointer.
    written: String,
    way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// The key of an object, or the number of a list's element.
    Key(String),
    /// The only element of a list, or of an object's values, in which this text stands there.
    Choice { member: Vec<String>, value: String },
}

impl Place {
    /// Reads a pointer.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let pointer = text.strip_prefix('#').unwrap_or(text);
        let shown: String = text.escape_debug().take(80).collect();
        if pointer.len() > BYTES_MAX {
            return Err(format!(
                "\"{shown}\" has {} bytes; a pointer has at most {BYTES_MAX}",
                pointer.len()
            ));
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!(
                "\"{shown}\" is not a JSON Pointer; it begins with /, as in /data/account"
            ));
        }
        let mut after = pointer.split('~').skip(1);
        if !after.all(|rest| rest.starts_with(['0', '1'])) {
            return Err(format!(
                "\"{shown}\" is not a JSON Pointer; in one, write ~0 for ~ and ~1 for / of a key"
            ));
        }
        let mut parts = Vec::new();
        let mut rest = pointer;
        while let Some(next) = rest.strip_prefix('/') {
            let end = end_of_part(next);
            let (written, behind) = next.split_at(end);
            let way = Way::parse(written).ok_or_else(|| {
                format!(
                    "\"{shown}\" has a choice that names nothing; write [MEMBER=VALUE], as in /answers/[field/ref=did]/text"
                )
            })?;
            parts.push(Part {
                written: written.to_owned(),
                way,
            });
            rest = behind;
        }
        Ok(Self {
            whole: text.starts_with('#'),
            pointer: pointer.to_owned(),
            parts,
        })
    }

    /// One in the message as a whole: itself, or what is under a key of it.
    pub(super) fn in_whole(key: Option<&str>) -> Self {
        let part = key.map(|key| Part {
            written: key.to_owned(),
            way: Way::Key(key.to_owned()),
        });
        Self {
            whole: true,
            pointer: key.map(|key| format!("/{key}")).unwrap_or_default(),
            parts: part.into_iter().collect(),
        }
    }

    /// What is there, if something is.
    ///
    /// # Errors
    /// It chooses several elements.
    pub(super) fn find<'v>(&self, at: &At<'v>) -> Result<Option<&'v Value>, String> {
        let mut here = self.start(at);
        for part in &self.parts {
            match part.way.step(here)? {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    fn start<'v>(&self, at: &At<'v>) -> &'v Value {
        if self.whole { at.whole } else { at.item }
    }

    /// The pointer to it from the root of the message.
    pub(super) fn pointer_from(&self, base: &str) -> String {
        if self.whole {
            self.pointer.clone()
        } else {
            [base, &self.pointer].concat()
        }
    }

    /// What is at the deepest place that is there, for those who look for something that is not.
    pub(super) fn nearest(&self, at: &At<'_>) -> String {
        let mut here = self.start(at);
        let mut pointer = if self.whole { "" } else { at.base }.to_owned();
        for part in &self.parts {
            if let Ok(Some(next)) = part.way.step(here) {
                here = next;
                pointer.push('/');
                pointer.push_str(&part.written);
                continue;
            }
            let place = if pointer.is_empty() {
                "the message"
            } else {
                &pointer
            };
            let there = part.way.choices(here);
            return format!("{place} is {}{there}", what(here));
        }
        format!("the message is {}", what(at.whole))
    }

    /// A pointer that chooses by what an element is called, where this one counts elements on its way:
    /// what stands behind them changes whenever one is added.
    pub(super) fn better(&self) -> Option<String> {
        let (last, before) = self.parts.split_last()?;
        let counts = |part: &Part| part.written.bytes().all(|byte| byte.is_ascii_digit());
        let counts = |part: &Part| !part.written.is_empty() && counts(part);
        before.iter().any(counts).then(|| {
            let written = |part: &Part| {
                if counts(part) {
                    "/[MEMBER=VALUE]".to_owned()
                } else {
                    format!("/{}", part.written)
                }
            };
            let mark = if self.whole && self.pointer.starts_with('/') {
                "#"
            } else {
                ""
            };
            let before: String = before.iter().map(written).collect();
            format!("{mark}{before}/{}", last.written)
        })
    }
}

/// Where a part ends: before the next slash that is in no choice.
fn end_of_part(text: &str) -> usize {
    if text.starts_with('[') && text.contains('=') {
        if let Some(end) = text.find("]/") {
            return end + 1;
        }
        if text.ends_with(']') {
            return text.len();
        }
    }
    text.find('/').unwrap_or(text.len())
}

/// A key as it is, from how a pointer has it.
fn key(written: &str) -> String {
    written.replace("~1", "/").replace("~0", "~")
}

impl Way {
    /// `None` for a choice that names no member or no value.
    fn parse(written: &str) -> Option<Self> {
        let inner = written
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|inner| inner.split_once('='));
        let Some((member, value)) = inner else {
            return Some(Self::Key(key(written)));
        };
        let value = key(value.trim());
        let member: Vec<String> = member.split('/').map(|part| key(part.trim())).collect();
        let whole = !value.is_empty() && member.iter().all(|part| !part.is_empty());
        whole.then_some(Self::Choice { member, value })
    }

    fn step<'v>(&self, here: &'v Value) -> Result<Option<&'v Value>, String> {
        let (member, value) = match self {
            Self::Key(key) => return Ok(under(here, key)),
            Self::Choice { member, value } => (member, value),
        };
        let mut fitting = elements(here)
            .into_iter()
            .filter(|element| named(element, member).is_some_and(|name| name == *value));
        let first = fitting.next();
        match fitting.count() {
            0 => Ok(first),
            more => Err(format!(
                "{} elements have this {}, so that it is not clear which is meant; choose by a member that differs",
                more + 1,
                member.join("/")
            )),
        }
    }

    /// What could be chosen, where this chooses.
    fn choices(&self, here: &Value) -> String {
        let Self::Choice { member, .. } = self else {
            return String::new();
        };
        let member_text = member.join("/");
        let names: Vec<String> = elements(here)
            .into_iter()
            .filter_map(|element| named(element, member))
            .map(|name| {
                let shown: String = name.escape_debug().take(KEY_CHARS_SHOWN).collect();
                format!("\"{shown}\"")
            })
            .take(KEYS_SHOWN)
            .collect();
        if names.is_empty() {
            return format!(", and no element of it has {member_text}");
        }
        format!(", whose elements have {member_text} {}", names.join(", "))
    }
}

/// What is under the key of an object, or at the number of a list.
fn under<'v>(here: &'v Value, key: &str) -> Option<&'v Value> {
    match here {
        Value::Object(object) => object.get(key),
        Value::Array(list) => {
            let plain = key.bytes().all(|byte| byte.is_ascii_digit());
            let plain = plain && (key.len() == 1 || !key.starts_with('0'));
            list.get(key.parse::<usize>().ok().filter(|_| plain)?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What can be chosen from.
fn elements(here: &Value) -> Vec<&Value> {
    match here {
        Value::Array(list) => list.iter().collect(),
        Value::Object(object) => object.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The text that stands at a member of an element.
fn named(element: &Value, member: &[String]) -> Option<String> {
    let mut here = element;
    for key in member {
        here = under(here, key)?;
    }
    word(here)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer)
    }
}

/// Where pointers start.
pub(super) struct At<'v> {
    /// The message.
    pub(super) whole: &'v Value,
    /// One signup of it.
    pub(super) item: &'v Value,
    /// The pointer to that.
    pub(super) base: &'v str,
}

/// A value that is one word, as text.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(visible::trim(text).to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value for people, without its content: what an object's keys are, how long a list is.
pub(super) fn what(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "true or false".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "a text".into(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(object) if object.is_empty() => "an empty object".into(),
        Value::Object(object) => {
            let keys: Vec<String> = object
                .keys()
                .take(KEYS_SHOWN)
                .map(|key| key.escape_debug().take(KEY_CHARS_SHOWN).collect())
                .collect();
            let more = if object.len() > KEYS_SHOWN {
                ", ..."
            } else {
                ""
            };
            format!("an object with {}{more}", keys.join(", "))
        }
    }
}
