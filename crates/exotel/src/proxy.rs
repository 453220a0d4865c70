//! The HTTP proxy between this machine and the API, where one is configured.
//!
//! Connections go through it as tunnels (`CONNECT`) that carry TLS to the API. If the proxy itself answers
//! with an error, nothing was sent to the API.

use std::fmt;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, Url};

use crate::config::{ClientConfig, ConfigError, is_loopback};

/// Which proxy requests go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// That of the environment, as curl reads it: `HTTPS_PROXY` or `ALL_PROXY`, unless `NO_PROXY` has the
    /// host; each in small letters, too.
    #[default]
    Environment,
    /// None.
    None,
    /// The one at this URL, `http://HOST:PORT` or `https://HOST:PORT`.
    Url(String),
}

/// The code of what a proxy refused itself.
pub(crate) const REFUSED: &str = "proxy_refused";

/// A proxy that is used.
pub(crate) struct InUse {
    uri: Uri,
    login: Option<HeaderValue>,
}

impl InUse {
    /// The one that leads to `base`, if one does. To this machine none does, and what is not encrypted is
    /// shown to none.
    pub(crate) fn find(config: &ClientConfig, base: &Url) -> Result<Option<Self>, ConfigError> {
        if base.scheme() != "https" || is_loopback(base) {
            return Ok(None);
        }
        let matcher = match &config.proxy {
            Proxy::None => return Ok(None),
            Proxy::Environment => Matcher::from_env(),
            Proxy::Url(url) => Matcher::builder().all(url.as_str()).build(),
        };
        let target: Uri = base
            .as_str()
            .parse()
            .map_err(|_| ConfigError::BaseUrl("it cannot be read as a URL"))?;
        let Some(found) = matcher.intercept(&target) else {
            return match config.proxy {
                Proxy::Url(_) => Err(ConfigError::Proxy("it is no URL of a proxy")),
                Proxy::Environment | Proxy::None => Ok(None),
            };
        };
        if !matches!(found.uri().scheme_str(), Some("http" | "https")) {
            return Err(ConfigError::Proxy(
                "only proxies that speak HTTP are supported",
            ));
        }
        Ok(Some(Self {
            uri: found.uri().clone(),
            login: found.basic_auth().cloned(),
        }))
    }

    /// The builder of a client whose requests go through it.
    pub(crate) fn on(&self, builder: ClientBuilder) -> Result<ClientBuilder, ConfigError> {
        let proxy = reqwest::Proxy::all(self.uri.to_string())
            .map_err(|_| ConfigError::Proxy("it is no URL of a proxy"))?;
        let proxy = match &self.login {
            Some(login) => {
                let mut login = login.clone();
                login.set_sensitive(true);
                proxy.custom_http_auth(login)
            }
            None => proxy,
        };
        Ok(builder.proxy(proxy))
    }

    /// Describes a failed connection: a code of its own if the proxy refused it, and the description
    /// with the proxy named, because a failed lookup or connection is then the proxy's.
    pub(crate) fn explain(&self, described: &str) -> (Option<&'static str>, String) {
        // The errors of tunnels are not to be had by their type.
        let said = |what: &str| described.contains(what);
        if !said("tunnel error") || said("underlying connection") {
            return (None, format!("through {self}: {described}"));
        }
        let why = if said("proxy authorization required") {
            "wants a login, or another one (407); put user and password into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT)"
        } else if said("unsuccessful") {
            "refused to connect there (such as 403, 502 or 503); ask its operator to allow the host, and check that the proxy can reach it"
        } else {
            "ended the connection, or answered with what is no HTTP; is it a proxy for HTTP?"
        };
        (Some(REFUSED), format!("{self} {why}"))
    }
}

/// Without its login.
impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.uri.host().unwrap_or_default();
        write!(f, "the proxy {host}")?;
        self.uri
            .port_u16()
            .map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
