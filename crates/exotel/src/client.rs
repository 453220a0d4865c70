//! The client: one attempt per call.

use std::{
    error::Error as StdError,
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use onboarding::Secret;
use reqwest::{Request, Url};
use serde::de::DeserializeOwned;
use tracing::Instrument;

use crate::{
    about::About,
    call::{Ask, Call},
    config::{ClientConfig, ConfigError},
    date,
    entry_id::is_word,
    envelope::{self, Amiss, Good, Listed, Read},
    error::{Class, Error},
    mask::{self, Mask},
    page::{NextPage, Page, follow},
    proxy::InUse,
    redact, spans, tls,
    verdict::{self, Reply},
};

/// Most bytes of a body that are read. A page of 1000 trunks is below 1 MiB.
const MOST_BODY_BYTES: usize = 8 * 1024 * 1024;

/// How long an idle connection is kept. Load balancers commonly close theirs after 60 s; closing
/// first avoids sending into a connection that is just going away, which would leave the outcome
/// unknown.
const IDLE_SECONDS: u64 = 45;

const USER_AGENT: &str = concat!("trunkline/", env!("CARGO_PKG_VERSION"));

/// Keep-alive probes find a peer that went away without a word.
const PROBE_SECONDS: u64 = 20;

/// What a successful call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// Exotel's id of the request.
    pub request_id: Option<String>,
    /// The call's name: `create_trunk`.
    pub call: &'static str,
    /// The HTTP status: 200 to 299.
    pub http_status: u16,
    /// When the answer was made, by Exotel's clock: its `Date` header, to the second. `None`: it
    /// does not say.
    pub date: Option<Timestamp>,
}

impl<T> Answer<T> {
    /// The same answer with something else made of its value.
    #[must_use]
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: make(self.value),
            request_id: self.request_id,
            call: self.call,
            http_status: self.http_status,
            date: self.date,
        }
    }
}

/// One account's access to the API. Cheap to clone; clones share their connections.
///
/// Every method sends its request at most once and never waits to repeat it. Dropping a method's
/// future leaves the outcome of its request unknown.
#[derive(Clone)]
pub struct Client(Arc<Inner>, Option<Arc<Mask>>);

struct Inner {
    http: reqwest::Client,
    /// What is between here and the base URL.
    proxy: Option<InUse>,
    /// `https://host/v2/accounts/{sid}`
    account: String,
    /// The same with `/trunks`.
    trunks: String,
    /// `https://host/v2_beta/Accounts/{sid}`
    beta_account: String,
    domain_name: String,
    account_sid: String,
    /// The base URL's host, for traces.
    host: String,
    /// What every request carries.
    headers: HeaderMap,
    /// The same and the content type, for requests with a body.
    headers_with_body: HeaderMap,
    /// Key and token, to be kept out of what answers say.
    mask: Mask,
}

