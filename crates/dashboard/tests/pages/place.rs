//! A server of its own for each test.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use onboarding::{AccountName, RecipeBook, Secret};
use producer::{Accounts, Desk};
use records::{AccountBook, AccountFacts};
use serve::{
    App, ConnectionLimits, Directory, SessionKey, Setup,
    auth::{Scope, Token, Tokens},
};
use sha2::{Digest, Sha256};
use store::{SealingKey, SqliteOptions, Store, World, sqlite::SqliteStore};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::browser::Browser;

/// A token that may do everything, and one that may look; made up.
pub(crate) const WRITER: &str = "tl_writer_made_up";
pub(crate) const READER: &str = "tl_reader_made_up";

/// A server on a free port, and its store.
pub(crate) struct Place {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) desk: Desk,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Book(Desk, Vec<AccountName>);

impl AccountBook for Book {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        self.1.contains(name).then(|| AccountFacts {
            account_sid: format!("{name}_sid"),
            base_url: None,
            edge: None,
            requests_per_minute: 200,
            connections: 50,
            signalling_ips: vec![],
        })
    }

    fn unknown(&self, name: &AccountName) -> String {
        format!("there is no account {name}")
    }

    fn names(&self) -> Vec<AccountName> {
        self.1.clone()
    }
}

impl Directory for Book {
    fn desk(&self) -> Desk {
        self.0.clone()
    }
}

fn token(name: &str, text: &str, scope: Scope) -> Token {
    Token {
        name: name.into(),
        sha256: Sha256::digest(text).into(),
        scope,
        requests_per_minute: 100_000,
    }
}

impl Place {
    /// With the built-in recipes.
    pub(crate) async fn new() -> Self {
        Self::with(RecipeBook::builtin()).await
    }

    /// With these recipes.
    pub(crate) async fn with(book: RecipeBook) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, text) = SealingKey::generate();
        let store: Arc<dyn Store> = SqliteStore::open(SqliteOptions {
            path: folder.path().join("trunkline.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key,
            world: World::Sandbox,
            clock: Arc::new(store::clock::SystemClock::default()),
        })
        .unwrap();
        let names: Vec<AccountName> = ["acme", "globex"].map(|name| name.parse().unwrap()).into();
        let known: BTreeSet<AccountName> = names.iter().cloned().collect();
        let desk = Desk::new(book, Accounts::Known(known));
        let tokens = vec![
            token("writer", WRITER, Scope::Write),
            token("reader", READER, Scope::Read),
        ];
        let app = App::new(Setup {
            store: Arc::clone(&store),
            directory: Arc::new(Book(desk.clone(), names)),
            tokens: Tokens::new(tokens).unwrap(),
            session_key: SessionKey::derived_from(&Secret::new(text.expose())),
            plain_http: true,
            watchers_max: 10,
            trusted_proxies: vec![],
            senders: webhook::Senders::default(),
            metrics: Arc::new(telemetry::Metrics::new()),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = serve::router(app.clone(), dashboard::router(app));
        let server = tokio::spawn(async move {
            let limits = ConnectionLimits::default();
            let ended = serve::run(listener, router, limits, std::future::pending());
            ended.await.unwrap();
        });
        Self {
            store,
            desk,
            address,
            server,
            _folder: folder,
        }
    }

    /// Somebody who is not logged in.
    pub(crate) fn stranger(&self) -> Browser {
        Browser::new(self.address)
    }

    /// Somebody who may do everything.
    pub(crate) async fn writer(&self) -> Browser {
        self.logged_in(WRITER).await
    }

    /// Somebody who may look.
    pub(crate) async fn reader(&self) -> Browser {
        self.logged_in(READER).await
    }

    async fn logged_in(&self, token: &str) -> Browser {
        let browser = self.stranger();
        let form = browser.get("/login").await;
        let came = browser
            .post(
                "/login",
                &[("csrf", form.csrf().as_str()), ("token", token)],
            )
            .await;
        assert_eq!(came.status, 303, "{}", came.text);
        browser
    }
}

/// What is written to the log meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Written to from now on, by this thread.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || log.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
