//! Reading a request's parameters the way the API does.

use serde_json::{Map, Value};

use crate::envelope::Refusal;
use crate::ids::PhoneNumber;
use crate::route::Query;
use crate::world::Mode;

/// The members of a JSON body.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Refusal::malformed("The body is not a JSON object")),
            Err(error) => Err(Refusal::malformed(format!("The body is not JSON: {error}"))),
        }
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.as_str();
        text.map(Some)
            .ok_or_else(|| Refusal::invalid(format!("{name} must be a string")))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.optional_text(name)?
            .ok_or_else(|| Refusal::missing(name))
    }

    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .map(Some)
            .ok_or_else(|| Refusal::invalid(format!("{name} must be a whole number")))
    }

    pub(crate) fn list(&self, name: &str) -> Result<&[Value], Refusal> {
        let value = self.get(name).ok_or_else(|| Refusal::missing(name))?;
        match value.as_array() {
            Some(items) if !items.is_empty() => Ok(items),
            _ => Err(Refusal::invalid(format!(
                "{name} must be a list with at least one entry"
            ))),
        }
    }

    pub(crate) fn phone_number(&self, name: &str) -> Result<PhoneNumber, Refusal> {
        e164(name, self.text(name)?)
    }

    pub(crate) fn mode(&self) -> Result<Option<Mode>, Refusal> {
        match self.optional_text("mode")? {
            None => Ok(None),
            Some("pstn") => Ok(Some(Mode::Pstn)),
            Some("flow") => Ok(Some(Mode::Flow)),
            Some(_) => Err(Refusal::invalid("mode must be pstn or flow")),
        }
    }

    /// Text of letters, digits and underscores only, 1 to `longest` characters.
    pub(crate) fn word(&self, name: &str, longest: usize) -> Result<&str, Refusal> {
        self.optional_word(name, longest)?
            .ok_or_else(|| Refusal::missing(name))
    }

    pub(crate) fn optional_word(
        &self,
        name: &str,
        longest: usize,
    ) -> Result<Option<&str>, Refusal> {
        let Some(text) = self.optional_text(name)? else {
            return Ok(None);
        };
        let alphabet = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if alphabet && (1..=longest).contains(&text.len()) {
            return Ok(Some(text));
        }
        Err(Refusal::invalid(format!(
            "{name} must be alphanumeric with underscores only, max {longest} characters"
        )))
    }
}

pub(crate) fn e164(name: &str, text: &str) -> Result<PhoneNumber, Refusal> {
    let number = PhoneNumber::parse(text);
    number.ok_or_else(|| Refusal::invalid(format!("{name} must be in E.164 format")))
}

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

const PAGE_SIZE: usize = 50;
/// A greater `page_size` is cut down to this one; `metadata.page_size` says so.
const LARGEST_PAGE: usize = 100;

impl Page {
    pub(crate) fn parse(query: Query<'_>) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match query.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| Refusal::invalid(format!("{name} must be a whole number"))),
        };
        let offset = number("offset", 0)?;
        let size = number("page_size", PAGE_SIZE)?;
        if size == 0 {
            return Err(Refusal::invalid("page_size must be at least 1"));
        }
        Ok(Self {
            offset,
            size: size.min(LARGEST_PAGE),
        })
    }
}
