//! Partner settings: a small tree of values in the order in which the recipe has them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::template::Template;

/// Named values in order. An object in JSON, a table in TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<V>(pub Vec<(String, V)>);

impl<V> Default for Fields<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Fields<V> {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, v)| v)
    }
}

impl<V: Serialize> Serialize for Fields<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct InOrder<V>(std::marker::PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
    type Value = Fields<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("named values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Fields<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}

impl<V: schemars::JsonSchema> schemars::JsonSchema for Fields<V> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("FieldsOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let value = generator.subschema_for::<V>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// A value of the partner's form or API: a text with placeholders, a flag, a number, a list, a
/// table. A text that is one placeholder takes its type: a number for `{edge.port}`, a list for
/// `{exotel_signalling_ips}`, null for what is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text with placeholders.
    Text(#[schemars(with = "String")] Template),
    /// Several values.
    List(Vec<Setting>),
    /// Named values.
    Table(Fields<Setting>),
}

impl Setting {
    /// Calls `each` with every template in it.
    pub fn for_each_template<'s>(&'s self, each: &mut impl FnMut(&'s Template)) {
        match self {
            Self::Flag(_) | Self::Number(_) => {}
            Self::Text(template) => each(template),
            Self::List(list) => list.iter().for_each(|one| one.for_each_template(each)),
            Self::Table(table) => table.0.iter().for_each(|(_, v)| v.for_each_template(each)),
        }
    }
}

/// What goes into the partner's form or API, by the partner's own field names. The tables that
/// apply to a signup's direction are merged: nested tables by name, lists one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerSettings {
    /// In every direction.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub common: Fields<Setting>,
    /// Where the partner calls out.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub outbound: Fields<Setting>,
    /// Where the partner is called.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub inbound: Fields<Setting>,
}

impl PartnerSettings {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.common.is_empty() && self.outbound.is_empty() && self.inbound.is_empty()
    }

    /// The three tables with their names.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, &Fields<Setting>); 3] {
        [
            ("common", &self.common),
            ("outbound", &self.outbound),
            ("inbound", &self.inbound),
        ]
    }
}

/// A filled-in setting, ready to print as JSON in the recipe's order.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Rendered {
    /// Not known yet.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Rendered>),
    /// Named values.
    Table(Fields<Rendered>),
}

impl Rendered {
    /// Puts `fields` into `into`: tables by name, lists one after the other; of two plain values
    /// the later one stays.
    pub(crate) fn merge(into: &mut Fields<Self>, fields: Fields<Self>) {
        for (name, value) in fields.0 {
            match into.0.iter_mut().find(|(own, _)| *own == name) {
                None => into.0.push((name, value)),
                Some((_, Self::Table(own))) if matches!(value, Self::Table(_)) => {
                    if let Self::Table(more) = value {
                        Self::merge(own, more);
                    }
                }
                Some((_, Self::List(own))) if matches!(value, Self::List(_)) => {
                    if let Self::List(more) = value {
                        own.extend(more);
                    }
                }
                Some((_, own)) => *own = value,
            }
        }
    }
}
