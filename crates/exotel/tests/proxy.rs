//! What goes through a proxy, and what is known when the proxy does not play along.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::Arc,
    thread::JoinHandle,
};

use exotel::{Class, Client, ClientConfig, ConfigError, Proxy};
use onboarding::{Secret, TrunkName};
use support::{Act, KEY, Server, TOKEN, answer, http, ok, sid};

/// A host that only a proxy could know.
const BASE: &str = "https://exotel-api.invalid";

fn name() -> TrunkName {
    "acme_agent".parse().unwrap()
}

fn config(base: &str, proxy: Proxy) -> ClientConfig {
    let mut config = ClientConfig::new(base, "acme1", Secret::new(KEY), Secret::new(TOKEN));
    config.proxy = proxy;
    config
}

#[tokio::test]
async fn what_a_proxy_refuses_itself_was_never_sent_and_is_told_with_the_remedy() {
    let proxy = Server::start().await;
    let shown = proxy.url.trim_start_matches("http://").to_owned();
    let client = Client::new(&config(BASE, Proxy::Url(proxy.url.clone()))).unwrap();
    for (act, says) in [
        (
            Act::SayAndClose(http("407 Proxy Authentication Required", &[], b"")),
            "wants a login, or another one (407)",
        ),
        (
            Act::SayAndClose(http("502 Bad Gateway", &[], b"")),
            "refused to connect there",
        ),
        (
            Act::SayAndClose(http("503 Service Unavailable", &[], b"")),
            "refused to connect there",
        ),
        (
            Act::SayAndClose(http("403 Forbidden", &[], b"")),
            "refused to connect there",
        ),
        (Act::SayAndClose(Vec::new()), "ended the connection"),
    ] {
        proxy.then(act);
        let error = client.create_trunk(&name()).await.unwrap_err();
        assert_eq!(error.class(), Class::NeverSent, "{error}");
        assert_eq!(error.code(), "proxy_refused", "{error}");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains(&shown), "{text}");
        assert!(
            !text.contains("check the network and the base URL"),
            "{text}"
        );
        let asked = proxy.last();
        assert!(
            asked.starts_with("CONNECT exotel-api.invalid:443 "),
            "{asked}"
        );
        assert!(!asked.contains("authorization: Basic"), "{asked}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let client = Client::new(&config(BASE, Proxy::Url(url.clone()))).unwrap();
    let error = client.create_trunk(&name()).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::NeverSent, "connect_failed")
    );
    let named = format!("through the proxy {}", url.trim_start_matches("http://"));
    assert!(error.to_string().contains(&named), "{error}");
}

#[tokio::test]
async fn a_login_of_a_proxy_is_sent_to_it_and_shown_to_nobody() {
    let proxy = Server::start().await;
    let url = proxy
        .url
        .replace("http://", "http://planted-user:planted-word@");
    let config = config(BASE, Proxy::Url(url));
    let client = Client::new(&config).unwrap();
    proxy.then(Act::SayAndClose(http("407 No", &[], b"")));
    let error = client.create_trunk(&name()).await.unwrap_err();
    // BASE64 of planted-user:planted-word.
    let encoded = "cGxhbnRlZC11c2VyOnBsYW50ZWQtd29yZA==";
    let asked = proxy.last().to_lowercase();
    let header = format!("proxy-authorization: basic {}", encoded.to_lowercase());
    assert!(asked.contains(&header), "{asked}");
    let shown = format!("{error} {error:?} {client:?}");
    for secret in ["planted", encoded] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_any_proxy() {
    let server = Server::start().await;
    let nobody = Proxy::Url("http://127.0.0.1:1".to_owned());
    server.then(ok("trunk"));
    let client = Client::new(&config(&server.url, nobody)).unwrap();
    client.create_trunk(&name()).await.unwrap();
}

#[test]
fn what_is_no_http_proxy_is_refused_without_its_url() {
    for url in ["socks5://planted:planted@127.0.0.1:1080", "ftp://planted"] {
        let refused = Client::new(&config(BASE, Proxy::Url(url.to_owned()))).unwrap_err();
        assert!(matches!(refused, ConfigError::Proxy(_)), "{refused:?}");
        let text = format!("{refused} {refused:?}");
        assert!(!text.contains("planted"), "{text}");
    }
}

/// Answers one HTTPS request of a host that is not this one's, with a certificate that nobody but
/// `trust` knows.
fn https_server(host: &str) -> (u16, String, JoinHandle<Vec<u8>>) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let mut seen = vec![0; 64 * 1024];
        let read = tls.read(&mut seen).unwrap_or(0);
        seen.truncate(read);
        let bytes = http("200 OK", &["connection: close"], &answer("trunk"));
        tls.write_all(&bytes).unwrap();
        seen
    });
    (port, cert.pem(), thread)
}

