//! Sessions of people: a signed cookie, and on the server only those that were ended before their time.
//!
//! The cookie names a token, an end and a random id. Its MAC covers the token's digest too, so that a
//! token that is changed or removed ends its sessions. Who logs out has the id remembered in the store
//! until the session's end, so that a copy of the cookie opens nothing, on any server of the store.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use jiff::Timestamp;
use onboarding::Secret;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    App,
    auth::{Caller, Scope, Tokens},
    login::{Attempts, TooMany},
    problem::{Code, Problem},
};

/// How long a session lasts: a working day, and the way home.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// Most bytes of a cookie's value that are looked at. Ours have at most some 190.
const VALUE_BYTES_MAX: usize = 512;

const ID_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const HEAD_BYTES: usize = 8 + ID_BYTES;

/// The key that cookies and cursors are signed with.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SessionKey {
    /// A key of its own that follows from another secret, such as the store's: every server of the
    /// same store has the same one.
    #[must_use]
    pub fn derived_from(secret: &Secret) -> Self {
        Self(hmac(
            secret.expose().trim().as_bytes(),
            &[b"trunkline session key 1"],
        ))
    }

    /// The MAC of these parts for one purpose; no part runs into the next.
    pub(crate) fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let mut message = Vec::with_capacity(256);
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            message.extend((part.len() as u64).to_be_bytes());
            message.extend(*part);
        }
        hmac(&self.0, &[&message])
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; MAC_BYTES];
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Opens and checks sessions.
#[derive(Debug)]
pub struct Sessions {
    key: SessionKey,
    tokens: Tokens,
    plain_http: bool,
    attempts: Attempts,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginError {
    /// There is no such token.
    Wrong,
    /// Too many tried; one may try again after this.
    TooMany(Duration),
}

impl Sessions {
    pub(crate) fn new(key: SessionKey, tokens: Tokens, plain_http: bool) -> Self {
        Self {
            key,
            tokens,
            plain_http,
            attempts: Attempts::default(),
        }
    }

    /// Begins a session of the token that was typed in. The header goes into `Set-Cookie`.
    ///
    /// # Errors
    /// The token is wrong, or too many were tried from this address, or from all together.
    pub fn log_in(
        &self,
        peer: IpAddr,
        typed: &Secret,
    ) -> Result<(Session, HeaderValue), LoginError> {
        self.attempts
            .take(peer)
            .map_err(|TooMany { wait }| LoginError::TooMany(wait))?;
        let Some(known) = self.tokens.identify(typed.expose().trim().as_bytes()) else {
            tracing::warn!(target: "audit", action = "log_in", peer = %peer, "a wrong token was typed in");
            return Err(LoginError::Wrong);
        };
        let ends = now_seconds().saturating_add(LASTS.as_secs());
        let id: [u8; ID_BYTES] = rand::random();
        let session = self.session(known.caller(), id, ends);
        let value = self.sign(&known.token.name, &known.token.sha256, ends, id);
        tracing::info!(target: "audit", token = session.caller.token(), action = "log_in", peer = %peer, "a session begins");
        Ok((session, self.cookie(&value, LASTS)))
    }

    /// The header for `Set-Cookie` that ends a session in the browser.
    #[must_use]
    pub fn forget(&self) -> HeaderValue {
        self.cookie("", Duration::ZERO)
    }

    /// The session that a request with these headers has a good cookie of; whether it was ended since
    /// is not known here.
    fn signed(&self, headers: &HeaderMap) -> Option<Session> {
        let name = self.cookie_name();
        let cookies = headers.get_all(COOKIE).into_iter();
        let values = cookies
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(|(own, value)| (own == name).then_some(value));
        // A second one is a mistake or somebody's try to plant one: the first good one counts.
        values
            .take(4)
            .find_map(|value| self.check(value, now_seconds()))
    }

