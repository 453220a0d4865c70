//! A system that is told of onboardings: it keeps what it gets, and answers as the test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// The path that it was sent to.
    pub path: String,
    /// Its headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Message {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter();
        all.find(|(own, _)| own == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Its body as JSON.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A receiver on a free port of loopback.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Message>>>,
    silent: Arc<AtomicBool>,
}

impl Receiver {
    /// One that takes everything.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (got, silent) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (messages, quiet) = (Arc::clone(&got), Arc::clone(&silent));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (messages, quiet) = (Arc::clone(&messages), Arc::clone(&quiet));
                thread::spawn(move || serve(stream, &messages, &quiet));
            }
        });
        Self {
            address,
            got,
            silent,
        }
    }

    /// The URL of a path of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Takes messages from now on without ever answering them, or answers them again.
    pub fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// What arrived so far.
    #[must_use]
    pub fn got(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, got: &Mutex<Vec<Message>>, silent: &AtomicBool) {
    let Ok(mut out) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    while let Some(message) = read(&mut reader) {
        got.lock().unwrap().push(message);
        if silent.load(Ordering::SeqCst) {
            // Until the sender is gone.
            drop(reader.read(&mut [0]));
            return;
        }
        if out.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Message> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message {
        path,
        headers,
        body: String::new(),
    };
    let length = message.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    message.body = String::from_utf8(body).ok()?;
    Some(message)
}
