//! One simulator per test, and short ways to talk to it.

use std::sync::Once;

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use sandbox::{Limits, Options, Profile, Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// Made up, as all accounts, numbers and hosts in these tests.
pub(crate) const ACCOUNT: &str = "acme1";

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) client: Client,
}

/// An answer that came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// HTTP status, outer `http_code`, inner `code`, `error_data.code`; 0 where there is none.
    pub(crate) fn codes(&self) -> [u64; 4] {
        let json = self.json();
        let response = if json["response"].is_array() {
            &json["response"][0]
        } else {
            &json["response"]
        };
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        [
            self.status.into(),
            number(&json["http_code"]),
            number(&response["code"]),
            number(&response["error_data"]["code"]),
        ]
    }

    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.codes(), [200, 200, 200, 0], "{}", self.text);
        self.json()["response"]["data"].clone()
    }

    pub(crate) fn description(&self) -> String {
        let json = self.json();
        let item = json["response"].get(0).unwrap_or(&json["response"]).clone();
        item["error_data"]["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(crate) fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
    Client::builder().no_proxy().build().unwrap()
}

/// Opens a simulator. A process that another test is just starting holds a copy of every lock of
/// this one until it runs its own program, so a journal that was let go may be in use for a moment.
async fn open(options: Options) -> Sandbox {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match Sandbox::open(options.clone()) {
            Err(error)
                if error.kind() == std::io::ErrorKind::ResourceBusy
                    && std::time::Instant::now() < deadline =>
            {
                tokio::task::yield_now().await;
            }
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) async fn start(options: Options) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = open(options).await.start(listener).unwrap();
    World {
        running,
        client: client(),
    }
}

/// The field profile with limits that no test meets by accident.
pub(crate) async fn field() -> World {
    start(roomy()).await
}

pub(crate) fn roomy() -> Options {
    let limits = Limits {
        requests_per_minute: 1_000_000,
        connections: 1000,
        window_ms: 60_000,
    };
    Options {
        limits,
        ..Options::default()
    }
}

pub(crate) async fn documented() -> World {
    start(Options {
        profile: Profile::Documented,
        ..roomy()
    })
    .await
}

impl World {
    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with('/') {
            return format!("{}{path}", self.running.base_url());
        }
        format!("{}/v2/accounts/{ACCOUNT}/{path}", self.running.base_url())
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client
            .request(method, self.url(path))
            .basic_auth("key", Some("token"))
    }

    /// `path` without a slash in front is below the account.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Got> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        read(request).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Got {
        self.try_call(method, path, Some(body)).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.try_call("GET", path, None).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        self.try_call("DELETE", path, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Got {
        self.call("POST", path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Got {
        self.call("PUT", path, body).await
    }

    /// Makes a trunk and gives the path below which its resources are.
    pub(crate) async fn trunk(&self, name: &str) -> String {
        let data = self.post("trunks", trunk_body(name)).await.data();
        format!("trunks/{}", data["trunk_sid"].as_str().unwrap())
    }

    pub(crate) async fn state(&self) -> Value {
        self.get("/_sandbox/state").await.json()
    }

    pub(crate) async fn requests(&self) -> Vec<Value> {
        self.get("/_sandbox/requests")
            .await
            .json()
            .as_array()
            .unwrap()
            .clone()
    }

    pub(crate) async fn rules(&self, rules: Value) {
        let got = self.put("/_sandbox/faults", rules).await;
        assert_eq!(got.status, 204, "{}", got.text);
    }
}

pub(crate) async fn read(request: RequestBuilder) -> reqwest::Result<Got> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Got {
        status,
        headers,
        text: response.text().await?,
    })
}

pub(crate) fn trunk_body(name: &str) -> Value {
    let domain = format!("{ACCOUNT}.pstn.exotel.com");
    json!({ "trunk_name": name, "nso_code": "ANY-ANY", "domain_name": domain })
}

/// Sends a request for a trunk on a connection of its own and does not wait for the answer.
pub(crate) async fn send(world: &World, name: &str) -> TcpStream {
    let body = trunk_body(name).to_string();
    let length = body.len();
    let request = format!(
        "POST /v2/accounts/acme1/trunks HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic \
         a2V5OnRva2Vu\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(world.running.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}
