//! Recipes: what a partner needs, as data.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    direction::{Direction, Mode},
    id::{NamePrefix, PartnerName},
    input::Input,
    problem::Invalid,
    settings::PartnerSettings,
    template::Template,
    trunk::Label,
};

/// The version of the recipe format that this program reads.
pub const SCHEMA: u32 = 1;

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What one partner needs. Data, never code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The version of this format: 1.
    pub schema: u32,
    /// The partner's name in signups: small letters, digits, `_` and `-`, a letter first.
    #[schemars(with = "String")]
    pub name: PartnerName,
    /// The partner's name for people.
    pub title: String,
    /// The partner's page about SIP trunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Two characters that derived trunk and user names begin with, such as `lk`.
    #[schemars(with = "String")]
    pub prefix: NamePrefix,
    /// The directions that a signup may ask for.
    pub directions: Vec<Direction>,
    /// The direction of a signup that names none. Default: the first of `directions`.
    pub default_direction: Direction,
    /// How Exotel routes the number where the signup does not say. Default: none, which Exotel
    /// treats as `pstn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether a plan ends with a comparison of everything with what Exotel has; it costs one
    /// read per kind of resource. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verify: bool,
    /// Whether digest credentials and ACL entries may stand on one trunk. Only after Exotel has
    /// confirmed it for the account. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_mixed_auth: bool,
    /// What it asks of each signup, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// Values that follow from a choice, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Table>,
    /// Partner to Exotel to telephone network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
    /// Telephone network to Exotel to partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Inbound>,
    /// What goes into the partner's form or API.
    #[serde(default, skip_serializing_if = "PartnerSettings::is_empty")]
    pub partner_settings: PartnerSettings,
    /// What a person still has to do on the partner's side, in order. What is to do in Exotel's
    /// console for inbound calls is the same for every partner and added by the handoff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub todo: Vec<Todo>,
}

/// A value for each choice of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The input whose value is looked up; of type `choice`.
    pub by: String,
    /// The value for each of its choices; every choice has one.
    pub values: BTreeMap<String, String>,
}

/// How Exotel knows that a call comes from the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// User name and password.
    Digest,
    /// The addresses in `whitelist`, each a /32.
    Acl,
}

impl Auth {
    /// Its name in recipes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Acl => "acl",
        }
    }
}

impl FromStr for Auth {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "digest" => Ok(Self::Digest),
            "acl" => Ok(Self::Acl),
            other => Err(Invalid(format!(
                "\"{}\" is not a way to authenticate; write digest or acl",
                other.escape_debug()
            ))),
        }
    }
}

/// What Exotel needs for calls from the partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// How Exotel knows that a call comes from the partner.
    pub auth: Auth,
    /// The partner's source addresses: literals, inputs such as `{source_ips}`, tables (several
    /// addresses separated by blanks).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub whitelist: Vec<Template>,
    /// The label that Exotel shows beside the credentials: 1 to 23 letters, digits or `_`. What
    /// Exotel shows is the label, `_` and a fingerprint of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub friendly_name: Option<Label>,
}

/// What Exotel needs for calls to the partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Where calls go: `host:port;transport=tls` or `...=tcp`, with inputs and tables. An address
    /// instead of a name is put on the trunk's ACL first, as Exotel demands.
    #[schemars(with = "String")]
    pub destination: Template,
    /// Whether the destination is left out while an optional input of it is missing. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// Addresses to allow besides, written as in `outbound`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub whitelist: Vec<Template>,
}

/// One thing for a person to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Todo {
    /// What to do, in a line. May have placeholders.
    #[schemars(with = "String")]
    pub title: Template,
    /// How, so that no other document is needed. May have placeholders.
    #[schemars(with = "String")]
    pub detail: Template,
    /// Where, or where it is documented. May have placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub url: Option<Template>,
    /// Listed only for these directions. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Direction>,
    /// Listed only for numbers that begin with this, such as `+91`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_prefix: Option<String>,
    /// Listed only where each of these inputs, of type `choice`, has one of these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<String>>,
    /// Listed only where each of these inputs has a value. `exotel_signalling_ips` also has one
    /// where the account names its `signalling_ips`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Listed only where none of these inputs has a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One thing that is wrong with a recipe's text, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeProblem {
    /// The line, from 1.
    pub line: usize,
    /// The key with its tables: `inputs.livekit_region.default`. Empty for the file as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for RecipeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// Names the exact content of a recipe: the first 16 bytes of the SHA-256 of its canonical JSON,
/// 32 hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecipeDigest([u8; 16]);

impl RecipeDigest {
    /// The bytes, for a store.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The digest with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RecipeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RecipeDigest {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid(format!(
                "\"{}\" is not a recipe's digest (32 hex digits)",
                text.escape_debug()
            ))
        };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let value = u128::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Self(value.to_be_bytes()))
    }
}

impl TryFrom<String> for RecipeDigest {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<RecipeDigest> for String {
    fn from(digest: RecipeDigest) -> String {
        digest.to_string()
    }
}

impl Recipe {
    /// Reads a recipe file.
    ///
    /// # Errors
    /// Every problem of the text, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Vec<RecipeProblem>> {
        crate::read::recipe(text)
    }

    /// The recipe as one line of JSON, the same for the same content. A store keeps it beside the
    /// plans made from it, so that a later edit of the file changes no accepted onboarding.
    #[must_use]
    pub fn to_canonical_json(&self) -> String {
        // Plain data with text keys: there is nothing in it that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Recipe::to_canonical_json`] wrote.
    ///
    /// # Errors
    /// Where the text is something else.
    pub fn from_canonical_json(text: &str) -> Result<Self, Invalid> {
        serde_json::from_str(text).map_err(|error| {
            Invalid(format!("the stored recipe cannot be read ({error}); it was written by another version or damaged"))
        })
    }

    /// Names this exact content.
    #[must_use]
    pub fn digest(&self) -> RecipeDigest {
        let digest = Sha256::digest(self.to_canonical_json());
        let mut first = [0_u8; 16];
        first.copy_from_slice(&digest[..16]);
        RecipeDigest(first)
    }

    /// The JSON Schema of a recipe file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".into(), "Trunkline recipe".into());
        // The file may leave it out; the stored form always has it.
        if let Some(required) = schema.get_mut("required").and_then(|r| r.as_array_mut()) {
            required.retain(|name| name != "default_direction");
        }
        schema.to_value()
    }

    /// Advice: what is legal, but most likely not meant.
    #[must_use]
    pub fn lint(&self) -> Vec<String> {
        crate::lint::advice(self)
    }

    /// The commented file that a new recipe begins with.
    #[must_use]
    pub fn template(name: &PartnerName) -> String {
        crate::blank::recipe_file(name)
    }
}