/// Carries one connection to the port, whatever host is asked for; gives what it was asked.
fn tunnel(to: u16) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            near.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut from_near, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from_near, &mut to_far));
        let _ = std::io::copy(&mut far, &mut near);
        String::from_utf8(head).unwrap()
    });
    (port, thread)
}

/// The environment and the platform's roots belong to a process, so this one runs itself again with its
/// own.
#[tokio::test]
async fn the_environments_proxy_carries_requests_that_it_cannot_read() {
    const INSIDE: &str = "EXOTEL_TEST_BEHIND_A_PROXY";
    let own = "the_environments_proxy_carries_requests_that_it_cannot_read";
    if std::env::var_os(INSIDE).is_some() {
        let client = Client::new(&config(BASE, Proxy::Environment)).unwrap();
        let made = client.create_trunk(&name()).await.unwrap();
        assert_eq!(made.value.trunk_sid, sid());
        return;
    }
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (port, pem, server) = https_server("exotel-api.invalid");
        let (proxy, asked) = tunnel(port);
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, pem).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([own, "--exact"])
            .env(INSIDE, "1")
            .env(variable, format!("http://127.0.0.1:{proxy}"))
            .env("NO_PROXY", "other.invalid")
            .env("SSL_CERT_FILE", &roots)
            .output()
            .unwrap();
        assert!(output.status.success(), "{variable}: {output:?}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("CONNECT exotel-api.invalid:443 HTTP/1.1\r\n"));
        assert!(
            !asked.to_lowercase().contains("\r\nauthorization"),
            "{asked}"
        );
        let seen = String::from_utf8(server.join().unwrap()).unwrap();
        assert!(seen.starts_with("POST /v2/accounts/acme1/trunks HTTP/1.1\r\n"));
    }
}

/// As above.
#[tokio::test]
async fn no_proxy_and_the_setting_lead_past_the_environments_proxy() {
    const INSIDE: &str = "EXOTEL_TEST_PAST_A_PROXY";
    let own = "no_proxy_and_the_setting_lead_past_the_environments_proxy";
    if let Ok(way) = std::env::var(INSIDE) {
        let proxy = match way.as_str() {
            "none" => Proxy::None,
            _ => Proxy::Environment,
        };
        let client = Client::new(&config(BASE, proxy)).unwrap();
        let error = client.create_trunk(&name()).await.unwrap_err();
        // A machine without a name server may take the whole time to find out.
        let codes = ["dns_failed", "connect_timeout"];
        assert!(codes.contains(&error.code()), "{error}");
        assert!(!error.to_string().contains("proxy"), "{error}");
        return;
    }
    let proxy = Server::start().await;
    for (way, variable, value) in [
        ("none", "NO_PROXY", ""),
        ("environment", "NO_PROXY", "exotel-api.invalid"),
        ("environment", "no_proxy", ".invalid"),
        ("environment", "NO_PROXY", "*"),
    ] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([own, "--exact"])
            .env(INSIDE, way)
            .env("HTTPS_PROXY", &proxy.url)
            .env(variable, value);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        assert!(output.status.success(), "{way} {value}: {output:?}");
    }
    assert_eq!(proxy.count(), 0);
}
