//! One field of a signup, and where its value comes from.

use std::collections::BTreeMap;

use onboarding::{InputValue, Problem, RawSignup, nearest, signup::FIELDS, visible};
use serde_json::{Value, json};

use super::{Source, place::Place};

/// A field of a signup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// One that every signup may have.
    Own(&'static str),
    /// An input of its recipe.
    Input(String),
}

impl Field {
    pub(super) fn parse(name: &str) -> Result<Self, Problem> {
        if let Some(own) = FIELDS.into_iter().find(|field| *field == name) {
            return Ok(Self::Own(own));
        }
        if let Some(input) = name.strip_prefix("inputs.")
            && !input.is_empty()
        {
            return Ok(Self::Input(input.to_owned()));
        }
        let shown: String = name.escape_debug().take(80).collect();
        Err(Problem::new(
            format!("fields.{shown}"),
            format!(
                "a signup has no field \"{shown}\"{}; its fields are {} and inputs.NAME",
                nearest::hint(name, FIELDS),
                FIELDS.join(", ")
            ),
        ))
    }

    /// As people write it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Own(name) => (*name).to_owned(),
            Self::Input(name) => format!("inputs.{name}"),
        }
    }

    /// Whether every signup needs it.
    pub(super) fn is_required(&self) -> bool {
        matches!(self, Self::Own("account" | "partner" | "number"))
    }

    /// Whether it is a phone number, which a JSON number cannot carry.
    fn is_phone(&self) -> bool {
        matches!(self, Self::Own("number" | "caller_id"))
    }

    /// What is wrong with a value that the mapping itself gives.
    fn check(&self, value: &InputValue) -> Option<String> {
        let (Self::Own(name), InputValue::Text(text)) = (self, value) else {
            let is_list = matches!((self, value), (Self::Own(_), InputValue::List(_)));
            return is_list.then(|| "this is a list; write one text".to_owned());
        };
        let alone = json!({ *name: text });
        let problems = RawSignup::from_json(&alone).check().err()?;
        problems
            .into_iter()
            .find(|problem| problem.field == *name)
            .map(|problem| problem.message)
    }

    /// A message's value as a signup has it; `None` where it is as good as absent.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub(super) fn value(&self, found: &Value) -> Result<Option<Value>, String> {
        if let (Self::Input(_), Value::Array(list)) = (self, found) {
            let texts: Result<Vec<Option<Value>>, String> = list
                .iter()
                .map(|element| Ok(self.text(element)?.map(Value::String)))
                .collect();
            let texts: Vec<Value> = texts?.into_iter().flatten().collect();
            return Ok((!texts.is_empty()).then_some(Value::Array(texts)));
        }
        Ok(self.text(found)?.map(Value::String))
    }

    fn text(&self, found: &Value) -> Result<Option<String>, String> {
        match found {
            Value::Null => Ok(None),
            Value::String(text) => {
                Ok(Some(visible::trim(text).to_owned()).filter(|text| !text.is_empty()))
            }
            Value::Number(_) if self.is_phone() => Err(
                "this is a number, which may have lost a + and zeros; have it sent as a text such as \"+918000000001\"".into(),
            ),
            Value::Number(number) if number.is_f64() => Err(
                "this is a number with a fraction or an exponent, which can be written in several ways; have it sent as a text".into(),
            ),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(flag) => Ok(Some(flag.to_string())),
            Value::Array(_) => Err(
                "this is a list; point at one of its elements, as in .../0".into(),
            ),
            Value::Object(_) => Err(format!(
                "this is {}; point at one of its keys",
                super::place::what(found)
            )),
        }
    }
}

/// Where a field's value comes from, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Constant(Value),
    At(Place),
    Translated {
        place: Place,
        map: BTreeMap<String, String>,
    },
}

impl Origin {
    pub(super) fn parse(field: &Field, source: Source) -> Result<Self, Vec<Problem>> {
        let name = format!("fields.{}", field.name());
        let place = |text: &str| {
            Place::parse(text).map_err(|message| vec![Problem::new(name.clone(), message)])
        };
        match source {
            Source::Pointer(pointer) => Ok(Self::At(place(&pointer)?)),
            Source::Constant(value) => match field.check(&value) {
                Some(message) => Err(vec![Problem::new(name, message)]),
                None => Ok(Self::Constant(match value {
                    InputValue::Text(text) => Value::String(text),
                    InputValue::List(list) => list.into(),
                })),
            },
            Source::Translated { pointer, map } => {
                let mut problems = Vec::new();
                if map.is_empty() {
                    problems.push(Problem::new(
                        format!("{name}.map"),
                        "it translates nothing; write map = { \"theirs\" = \"ours\" }",
                    ));
                }
                for (theirs, ours) in &map {
                    if let Some(message) = field.check(&InputValue::Text(ours.clone())) {
                        problems.push(Problem::new(format!("{name}.map.{theirs}"), message));
                    }
                }
                match place(&pointer) {
                    Ok(place) if problems.is_empty() => Ok(Self::Translated { place, map }),
                    Ok(_) => Err(problems),
                    Err(first) => Err(first.into_iter().chain(problems).collect()),
                }
            }
        }
    }

    /// The place that it reads, if it reads one.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Constant(_) => None,
            Self::At(place) | Self::Translated { place, .. } => Some(place),
        }
    }
}
