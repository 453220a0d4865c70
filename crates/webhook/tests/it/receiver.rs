//! A receiver of webhooks on a port of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
    routing::any,
};
use jiff::Timestamp;
use onboarding::Secret;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use webhook::{
    Endpoint, Event,
    signature::{SigningKey, Verifier},
};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) id: String,
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl Arrived {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it is signed with the secret, now.
    pub(crate) fn verifies(&self) -> bool {
        let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();
        let verifier = Verifier::new(vec![key], Duration::from_secs(60)).unwrap();
        let verified = verifier.verify(&self.headers, &self.body, Timestamp::now());
        verified.is_ok_and(|signed| signed.id == self.id)
    }
}

/// What the receiver does with the `n`th message, counted from 0.
pub(crate) enum Reply {
    Status(u16),
    Header(u16, &'static str, String),
    /// An answer with a body that is longer than anybody reads.
    Endless,
    /// No answer before the receiver is opened.
    Held,
}

type Rule = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Inner {
    rule: Rule,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    count: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

pub(crate) struct Receiver {
    inner: Inner,
    pub(crate) url: String,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    pub(crate) async fn new(rule: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let inner = Inner {
            rule: Arc::new(rule),
            arrived: Arc::default(),
            count: watch::Sender::new(0),
            open: watch::Sender::new(false),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/planted-path", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(any(receive))
            .with_state(inner.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inner, url, server }
    }

    /// One that takes everything.
    pub(crate) async fn taking() -> Self {
        Self::new(|_| Reply::Status(204)).await
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.inner.arrived.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.arrived().into_iter().map(|one| one.id).collect()
    }

    /// Waits until so many have arrived, repeated ones too.
    pub(crate) async fn wait_for(&self, messages: usize) -> Vec<Arrived> {
        let mut count = self.inner.count.subscribe();
        let enough = count.wait_for(|count| *count >= messages);
        tokio::time::timeout(Duration::from_secs(60), enough)
            .await
            .unwrap_or_else(|_| panic!("of {messages} only {} arrived", self.arrived().len()))
            .unwrap();
        self.arrived()
    }

    /// Answers what is held.
    pub(crate) fn open(&self) {
        self.inner.open.send_replace(true);
    }

    /// The endpoint that this is, told of `events`.
    pub(crate) fn endpoint(&self, name: &str, events: &[Event]) -> Endpoint {
        let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();
        let events = events.iter().copied().collect();
        Endpoint::new(
            name,
            &Secret::new(self.url.clone()),
            vec![key],
            events,
            true,
        )
        .unwrap()
    }
}

async fn receive(
    State(inner): State<Inner>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let number = {
        let mut arrived = inner.arrived.lock().unwrap();
        arrived.push(Arrived {
            id: headers["webhook-id"].to_str().unwrap().to_owned(),
            headers,
            path: uri.path().to_owned(),
            body,
            at: Instant::now(),
        });
        arrived.len()
    };
    inner.count.send_replace(number);
    let answer = Response::builder();
    match (inner.rule)(number - 1) {
        Reply::Status(status) => answer.status(status).body("body".into()).unwrap(),
        Reply::Header(status, name, value) => {
            let answer = answer.status(status).header(name, value);
            answer.body("body".into()).unwrap()
        }
        Reply::Endless => answer.status(200).body(vec![b'x'; 4 << 20].into()).unwrap(),
        Reply::Held => {
            let _ = inner.open.subscribe().wait_for(|open| *open).await;
            answer.status(204).body("".into()).unwrap()
        }
    }
}