    fn check(&self, value: &str, now: u64) -> Option<Session> {
        if value.len() > VALUE_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (payload, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let (ends, rest) = payload.split_first_chunk::<8>()?;
        let (id, name) = rest.split_first_chunk::<ID_BYTES>()?;
        let known = self.tokens.find(std::str::from_utf8(name).ok()?)?;
        let right = self.mac(payload, &known.token.sha256);
        let genuine = bool::from(right.as_slice().ct_eq(mac));
        let ends = u64::from_be_bytes(*ends);
        (genuine && now < ends).then(|| self.session(known.caller(), *id, ends))
    }

    fn sign(&self, name: &str, sha256: &[u8; 32], ends: u64, id: [u8; ID_BYTES]) -> String {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + name.len() + MAC_BYTES);
        bytes.extend(ends.to_be_bytes());
        bytes.extend(id);
        bytes.extend(name.as_bytes());
        let mac = self.mac(&bytes, sha256);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn mac(&self, payload: &[u8], sha256: &[u8; 32]) -> [u8; MAC_BYTES] {
        self.key.mac("session", &[payload, sha256])
    }

    fn session(&self, caller: Caller, id: [u8; ID_BYTES], ends: u64) -> Session {
        let csrf = URL_SAFE_NO_PAD.encode(self.key.mac("csrf", &[&id]));
        Session {
            caller,
            csrf: csrf.into(),
            id: URL_SAFE_NO_PAD.encode(id).into(),
            ends,
        }
    }

    /// Browsers take a `__Host-` cookie over HTTPS only, without a domain and for all paths: no other
    /// host, and nobody on plain HTTP, can plant one.
    fn cookie_name(&self) -> &'static str {
        if self.plain_http {
            "trunkline"
        } else {
            "__Host-trunkline"
        }
    }

    fn cookie(&self, value: &str, age: Duration) -> HeaderValue {
        let secure = if self.plain_http { "" } else { "; Secure" };
        let text = format!(
            "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
            self.cookie_name(),
            age.as_secs()
        );
        // All of it is base64 and our own words.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

fn now_seconds() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

/// A person who is logged in.
#[derive(Debug, Clone)]
pub struct Session {
    caller: Caller,
    csrf: Arc<str>,
    id: Arc<str>,
    /// In seconds since 1970.
    ends: u64,
}

/// The scope of sessions that were ended among what the store remembers.
const ENDED: &str = "session ended";

impl App {
    /// The session of a request with these headers, if nobody has ended it. Without a good cookie the
    /// store is not asked.
    ///
    /// # Errors
    /// As the store answers: who cannot be looked up is not let in.
    pub async fn session_of(&self, headers: &HeaderMap) -> store::Result<Option<Session>> {
        let Some(session) = self.sessions().signed(headers) else {
            return Ok(None);
        };
        let ended = self.store().is_remembered(ENDED, &session.id).await?;
        Ok((!ended).then_some(session))
    }

    /// Ends a session for all servers of the store: from now on its cookie opens nothing.
    ///
    /// # Errors
    /// As the store answers; then it lasts until its end.
    pub async fn end_session(&self, session: &Session) -> store::Result<()> {
        let keep = Duration::from_secs(session.ends.saturating_sub(now_seconds()).max(1));
        let digest = [0; 32];
        self.store()
            .remember(ENDED, &session.id, digest, keep)
            .await?;
        tracing::info!(target: "audit", token = session.caller.token(), action = "log_out", "a session ends");
        Ok(())
    }
}

impl Session {
    /// Whose token it is.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What forms and scripts of our own pages send along with every change.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Checks what came along with a change, and that the session may change things at all.
    ///
    /// # Errors
    /// A 403 problem: it is not the one that our pages have, or the token is for looking only.
    pub fn check_change(&self, csrf: &str) -> Result<&Caller, Problem> {
        if !bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes())) {
            return Err(Problem::new(
                Code::CsrfFailed,
                "the request does not carry the token of the page; load the page again and repeat what you did",
            ));
        }
        self.caller.may(Scope::Write)?;
        Ok(&self.caller)
    }
}

impl Caller {
    /// That the token is for this.
    ///
    /// # Errors
    /// A 403 problem.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.scope >= scope {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            format!(
                "the token {} is for reading only; use one with scope = \"write\"",
                self.token
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;
    use crate::auth::Token;

    fn tokens(text: &str, scope: Scope) -> Tokens {
        Tokens::new(vec![Token {
            name: "ops".into(),
            sha256: Sha256::digest(text).into(),
            scope,
            requests_per_minute: 60,
        }])
        .unwrap()
    }

