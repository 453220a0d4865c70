//! Fault rules: what can be asked for, and the check that a rule makes sense.

use http::HeaderValue;
use regex::Regex;
use serde_json::{Map, Value};

use crate::leak::Leak;

/// One rule: which requests, which of those, and what happens to them.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) method: Option<String>,
    pub(crate) path: Option<Regex>,
    pub(crate) account: Option<String>,
    pub(crate) selector: Selector,
    pub(crate) hold_ms: u64,
    pub(crate) delay_ms: u64,
    /// How long after its client was answered or has left a request is processed that would
    /// otherwise never be.
    pub(crate) late_ms: Option<u64>,
    pub(crate) action: Option<Action>,
    pub(crate) date: Option<SentDate>,
    pub(crate) edit: Edit,
    pub(crate) leak: Option<Leak>,
}

/// What an answer's `Date` header is instead of the time.
#[derive(Clone, Debug)]
pub(crate) enum SentDate {
    None,
    Text(HeaderValue),
}

/// What is changed in the answer of a request that was processed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edit {
    /// Fields that are left out of the data.
    pub(crate) omit: Vec<String>,
    /// Fields that the data have instead.
    pub(crate) echo: Map<String, Value>,
    /// An item that a list begins with.
    pub(crate) foreign: Option<Value>,
}

impl Edit {
    /// Its name in the request log. `None`: it changes nothing.
    pub(crate) fn name(&self) -> Option<&'static str> {
        if self.foreign.is_some() {
            Some("foreign")
        } else if !self.echo.is_empty() {
            Some("echo")
        } else {
            (!self.omit.is_empty()).then_some("omit")
        }
    }
}

/// Which of a rule's matches it fires on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Selector {
    Always,
    /// Once, on this match, counted from 1.
    Nth(u64),
    /// On each match whose number this divides.
    Every(u64),
    /// On each match with this probability, drawn from a seed.
    Probability {
        of: f64,
        seed: u64,
    },
}

/// What happens instead of, or after, the ordinary answer.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    ResetBefore,
    ResetAfter,
    Truncate,
    Answer(Injected),
}

/// An answer that a rule gives.
#[derive(Clone, Debug)]
pub(crate) struct Injected {
    pub(crate) status: u16,
    pub(crate) inner: u16,
    pub(crate) body: InjectedBody,
    pub(crate) retry_after: Option<HeaderValue>,
    /// Process the request first.
    pub(crate) after: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InjectedBody {
    Json,
    Html,
    Empty,
}

impl Action {
    /// Its name in the request log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::Truncate => "truncate",
            Self::Answer(Injected {
                body: InjectedBody::Html,
                ..
            }) => "html",
            Self::Answer(_) => "status",
        }
    }

    /// Whether the request is processed, though its client may not hear of it.
    fn processes(&self) -> bool {
        match self {
            Self::ResetBefore => false,
            Self::ResetAfter | Self::Truncate => true,
            Self::Answer(injected) => injected.after,
        }
    }

    /// Whether the answer says that the request will not be processed.
    pub(crate) fn refuses(&self) -> bool {
        match self {
            Self::Answer(injected) => !injected.after && (400..500).contains(&injected.status),
            Self::ResetBefore | Self::ResetAfter | Self::Truncate => false,
        }
    }

    /// Whether the client gets the answer of the processing, or a part of it.
    fn shows(&self) -> bool {
        matches!(self, Self::Truncate)
    }
}

/// Ten minutes: longer than any client waits.
const LONGEST_DELAY_MS: u64 = 600_000;

/// Everything a rule may say, as it was said.
#[derive(Debug, Default)]
struct Draft {
    method: Option<String>,
    path: Option<Regex>,
    account: Option<String>,
    nth: Option<u64>,
    every: Option<u64>,
    probability: Option<f64>,
    seed: Option<u64>,
    status: Option<u16>,
    inner_code: Option<u16>,
    hold_ms: Option<u64>,
    delay_ms: Option<u64>,
    late_ms: Option<u64>,
    reset_before: bool,
    reset_after: bool,
    truncate: bool,
    html: bool,
    after: bool,
    body: Option<InjectedBody>,
    retry_after: Option<HeaderValue>,
    date: Option<SentDate>,
    edit: Edit,
    leak: Option<Leak>,
}

