//! Answers that repeat the secrets of requests: the rule `leak`.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::envelope::Reply;

/// Where an answer repeats them, and how they are written.
#[derive(Clone, Debug)]
pub(crate) struct Leak {
    /// A JSON pointer into the envelope; empty: behind the body, whatever that is.
    to: String,
    encode: Encode,
}

type Encode = fn(&str) -> String;

/// The encodings by name.
const ENCODINGS: [(&str, Encode); 12] = [
    ("plain", str::to_owned),
    ("upper", str::to_uppercase),
    ("lower", str::to_lowercase),
    ("percent", |text| each(text, |b| format!("%{b:02X}"))),
    ("percent_lower", |text| each(text, |b| format!("%{b:02x}"))),
    ("percent_twice", |text| {
        each(text, |b| format!("%25{b:02X}"))
    }),
    ("base64", |text| BASE64_STANDARD.encode(text)),
    ("base64_url", |text| BASE64_URL_SAFE_NO_PAD.encode(text)),
    ("hex", |text| each(text, |b| format!("{b:02x}"))),
    ("hex_upper", |text| each(text, |b| format!("{b:02X}"))),
    ("json", |text| each(text, |b| format!("\\u{b:04x}"))),
    ("html", |text| each(text, |b| format!("&#{b};"))),
];

fn each(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

impl Leak {
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let to = text("to").filter(|to| to.is_empty() || to.starts_with('/'));
        let encode = text("as").and_then(|wanted| {
            let named = ENCODINGS.iter().find(|(name, _)| *name == wanted);
            named.map(|(_, encode)| *encode)
        });
        match (to, encode) {
            (Some(to), Some(encode)) if members.len() == 2 => Ok(Self {
                to: to.into(),
                encode,
            }),
            _ => Err(format!(
                "must be {{\"to\": a JSON pointer or \"\", \"as\": one of {}}}",
                ENCODINGS.map(|(name, _)| name).join(", ")
            )),
        }
    }

    /// Has the answer repeat `secrets`, if it has the place.
    pub(crate) fn repeat(&self, secrets: &str, reply: &mut Reply) {
        let text = (self.encode)(secrets);
        let Some((parent, name)) = self.to.rsplit_once('/') else {
            reply.body = [&reply.body[..], text.as_bytes()].concat().into();
            return;
        };
        let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else {
            return;
        };
        if let Some(Value::Object(members)) = body.pointer_mut(parent) {
            members.insert(name.into(), text.into());
            reply.body = body.to_string().into();
        }
    }
}

/// What a request tells: its key and token, and a password in its body.
pub(crate) fn told(authorization: Option<&str>, body: Option<&[u8]>) -> Vec<String> {
    let encoded = authorization.and_then(|text| text.strip_prefix("Basic "));
    let pair = encoded.and_then(|text| BASE64_STANDARD.decode(text).ok());
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
    let body = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let password = body.and_then(|body| body["password"].as_str().map(str::to_owned));
    let keys = pair.map(|pair| pair.replacen(':', " ", 1));
    keys.into_iter().chain(password).collect()
}
