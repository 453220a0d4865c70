//! Where in a message something is.

use std::fmt;

use serde_json::Value;

/// Most bytes of a pointer, far beyond what messages nest.
const BYTES_MAX: usize = 512;

/// Most keys that are shown of an object, and characters of each.
const KEYS_SHOWN: usize = 10;
const KEY_CHARS_SHOWN: usize = 40;

/// A JSON Pointer (RFC 6901): in a signup of the message, or with `#` in front in the message as a
/// whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    whole: bool,
    pointer: String,
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
        Ok(Self {
            whole: text.starts_with('#'),
            pointer: pointer.to_owned(),
        })
    }

    /// One in the message as a whole.
    pub(super) fn in_whole(pointer: &str) -> Self {
        Self {
            whole: true,
            pointer: pointer.to_owned(),
        }
    }

    /// What is there, if something is.
    pub(super) fn find<'v>(&self, at: &At<'v>) -> Option<&'v Value> {
        let within = if self.whole { at.whole } else { at.item };
        within.pointer(&self.pointer)
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
        let base = if self.whole { "" } else { at.base };
        let within = if self.whole { at.whole } else { at.item };
        let mut pointer = self.pointer.as_str();
        while let Some((parent, _)) = pointer.rsplit_once('/') {
            if let Some(value) = within.pointer(parent) {
                let place = match [base, parent].concat() {
                    root if root.is_empty() => "the message".to_owned(),
                    place => place,
                };
                return format!("{place} is {}", what(value));
            }
            pointer = parent;
        }
        format!("the message is {}", what(at.whole))
    }
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
