//! Reads a message by its mapping. Goes on after every problem, so that all are told at once.

use serde_json::{Map, Value};

use super::{
    ITEMS_MAX, Mapping, Read, Whence,
    field::{Field, Origin},
    place::{At, Place, what, word},
};
use crate::{Error, Unfit};

/// Most problems that are told of one message.
const PROBLEMS_MAX: usize = 100;

/// Most known values that a refusal of an unknown one lists.
const KNOWN_SHOWN: usize = 20;

#[derive(Default)]
struct Problems {
    told: Vec<Unfit>,
    more: usize,
}

impl Problems {
    fn add(&mut self, problem: Unfit) {
        if self.told.len() < PROBLEMS_MAX {
            self.told.push(problem);
        } else {
            self.more += 1;
        }
    }
}

impl Mapping {
    /// Reads a message, which the caller has parsed and bounded.
    ///
    /// # Errors
    /// [`Error::Unfit`] with everything that is wrong. Then nothing of the message is to be taken.
    pub fn read(&self, whole: &Value) -> Result<Read, Error> {
        if let Some(reason) = self.ignores(whole) {
            return Ok(Read::Ignored { reason });
        }
        let (items, origin) = self.items(whole)?;
        let mut problems = Problems::default();
        let mut signups = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let number = at + 1;
            let base = origin.pointer(number);
            let at = At {
                whole,
                item,
                base: &base,
            };
            signups.push(self.signup(&at, number, &mut problems));
        }
        if problems.told.is_empty() {
            Ok(Read::Signups { signups, origin })
        } else {
            Err(Error::Unfit {
                problems: problems.told,
                more: problems.more,
            })
        }
    }

    /// Why the message is not meant, if it is not.
    fn ignores(&self, whole: &Value) -> Option<String> {
        let at = At {
            whole,
            item: whole,
            base: "",
        };
        self.when.iter().find_map(|(place, values)| {
            let found = place.find(&at).ok().flatten().and_then(word);
            let is_meant = found
                .as_ref()
                .is_some_and(|found| values.iter().any(|value| value == found));
            if is_meant {
                return None;
            }
            let found = match found {
                Some(found) => {
                    let shown: String = found.escape_debug().take(80).collect();
                    format!("\"{shown}\"")
                }
                None => "no text".to_owned(),
            };
            Some(format!("at {place} stands {found}, which is not meant"))
        })
    }

    /// The signups of the message, each as it is there.
    fn items<'v>(&self, whole: &'v Value) -> Result<(&'v [Value], Whence), Error> {
        let at = At {
            whole,
            item: whole,
            base: "",
        };
        let place = match &self.items {
            Some(place) => place.clone(),
            // A signup has no field of this name, so it is the envelope's.
            None if self.fields.is_empty() && whole.get("data").is_some() => {
                Place::in_whole(Some("data"))
            }
            None => Place::in_whole(None),
        };
        let base = place.pointer_from("");
        let found = place
            .find(&at)
            .map_err(|message| unfit(base.clone(), message))?;
        let Some(found) = found else {
            let nearest = place.nearest(&at);
            return Err(unfit(
                base,
                format!("nothing is there, where a list should be; {nearest}"),
            ));
        };
        let whence = |is_list| Whence {
            base: base.clone(),
            is_list,
        };
        let is_direct = self.items.is_none() && self.fields.is_empty();
        let Some(list) = found
            .as_array()
            .filter(|_| is_direct || self.items.is_some())
        else {
            if self.items.is_some() {
                let message = format!("this is {}, where a list should be", what(found));
                return Err(unfit(base, message));
            }
            return Ok((std::slice::from_ref(found), whence(false)));
        };
        if list.len() > ITEMS_MAX {
            let message = format!(
                "these are {} signups; a message has at most {ITEMS_MAX}, so divide it",
                list.len()
            );
            return Err(unfit(base, message));
        }
        Ok((list, whence(true)))
    }

    fn signup(&self, at: &At<'_>, number: usize, problems: &mut Problems) -> Value {
        if self.fields.is_empty() {
            if !at.item.is_object() {
                problems.add(Unfit {
                    item: Some(number),
                    field: String::new(),
                    pointer: at.base.to_owned(),
                    message: format!(
                        "this is {}; a signup is an object with account, partner and number",
                        what(at.item)
                    ),
                });
            }
            return at.item.clone();
        }
        let mut signup = Map::new();
        let mut inputs = Map::new();
        for (field, origin) in &self.fields {
            match value(field, origin, at) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    match field {
                        Field::Own(name) => signup.insert((*name).to_owned(), value),
                        Field::Input(name) => inputs.insert(name.clone(), value),
                    };
                }
                Err(message) => problems.add(Unfit {
                    item: Some(number),
                    field: field.name(),
                    pointer: origin
                        .place()
                        .map(|place| place.pointer_from(at.base))
                        .unwrap_or_default(),
                    message,
                }),
            }
        }
        if !inputs.is_empty() {
            signup.insert("inputs".to_owned(), Value::Object(inputs));
        }
        Value::Object(signup)
    }
}

/// What a field gets; `None` where it gets nothing and needs nothing.
fn value(field: &Field, origin: &Origin, at: &At<'_>) -> Result<Option<Value>, String> {
    let place = match origin {
        Origin::Constant(value) => return Ok(Some(value.clone())),
        Origin::At(place) | Origin::Translated { place, .. } => place,
    };
    let Some(found) = place.find(at)? else {
        if field.is_required() {
            let (name, nearest) = (field.name(), place.nearest(at));
            return Err(format!(
                "nothing is there, and every signup needs {name}; {nearest}"
            ));
        }
        return Ok(None);
    };
    let value = match origin {
        Origin::Translated { map, .. } if !found.is_null() => translated(map, found)?,
        Origin::Translated { .. } | Origin::At(_) | Origin::Constant(_) => field.value(found)?,
    };
    if value.is_none() && field.is_required() {
        return Err(format!(
            "it is empty, and every signup needs {}",
            field.name()
        ));
    }
    Ok(value)
}

fn translated(
    map: &std::collections::BTreeMap<String, String>,
    found: &Value,
) -> Result<Option<Value>, String> {
    let word = word(found);
    if let Some(ours) = word.as_ref().and_then(|word| map.get(word)) {
        return Ok(Some(Value::String(ours.clone())));
    }
    let found = match word {
        Some(word) => {
            let shown: String = word.escape_debug().take(80).collect();
            format!("\"{shown}\"")
        }
        None => what(found),
    };
    let known: Vec<&str> = map.keys().take(KNOWN_SHOWN).map(String::as_str).collect();
    let more = if map.len() > KNOWN_SHOWN { ", ..." } else { "" };
    Err(format!(
        "the mapping does not translate {found}; it knows {}{more}",
        known.join(", ")
    ))
}

/// A problem of the message as a whole.
fn unfit(pointer: String, message: String) -> Error {
    Error::Unfit {
        problems: vec![Unfit {
            item: None,
            field: String::new(),
            pointer,
            message,
        }],
        more: 0,
    }
}
