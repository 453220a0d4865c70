//! How a client is set up.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use onboarding::{Secret, problem::Invalid};
use reqwest::Url;

use crate::{entry_id::is_word, proxy::Proxy};

/// Where an account lives. A key works on its own region's host only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// Mumbai.
    In,
    /// Singapore.
    Sg,
}

impl Region {
    /// Its API's base URL (Exotel's API reference).
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::In => "https://api.in.exotel.com",
            Self::Sg => "https://api.exotel.com",
        }
    }
}

impl FromStr for Region {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "in" => Ok(Self::In),
            "sg" => Ok(Self::Sg),
            other => Err(Invalid(format!(
                "\"{}\" is not a region; write in (Mumbai) or sg (Singapore)",
                other.escape_debug()
            ))),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Sg => "sg",
        })
    }
}

/// What a [`crate::Client`] needs. [`ClientConfig::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Scheme, host and perhaps port: `https://api.in.exotel.com`, see [`Region::base_url`]. No
    /// credentials, path, query or fragment.
    pub base_url: String,
    /// The account's SID: 1 to 64 letters, digits, `_` or `-`.
    pub account_sid: String,
    /// The user name of HTTP Basic authentication.
    pub api_key: Secret,
    /// Its password.
    pub api_token: Secret,
    /// Longest time from the start of a call to the last byte of its answer. Default 30 s.
    ///
    /// Keep it above `connect_timeout`: when it ends a call that was still connecting, the outcome
    /// counts as unknown.
    pub request_timeout: Duration,
    /// Longest time for name lookup, TCP and TLS of a new connection. Default 10 s.
    pub connect_timeout: Duration,
    /// Most idle connections that are kept for reuse. Default 10.
    pub max_idle_connections: usize,
    /// Whether a plain `http://` base URL may name a host other than this machine. Credentials
    /// then cross the network in clear. Default false.
    pub allow_plain_http: bool,
    /// Which proxy requests go through. Never used for this machine, or without TLS. Default that of the
    /// environment.
    pub proxy: Proxy,
}

impl ClientConfig {
    /// A configuration with the defaults.
    pub fn new(
        base_url: impl Into<String>,
        account_sid: impl Into<String>,
        api_key: Secret,
        api_token: Secret,
    ) -> Self {
        Self {
            base_url: base_url.into(),
            account_sid: account_sid.into(),
            api_key,
            api_token,
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_idle_connections: 10,
            allow_plain_http: false,
            proxy: Proxy::default(),
        }
    }

