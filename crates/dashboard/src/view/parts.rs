//! Small parts of pages. Each writes its own HTML, escaped, so that templates need not.

use std::fmt::{self, Display, Formatter};

use askama::filters::{Html, HtmlSafe, escape};
use jiff::Timestamp;
use onboarding::State;
use store::DeliveryState;

use crate::view::figures::told;

/// `text` as HTML.
pub(crate) fn html(text: impl Display) -> impl Display {
    match escape(text, Html) {
        Ok(escaped) => escaped,
    }
}

/// A web address that a page may link to.
pub(crate) fn is_web_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// A sentence in which what stands in back quotes is something to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prose(pub(crate) String);

impl HtmlSafe for Prose {}

impl Display for Prose {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_str();
        while let Some((before, typed, after)) = quoted(rest) {
            write!(f, "{}<code>{}</code>", html(before), html(typed))?;
            rest = after;
        }
        write!(f, "{}", html(rest))
    }
}

fn quoted(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (typed, after) = rest.split_once('`')?;
    Some((before, typed, after))
}

/// A state as colour, icon and word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    class: &'static str,
    label: &'static str,
}

impl Badge {
    /// Of an onboarding.
    pub(crate) fn of(state: State) -> Self {
        let class = state.as_str();
        Self {
            class,
            label: label(state),
        }
    }

    /// Of a delivery.
    pub(crate) fn of_delivery(state: DeliveryState) -> Self {
        let label = match state {
            DeliveryState::Waiting => "Waiting",
            DeliveryState::Delivered => "Delivered",
            DeliveryState::GivenUp => "Given up",
        };
        Self {
            class: state.as_str(),
            label,
        }
    }

    /// Of an account that may send.
    pub(crate) const OPEN: Self = Self {
        class: "open-ok",
        label: "Open",
    };
    /// Of an account that a 429 closed.
    pub(crate) const CLOSED: Self = Self {
        class: "closed",
        label: "Closed",
    };
    /// Of an account that waits for a person.
    pub(crate) const PARKED: Self = Self {
        class: "parked",
        label: "Parked",
    };
}

/// A state in a word.
pub(crate) fn label(state: State) -> &'static str {
    match state {
        State::Queued => "Queued",
        State::Running => "Running",
        State::Succeeded => "Succeeded",
        State::Failed => "Failed",
        State::Blocked => "Blocked",
        State::Cancelled => "Cancelled",
    }
}

impl HtmlSafe for Badge {}

impl Display for Badge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { class, label } = self;
        write!(
            f,
            "<span class=\"badge {class}\" data-field=\"state\">{label}</span>"
        )
    }
}

/// A time, told from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) at: Timestamp,
    pub(crate) now: Timestamp,
}

impl HtmlSafe for When {}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\" title=\"{} UTC\" data-when>{}</time>",
            self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.at.strftime("%Y-%m-%d %H:%M:%S"),
            told(self.at, self.now)
        )
    }
}

/// A share of a whole, as a coloured bar: progress, or the use of an allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    /// `progressbar` or `meter`.
    pub(crate) role: &'static str,
    /// Its name for screen readers.
    pub(crate) label: String,
    /// The whole.
    pub(crate) whole: u64,
    /// What counts as reached.
    pub(crate) reached: u64,
    /// What is said instead of a percentage.
    pub(crate) text: String,
    /// The coloured parts, from the left: a class and how much.
    pub(crate) parts: Vec<(&'static str, u64)>,
}

impl HtmlSafe for Bar {}

impl Display for Bar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let whole = self.whole.max(1);
        write!(
            f,
            "<div class=\"bar\" role=\"{}\" aria-label=\"{}\" aria-valuemin=\"0\" aria-valuemax=\"{whole}\" aria-valuenow=\"{}\" aria-valuetext=\"{}\"><svg viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">",
            self.role,
            html(&self.label),
            self.reached.min(whole),
            html(&self.text)
        )?;
        let mut left = 0;
        for (class, amount) in &self.parts {
            let width = share(*amount, whole).min(1000 - left);
            write!(
                f,
                "<rect class=\"{class}\" x=\"{left}\" y=\"0\" width=\"{width}\" height=\"1\"/>"
            )?;
            left += width;
        }
        f.write_str("</svg></div>")
    }
}

/// Thousandths of the whole, rounded up, so that one of a million is seen.
fn share(amount: u64, whole: u64) -> u64 {
    let thousandths = (u128::from(amount) * 1000).div_ceil(u128::from(whole.max(1)));
    u64::try_from(thousandths).unwrap_or(1000).min(1000)
}

