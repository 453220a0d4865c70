//! As much of a browser as these tests need: requests, cookies, forms.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, sync::Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One browser with its cookies.
pub(crate) struct Browser {
    address: SocketAddr,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    /// A header's value; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    /// Where it leads to.
    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// The page's own token, as its first form has it.
    pub(crate) fn csrf(&self) -> String {
        let (_, rest) = self
            .text
            .split_once("name=\"csrf\" value=\"")
            .unwrap_or_else(|| panic!("no form in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    /// What a person reads, words separated by one blank.
    pub(crate) fn words(&self) -> String {
        let mut text = String::new();
        let mut inside = false;
        for c in self.text.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    text.push(' ');
                }
                c if !inside => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The same, if it is a page.
    #[track_caller]
    pub(crate) fn page(self) -> Self {
        assert_eq!(self.status, 200, "{} {}", self.location(), self.text);
        self
    }
}

/// A part of a form with files.
pub(crate) enum Part<'p> {
    Field(&'p str, &'p str),
    File(&'p str, &'p [u8]),
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: Mutex::default(),
        }
    }

    /// Sets a cookie as a script would.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.cookies
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push('&');
            }
            write!(body, "{name}=").unwrap();
            for byte in value.bytes() {
                write!(body, "%{byte:02X}").unwrap();
            }
        }
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        self.send("POST", path, kind, body.as_bytes()).await
    }

    pub(crate) async fn upload(&self, parts: &[Part<'_>]) -> Answer {
        let mut body = Vec::new();
        for part in parts {
            body.extend(b"--frame\r\ncontent-disposition: form-data; ");
            match part {
                Part::Field(name, value) => {
                    body.extend(format!("name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
                }
                Part::File(name, bytes) => {
                    body.extend(format!("name=\"file\"; filename=\"{name}\"\r\n\r\n").bytes());
                    body.extend(*bytes);
                    body.extend(b"\r\n");
                }
            }
        }
        body.extend(b"--frame--\r\n");
        let kind = "content-type: multipart/form-data; boundary=frame\r\n";
        self.send("POST", "/upload", kind, &body).await
    }

    async fn send(&self, method: &str, path: &str, more: &str, body: &[u8]) -> Answer {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().unwrap();
            cookies.iter().map(|(n, v)| format!("{n}={v}")).collect()
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\ncontent-length: {}\r\n{more}\r\n",
            self.address,
            cookies.join("; "),
            body.len()
        );
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let request = [head.as_bytes(), body].concat();
        // A server may answer before it has read all, and then close.
        let writing = tokio::spawn(async move {
            drop(write.write_all(&request).await);
            write
        });
        let mut bytes = Vec::new();
        let _ = read.read_to_end(&mut bytes).await;
        writing.abort();
        self.answer(&bytes)
    }

    fn answer(&self, bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, text) = text.split_once("\r\n\r\n").expect("an answer");
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut cookies = self.cookies.lock().unwrap();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer {
            status: status.parse().unwrap(),
            headers,
            text: text.to_owned(),
        }
    }
}
