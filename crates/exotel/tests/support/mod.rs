//! A server of a few lines that says exactly what a test tells it to, byte by byte, and keeps what
//! it was sent. It knows nothing of Exotel.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by several test binaries, none of which uses all of it"
)]

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use exotel::{Client, ClientConfig};
use onboarding::{Secret, TrunkSid};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Made up.
pub(crate) const KEY: &str = "made_up_key";
/// Made up.
pub(crate) const TOKEN: &str = "made_up_token_1";
/// Made up.
pub(crate) const PASSWORD: &str = "MadeUpPassword0000000001";

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Writes these bytes and keeps the connection.
    Say(Vec<u8>),
    /// Writes these bytes and ends the connection.
    SayAndClose(Vec<u8>),
    /// Resets the connection after reading the request, without a byte.
    Reset,
    /// Reads the request and never answers.
    Hang,
}

/// The server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    script: Arc<Mutex<VecDeque<Act>>>,
}

impl Server {
    /// Starts it on a free port of loopback.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            connections: Arc::default(),
            script: Arc::default(),
        };
        let requests = Arc::clone(&server.requests);
        let connections = Arc::clone(&server.connections);
        let script = Arc::clone(&server.script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(talk(stream, Arc::clone(&requests), Arc::clone(&script)));
            }
        });
        server
    }

    /// What comes next. Without an act left, a request is answered 599, which no test expects.
    pub(crate) fn then(&self, act: Act) -> &Self {
        self.script.lock().unwrap().push_back(act);
        self
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The last request, as text.
    pub(crate) fn last(&self) -> String {
        let requests = self.requests.lock().unwrap();
        String::from_utf8(requests.last().unwrap().clone()).unwrap()
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config()).unwrap()
    }

    /// That client's configuration.
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::new(&self.url, "acme1", Secret::new(KEY), Secret::new(TOKEN))
    }
}

async fn talk(
    mut stream: TcpStream,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    script: Arc<Mutex<VecDeque<Act>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        let act = script.lock().unwrap().pop_front();
        match act.unwrap_or_else(|| Act::Say(http("599 Unscripted", &[], b""))) {
            Act::Say(bytes) => stream.write_all(&bytes).await.unwrap(),
            Act::SayAndClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::Hang => std::future::pending::<()>().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = std::str::from_utf8(&bytes[..end]).unwrap();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |digits| digits.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(bytes);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An HTTP answer: status with reason, headers, body.
pub(crate) fn http(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// HTTP 200 with a fixture.
pub(crate) fn ok(name: &str) -> Act {
    Act::Say(http(
        "200 OK",
        &["content-type: application/json"],
        &answer(name),
    ))
}

/// A fixture of an answer's body.
pub(crate) fn answer(name: &str) -> Vec<u8> {
    fixture(&format!("answers/{name}.json"))
}

/// A fixture.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fixtures' trunk.
pub(crate) fn sid() -> TrunkSid {
    "trmum1made0up0000000000000001".parse().unwrap()
}