/// A value beside its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text.
    Text(String),
    /// Text that a person will want elsewhere: with a button that copies it. `of` names it.
    Copy { of: String, text: String },
    /// A link within the dashboard.
    Link { href: String, text: String },
    /// Nothing, and why.
    Missing(&'static str),
    /// Several.
    List(Vec<Value>),
    /// Named values.
    Table(Vec<Fact>),
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl Fact {
    /// Text.
    pub(crate) fn text(name: &str, value: impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            value: Value::Text(value.to_string()),
        }
    }

    /// Text with a button that copies it.
    pub(crate) fn copy(name: &str, value: impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            value: Value::copy(name, value),
        }
    }

    /// The same, where it is known already.
    pub(crate) fn copy_or(name: &str, value: Option<impl ToString>, missing: &'static str) -> Self {
        match value {
            Some(value) => Self::copy(name, value),
            None => Self {
                name: name.to_owned(),
                value: Value::Missing(missing),
            },
        }
    }

    /// A link within the dashboard.
    pub(crate) fn link(name: &str, text: impl ToString, href: String) -> Self {
        let text = text.to_string();
        Self {
            name: name.to_owned(),
            value: Value::Link { href, text },
        }
    }
}

impl Value {
    /// Text with a button that copies it.
    pub(crate) fn copy(of: &str, text: impl ToString) -> Self {
        Self::Copy {
            of: of.to_owned(),
            text: text.to_string(),
        }
    }
}

impl HtmlSafe for Value {}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "<span>{}</span>", html(text)),
            Self::Copy { of, text } => write!(
                f,
                "<code class=\"value\">{}</code><button type=\"button\" class=\"copy js-only\" data-copy>Copy<span class=\"hide\"> {}</span></button>",
                html(text),
                html(of)
            ),
            Self::Link { href, text } => {
                write!(f, "<a href=\"{}\">{}</a>", html(href), html(text))
            }
            Self::Missing(why) => write!(f, "<span class=\"muted\">{}</span>", html(why)),
            Self::List(list) => {
                f.write_str("<ul class=\"nest\">")?;
                for value in list {
                    write!(f, "<li>{value}</li>")?;
                }
                f.write_str("</ul>")
            }
            Self::Table(facts) => {
                f.write_str("<dl class=\"facts nest\">")?;
                for fact in facts {
                    write!(
                        f,
                        "<dt class=\"mono\">{}</dt><dd>{}</dd>",
                        html(&fact.name),
                        fact.value
                    )?;
                }
                f.write_str("</dl>")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>alert('1')</script>&";

    #[test]
    fn nothing_that_comes_from_outside_reaches_a_page_as_markup() {
        let copied = Value::copy(HOSTILE, HOSTILE);
        let link = Value::Link {
            href: HOSTILE.into(),
            text: HOSTILE.into(),
        };
        let table = Value::Table(vec![Fact::text(HOSTILE, HOSTILE)]);
        let list = Value::List(vec![copied.clone()]);
        let bar = Bar {
            role: "meter",
            label: HOSTILE.into(),
            whole: 1,
            reached: 1,
            text: HOSTILE.into(),
            parts: vec![],
        };
        for part in [
            copied.to_string(),
            link.to_string(),
            table.to_string(),
            list.to_string(),
            bar.to_string(),
        ] {
            assert!(!part.contains("<script"), "{part}");
            assert!(!part.contains("\"\">"), "{part}");
            assert!(
                part.contains("&#60;script") || part.contains("&lt;script"),
                "{part}"
            );
        }
    }

    #[test]
    fn what_is_to_be_typed_is_set_apart() {
        let told = |text: &str| Prose(text.to_owned()).to_string();
        assert_eq!(
            told("run `a <b>` or `c`."),
            "run <code>a &#60;b&#62;</code> or <code>c</code>."
        );
        assert_eq!(told("one ` alone"), "one ` alone");
        assert!(!told(HOSTILE).contains("<script"));
    }

    #[test]
    fn a_bar_shows_the_least_share_and_never_more_than_the_whole() {
        for (amount, whole, thousandths) in [
            (0, 10, 0),
            (1, 1_000_000, 1),
            (5, 10, 500),
            (11, 10, 1000),
            (u64::MAX, 1, 1000),
            (1, 0, 1000),
        ] {
            assert_eq!(share(amount, whole), thousandths, "{amount} of {whole}");
        }
        let bar = Bar {
            role: "progressbar",
            label: "b".into(),
            whole: 3,
            reached: 3,
            text: "3 of 3".into(),
            parts: vec![("succeeded", 1), ("failed", 1), ("cancelled", 1)],
        };
        let widths = bar.to_string();
        // Rounded up, and cut where they would run over.
        assert!(
            widths.contains("width=\"334\"") && widths.contains("width=\"332\""),
            "{widths}"
        );
    }

    #[test]
    fn a_time_says_when_it_was_exactly_too() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = Timestamp::from_second(1_799_999_940).unwrap();
        assert_eq!(
            When { at, now }.to_string(),
            "<time datetime=\"2027-01-15T07:59:00Z\" title=\"2027-01-15 07:59:00 UTC\" data-when>1 min ago</time>"
        );
    }

    #[test]
    fn only_web_addresses_are_linked() {
        assert!(is_web_address("https://partner.example/sip"));
        for other in ["javascript:alert(1)", "data:text/html,x", "//x", "", "/x"] {
            assert!(!is_web_address(other), "{other}");
        }
    }
}
