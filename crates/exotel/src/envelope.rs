//! The envelope around every answer, and what it gives where all is well.
//!
//! One object: `{request_id, method, http_code, response: {code, error_data, status, data}}`; for
//! lists and batches `response` is an array of those, and `metadata` counts or leads on. One object
//! and an array of one are taken for the same. Each reader gives an error for anything but success
//! with data of the expected type that are about what was asked; [`crate::verdict`] then finds out
//! what it was.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    about::{About, difference},
    page::Unreadable,
};

/// A success.
pub(crate) struct Good<T> {
    pub(crate) value: T,
    pub(crate) inner_code: u16,
    pub(crate) request_id: Option<String>,
}

impl<T> Good<T> {
    fn map<U>(self, make: impl FnOnce(T) -> U) -> Good<U> {
        Good {
            value: make(self.value),
            inner_code: self.inner_code,
            request_id: self.request_id,
        }
    }
}

/// What is read of an answer.
pub(crate) type Read<T> = Result<Good<T>, Amiss>;

/// What an answer is instead of a success.
pub(crate) enum Amiss {
    /// Something else, or nothing that can be read.
    Other,
    /// A success about something else.
    Differs {
        how: String,
        inner_code: u16,
        request_id: Option<String>,
    },
}

/// The envelope, its items not yet read.
pub(crate) struct Envelope {
    pub(crate) request_id: Option<String>,
    pub(crate) http_code: Option<u16>,
    metadata: Value,
    /// Whether `response` is an array.
    is_list: bool,
    pub(crate) items: Vec<Value>,
}

impl Envelope {
    /// `None`: it is not the envelope.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let Value::Object(mut envelope) = serde_json::from_slice(body).ok()? else {
            return None;
        };
        let (is_list, items) = match envelope.remove("response")? {
            Value::Array(items) => (true, items),
            item @ Value::Object(_) => (false, vec![item]),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        Some(Self {
            request_id: envelope.get("request_id").and_then(text),
            http_code: envelope.get("http_code").and_then(code),
            metadata: envelope.remove("metadata").unwrap_or_default(),
            is_list,
            items,
        })
    }

    fn differs(self, inner_code: u16, how: String) -> Amiss {
        Amiss::Differs {
            how,
            inner_code,
            request_id: self.request_id,
        }
    }

    fn good<T>(self, inner_code: u16, value: T) -> Good<T> {
        Good {
            value,
            inner_code,
            request_id: self.request_id,
        }
    }
}

/// The code of an item that tells of success.
fn success(item: &Value) -> Option<u16> {
    let status = item["status"].as_str().unwrap_or_default();
    code(&item["code"]).filter(|&code| is_success(code, status))
}

/// The one rule of success: both the code and the word say so.
pub(crate) fn is_success(code: u16, status: &str) -> bool {
    (200..300).contains(&code) && status.eq_ignore_ascii_case("success")
}

/// Whether an item tells of success.
pub(crate) fn is_good(item: &Value) -> bool {
    success(item).is_some()
}

