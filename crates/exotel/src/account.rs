//! The account's own numbers: the cheap read that proves key, token and region.

use http::Method;
use serde_json::Value;

use crate::{
    Answer, Client, Error, NextPage,
    about::About,
    call::{Ask, Call},
    envelope::{Amiss, Good, Read, code, is_success},
    page::follow,
};

static NUMBERS: Call = Call::undocumented(
    "account_numbers",
    Method::GET,
    "/v2_beta/Accounts/{account_sid}/IncomingPhoneNumbers",
);

/// How deep an answer is searched. Exotel's are four levels deep.
const DEEPEST: usize = 16;

/// Numbers that the account owns, as far as they can be read: the answer's shape is not in the
/// API reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountNumbers {
    /// The numbers on this page, as Exotel writes them.
    pub numbers: Vec<String>,
    /// Where the next page is, if that can be read.
    pub next: Option<NextPage>,
    /// Whether there are more that `next` does not lead to. Then a number that was not found may
    /// still be the account's.
    pub more_unread: bool,
}

impl Client {
    /// One page of the account's numbers. `None` asks for the first as Exotel publishes the call,
    /// without a query. Success proves that key, token and region belong together, whatever the
    /// body looks like, as long as it is JSON and tells of no failure. Published outside of the
    /// API reference only.
    ///
    /// # Errors
    ///
    /// [`Error`]; its class says what to do.
    pub async fn account_numbers(
        &self,
        at: Option<NextPage>,
    ) -> Result<Answer<AccountNumbers>, Error> {
        let url = match at {
            None => self.beta_url(format_args!("/IncomingPhoneNumbers")),
            Some(NextPage { offset, page_size }) => self.beta_url(format_args!(
                "/IncomingPhoneNumbers?offset={offset}&page_size={page_size}"
            )),
        };
        let answer = self.ask(Ask::new(&NUMBERS, url), read, &[]).await?;
        let mut found = Found::default();
        found.search(&answer.value, DEEPEST);
        let (at, seen) = (at.unwrap_or(NextPage::FIRST), found.numbers.len());
        let next = follow(at, seen, Some(&found.next_page_uri.unwrap_or_default()));
        Ok(answer.map(|_| AccountNumbers {
            numbers: found.numbers,
            next: next.unwrap_or_default(),
            more_unread: next.is_err(),
        }))
    }
}

/// Any JSON object or array that does not tell of a failure.
fn read(body: &[u8], _: About<'_>) -> Read<Value> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Amiss::Other)?;
    let failed = |item: &Value| match (&item["code"], &item["status"]) {
        (Value::Null, _) => false,
        (given, status) => {
            let code = code(given).unwrap_or(0);
            !is_success(code, status.as_str().unwrap_or("success"))
        }
    };
    let response = &value["response"];
    let items = response
        .as_array()
        .map_or(std::slice::from_ref(response), Vec::as_slice);
    if items.iter().any(failed) || !(value.is_object() || value.is_array()) {
        return Err(Amiss::Other);
    }
    let request_id = value["request_id"].as_str().map(str::to_owned);
    Ok(Good {
        value,
        inner_code: 200,
        request_id,
    })
}

#[derive(Default)]
struct Found {
    numbers: Vec<String>,
    next_page_uri: Option<String>,
}

impl Found {
    /// Looks for `phone_number` and `next_page_uri` in whichever spelling, at any depth.
    fn search(&mut self, value: &Value, depth: usize) {
        if depth == 0 {
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.search(item, depth - 1)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (plain(name).as_str(), value) {
                        ("phonenumber", Value::String(number)) => self.numbers.push(number.clone()),
                        ("phonenumber", Value::Number(digits)) => {
                            self.numbers.push(digits.to_string());
                        }
                        ("nextpageuri", Value::String(uri)) => {
                            self.next_page_uri = Some(uri.clone())
                        }
                        _ => self.search(value, depth - 1),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// `PhoneNumber` and `phone_number` are one.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
