//! A server of its own for each test: port 0, a folder of its own, a real store.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use onboarding::{AccountName, RecipeBook, Secret};
use producer::Desk;
use records::{AccountBook, AccountFacts};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use serve::{
    App, ConnectionLimits, Directory, SessionKey, Setup,
    auth::{Scope, Token, Tokens},
};
use sha2::{Digest, Sha256};
use store::{
    SealingKey, SqliteOptions, Store, World,
    clock::SystemClock,
    redis::{RedisOptions, RedisPlace, RedisStore},
    sqlite::SqliteStore,
};
use telemetry::Metrics;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use webhook::{
    Mapping, Sender, Senders,
    signature::{SigningKey, Verifier},
};

pub(crate) const READ: &str = "made-up-token-that-reads";
pub(crate) const WRITE: &str = "made-up-token-that-writes";
pub(crate) const FEW: &str = "made-up-token-with-a-small-allowance";

/// What the sender `crm` signs with.
pub(crate) const SECRET: &str = "whsec_bWFkZSB1cCwgdHdlbnR5LWZvdXIgYnl0ZXM=";

/// The accounts acme and globex, and the built-in recipes.
struct Office {
    desk: Desk,
}

impl AccountBook for Office {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        self.names().contains(name).then(|| AccountFacts {
            account_sid: format!("{name}1"),
            base_url: None,
            edge: None,
            requests_per_minute: 200,
            connections: 50,
            signalling_ips: Vec::new(),
        })
    }

    fn unknown(&self, name: &AccountName) -> String {
        format!("there is no account {name}")
    }

    fn names(&self) -> Vec<AccountName> {
        ["acme", "globex"].map(|name| name.parse().unwrap()).into()
    }
}

impl Directory for Office {
    fn desk(&self) -> Desk {
        self.desk.clone()
    }
}

/// A page that panics.
async fn on_purpose() -> &'static str {
    panic!("a mistake, made on purpose")
}

fn token(name: &str, text: &str, scope: Scope, requests_per_minute: u32) -> Token {
    Token {
        name: name.into(),
        sha256: Sha256::digest(text).into(),
        scope,
        requests_per_minute,
    }
}

fn tokens() -> Tokens {
    Tokens::new(vec![
        token("reader", READ, Scope::Read, 1_000_000),
        token("writer", WRITE, Scope::Write, 1_000_000),
        token("few", FEW, Scope::Write, 3),
    ])
    .unwrap()
}

fn senders() -> Senders {
    let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();
    Senders::new(vec![Sender {
        name: "crm".into(),
        verifier: Verifier::new(vec![key], Duration::from_secs(300)).unwrap(),
        mapping: Mapping::default(),
    }])
    .unwrap()
}

/// How a server differs from the usual one.
pub(crate) struct Options {
    pub(crate) watchers_max: usize,
    pub(crate) limits: ConnectionLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            watchers_max: 1000,
            limits: ConnectionLimits {
                shutdown_timeout: Duration::from_secs(5),
                ..ConnectionLimits::default()
            },
        }
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) app: App,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
    _folder: TempDir,
}

pub(crate) fn sqlite(folder: &TempDir) -> Arc<dyn Store> {
    let (key, _) = SealingKey::generate();
    SqliteStore::open(SqliteOptions {
        path: folder.path().join("store.db"),
        patience: store::sqlite::BUSY_TIMEOUT,
        key,
        world: World::Live,
        clock: Arc::new(SystemClock::default()),
    })
    .unwrap()
}

async fn redis() -> Arc<dyn Store> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("served-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let url = format!("{}?name={name}", redis_fixture::Server::shared().url());
    let opened = RedisStore::open(RedisOptions {
        place: RedisPlace::parse(&url).unwrap(),
        key: SealingKey::generate().0,
        world: World::Live,
        keep_finished: Duration::from_secs(3600),
    });
    opened.await.unwrap()
}

impl Server {
    /// One on each kind of store.
    pub(crate) async fn each() -> [Self; 2] {
        let folder = || TempDir::new().unwrap();
        let options = Options::default;
        [
            Self::start().await,
            Self::on(redis().await, folder(), options()).await,
        ]
    }

    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = TempDir::new().unwrap();
        let store = sqlite(&folder);
        Self::on(store, folder, options).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>, folder: TempDir, options: Options) -> Self {
        let names: BTreeSet<AccountName> =
            ["acme", "globex"].map(|name| name.parse().unwrap()).into();
        let desk = Desk::new(RecipeBook::builtin(), producer::Accounts::Known(names));
        let app = App::new(Setup {
            store: Arc::clone(&store),
            directory: Arc::new(Office { desk }),
            tokens: tokens(),
            session_key: SessionKey::derived_from(&Secret::new("made up")),
            plain_http: true,
            watchers_max: options.watchers_max,
            trusted_proxies: Vec::new(),
            senders: senders(),
            metrics: Arc::new(Metrics::new()),
        });
        let pages = Router::new().route("/panic", get(on_purpose));
        let router = serve::router(app.clone(), pages);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let closing = app.closing_on(async move { drop(stopped.await) });
        let task = tokio::spawn(async move {
            serve::run(listener, router, options.limits, closing)
                .await
                .unwrap();
        });
        Self {
            address,
            store,
            app,
            client: client(),
            stop: Some(stop),
            task,
            _folder: folder,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(READ)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(WRITE)
    }

    /// Enqueues signups, which have to be good.
    pub(crate) async fn enqueue(&self, signups: Value) -> Value {
        let answer = answer(self.post("/v1/onboardings").json(&signups)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json
    }

    /// Asks it to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }
}

pub(crate) fn client() -> reqwest::Client {
    // Where another test was here first, it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Never proxied: the server is on this machine.
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null where it is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// That it is a problem with this status and code.
    pub(crate) fn is_problem(&self, status: u16, code: &str, case: &str) {
        assert_eq!(self.status.as_u16(), status, "{case}: {}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{case}"
        );
        assert_eq!(self.json["code"], code, "{case}: {}", self.text);
        assert_eq!(self.json["status"], status, "{case}");
        for member in ["type", "title", "detail"] {
            assert!(self.json[member].is_string(), "{case}: {member}");
        }
        assert!(!self.header("x-request-id").is_empty(), "{case}");
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    Answer {
        status,
        headers,
        json: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

/// A signup that its recipe takes; all of it is made up.
pub(crate) fn signup(n: u32) -> Value {
    json!({"account": "acme", "partner": "livekit", "number": format!("+9180{n:08}")})
}
