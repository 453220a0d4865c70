//! Who is told.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use onboarding::{Problem, Secret};
use reqwest::Url;

use super::{event::Event, public::is_public};
use crate::{
    Error,
    sender::check_name,
    signature::{SigningKey, key},
};

/// Most bytes of a URL, as in most servers.
const URL_BYTES_MAX: usize = 2048;

/// A system that is told what becomes of onboardings.
#[derive(Clone)]
pub struct Endpoint {
    name: String,
    /// Its path and query may be a secret.
    url: Secret,
    origin: String,
    keys: Vec<SigningKey>,
    events: BTreeSet<Event>,
    allow_private: bool,
    accept_redirects: bool,
}

impl Endpoint {
    /// An endpoint with a name of 1 to 64 letters, digits, `_`, `.` and `-`; an `https` URL without
    /// a user; up to [`KEYS_MAX`](crate::signature::KEYS_MAX) secrets, all of which sign; and at least
    /// one event. With `allow_private` it may be in this machine's network, and may be plain
    /// `http`.
    ///
    /// # Errors
    /// [`Error::Settings`] with everything that is wrong. The URL is not in it.
    pub fn new(
        name: &str,
        url: &Secret,
        keys: Vec<SigningKey>,
        events: BTreeSet<Event>,
        allow_private: bool,
    ) -> Result<Self, Error> {
        let mut problems: Vec<Problem> = check_name(name).into_iter().collect();
        problems.extend(key::check_count(&keys).err());
        if events.is_empty() {
            problems.push(Problem::new(
                "events",
                "it is told nothing; write some of \"succeeded\", \"failed\", \"blocked\", \"refused\"",
            ));
        }
        match check_url(url.expose(), allow_private) {
            Ok(url) if problems.is_empty() => Ok(Self {
                name: name.to_owned(),
                origin: url.origin().ascii_serialization(),
                url: Secret::new(String::from(url)),
                keys,
                events,
                allow_private,
                accept_redirects: false,
            }),
            Ok(_) => Err(Error::Settings(problems)),
            Err(message) => {
                problems.push(Problem::new("url", message));
                Err(Error::Settings(problems))
            }
        }
    }

    /// The same, where a redirect that says "see there" (302, 303) means that the message was taken:
    /// some receivers work on what they get and then answer so. It is not followed.
    #[must_use]
    pub fn accepting_redirects(self, accept_redirects: bool) -> Self {
        Self {
            accept_redirects,
            ..self
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What of its URL may be shown: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What it is told of.
    #[must_use]
    pub fn events(&self) -> &BTreeSet<Event> {
        &self.events
    }

    pub(super) fn url(&self) -> &str {
        self.url.expose()
    }

    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    pub(super) fn accepts_redirects(&self) -> bool {
        self.accept_redirects
    }

    pub(super) fn allows_private(&self) -> bool {
        self.allow_private
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .field("events", &self.events)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a URL, without the URL.
fn check_url(text: &str, allow_private: bool) -> Result<Url, String> {
    if text.len() > URL_BYTES_MAX {
        return Err(format!(
            "it has {} bytes; write at most {URL_BYTES_MAX}",
            text.len()
        ));
    }
    let url = Url::parse(text.trim())
        .map_err(|error| format!("this is not a URL ({error}); write https://HOST/PATH"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => {
            return Err(
                "plain http shows messages to everybody on the way; write https, or allow_private = true for a system in your own network"
                    .into(),
            );
        }
        _ => return Err("messages are sent over https; write https://HOST/PATH".into()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "there is a user or a password in it; receivers know us by the signature, so leave it out"
                .into(),
        );
    }
    let Some(host) = url.host_str() else {
        return Err("it names no host; write https://HOST/PATH".into());
    };
    let remedy = "name a host on the internet, or write allow_private = true";
    // A name is looked up at every connection, and its addresses are checked then.
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if let Some(address) = address
        && !allow_private
        && !is_public(address)
    {
        return Err(format!(
            "{address} is not an address of the internet; {remedy}"
        ));
    }
    let name = host.trim_end_matches('.');
    if !allow_private && (name == "localhost" || name.ends_with(".localhost")) {
        return Err(format!("{name} is this machine; {remedy}"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, allow_private: bool) -> Result<Endpoint, Error> {
        let key = SigningKey::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))?;
        let events = BTreeSet::from([Event::Failed]);
        Endpoint::new("crm", &Secret::new(url), vec![key], events, allow_private)
    }

    #[test]
    fn urls_inside_are_refused_in_every_spelling_unless_allowed() {
        for inside in [
            "https://127.0.0.1/hook",
            "https://127.1/hook",
            "https://2130706433/hook",
            "https://0x7f.0.0.1/hook",
            "https://0177.0.0.1/hook",
            "https://0/hook",
            "https://[::1]:8443/hook",
            "https://[::ffff:127.0.0.1]/hook",
            "https://[::ffff:7f00:1]/hook",
            "https://[64:ff9b::10.0.0.1]/hook",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1.2.3/hook",
            "https://localhost/hook",
            "https://LOCALHOST./hook",
            "https://api.localhost/hook",
            "http://hooks.example.com/hook",
        ] {
            assert!(endpoint(inside, false).is_err(), "{inside}");
            assert!(endpoint(inside, true).is_ok(), "{inside}");
        }
        for outside in [
            "https://hooks.example.com/hook",
            "https://1.1.1.1:8443/hook",
            "https://[2606:4700:4700::1111]/hook",
        ] {
            assert!(endpoint(outside, false).is_ok(), "{outside}");
        }
    }

    #[test]
    fn what_is_no_url_for_messages_is_refused_without_being_told() {
        let long = format!("https://hooks.example.com/{}", "planted".repeat(400));
        for bad in [
            "planted",
            "planted.example.com/hook",
            "ftp://hooks.example.com/planted",
            "file:///planted",
            "https://planted:planted@hooks.example.com/hook",
            "https://planted@hooks.example.com/hook",
            "https:///",
            &long,
        ] {
            for allow_private in [false, true] {
                let told = endpoint(bad, allow_private).unwrap_err();
                let told = format!("{told} {told:?}");
                assert!(told.contains("url") && !told.contains("planted"), "{told}");
            }
        }
    }

    #[test]
    fn only_the_host_of_a_url_is_shown() {
        let url = "https://hooks.example.com:8443/planted?planted=planted";
        let endpoint = endpoint(url, false).unwrap();
        assert_eq!(endpoint.origin(), "https://hooks.example.com:8443");
        let shown = format!("{endpoint:?}");
        assert!(!shown.contains("planted"), "{shown}");
    }

    #[test]
    fn an_endpoint_without_name_secret_or_event_is_refused_with_all_of_it() {
        let url = Secret::new("ftp://x");
        let Err(Error::Settings(problems)) =
            Endpoint::new("a b", &url, Vec::new(), BTreeSet::new(), false)
        else {
            panic!("taken");
        };
        let fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["a b", "secrets", "events", "url"]);
    }
}