impl Client {
    /// Makes a client. Connects to nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field that is wrong; or TLS cannot be set up on this machine.
    pub fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let base = config.validate()?;
        let proxy = InUse::find(config, &base)?;
        let http = http_client(config, &base, proxy.as_ref())?;
        let basic = format!("{}:{}", config.api_key.expose(), config.api_token.expose());
        let encoded = BASE64_STANDARD.encode(basic);
        let headers = headers(&encoded)?;
        let mut headers_with_body = headers.clone();
        headers_with_body.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let host = base.host_str().unwrap_or_default().to_owned();
        let base = base.as_str().trim_end_matches('/').to_owned();
        let sid = &config.account_sid;
        let account = format!("{base}/v2/accounts/{sid}");
        let secrets = [config.api_key.expose(), config.api_token.expose(), &encoded];
        // What is part of every address is no secret.
        let mask = Mask::of(
            secrets
                .into_iter()
                .filter(|secret| !account.contains(*secret)),
        );
        let inner = Inner {
            http,
            proxy,
            trunks: format!("{account}/trunks"),
            account,
            beta_account: format!("{base}/v2_beta/Accounts/{sid}"),
            domain_name: format!("{sid}.pstn.exotel.com"),
            account_sid: sid.clone(),
            host,
            headers,
            headers_with_body,
            mask,
        };
        Ok(Self(Arc::new(inner), None))
    }

    /// The same access with the one secret that its calls send, a SIP password, which the answers of
    /// others of its calls may repeat as well.
    #[must_use]
    pub fn hiding(&self, secret: Option<&Secret>) -> Self {
        let also = secret.map(|secret| Arc::new(Mask::of([secret.expose()])));
        Self(Arc::clone(&self.0), also)
    }

    /// The account's SID.
    #[must_use]
    pub fn account_sid(&self) -> &str {
        &self.0.account_sid
    }

    /// The SIP domain of the account's trunks: `{account_sid}.pstn.exotel.com`. Not the edge that
    /// a partner sends SIP to.
    #[must_use]
    pub fn domain_name(&self) -> &str {
        &self.0.domain_name
    }

    pub(crate) fn account_url(&self, rest: fmt::Arguments<'_>) -> String {
        format!("{}{rest}", self.0.account)
    }

    pub(crate) fn trunks_url(&self, rest: fmt::Arguments<'_>) -> String {
        format!("{}{rest}", self.0.trunks)
    }

    pub(crate) fn beta_url(&self, rest: fmt::Arguments<'_>) -> String {
        format!("{}{rest}", self.0.beta_account)
    }

    /// Sends one request and reads its answer with `read`, which has to be `about` this.
    pub(crate) async fn ask<T>(
        &self,
        ask: Ask<'_>,
        read: fn(&[u8], About<'_>) -> Read<T>,
        about: About<'_>,
    ) -> Result<Answer<T>, Error> {
        let started = tracing::enabled!(tracing::Level::DEBUG).then(Instant::now);
        let call = ask.call;
        let span = spans::of(call, &self.0.host);
        let mut date = None;
        let result = match self.exchange(ask).instrument(span.clone()).await {
            Ok(reply) => {
                date = date::of(&reply.headers);
                settle(call, &reply, |body| read(body, about))
            }
            Err(error) => Err(error),
        };
        spans::end(&span, &result);
        if let Some(started) = started {
            trace(call, &result, started);
        }
        result.map(|(http_status, good)| Answer {
            value: good.value,
            request_id: good.request_id,
            call: call.name,
            http_status,
            date,
        })
    }

    /// Asks for one page of a list, whose entries have to be `about` this.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        call: &'static Call,
        url: String,
        at: NextPage,
        about: About<'_>,
    ) -> Result<Answer<Page<T>>, Error> {
        let ask = Ask::new(
            call,
            format!("{url}?offset={}&page_size={}", at.offset, at.page_size),
        );
        let answer = self.ask(ask, envelope::list::<T>, about).await?;
        let listed = &answer.value;
        let next = follow(at, listed.len(), listed.next.as_deref()).map_err(|why| {
            let (class, code) = (Class::Unknown, "paging_stuck");
            Error::bare(call.name, class, code, answer.date, why.to_owned())
        })?;
        Ok(answer.map(
            |Listed {
                 items, unreadable, ..
             }| Page {
                items,
                unreadable,
                next,
            },
        ))
    }

    /// The one attempt.
    async fn exchange(&self, ask: Ask<'_>) -> Result<Reply, Error> {
        let name = ask.call.name;
        let url = Url::parse(&ask.url).map_err(|error| {
            Error::bare(
                name,
                Class::Refused,
                "unbuildable_request",
                None,
                error.to_string(),
            )
        })?;
        // Who names an onboarding's secret sends no other.
        let of_call = ask.secret.filter(|_| self.1.is_none());
        let of_call = of_call.map(|secret| Mask::of([secret]));
        let mut request = Request::new(ask.call.method.clone(), url);
        *request.headers_mut() = match ask.body {
            Some(_) => self.0.headers_with_body.clone(),
            None => self.0.headers.clone(),
        };
        *request.body_mut() = ask.body.map(Into::into);
        let lost = |error, date| self.lost(name, error, date);
        let sent = self.0.http.execute(request).await;
        let response = sent.map_err(|error| lost(error, None))?;
        let http = response.status().as_u16();
        let headers = response.headers().clone();
        let date = date::of(&headers);
        let body = read_body(response).await;
        let body = body.map_err(|error| lost(error, date))?;
        let Some(body) = body else {
            let what = format!("the answer is longer than {MOST_BODY_BYTES} bytes");
            return Err(Error::bare(
                name,
                Class::Unknown,
                "body_too_large",
                date,
                what,
            ));
        };
        let masks = [Some(&self.0.mask), self.1.as_deref(), of_call.as_ref()];
        let masks = masks.into_iter().flatten();
        Ok(Reply {
            http,
            headers,
            body: mask::hide(masks, body),
        })
    }

    /// What a failure of the transport means. Only what failed before there was a connection is
    /// sure not to have been sent.
    fn lost(&self, call: &'static str, error: reqwest::Error, date: Option<Timestamp>) -> Error {
        let error = error.without_url();
        let (class, code) = if error.is_builder() {
            (Class::Refused, "unbuildable_request")
        } else if error.is_connect() {
            (Class::NeverSent, connect_failure(&error))
        } else if error.is_timeout() {
            (Class::Unknown, "timeout")
        } else {
            (Class::Unknown, "connection_lost")
        };
        let mut what = redact::clean(&self.0.mask.hide_text(&chain(&error)), redact::DESCRIPTION);
        let mut code = code;
        if let Some(proxy) = self.0.proxy.as_ref().filter(|_| error.is_connect()) {
            let (refused, explained) = proxy.explain(&what);
            (code, what) = (refused.unwrap_or(code), explained);
        }
        Error::bare(call, class, code, date, what)
    }
}

