//! Whose requests are let in.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::ids::PhoneNumber;

/// The accounts that `PUT /_sandbox/accounts` named.
#[derive(Debug)]
pub(crate) struct Keys(HashMap<String, Key>);

#[derive(Debug)]
pub(crate) struct Key {
    /// The whole `Authorization` header that is right, so that a check decodes nothing.
    authorization: String,
    pub(crate) numbers: Option<Arc<[PhoneNumber]>>,
}

impl Keys {
    /// Reads `[{"account_sid", "api_key", "api_token"}]`, or a map from account SID to the rest.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
        let mut keys = HashMap::new();
        match &value {
            Value::Array(list) => {
                for (at, entry) in list.iter().enumerate() {
                    let place = format!("account {at}");
                    let members = entry
                        .as_object()
                        .ok_or(format!("{place}: must be an object"))?;
                    let sid = text(members, &place, "account_sid")?;
                    keys.insert(sid.to_owned(), Key::parse(members, &place, true)?);
                }
            }
            Value::Object(map) => {
                for (sid, entry) in map {
                    let place = format!("account {sid}");
                    let members = entry
                        .as_object()
                        .ok_or(format!("{place}: must be an object"))?;
                    keys.insert(sid.clone(), Key::parse(members, &place, false)?);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err("the body must be a list of accounts, or a map by account_sid".into());
            }
        }
        Ok(Self(keys))
    }

    /// The key of an account, if the header carries it.
    pub(crate) fn check(&self, account: &str, authorization: Option<&str>) -> Option<&Key> {
        let key = self.0.get(account)?;
        (authorization == Some(key.authorization.as_str())).then_some(key)
    }
}

impl Key {
    fn parse(members: &Map<String, Value>, place: &str, listed: bool) -> Result<Self, String> {
        for name in members.keys() {
            let known = matches!(name.as_str(), "api_key" | "api_token" | "numbers")
                || listed && name == "account_sid";
            if !known {
                return Err(format!("{place}: {name}: is no field of an account"));
            }
        }
        let pair = format!(
            "{}:{}",
            text(members, place, "api_key")?,
            text(members, place, "api_token")?
        );
        let authorization = format!("Basic {}", STANDARD.encode(pair));
        let numbers = members
            .get("numbers")
            .map(|value| numbers(value, place))
            .transpose()?;
        Ok(Self {
            authorization,
            numbers,
        })
    }
}

fn numbers(value: &Value, place: &str) -> Result<Arc<[PhoneNumber]>, String> {
    let wrong = || format!("{place}: numbers: must be a list of numbers in E.164 format");
    let number = |value: &Value| {
        value
            .as_str()
            .and_then(PhoneNumber::parse)
            .ok_or_else(wrong)
    };
    value
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(number)
        .collect()
}

fn text<'a>(members: &'a Map<String, Value>, place: &str, name: &str) -> Result<&'a str, String> {
    let text = members
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("{place}: {name}: must be a text"))
}

/// Whether a header is Basic authentication with a user name and a password, whichever.
pub(crate) fn is_basic(authorization: Option<&str>) -> bool {
    let encoded = authorization.and_then(|text| text.strip_prefix("Basic "));
    let decoded = encoded.and_then(|text| STANDARD.decode(text).ok());
    decoded.is_some_and(|pair| {
        pair.iter()
            .position(|&byte| byte == b':')
            .is_some_and(|at| at > 0 && at + 1 < pair.len())
    })
}