/// Reads a list of rules, or says which rule and which field is wrong, and what would be right.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Rule>, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let list = value.as_array().ok_or("the body must be a list of rules")?;
    let rule = |(at, value): (usize, &Value)| {
        let members = value
            .as_object()
            .ok_or(format!("rule {at}: must be an object"))?;
        read(members)
            .and_then(Draft::finish)
            .map_err(|error| format!("rule {at}: {error}"))
    };
    list.iter().enumerate().map(rule).collect()
}

fn read(members: &Map<String, Value>) -> Result<Draft, String> {
    let mut draft = Draft::default();
    for (name, value) in members {
        if !value.is_null() {
            draft
                .set(name, value)
                .map_err(|wanted| format!("{name}: {wanted}"))?;
        }
    }
    Ok(draft)
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or("must be a text".into())
}

fn number(value: &Value, least: u64, greatest: u64) -> Result<u64, String> {
    let number = value
        .as_u64()
        .filter(|number| (least..=greatest).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {greatest}"))
}

fn code(value: &Value) -> Result<u16, String> {
    number(value, 200, 599).and_then(|code| u16::try_from(code).map_err(|e| e.to_string()))
}

fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or("must be true or false".into())
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().filter(|list| !list.is_empty());
    let names = list.map(|list| list.iter().map(|name| text(name).map(str::to_owned)));
    names
        .and_then(|names| names.collect::<Result<_, _>>().ok())
        .ok_or("must be a list of names of fields".into())
}

