//! Signups.

use serde_json::{Map, Value, json};

/// One signup. The number is made of `n`, so that no two of a test collide.
#[derive(Debug, Clone)]
pub struct Signup(Map<String, Value>);

impl Signup {
    /// Number `n` of a test.
    #[must_use]
    pub fn new(account: &str, partner: &str, n: usize) -> Self {
        let mut fields = Map::new();
        fields.insert("account".into(), json!(account));
        fields.insert("partner".into(), json!(partner));
        fields.insert("number".into(), json!(format!("+9180{n:08}")));
        Self(fields)
    }

    /// The same with another field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.into(), json!(value));
        self
    }

    /// A field's text.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// JSON Lines.
#[must_use]
pub fn lines_of(signups: &[Signup]) -> String {
    let line = |signup: &Signup| format!("{}\n", Value::Object(signup.0.clone()));
    signups.iter().map(line).collect()
}

/// CSV of as many LiveKit signups, over these accounts in turn.
#[must_use]
pub fn csv_of(count: usize, accounts: &[&str]) -> String {
    let mut text = String::from("account,partner,number\n");
    for n in 0..count {
        let account = accounts[n % accounts.len()];
        text.push_str(&format!("{account},livekit,+9180{n:08}\n"));
    }
    text
}
