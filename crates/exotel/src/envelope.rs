//! The envelope around every answer, read where all is well.
//!
//! One object: `{request_id, method, http_code, response: {code, error_data, status, data}}`; for
//! lists and batches `response` is an array of those, and `metadata` counts or leads on. Each
//! reader gives `None` for anything but success with data of the expected type; [`crate::verdict`]
//! then finds out what it was. So the good path parses once, into its own types.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};

use crate::page::Metadata;

/// A success.
pub(crate) struct Good<T> {
    pub(crate) value: T,
    pub(crate) inner_code: u16,
    pub(crate) request_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<R> {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
    response: R,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Item<'a, T> {
    code: u16,
    #[serde(borrow)]
    status: Cow<'a, str>,
    data: T,
}

impl<T> Item<'_, T> {
    fn is_success(&self) -> bool {
        is_success(self.code, &self.status)
    }
}

/// An item whose data do not matter.
#[derive(Deserialize)]
struct Done<'a> {
    code: u16,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

/// Where the published examples do not settle whether there is one or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(items) => items,
            Self::One(item) => vec![item],
        }
    }
}

/// The one rule of success: both the code and the word say so.
pub(crate) fn is_success(code: u16, status: &str) -> bool {
    (200..300).contains(&code) && status.eq_ignore_ascii_case("success")
}

/// One object with its data.
pub(crate) fn one<T: DeserializeOwned>(body: &[u8]) -> Option<Good<T>> {
    let envelope: Envelope<Item<'_, T>> = serde_json::from_slice(body).ok()?;
    let item = envelope.response;
    item.is_success().then(|| Good {
        inner_code: item.code,
        value: item.data,
        request_id: envelope.request_id,
    })
}

/// A batch of one: the item's own code decides, whatever the batch's is.
pub(crate) fn batch_of_one<T: DeserializeOwned>(body: &[u8]) -> Option<Good<T>> {
    let envelope: Envelope<[Item<'_, T>; 1]> = serde_json::from_slice(body).ok()?;
    let [item] = envelope.response;
    item.is_success().then(|| Good {
        inner_code: item.code,
        value: item.data,
        request_id: envelope.request_id,
    })
}

/// A list's items, and the address of the next page as it came.
pub(crate) fn list<T: DeserializeOwned>(body: &[u8]) -> Option<Good<(Vec<T>, Option<String>)>> {
    let envelope: Envelope<Vec<Item<'_, T>>> = serde_json::from_slice(body).ok()?;
    if !envelope.response.iter().all(Item::is_success) {
        return None;
    }
    let items = envelope.response.into_iter().map(|item| item.data);
    Some(Good {
        value: (
            items.collect(),
            envelope.metadata.unwrap_or_default().next_page_uri,
        ),
        inner_code: 200,
        request_id: envelope.request_id,
    })
}

/// Success alone; the data are not looked at.
pub(crate) fn done(body: &[u8]) -> Option<Good<()>> {
    let envelope: Envelope<OneOrMany<Done<'_>>> = serde_json::from_slice(body).ok()?;
    let items = envelope.response.into_vec();
    let first = items.first()?.code;
    let good = items.iter().all(|item| is_success(item.code, &item.status));
    good.then_some(Good {
        value: (),
        inner_code: first,
        request_id: envelope.request_id,
    })
}

/// Everything in whichever nesting it comes: an object or a list, its data null, one or a list.
pub(crate) fn every<T: DeserializeOwned>(body: &[u8]) -> Option<Good<Vec<T>>> {
    type Items<'a, T> = OneOrMany<Item<'a, Option<OneOrMany<T>>>>;
    let envelope: Envelope<Items<'_, T>> = serde_json::from_slice(body).ok()?;
    let items = envelope.response.into_vec();
    if !items.iter().all(Item::is_success) {
        return None;
    }
    let data = items.into_iter().filter_map(|item| item.data);
    Some(Good {
        value: data.flat_map(OneOrMany::into_vec).collect(),
        inner_code: 200,
        request_id: envelope.request_id,
    })
}
