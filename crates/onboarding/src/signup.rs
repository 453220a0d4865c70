//! Signups: a request for one number of one account on one partner's platform.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    direction::{Direction, Mode},
    id::{AccountName, Key, PartnerName},
    input::InputValue,
    nearest,
    problem::{Invalid, Problem},
    shape,
    trunk::{PhoneNumber, TrunkName, UserName},
    visible,
};

/// A signup, each field checked by itself; whether it fits its recipe is
/// [`prepare`](crate::build::prepare)'s question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signup {
    /// The account.
    pub account: AccountName,
    /// The partner's recipe.
    pub partner: PartnerName,
    /// The number, owned by the account.
    pub number: PhoneNumber,
    /// The idempotency key, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Which way calls go; default the recipe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How Exotel routes the number; default the recipe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// A trunk name chosen by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk_name: Option<TrunkName>,
    /// A SIP user name chosen by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<UserName>,
    /// The number that called people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<PhoneNumber>,
    /// What the recipe asks for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputValue>,
}

impl Signup {
    /// The signup's own key, or the one that follows from account, partner and number.
    #[must_use]
    pub fn effective_key(&self) -> Key {
        match &self.key {
            Some(key) => key.clone(),
            None => Key::derived(&self.account, &self.partner, &self.number),
        }
    }

    /// The first field in which two signups differ, as a person writes it; none if they ask for
    /// the same.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let plain = [
            ("account", self.account == other.account),
            ("partner", self.partner == other.partner),
            ("number", self.number == other.number),
            ("direction", self.direction == other.direction),
            ("mode", self.mode == other.mode),
            ("trunk_name", self.trunk_name == other.trunk_name),
            ("user_name", self.user_name == other.user_name),
            ("caller_id", self.caller_id == other.caller_id),
        ];
        if let Some((field, _)) = plain.into_iter().find(|(_, same)| !same) {
            return Some(field.to_owned());
        }
        self.inputs
            .keys()
            .chain(other.inputs.keys())
            .find(|name| self.inputs.get(*name) != other.inputs.get(*name))
            .map(|name| format!("inputs.{name}"))
    }
}

