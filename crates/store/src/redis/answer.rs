//! Answers of the scripts, value by value.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol has many kinds of values; all that are not expected mean the same"
)]

use redis::Value;

use crate::{Error, Result};

/// A list of values, taken from the front.
pub(super) struct Answer {
    values: std::vec::IntoIter<Value>,
    place: String,
}

impl Answer {
    /// Of one answer; what is no list is a list of one.
    pub(super) fn new(value: Value, place: &str) -> Self {
        let values = match value {
            Value::Array(values) => values,
            single => vec![single],
        };
        Self {
            values: values.into_iter(),
            place: place.to_owned(),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.values.as_slice().is_empty()
    }

    fn odd(&self) -> Error {
        Error::Corrupt {
            place: self.place.clone(),
            message: "the server answered what no script of this version answers; is something between here and Redis, or does another program write under this store's name?".to_owned(),
        }
    }

    fn next(&mut self) -> Result<Value> {
        self.values.next().ok_or_else(|| self.odd())
    }

    /// Bytes; `None` where there are none.
    pub(super) fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
            _ => Err(self.odd()),
        }
    }

    /// A list within the list.
    pub(super) fn list(&mut self) -> Result<Self> {
        match self.next()? {
            values @ Value::Array(_) => Ok(Self::new(values, &self.place)),
            _ => Err(self.odd()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let bytes = self.bytes()?.ok_or_else(|| self.odd())?;
        String::from_utf8(bytes).map_err(|_| self.odd())
    }

    pub(super) fn number(&mut self) -> Result<i64> {
        match self.next()? {
            Value::Int(number) => Ok(number),
            Value::BulkString(digits) => std::str::from_utf8(&digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| self.odd()),
            _ => Err(self.odd()),
        }
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        u64::try_from(self.number()?).map_err(|_| self.odd())
    }

    /// The bytes of an id, a batch, or another thing of fixed length.
    pub(super) fn exactly<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes()?.unwrap_or_default();
        bytes.try_into().map_err(|_| self.odd())
    }
}
