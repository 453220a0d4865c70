//! The HTTP client of the export: ours, on our runtime.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError, ResponseBodyTooLarge};
use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::Verifier;
use tokio::runtime::Handle;

use super::Config;
use crate::Error;

/// Most bytes of an answer that are read. A collector answers with nothing, or with a sentence.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends what is exported. The exporter waits on a thread of its own, the request runs on the
/// runtime.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    headers: HeaderMap,
    runtime: Handle,
    /// The last export failed, and that was told.
    outage: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(config: &Config, runtime: Handle) -> Result<Self, Error> {
        let machine = |error: &dyn StdError| Error::Machine(error.to_string());
        let tls = tls(config.endpoint.scheme() == "https").map_err(|error| machine(&error))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            // A redirect would carry the keys elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout)
            .build()
            .map_err(|error| machine(&error.without_url()))?;
        Ok(Self(Arc::new(Inner {
            http,
            headers: config.headers.clone(),
            runtime,
            outage: AtomicBool::new(false),
        })))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let inner = Arc::clone(&self.0);
        let sent = self.0.runtime.spawn(async move {
            let answer = inner.send(request).await;
            inner.tell(&answer);
            answer
        });
        // It fails only where the runtime is gone.
        sent.await?
    }
}

impl Inner {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let lost = |error: reqwest::Error| error.without_url();
        let request = request.try_into().map_err(lost)?;
        let mut answer = self.http.execute(request).await.map_err(lost)?;
        let mut made = Response::builder().status(answer.status());
        if let Some(headers) = made.headers_mut() {
            *headers = std::mem::take(answer.headers_mut());
        }
        let mut body = BytesMut::new();
        while let Some(more) = answer.chunk().await.map_err(lost)? {
            if body.len() + more.len() > ANSWER_BYTES_MAX {
                return Err(ResponseBodyTooLarge::new().into());
            }
            body.extend_from_slice(&more);
        }
        Ok(made.body(body.freeze())?)
    }

    /// Says once that spans are lost, and once that they are not any more.
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let status = answer.as_ref().ok().map(|it| it.status().as_u16());
        if status.is_some_and(|status| (200..300).contains(&status)) {
            if self.outage.swap(false, Ordering::Relaxed) {
                tracing::info!("traces are exported again");
            }
        } else if !self.outage.swap(true, Ordering::Relaxed) {
            let error = answer.as_ref().err().map(|error| chain(&**error));
            tracing::warn!(
                status,
                error,
                "traces cannot be exported; spans are dropped until they can"
            );
        }
    }
}

/// The error and its causes in one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// What the platform trusts; where TLS is never spoken nobody, which costs nothing to make.
fn tls(is_spoken: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    if !is_spoken {
        let nobody = rustls::RootCertStore::empty();
        return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
    }
    let verifier = Arc::new(Verifier::new(provider)?);
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