/// A value as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue<'t> {
    /// A text.
    Text(&'t str),
    /// A list of texts.
    List(Vec<&'t str>),
    /// Something that no field takes, named for people: `a number`.
    Other(&'static str),
}

/// The fields of a signup besides its inputs, in the order people write them.
pub const FIELDS: [&str; 9] = [
    "account",
    "partner",
    "number",
    "key",
    "direction",
    "mode",
    "trunk_name",
    "user_name",
    "caller_id",
];

/// The columns of a CSV file, found once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Field(usize),
    Input(String),
    /// Without a name, as spreadsheets leave them and pandas calls `Unnamed: 3`.
    Nameless,
}

/// What a field name means; the message where it means nothing.
fn column(name: &str) -> Result<Column, Problem> {
    if let Some(at) = FIELDS.iter().position(|field| *field == name) {
        return Ok(Column::Field(at));
    }
    let numbered = |rest: &str| rest.trim().bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() || name.strip_prefix("Unnamed:").is_some_and(numbered) {
        return Ok(Column::Nameless);
    }
    match name.strip_prefix("inputs.") {
        Some(input) if !input.is_empty() => Ok(Column::Input(input.to_owned())),
        _ if name == "inputs" => Err(Problem::new(
            name,
            "in CSV every input is a column of its own, such as inputs.livekit_sip_subdomain; write one for each",
        )),
        _ => Err(unknown_field(name, "inputs.NAME")),
    }
}

/// That there is no field `name`; `inputs` is how the inputs are written in this format.
fn unknown_field(name: &str, inputs: &str) -> Problem {
    let shown: String = name.escape_debug().take(80).collect();
    Problem::new(
        shown.clone(),
        format!(
            "there is no field \"{shown}\"{}; the fields are {} and {inputs}",
            nearest::hint(name, FIELDS),
            FIELDS.join(", ")
        ),
    )
}

/// The same of a field in JSON, where CSV's name of an input is what was meant, or may be.
fn unknown_member(name: &str) -> Problem {
    let Some(input) = name.strip_prefix("inputs.").filter(|name| !name.is_empty()) else {
        return unknown_field(name, "\"inputs\": {NAME: ...}");
    };
    let shown: String = input.escape_debug().take(80).collect();
    Problem::new(
        format!("inputs.{shown}"),
        format!("in JSON the inputs are one object: write \"inputs\": {{\"{shown}\": ...}}"),
    )
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// Every unknown, repeated or missing column.
    pub fn parse<'h>(header: impl IntoIterator<Item = &'h str>) -> Result<Self, Vec<Problem>> {
        let mut columns = Vec::new();
        let mut problems = Vec::new();
        for name in header {
            // Spreadsheets put a byte order mark in front of the first name.
            let name = visible::trim(name);
            match column(name) {
                Ok(Column::Nameless) => columns.push(Column::Nameless),
                Ok(column) if columns.contains(&column) => {
                    problems.push(Problem::new(name, "this column is there twice; remove one"))
                }
                Ok(column) => columns.push(column),
                Err(problem) => problems.push(problem),
            }
        }
        for (at, name) in FIELDS.iter().enumerate().take(3) {
            if !columns.contains(&Column::Field(at)) {
                problems.push(Problem::new(
                    *name,
                    format!("the column {name} is missing; every signup needs account, partner and number"),
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self(columns))
        } else {
            Err(problems)
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many there are up to the last one with a name. What is missing after it, or empty, is nothing.
    #[must_use]
    pub fn named(&self) -> usize {
        let last = self
            .0
            .iter()
            .rposition(|column| *column != Column::Nameless);
        last.map_or(0, |at| at + 1)
    }

    /// The first column of `cells` that has a value and no name, and what to do about it.
    pub fn nameless<'t>(&self, cells: impl IntoIterator<Item = &'t str>) -> Option<Problem> {
        let mut given = self.0.iter().zip(cells);
        let at = given.position(|(column, cell)| {
            *column == Column::Nameless && !visible::trim(cell).is_empty()
        })?;
        let message = if at == 0 {
            "the first column has no name; leave it out (index=False, if pandas wrote it), or name it"
                .to_owned()
        } else {
            format!(
                "column {} has no name and a value here; name it, or remove it",
                at + 1
            )
        };
        Some(Problem::new("", message))
    }

    /// The signup in one row. Blanks around a cell do not count, nor do characters that cannot be seen;
    /// an empty cell is absent.
    pub fn row<'t>(&'t self, cells: impl IntoIterator<Item = &'t str>) -> RawSignup<'t> {
        let mut raw = RawSignup::default();
        for (column, cell) in self.0.iter().zip(cells) {
            let cell = visible::trim(cell);
            if cell.is_empty() {
                continue;
            }
            match column {
                Column::Field(at) => raw.fields[*at] = Some(RawValue::Text(cell)),
                Column::Input(name) => raw.inputs.push((name, RawValue::Text(cell))),
                Column::Nameless => {}
            }
        }
        raw
    }
}

/// A signup as a file has it: nothing checked, nothing copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawSignup<'t> {
    fields: [Option<RawValue<'t>>; FIELDS.len()],
    inputs: Vec<(&'t str, RawValue<'t>)>,
    problems: Vec<Problem>,
    /// Whether it is no object at all, and so has no fields that could be missing.
    other: bool,
}

fn raw_value(value: &serde_json::Value) -> Option<RawValue<'_>> {
    use serde_json::Value;
    Some(match value {
        Value::Null => return None,
        Value::String(text) => RawValue::Text(text),
        Value::Array(list) => match list.iter().map(Value::as_str).collect() {
            Some(texts) => RawValue::List(texts),
            None => RawValue::Other("a list of other things than texts"),
        },
        Value::Bool(_) => RawValue::Other("true or false"),
        Value::Number(_) => RawValue::Other("a number"),
        Value::Object(_) => RawValue::Other("an object"),
    })
}

impl<'t> RawSignup<'t> {
    /// The signup in a JSON value; null is absent.
    #[must_use]
    pub fn from_json(value: &'t serde_json::Value) -> Self {
        let mut raw = Self::default();
        let Some(object) = value.as_object() else {
            let message = "a signup is an object, such as {\"account\": \"acme\", \"partner\": \"livekit\", \"number\": \"+918000000001\"}";
            let message = if value.is_array() {
                format!("{message}; of rows that are lists make CSV: jq -r '.[] | @csv'")
            } else {
                message.to_owned()
            };
            raw.problems.push(Problem::new("", message));
            raw.other = true;
            return raw;
        };
        if !FIELDS
            .iter()
            .take(3)
            .any(|field| object.contains_key(*field))
            && let Some(message) = shape::wrapped(value)
        {
            raw.problems.push(Problem::new("", message));
            raw.other = true;
            return raw;
        }
        for (name, value) in object {
            if name == "inputs" {
                raw.take_inputs(value);
            } else if let Some(at) = FIELDS.iter().position(|field| field == name) {
                raw.fields[at] = raw_value(value);
            } else {
                raw.problems.push(unknown_member(name));
            }
        }
        raw
    }

    fn take_inputs(&mut self, value: &'t serde_json::Value) {
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::Object(inputs) => {
                let given = inputs
                    .iter()
                    .filter_map(|(name, value)| Some((name.as_str(), raw_value(value)?)));
                self.inputs.extend(given);
            }
            serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_)
            | serde_json::Value::Array(_) => self.problems.push(Problem::new(
                "inputs",
                "the inputs are an object, such as {\"livekit_sip_subdomain\": \"bwwn08a2m4o\"}",
            )),
        }
    }

    /// The same with one more thing that is wrong.
    #[must_use]
    pub fn with_problem(mut self, problem: Option<Problem>) -> Self {
        self.problems.extend(problem);
        self
    }

    /// The text of a field, as it was given.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&'t str> {
        let at = FIELDS.iter().position(|known| *known == field)?;
        match self.fields[at].as_ref()? {
            RawValue::Text(text) => Some(text),
            RawValue::List(_) | RawValue::Other(_) => None,
        }
    }

    /// Checks every field by itself.
    ///
    /// # Errors
    /// Every problem, in the order of [`FIELDS`].
    pub fn check(&self) -> Result<Signup, Vec<Problem>> {
        let mut problems = self.problems.clone();
        if self.other {
            return Err(problems);
        }
        let draft = self.draft(&mut problems);
        match draft {
            Some(signup) if problems.is_empty() => Ok(signup),
            _ => Err(problems),
        }
    }

    /// The account, as far as it can be read, for a check of it beside other problems.
    #[must_use]
    pub fn account(&self) -> Option<AccountName> {
        self.optional(0, &mut Vec::new())
    }

    /// The partner and the direction, as far as they can be read, for a check of the inputs of a
    /// signup that is wrong elsewhere.
    pub(crate) fn partner_and_direction(&self) -> (Option<PartnerName>, Option<Direction>) {
        let mut ignored = Vec::new();
        let partner = self.optional(1, &mut ignored);
        (partner, self.optional(4, &mut ignored))
    }

    pub(crate) fn inputs(&self, problems: &mut Vec<Problem>) -> BTreeMap<String, InputValue> {
        let mut inputs = BTreeMap::new();
        for (name, value) in &self.inputs {
            let value = match value {
                RawValue::Text(text) => InputValue::Text((*text).to_owned()),
                RawValue::List(list) => {
                    InputValue::List(list.iter().map(|&text| text.to_owned()).collect())
                }
                RawValue::Other(what) => {
                    problems.push(Problem::new(
                        format!("inputs.{name}"),
                        format!("this is {what}; write a text in quotes, or a list of texts"),
                    ));
                    continue;
                }
            };
            inputs.insert((*name).to_owned(), value);
        }
        inputs
    }

    fn draft(&self, problems: &mut Vec<Problem>) -> Option<Signup> {
        let account = self.required(0, problems);
        let partner = self.required(1, problems);
        let number = self.required(2, problems);
        let signup = Signup {
            key: self.optional(3, problems),
            direction: self.optional(4, problems),
            mode: self.optional(5, problems),
            trunk_name: self.optional(6, problems),
            user_name: self.optional(7, problems),
            caller_id: self.optional(8, problems),
            inputs: self.inputs(problems),
            account: account?,
            partner: partner?,
            number: number?,
        };
        Some(signup)
    }

    fn required<T: std::str::FromStr<Err = Invalid>>(
        &self,
        at: usize,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        if self.fields[at].is_none() {
            problems.push(Problem::new(
                FIELDS[at],
                format!("it is missing; every signup needs {}", FIELDS[at]),
            ));
        }
        self.optional(at, problems)
    }

    fn optional<T: std::str::FromStr<Err = Invalid>>(
        &self,
        at: usize,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let message = match self.fields[at].as_ref()? {
            RawValue::Text(text) => match text.parse() {
                Ok(value) => return Some(value),
                Err(Invalid(message)) => message,
            },
            RawValue::List(_) => "this is a list; write one text".into(),
            RawValue::Other(what) => format!("this is {what}; write a text in quotes"),
        };
        problems.push(Problem::new(FIELDS[at], message));
        None
    }
}