impl Draft {
    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "method" => self.method = Some(text(value)?.to_ascii_uppercase()),
            "path" => {
                let regex = Regex::new(text(value)?);
                self.path = Some(regex.map_err(|e| format!("must be a regular expression: {e}"))?);
            }
            "account" => self.account = Some(text(value)?.into()),
            "nth" => self.nth = Some(number(value, 1, u64::MAX)?),
            "every" => self.every = Some(number(value, 1, u64::MAX)?),
            "probability" => {
                let of = value.as_f64().filter(|of| (0.0..=1.0).contains(of));
                self.probability = Some(of.ok_or("must be a number from 0 to 1")?);
            }
            "seed" => self.seed = Some(number(value, 0, u64::MAX)?),
            "status" => self.status = Some(code(value)?),
            "inner_code" => self.inner_code = Some(code(value)?),
            "hold_ms" => self.hold_ms = Some(number(value, 0, LONGEST_DELAY_MS)?),
            "delay_ms" => self.delay_ms = Some(number(value, 0, LONGEST_DELAY_MS)?),
            "late_ms" => self.late_ms = Some(number(value, 0, LONGEST_DELAY_MS)?),
            "reset_before" => self.reset_before = flag(value)?,
            "reset_after" => self.reset_after = flag(value)?,
            "truncate" => self.truncate = flag(value)?,
            "html" => self.html = flag(value)?,
            "after" => self.after = flag(value)?,
            "body" => {
                self.body = Some(match text(value)? {
                    "json" => InjectedBody::Json,
                    "html" => InjectedBody::Html,
                    "empty" => InjectedBody::Empty,
                    _ => return Err("must be json, html or empty".into()),
                });
            }
            "retry_after" => {
                let seconds = value.as_u64().map(|seconds| seconds.to_string());
                let sent = seconds.or_else(|| value.as_str().map(Into::into));
                let sent = sent.ok_or("must be whole seconds, or a text to send as it is")?;
                let header = HeaderValue::from_str(&sent);
                self.retry_after = Some(header.map_err(|_| "must fit into a header")?);
            }
            "date" if value == &Value::Bool(false) => self.date = Some(SentDate::None),
            "date" => {
                let sent = text(value).map_err(|_| "must be a text to send as it is, or false")?;
                let header = HeaderValue::from_str(sent);
                self.date = Some(SentDate::Text(
                    header.map_err(|_| "must fit into a header")?,
                ));
            }
            "omit" => self.edit.omit = names(value)?,
            "echo" => {
                let fields = value.as_object().filter(|fields| !fields.is_empty());
                let fields = fields.ok_or("must be an object with a field or more")?;
                self.edit.echo.clone_from(fields);
            }
            "foreign" => self.edit.foreign = Some(value.clone()),
            "leak" => {
                let members = value.as_object().ok_or("must be an object")?;
                self.leak = Some(Leak::read(members)?);
            }
            _ => return Err("is no field of a rule".into()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Rule, String> {
        let selector = self.selector()?;
        let action = self.action()?;
        let waits = self.delay_ms.is_some() || self.hold_ms.is_some() || self.late_ms.is_some();
        let changes = self.edit.name().is_some() || self.date.is_some() || self.leak.is_some();
        if action.is_none() && !waits && !changes {
            return Err(
                "it does nothing: add status, inner_code, hold_ms, delay_ms, \
                        reset_before, reset_after, truncate, html, omit, echo, foreign, leak or date"
                    .into(),
            );
        }
        self.check(action.as_ref())?;
        Ok(Rule {
            method: self.method,
            path: self.path,
            account: self.account,
            selector,
            hold_ms: self.hold_ms.unwrap_or(0),
            delay_ms: self.delay_ms.unwrap_or(0),
            late_ms: self.late_ms,
            action,
            date: self.date,
            edit: self.edit,
            leak: self.leak,
        })
    }

    /// What goes only with some actions, and with some not.
    fn check(&self, action: Option<&Action>) -> Result<(), String> {
        let in_time = self.hold_ms.is_none() && action.is_none_or(Action::processes);
        if self.late_ms.is_some() && in_time {
            return Err(
                "late_ms: goes with a request that is not processed in time: with \
                        hold_ms, reset_before, or html, status or inner_code without after"
                    .into(),
            );
        }
        if let Some(name) = self.edit.name()
            && !action.is_none_or(Action::shows)
        {
            return Err(format!(
                "{name}: goes with the answer of a request that was processed, not with an \
                 injected answer or a reset"
            ));
        }
        let resets = matches!(action, Some(Action::ResetBefore | Action::ResetAfter));
        for (given, name) in [(self.date.is_some(), "date"), (self.leak.is_some(), "leak")] {
            if given && resets {
                return Err(format!("{name}: goes with an answer, not with a reset"));
            }
        }
        Ok(())
    }

    fn selector(&self) -> Result<Selector, String> {
        if self.seed.is_some() && self.probability.is_none() {
            return Err("seed: goes with probability only".into());
        }
        match (self.nth, self.every, self.probability) {
            (None, None, None) => Ok(Selector::Always),
            (Some(nth), None, None) => Ok(Selector::Nth(nth)),
            (None, Some(every), None) => Ok(Selector::Every(every)),
            (None, None, Some(of)) => Ok(Selector::Probability {
                of,
                seed: self.seed.unwrap_or(0),
            }),
            _ => Err("nth, every, probability: only one of them".into()),
        }
    }

    fn action(&self) -> Result<Option<Action>, String> {
        let answers = self.html || self.status.is_some() || self.inner_code.is_some();
        for (given, name) in [
            (self.after, "after"),
            (self.body.is_some(), "body"),
            (self.retry_after.is_some(), "retry_after"),
        ] {
            if given && !answers {
                return Err(format!("{name}: goes with status, inner_code or html only"));
            }
        }
        let kinds = [self.reset_before, self.reset_after, self.truncate, answers];
        if kinds.into_iter().filter(|&kind| kind).count() > 1 {
            return Err("reset_before, reset_after, truncate, and html or status: \
                        only one of them"
                .into());
        }
        Ok(match kinds {
            [true, ..] => Some(Action::ResetBefore),
            [_, true, ..] => Some(Action::ResetAfter),
            [_, _, true, _] => Some(Action::Truncate),
            [.., true] => Some(Action::Answer(self.injected()?)),
            _ => None,
        })
    }

    fn injected(&self) -> Result<Injected, String> {
        let body = match (self.html, self.body) {
            (true, None | Some(InjectedBody::Html)) => InjectedBody::Html,
            (true, Some(_)) => return Err("body: must be html when html is true".into()),
            (false, body) => body.unwrap_or(InjectedBody::Json),
        };
        if body != InjectedBody::Json && self.inner_code.is_some() {
            return Err("inner_code: goes with a JSON body only".into());
        }
        let status = self.status.unwrap_or(if self.html { 502 } else { 200 });
        Ok(Injected {
            status,
            inner: self.inner_code.unwrap_or(status),
            body,
            retry_after: self.retry_after.clone(),
            after: self.after,
        })
    }
}