/// A code, as a number or as digits.
pub(crate) fn code(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
        Value::String(digits) => digits.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(crate) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The data of an item: one, or a list.
fn data(item: &Value) -> &[Value] {
    let data = &item["data"];
    data.as_array()
        .map_or(std::slice::from_ref(data), Vec::as_slice)
}

/// One object with its data, or a batch of one: of several, the one that is about what was asked
/// decides, whatever the others are.
pub(crate) fn one<T: DeserializeOwned>(body: &[u8], about: About<'_>) -> Read<T> {
    let envelope = Envelope::parse(body).ok_or(Amiss::Other)?;
    let mut differs = None;
    let good = envelope
        .items
        .iter()
        .filter_map(|item| success(item).map(|code| (code, data(item))));
    for (inner_code, data) in good.flat_map(|(code, all)| all.iter().map(move |one| (code, one))) {
        if let Some(how) = difference(data, about) {
            differs.get_or_insert((how, inner_code));
        } else if let Ok(value) = T::deserialize(data) {
            return Ok(envelope.good(inner_code, value));
        }
    }
    Err(match differs {
        None => Amiss::Other,
        Some((how, inner_code)) => envelope.differs(inner_code, how),
    })
}

/// The same where the answer may be that there is nothing: an empty list, or data that are null.
pub(crate) fn one_or_none<T: DeserializeOwned>(body: &[u8], about: About<'_>) -> Read<Option<T>> {
    one(body, about)
        .map(|good| good.map(Some))
        .or_else(|amiss| match Envelope::parse(body) {
            Some(nothing) if nothing.items.iter().all(is_nothing) => Ok(nothing.good(200, None)),
            Some(_) | None => Err(amiss),
        })
}

fn is_nothing(item: &Value) -> bool {
    is_good(item) && data(item).iter().all(Value::is_null)
}

/// Success alone, of every item. Data are looked at only for whether they are about what was asked.
pub(crate) fn done(body: &[u8], about: About<'_>) -> Read<()> {
    let envelope = Envelope::parse(body).ok_or(Amiss::Other)?;
    let first = envelope.items.first().and_then(success);
    let inner_code = first.ok_or(Amiss::Other)?;
    if !envelope.items.iter().all(is_good) {
        return Err(Amiss::Other);
    }
    let of_data = |data| difference(data, about);
    let mut differences = envelope.items.iter().flat_map(data).map(of_data);
    let first = differences.next().flatten();
    match first.filter(|_| differences.all(|how| how.is_some())) {
        None => Ok(envelope.good(inner_code, ())),
        Some(how) => Err(envelope.differs(inner_code, how)),
    }
}

/// What a list tells.
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// The address of the next page as it came. `None`: the answer does not say whether there is
    /// one.
    pub(crate) next: Option<String>,
}

impl<T> Listed<T> {
    /// How many entries there were.
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.unreadable.len()
    }
}

/// A list, entry by entry: one that cannot be read, or is about something else, hides no other. It
/// is a failure if no entry is good and one tells of a failure.
pub(crate) fn list<T: DeserializeOwned>(body: &[u8], about: About<'_>) -> Read<Listed<T>> {
    read_list(body, about, false)
}

/// The same where null data mean that there is nothing.
pub(crate) fn list_or_null<T: DeserializeOwned>(body: &[u8], about: About<'_>) -> Read<Listed<T>> {
    read_list(body, about, true)
}

fn read_list<T: DeserializeOwned>(
    body: &[u8],
    about: About<'_>,
    null_is_nothing: bool,
) -> Read<Listed<T>> {
    let envelope = Envelope::parse(body).ok_or(Amiss::Other)?;
    let mut listed = Listed {
        items: Vec::new(),
        unreadable: Vec::new(),
        next: match envelope.metadata.get("next_page_uri") {
            None => None,
            Some(Value::Null) => Some(String::new()),
            Some(Value::String(uri)) => Some(uri.clone()),
            Some(other) => Some(other.to_string()),
        },
    };
    let mut is_failure = false;
    for item in &envelope.items {
        if !is_good(item) {
            if !envelope.is_list {
                return Err(Amiss::Other);
            }
            let says_so = item.get("code").is_some() || item.get("error_data").is_some();
            is_failure |= says_so;
            listed.unreadable.push(Unreadable::new(item, says_so));
            continue;
        }
        for data in data(item) {
            match T::deserialize(data) {
                Ok(entry) if difference(data, about).is_none() => listed.items.push(entry),
                _ if data.is_null() && null_is_nothing => {}
                // Not even the shape is that of a list.
                _ if !envelope.is_list && !item["data"].is_array() => return Err(Amiss::Other),
                _ => listed.unreadable.push(Unreadable::new(item, false)),
            }
        }
    }
    if is_failure && !envelope.items.iter().any(is_good) {
        return Err(Amiss::Other);
    }
    Ok(envelope.good(200, listed))
}
