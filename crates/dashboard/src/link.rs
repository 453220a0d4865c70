//! Addresses of pages.

use std::fmt::Display;

use onboarding::{AccountName, OnboardingId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a query's value keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A path with a query; what is empty is left out.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    text: String,
    sign: char,
}

impl Address {
    /// Of this path.
    pub(crate) fn of(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            sign: '?',
        }
    }

    /// With one more value in the query.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.text.push(self.sign);
            self.text.push_str(name);
            self.text.push('=');
            self.text.extend(utf8_percent_encode(value, KEPT));
            self.sign = '&';
        }
        self
    }

    /// As text.
    pub(crate) fn end(self) -> String {
        self.text
    }
}

/// The page of an onboarding.
pub(crate) fn onboarding(id: OnboardingId) -> String {
    format!("/onboardings/{id}")
}

/// An account's place among all.
pub(crate) fn account(name: &AccountName) -> String {
    format!("/accounts#account-{name}")
}

/// Where an account is resumed. In the query, because `..` is a name that an account may have.
pub(crate) fn resume(name: &AccountName) -> String {
    Address::of("/accounts/resume")
        .with("account", name.as_str())
        .end()
}

/// The onboardings of an account, a partner, a state.
pub(crate) fn onboardings(name: &str, value: impl Display) -> String {
    Address::of("/onboardings")
        .with(name, &value.to_string())
        .end()
}

/// Whether `next` is a page of ours that may be gone to after logging in: a path and a query of
/// characters that mean nothing else to any browser, at most 1 kB.
pub(crate) fn is_own_page(next: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~?=&%+".contains(c);
    const PAGES: [&str; 7] = [
        "onboardings",
        "batches",
        "accounts",
        "recipes",
        "deliveries",
        "upload",
        "",
    ];
    let Some(rest) = next.strip_prefix('/') else {
        return false;
    };
    let first = rest.split(['/', '?']).next().unwrap_or_default();
    next.len() <= 1024
        && next.chars().all(plain)
        && PAGES.contains(&first)
        && !rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_what_was_given_and_leaves_out_what_is_empty() {
        let address = Address::of("/onboardings")
            .with("state", "failed")
            .with("q", "")
            .with("key", "a&b=<c>/+1");
        assert_eq!(
            address.end(),
            "/onboardings?state=failed&key=a%26b%3D%3Cc%3E%2F%2B1"
        );
    }

    #[test]
    fn only_pages_of_ours_are_gone_to() {
        for good in [
            "/",
            "/onboardings?state=failed&q=a%2Fb",
            "/batches/7",
            "/?note=x",
        ] {
            assert!(is_own_page(good), "{good}");
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/onboardings//@evil:1",
            "/logout",
            "/v1/onboardings",
            "javascript:alert(1)",
            "/batches/7\r\nSet-Cookie: a=b",
            "/\u{e9}",
            &format!("/?q={}", "a".repeat(2000)),
        ] {
            assert!(!is_own_page(bad), "{bad}");
        }
    }
}
