//! Fields that Exotel may write in more than one way. What does not tell an entry from another is
//! no reason to take the entry as unreadable.

use onboarding::Mode;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use serde_json::Value;

/// A text; a number is taken as its digits.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(D::Error::custom("not a text"))
        }
    }
}

/// A number; a text of digits is taken as one.
pub(crate) fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    read_number(&Value::deserialize(from)?).ok_or_else(|| D::Error::custom("not a number"))
}

/// The same where it may be missing; one that cannot be read is.
pub(crate) fn optional_number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(from).map(|value| read_number(&value))
}

/// What may be missing; what cannot be read is.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(from).map(|value| T::deserialize(value).ok())
}

/// A mode in whichever case. One that is not known is an error: what routes in an unknown way is
/// not on Exotel's default.
pub(crate) fn mode<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Mode>, D::Error> {
    let known = |text: &str| {
        [Mode::Pstn, Mode::Flow]
            .into_iter()
            .find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
    };
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => known(&text)
            .map(Some)
            .ok_or_else(|| D::Error::custom("not a mode")),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(D::Error::custom("not a mode"))
        }
    }
}

fn read_number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    let number = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(digits) => digits.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    T::try_from(number).ok()
}