/// Success needs HTTP's agreement and the envelope's. Where they contradict each other, nothing
/// is believed.
fn settle<T>(
    call: &'static Call,
    reply: &Reply,
    read: impl FnOnce(&[u8]) -> Read<T>,
) -> Result<(u16, Good<T>), Error> {
    let is_success = (200..300).contains(&reply.http);
    match is_success.then(|| read(&reply.body)) {
        Some(Ok(mut good)) => {
            if let Some(id) = good.request_id.take_if(|id| !is_word(id)) {
                let id = redact::clean(&id, redact::REQUEST_ID);
                good.request_id = Some(id).filter(|id| !id.is_empty());
            }
            Ok((reply.http, good))
        }
        Some(Err(Amiss::Differs {
            how,
            inner_code,
            request_id,
        })) => {
            let id = request_id.as_deref();
            Err(verdict::differs(call, reply, &how, inner_code, id))
        }
        Some(Err(Amiss::Other)) | None => Err(verdict::judge(call, reply)),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("account", &self.0.account)
            .finish_non_exhaustive()
    }
}

fn http_client(
    config: &ClientConfig,
    base: &Url,
    proxy: Option<&InUse>,
) -> Result<reqwest::Client, ConfigError> {
    let tls = if base.scheme() == "https" {
        tls::verifying()?
    } else {
        tls::unused()?
    };
    // Which one is decided here, and not by the library.
    let direct = reqwest::Client::builder().no_proxy();
    let builder = proxy.map_or(Ok(direct), |proxy| proxy.on(reqwest::Client::builder()))?;
    builder
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .timeout(config.request_timeout)
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(config.max_idle_connections)
        .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS))
        .tcp_keepalive(Duration::from_secs(PROBE_SECONDS))
        .tcp_nodelay(true)
        .build()
        .map_err(|error| ConfigError::Http(chain(&error.without_url())))
}

fn headers(encoded: &str) -> Result<HeaderMap, ConfigError> {
    let mut basic = HeaderValue::try_from(format!("Basic {encoded}"))
        .map_err(|_| ConfigError::Credential("api_key"))?;
    basic.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::AUTHORIZATION, basic);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    Ok(headers)
}

/// The whole body; `None` when it is longer than [`MOST_BODY_BYTES`].
async fn read_body(mut response: reqwest::Response) -> Result<Option<Bytes>, reqwest::Error> {
    if response.content_length() > Some(MOST_BODY_BYTES as u64) {
        return Ok(None);
    }
    // Nearly every body comes in one piece, which is used as it is.
    let first = response.chunk().await?.unwrap_or_default();
    let Some(second) = response.chunk().await? else {
        return Ok(Some(first));
    };
    let mut all = BytesMut::from(first);
    all.extend_from_slice(&second);
    while let Some(more) = response.chunk().await? {
        if all.len() + more.len() > MOST_BODY_BYTES {
            return Ok(None);
        }
        all.extend_from_slice(&more);
    }
    Ok(Some(all.freeze()))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn connect_failure(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "connect_timeout"
    } else if error.is_dns() {
        "dns_failed"
    } else if causes(error).any(is_tls) {
        "tls_failed"
    } else {
        "connect_failed"
    }
}

/// Whether TLS failed. I/O errors wrap each other without being each other's source.
fn is_tls(mut cause: &(dyn StdError + 'static)) -> bool {
    while let Some(inner) = cause.downcast_ref().and_then(io::Error::get_ref) {
        cause = inner;
    }
    cause.is::<rustls::Error>()
}

/// The error and its causes in one line.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

fn trace<T>(call: &Call, result: &Result<(u16, Good<T>), Error>, started: Instant) {
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    match result {
        Ok((http_status, good)) => tracing::debug!(
            call = call.name,
            status = http_status,
            inner_code = good.inner_code,
            request_id = good.request_id,
            duration_ms,
            "answered"
        ),
        Err(error) => tracing::debug!(
            call = call.name,
            status = error.http_status(),
            inner_code = error.inner_code(),
            request_id = error.request_id(),
            duration_ms,
            code = error.code(),
            "failed"
        ),
    }
}
