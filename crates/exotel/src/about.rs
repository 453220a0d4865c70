//! Whether an answer is about what was asked.
//!
//! A gateway that mixes up two answers, or a server that does, tells of a success that is another's.
//! So what an answer says of itself is compared with what was asked. What it leaves out, or gives as
//! null or as an empty text, is not compared.

use std::net::Ipv4Addr;

use onboarding::{Destination, Mode, PhoneNumber, TrunkSid};
use serde_json::Value;

use crate::EntryId;

/// Fields of the answer's data, and what they have to say.
pub(crate) type About<'a> = &'a [(&'static str, Same<'a>)];

/// What a field has to say, and when it says the same.
#[derive(Clone, Copy)]
pub(crate) enum Same<'a> {
    /// Anything.
    Any,
    /// This text.
    Text(&'a str),
    /// This id.
    Id(&'a EntryId),
    /// This SID, in whichever case.
    Trunk(&'a TrunkSid),
    /// This number, with or without its plus.
    Phone(&'a PhoneNumber),
    /// This mode, in whichever case.
    Mode(Mode),
    /// This address.
    Ip(Ipv4Addr),
    /// This destination, however Exotel writes it.
    Destination(&'a Destination),
    /// This number, also as a text of digits.
    Count(u32),
}

impl<'a> Same<'a> {
    /// What is changed; what is not changed may be anything.
    pub(crate) fn changed(text: Option<&'a str>) -> Self {
        text.map_or(Self::Any, Self::Text)
    }

    fn is_told_by(self, told: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(asked) => told == asked,
            Self::Id(asked) => told == asked.as_str(),
            Self::Trunk(asked) => told.eq_ignore_ascii_case(asked.as_str()),
            Self::Phone(asked) => is_same_number(told, asked),
            Self::Mode(asked) => told.eq_ignore_ascii_case(asked.as_str()),
            Self::Ip(asked) => {
                let address = told.split_once('/').map_or(told, |(address, _)| address);
                address.parse() == Ok(asked)
            }
            Self::Destination(asked) => asked.matches(told),
            Self::Count(asked) => told.parse() == Ok(asked),
        }
    }

    fn asked(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Text(asked) => asked.to_owned(),
            Self::Id(asked) => asked.to_string(),
            Self::Trunk(asked) => asked.to_string(),
            Self::Phone(asked) => asked.to_string(),
            Self::Mode(asked) => asked.to_string(),
            Self::Ip(asked) => asked.to_string(),
            Self::Destination(asked) => asked.to_string(),
            Self::Count(asked) => asked.to_string(),
        }
    }
}

/// Exotel may write a number with or without its plus.
pub(crate) fn is_same_number(told: &str, asked: &PhoneNumber) -> bool {
    let bare = |text: &str| text.trim().trim_start_matches('+').to_owned();
    bare(told) == bare(asked.as_str())
}

/// The first thing in which `data` is about something else, for people.
pub(crate) fn difference(data: &Value, about: About<'_>) -> Option<String> {
    about.iter().find_map(|(field, same)| {
        let told = match data.get(field)? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        };
        let differs = !told.is_empty() && !same.is_told_by(&told);
        differs.then(|| {
            format!(
                "the answer is about {field} \"{told}\", and \"{}\" was asked for",
                same.asked()
            )
        })
    })
}
