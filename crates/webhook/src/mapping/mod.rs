//! From the JSON of any system to signups.

#[cfg(test)]
mod choice_tests;
mod field;
mod place;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use onboarding::{InputValue, Problem, signup::FIELDS};
use serde_json::Value;

use self::{
    field::{Field, Origin},
    place::Place,
};
use crate::Error;

/// Most signups of one message. More come as a file.
pub const ITEMS_MAX: usize = 1000;

/// A mapping as a person writes it. An empty one takes a message, or its `data`, for signups as
/// they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Where each field of a signup comes from, by its name: `account`, `inputs.NAME`. Empty: the
    /// message has signups as they are.
    pub fields: BTreeMap<String, Source>,
    /// Where in the message the list of signups is. With it, pointers of `fields` start at an
    /// element of the list, and those with `#` in front at the message.
    pub items: Option<String>,
    /// Which messages are meant: at each of these places stands one of these texts. Others are
    /// answered as ignored.
    pub when: BTreeMap<String, Vec<String>>,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What is at this JSON Pointer.
    Pointer(String),
    /// The same in every signup.
    Constant(InputValue),
    /// What is at this JSON Pointer, translated. A value that is not in the map is refused.
    Translated {
        /// Where it is.
        pointer: String,
        /// The sender's word for each of ours.
        map: BTreeMap<String, String>,
    },
}

/// How a sender's messages are read, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    fields: Vec<(Field, Origin)>,
    items: Option<Place>,
    when: Vec<(Place, Vec<String>)>,
}

/// What a message has for us.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// These signups, as objects that a signup file could have; how well they fit their recipes is
    /// not checked yet.
    Signups {
        /// In the order of the message, at most [`ITEMS_MAX`].
        signups: Vec<Value>,
        /// Where they are.
        origin: Whence,
    },
    /// It is one of those that are not meant.
    Ignored {
        /// Why, for people.
        reason: String,
    },
}

/// Where the signups of a message are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whence {
    /// The pointer to the signup, or to the list of them.
    base: String,
    is_list: bool,
}

impl Mapping {
    /// Checks a mapping.
    ///
    /// # Errors
    /// [`Error::Settings`] with everything that is wrong: names of fields, pointers, constants that no
    /// signup could have, and what every signup needs and none would get.
    pub fn new(draft: Draft) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let mut mapping = Self::default();
        let has_fields = !draft.fields.is_empty();
        let mut missing: Vec<&str> = FIELDS.into_iter().take(3).collect();
        for (name, source) in draft.fields {
            missing.retain(|required| *required != name);
            let read = Field::parse(&name)
                .map_err(|problem| vec![problem])
                .and_then(|field| Ok((field.clone(), Origin::parse(&field, source)?)));
            match read {
                Ok(read) => mapping.fields.push(read),
                Err(more) => problems.extend(more),
            }
        }
        if has_fields {
            problems.extend(missing.into_iter().map(|name| {
                Problem::new(
                    format!("fields.{name}"),
                    format!("it is missing; write {name} = \"/pointer/to/it\" or {name} = {{ value = \"...\" }}"),
                )
            }));
        }
        match draft.items.as_deref().map(Place::parse).transpose() {
            Ok(items) => mapping.items = items,
            Err(message) => problems.push(Problem::new("items", message)),
        }
        for (pointer, values) in draft.when {
            let field = format!("when.{pointer}");
            match Place::parse(&pointer) {
                Ok(_) if values.is_empty() => problems.push(Problem::new(
                    field,
                    "no value would do; write the values that are meant, as in [\"form.submitted\"]",
                )),
                Ok(place) => mapping.when.push((place, values)),
                Err(message) => problems.push(Problem::new(field, message)),
            }
        }
        if problems.is_empty() {
            Ok(mapping)
        } else {
            Err(Error::Settings(problems))
        }
    }

    /// What works as long as a message keeps its form, and gives something else when a person adds a
    /// question to it: pointers that count on their way. With the name of each part of the mapping.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let fields = self.fields.iter().filter_map(|(field, origin)| {
            let name = format!("fields.{}", field.name());
            Some((name, origin.place()?))
        });
        let items = self.items.iter().map(|place| ("items".to_owned(), place));
        let when = self
            .when
            .iter()
            .map(|(place, _)| (format!("when.{place}"), place));
        fields
            .chain(items)
            .chain(when)
            .filter_map(|(field, place)| {
                let better = place.better()?;
                let message = format!(
                    "{place} counts elements, and takes another one when one is added before it or they are sent in another order; choose it by what it is called, as in {better}"
                );
                Some(Problem::new(field, message))
            })
            .collect()
    }

    /// Where in the message a field of a signup comes from, as a JSON Pointer, so that what is wrong
    /// with the signup can be told in the sender's words. `None` where it is in no one place.
    #[must_use]
    pub fn pointer(&self, origin: &Whence, item: usize, field: &str) -> Option<String> {
        let base = origin.pointer(item);
        if self.fields.is_empty() {
            let name = field.strip_prefix("inputs.");
            return Some(match name {
                Some(input) => format!("{base}/inputs/{}", escaped(input)),
                None if field.is_empty() => base,
                None => format!("{base}/{}", escaped(field)),
            });
        }
        let (_, origin) = self.fields.iter().find(|(own, _)| own.name() == field)?;
        Some(origin.place()?.pointer_from(&base))
    }
}

impl Whence {
    /// The pointer to a signup, counted from 1.
    fn pointer(&self, item: usize) -> String {
        if self.is_list {
            format!("{}/{}", self.base, item.saturating_sub(1))
        } else {
            self.base.clone()
        }
    }
}

/// A key as a pointer has it.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