    fn key(text: &str) -> SessionKey {
        SessionKey::derived_from(&Secret::new(text))
    }

    fn value_of(cookie: &HeaderValue) -> String {
        let text = cookie.to_str().unwrap();
        let value = text.split_once('=').unwrap().1;
        value.split(';').next().unwrap().to_owned()
    }

    fn log_in(sessions: &Sessions) -> (Session, HeaderValue) {
        sessions
            .log_in([127, 0, 0, 1].into(), &Secret::new("typed"))
            .unwrap()
    }

    #[test]
    fn a_session_lasts_for_its_time_under_its_key_and_its_token_only() {
        let sessions = Sessions::new(key("k"), tokens("typed", Scope::Write), false);
        let (session, cookie) = log_in(&sessions);
        let value = value_of(&cookie);
        let found = sessions.check(&value, now_seconds()).unwrap();
        assert_eq!(found.caller(), session.caller());
        assert_eq!(found.csrf(), session.csrf());
        let later = now_seconds() + LASTS.as_secs() + 1;
        assert!(sessions.check(&value, later).is_none(), "after its end");
        for (case, other) in [
            (
                "another key",
                Sessions::new(key("l"), tokens("typed", Scope::Write), false),
            ),
            (
                "a changed token",
                Sessions::new(key("k"), tokens("other", Scope::Write), false),
            ),
            (
                "a removed token",
                Sessions::new(key("k"), Tokens::new(vec![]).unwrap(), false),
            ),
        ] {
            assert!(other.check(&value, now_seconds()).is_none(), "{case}");
        }
        for at in 0..value.len() {
            let mut forged = value.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(
                sessions.check(&forged, now_seconds()).is_none(),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_cookie_is_bound_to_https_and_to_this_host() {
        let sessions = Sessions::new(key("k"), tokens("typed", Scope::Read), false);
        let (_, cookie) = log_in(&sessions);
        let text = cookie.to_str().unwrap();
        assert!(text.starts_with("__Host-trunkline="));
        assert!(text.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"));
        let plain = Sessions::new(key("k"), tokens("typed", Scope::Read), true);
        assert!(!log_in(&plain).1.to_str().unwrap().contains("Secure"));
        assert!(plain.forget().to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn a_change_needs_the_sessions_own_csrf_token_and_the_write_scope() {
        let sessions = Sessions::new(key("k"), tokens("typed", Scope::Write), false);
        let (one, _) = log_in(&sessions);
        let (other, _) = log_in(&sessions);
        assert!(one.check_change(one.csrf()).is_ok());
        for wrong in [other.csrf(), "", "x"] {
            let refused = one.check_change(wrong).unwrap_err();
            assert_eq!(refused.code(), Code::CsrfFailed);
        }
        let reading = Sessions::new(key("k"), tokens("typed", Scope::Read), false);
        let (session, _) = log_in(&reading);
        let refused = session.check_change(session.csrf()).unwrap_err();
        assert_eq!(refused.code(), Code::Forbidden);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let sessions = Sessions::new(key("k"), tokens("typed", Scope::Read), true);
        let (_, cookie) = log_in(&sessions);
        let mut headers = HeaderMap::new();
        let text = format!("a=b; trunkline=junk; trunkline={}; c", value_of(&cookie));
        headers.insert(COOKIE, text.parse().unwrap());
        assert!(sessions.signed(&headers).is_some());
        headers.insert(COOKIE, "a=b; trunkline=".parse().unwrap());
        assert!(sessions.signed(&headers).is_none());
    }

    #[test]
    fn who_tries_many_tokens_has_to_wait() {
        let sessions = Sessions::new(key("k"), tokens("typed", Scope::Read), true);
        let peer: IpAddr = [192, 0, 2, 1].into();
        let tried = (0..100).map(|_| sessions.log_in(peer, &Secret::new("guess")));
        let refused = tried.filter(|tried| matches!(tried, Err(LoginError::TooMany(_))));
        assert!(refused.count() > 80);
        assert!(
            sessions
                .log_in([192, 0, 2, 2].into(), &Secret::new("typed"))
                .is_ok()
        );
    }
}