    /// Checks everything but the secrets' worth, and gives the base URL as it is compared.
    pub(crate) fn validate(&self) -> Result<Url, ConfigError> {
        if !is_word(&self.account_sid) {
            return Err(ConfigError::AccountSid);
        }
        let plain = |secret: &Secret| {
            let text = secret.expose();
            (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        // RFC 7617: the first colon ends the user name.
        if !plain(&self.api_key) || self.api_key.expose().contains(':') {
            return Err(ConfigError::Credential("api_key"));
        }
        if !plain(&self.api_token) {
            return Err(ConfigError::Credential("api_token"));
        }
        if self.request_timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(ConfigError::Timeout);
        }
        parse_base_url(&self.base_url, self.allow_plain_http)
    }
}

/// A base URL in the one form that all spellings of it have: small letters, no port where it is the
/// scheme's own, no dot at the host's end, no slash at the end.
///
/// # Errors
/// [`ConfigError::BaseUrl`] where it cannot be one, as where it is plain `http` to another machine.
pub fn canonical_base_url(text: &str) -> Result<String, ConfigError> {
    let url = parse_base_url(text, false)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn parse_base_url(text: &str, allow_plain_http: bool) -> Result<Url, ConfigError> {
    let mut url =
        Url::parse(text.trim()).map_err(|_| ConfigError::BaseUrl("it cannot be read as a URL"))?;
    // A URL with credentials must not be repeated in the message.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::BaseUrl(
            "it holds credentials; give them as api_key and api_token",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::BaseUrl("it has a query or a fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_plain_http || is_loopback(&url) => {}
        "http" => {
            return Err(ConfigError::BaseUrl(
                "plain http is only for this machine (127.0.0.1, ::1, localhost); use https",
            ));
        }
        _ => return Err(ConfigError::BaseUrl("it is neither https nor http")),
    }
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host).to_owned();
    if host.is_empty() || url.set_host(Some(&host)).is_err() {
        return Err(ConfigError::BaseUrl("it has no host"));
    }
    if !url.path().trim_matches('/').is_empty() {
        return Err(ConfigError::BaseUrl(
            "it has a path, and the paths of the API begin at the host; leave out what follows the host",
        ));
    }
    url.set_path("");
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A configuration that no client can be made of. Correct it; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The account SID is not one.
    #[error(
        "account_sid is not an Exotel account SID; write the 1 to 64 letters, digits, _ or - that the dashboard shows under API settings"
    )]
    AccountSid,
    /// The key or the token, by its field's name, cannot be sent.
    #[error(
        "{0} cannot be an Exotel credential; it must be 1 to 256 visible ASCII characters (api_key without a colon), without blanks or line ends around it"
    )]
    Credential(&'static str),
    /// The base URL cannot be used, and why.
    #[error("base_url cannot be used: {0}; write such as https://api.in.exotel.com")]
    BaseUrl(&'static str),
    /// The proxy cannot be used, and why. Its URL may have a password in it.
    #[error(
        "the proxy (the setting proxy, HTTPS_PROXY or ALL_PROXY) cannot be used: {0}; write such as http://proxy.example.com:3128, or proxy = \"none\""
    )]
    Proxy(&'static str),
    /// A timeout is zero.
    #[error("request_timeout and connect_timeout must be longer than zero")]
    Timeout,
    /// TLS could not be set up on this machine.
    #[error(
        "TLS cannot be set up: {0}; install the platform's root certificates (package ca-certificates)"
    )]
    Tls(String),
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str) -> ClientConfig {
        ClientConfig::new(base_url, "acme1", Secret::new("key"), Secret::new("token"))
    }

    #[test]
    fn plain_http_is_only_for_this_machine_unless_allowed() {
        for good in [
            "https://api.in.exotel.com",
            "https://api.exotel.com/",
            "http://127.0.0.1:8080",
            "http://127.8.8.8",
            "http://[::1]:1",
            "http://LOCALHOST:9/",
        ] {
            assert!(config(good).validate().is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.in.exotel.com",
            "ftp://api.in.exotel.com",
            "http://api.in.exotel.com",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://[::2]",
            "https://api.in.exotel.com?x=1",
            "https://api.in.exotel.com#x",
            "https://",
            "https://api.in.exotel.com/v2",
            "https://api.in.exotel.com/v2/accounts/acme1/",
        ] {
            let refused = config(bad).validate();
            assert!(matches!(refused, Err(ConfigError::BaseUrl(_))), "{bad}");
        }
        let mut lan = config("http://sandbox.example:8080");
        lan.allow_plain_http = true;
        assert!(lan.validate().is_ok());
    }

    #[test]
    fn a_base_url_has_one_form_however_it_is_spelled() {
        for same in [
            "https://api.in.exotel.com",
            "https://api.in.exotel.com/",
            " HTTPS://API.In.Exotel.com:443/ ",
            "https://api.in.exotel.com.",
            "https://api.in.exotel.com.:443//",
        ] {
            let form = canonical_base_url(same);
            assert_eq!(form.as_deref(), Ok(Region::In.base_url()), "{same}");
        }
        for region in [Region::In, Region::Sg] {
            let form = canonical_base_url(region.base_url());
            assert_eq!(form.as_deref(), Ok(region.base_url()));
        }
        let other = canonical_base_url("https://api.in.exotel.com:8443");
        assert_eq!(other.as_deref(), Ok("https://api.in.exotel.com:8443"));
        let here = canonical_base_url("http://127.0.0.1:80/");
        assert_eq!(here.as_deref(), Ok("http://127.0.0.1"));
    }

    #[test]
    fn credentials_in_the_base_url_are_refused_and_not_repeated() {
        let refused = config("https://KEYSECRET:TOKENSECRET@api.in.exotel.com")
            .validate()
            .unwrap_err();
        let text = format!("{refused} {refused:?}");
        assert!(!text.contains("SECRET"), "{text}");
    }

    #[test]
    fn an_account_sid_or_credential_that_cannot_be_sent_is_refused() {
        for sid in ["", "a/b", "a b", "..", "acme?x", "\u{e4}", &"x".repeat(65)] {
            let mut bad = config("https://api.exotel.com");
            sid.clone_into(&mut bad.account_sid);
            assert_eq!(bad.validate(), Err(ConfigError::AccountSid), "{sid}");
        }
        for (key, token) in [
            ("", "t"),
            ("k", ""),
            ("a:b", "t"),
            ("k\n", "t"),
            ("k", "t\r\nX: y"),
            ("k", "t "),
        ] {
            let bad = ClientConfig::new(
                "https://api.exotel.com",
                "acme1",
                Secret::new(key),
                Secret::new(token),
            );
            assert!(
                matches!(bad.validate(), Err(ConfigError::Credential(_))),
                "{key:?} {token:?}"
            );
        }
        let colon_in_token = ClientConfig::new(
            "https://api.exotel.com",
            "acme1",
            Secret::new("k"),
            Secret::new("a:b"),
        );
        assert!(colon_in_token.validate().is_ok());
    }
}
