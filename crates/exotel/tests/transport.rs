//! What happens when the network, the server or the list does not play along.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

mod support;

use std::{
    io::Read,
    net::TcpListener,
    process::Command,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use exotel::{Class, Client, ClientConfig, Error, NextPage};
use onboarding::{Secret, SipPassword, TrunkName};
use support::{Act, KEY, PASSWORD, Server, TOKEN, answer, http, ok, sid};

fn name() -> TrunkName {
    "acme_agent".parse().unwrap()
}

fn assert_failed<T: std::fmt::Debug>(result: Result<T, Error>, class: Class, code: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!((error.class(), error.code()), (class, code), "{error}");
    assert_eq!(error.may_have_happened(), class == Class::Unknown);
    error
}

#[tokio::test]
async fn a_refused_connection_never_sent_anything() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let config = ClientConfig::new(url, "acme1", Secret::new(KEY), Secret::new(TOKEN));
    let result = Client::new(&config).unwrap().create_trunk(&name()).await;
    assert_failed(result, Class::NeverSent, "connect_failed");
}

#[tokio::test]
async fn an_unknown_host_never_got_anything() {
    let mut config = ClientConfig::new(
        "http://no-such-host.invalid",
        "acme1",
        Secret::new(KEY),
        Secret::new(TOKEN),
    );
    config.allow_plain_http = true;
    let result = Client::new(&config).unwrap().create_trunk(&name()).await;
    let error = result.unwrap_err();
    assert_eq!(error.class(), Class::NeverSent, "{error}");
    // A machine without a name server may take the whole time to find out.
    let codes = ["dns_failed", "connect_timeout"];
    assert!(codes.contains(&error.code()), "{error}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_a_connect_timeout_and_never_sent_anything() {
    // The kernel accepts the connection; nobody ever answers the TLS hello.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut config = ClientConfig::new(url, "acme1", Secret::new(KEY), Secret::new(TOKEN));
    config.connect_timeout = Duration::from_millis(50);
    let result = Client::new(&config).unwrap().create_trunk(&name()).await;
    assert_failed(result, Class::NeverSent, "connect_timeout");
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_the_outcome_unknown_after_one_attempt() {
    let server = Server::start().await;
    let mut config = server.config();
    config.request_timeout = Duration::from_millis(80);
    let client = Client::new(&config).unwrap();
    server.then(Act::Hang);
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "timeout");
    assert_eq!(server.count(), 1);

    // Half an answer, then silence.
    let mut half = http("200 OK", &[], &answer("trunk"));
    half.truncate(half.len() - 10);
    server.then(Act::Say(half));
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "timeout");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_lost_connection_leaves_the_outcome_unknown_after_one_attempt() {
    let server = Server::start().await;
    let client = server.client();
    let whole = http("200 OK", &[], &answer("trunk"));
    let cuts = [0, 5, 20, whole.len() - 200, whole.len() - 1];
    for (n, cut) in cuts.into_iter().enumerate() {
        server.then(Act::SayAndClose(whole[..cut].to_vec()));
        let result = client.create_trunk(&name()).await;
        assert_failed(result, Class::Unknown, "connection_lost");
        assert_eq!(server.count(), n + 1, "cut after {cut} bytes");
    }
    server.then(Act::Reset);
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "connection_lost");
    server.then(Act::Say(b"HELLO, THIS IS NOT HTTP\r\n\r\n".to_vec()));
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "connection_lost");
    assert_eq!(server.count(), cuts.len() + 2);
}

#[tokio::test]
async fn a_reset_on_a_reused_connection_is_not_repeated_either() {
    let server = Server::start().await;
    let client = server.client();
    server.then(ok("trunk")).then(Act::Reset);
    client.create_trunk(&name()).await.unwrap();
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "connection_lost");
    assert_eq!(server.count(), 2);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let server = Server::start().await;
    let client = server.client();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n";
    server.then(Act::Say(head.into()));
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "body_too_large");

    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..9 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.resize(chunked.len() + 0x10_0000, b' ');
        chunked.extend_from_slice(b"\r\n");
    }
    server.then(Act::Say(chunked));
    let result = client.create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "body_too_large");
}

#[tokio::test]
async fn a_body_in_pieces_is_read_whole() {
    let server = Server::start().await;
    let client = server.client();
    let body = answer("trunk");
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(7) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    server.then(Act::Say(chunked));
    assert_eq!(client.trunk(&sid()).await.unwrap().value.trunk_sid, sid());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    let location = format!("location: {}/v2/", elsewhere.url);
    server.then(Act::Say(http("307 Moved", &[&location], b"")));
    let result = server.client().create_trunk(&name()).await;
    assert_failed(result, Class::Unknown, "empty_body");
    assert_eq!((server.count(), elsewhere.count()), (1, 0));
}

/// A page of `count` trunks and the address of the next one.
fn page(from: usize, count: usize, next: Option<&str>) -> Act {
    let items: Vec<_> = (from..from + count)
        .map(|n| {
            serde_json::json!({"code": 200, "error_data": null, "status": "success",
                "data": {"trunk_sid": format!("trmum1{n}"), "trunk_name": format!("t{n}")}})
        })
        .collect();
    let body = serde_json::json!({"request_id": "p", "method": "GET", "http_code": 200,
        "metadata": {"page_size": 50, "next_page_uri": next}, "response": items});
    Act::Say(http("200 OK", &[], body.to_string().as_bytes()))
}

#[tokio::test]
async fn pages_are_followed_to_the_end_on_the_same_host_only() {
    let server = Server::start().await;
    let client = server.client();
    server
        .then(page(
            0,
            50,
            Some("http://127.0.0.1:1/steal?offset=50&page_size=50"),
        ))
        .then(page(
            50,
            50,
            Some("/v2/accounts/acme1/trunks?offset=100&page_size=20"),
        ))
        .then(page(100, 7, None));
    let (mut names, mut at) = (Vec::new(), Some(NextPage::FIRST));
    while let Some(here) = at {
        let page = client.trunks_page(here).await.unwrap().value;
        names.extend(page.items.into_iter().map(|trunk| trunk.trunk_name));
        at = page.next;
    }
    let expected: Vec<String> = (0..107).map(|n| format!("t{n}")).collect();
    assert_eq!(names, expected);
    assert_eq!(server.count(), 3);
    let line = "GET /v2/accounts/acme1/trunks?offset=100&page_size=20 HTTP/1.1\r\n";
    assert!(server.last().starts_with(line), "{}", server.last());
}

#[tokio::test]
async fn a_next_page_that_does_not_move_on_is_an_error() {
    let server = Server::start().await;
    let client = server.client();
    for next in [
        "/t?offset=0&page_size=50",
        "/t?page_size=50",
        "/t?offset=50&page_size=0",
    ] {
        server.then(page(0, 1, Some(next)));
        let result = client.trunks_page(NextPage::FIRST).await;
        assert_failed(result, Class::Unknown, "paging_stuck");
    }
}

/// Everything that is traced, at every level, of every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn credentials_are_in_the_header_and_nowhere_else() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _on = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let config = server.config();
    let client = Client::new(&config).unwrap();
    let password = SipPassword::from_secret(Secret::new(PASSWORD));
    // BASE64 of made_up_key:made_up_token_1.
    let encoded = "bWFkZV91cF9rZXk6bWFkZV91cF90b2tlbl8x";

    server.then(ok("credentials"));
    let (sid, user) = (sid(), "acme_user".parse().unwrap());
    let create = client.create_credentials(&sid, &user, &password, None);
    let made = create.await.unwrap();
    let request = server.last();
    let (line, rest) = request.split_once("\r\n").unwrap();
    assert!(rest.contains(&format!("authorization: Basic {encoded}\r\n")));

    // An answer that says everything it was told.
    let echo = format!("no: {KEY} {TOKEN} {PASSWORD} Basic {encoded}\\r\\n\\u001b[31m");
    let body = format!(
        r#"{{"request_id":"{PASSWORD}","response":{{"code":400,"status":"failure","data":null,
        "error_data":{{"code":1002,"description":"{echo}"}}}}}}"#
    );
    server.then(Act::Say(http("400 Bad", &[], body.as_bytes())));
    let create = client.create_credentials(&sid, &user, &password, None);
    let echoed = create.await.unwrap_err();
    assert_eq!(
        echoed.description(),
        Some("no: *** *** *** Basic ***   [31m")
    );
    server.then(Act::Reset);
    let lost = client.create_credentials(&sid, &user, &password, None);
    let lost = lost.await.unwrap_err();

    let traced = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for field in [
        "call=\"create_credentials\"",
        "status=200",
        "inner_code=200",
        "duration_ms",
    ] {
        assert!(traced.contains(field), "{field} in {traced}");
    }
    assert!(!traced.contains("acme_user"), "{traced}");
    let seen = format!(
        "{line} {config:?} {client:?} {made:?} {echoed} {echoed:?} {lost} {lost:?} {traced}"
    );
    for secret in [KEY, TOKEN, PASSWORD, encoded] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

/// Answers one HTTPS request with a certificate that nobody but `trust` knows. Gives the URL and
/// the certificate as PEM; the thread gives back what it decrypted.
fn https_server() -> (String, String, std::thread::JoinHandle<Vec<u8>>) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let mut seen = vec![0; 64 * 1024];
        let read = tls.read(&mut seen).unwrap_or(0);
        seen.truncate(read);
        if read > 0 {
            let bytes = http("200 OK", &["connection: close"], &answer("trunk"));
            std::io::Write::write_all(&mut tls, &bytes).unwrap();
        }
        seen
    });
    (url, cert.pem(), thread)
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_gets_nothing() {
    let (url, _, thread) = https_server();
    let config = ClientConfig::new(url, "acme1", Secret::new(KEY), Secret::new(TOKEN));
    let client = Client::new(&config).unwrap();
    let error = assert_failed(
        client.create_trunk(&name()).await,
        Class::NeverSent,
        "tls_failed",
    );
    assert!(error.to_string().contains("certificate"), "{error}");
    drop(client);
    assert_eq!(thread.join().unwrap(), b"", "not a byte of the request");
}

/// The platform's roots are read from the environment once per process, so this one runs itself
/// again with its own.
#[tokio::test]
async fn a_server_whose_certificate_the_platform_trusts_is_talked_to() {
    const URL: &str = "EXOTEL_TEST_TRUSTED_URL";
    if let Ok(url) = std::env::var(URL) {
        let config = ClientConfig::new(url, "acme1", Secret::new(KEY), Secret::new(TOKEN));
        let client = Client::new(&config).unwrap();
        let made = client.create_trunk(&name()).await.unwrap();
        assert_eq!(made.value.trunk_sid, sid());
        return;
    }
    let (url, pem, thread) = https_server();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, pem).unwrap();
    let own = "a_server_whose_certificate_the_platform_trusts_is_talked_to";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([own, "--exact"])
        .env(URL, url)
        .env("SSL_CERT_FILE", &roots)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen = String::from_utf8(thread.join().unwrap()).unwrap();
    assert!(
        seen.starts_with("POST /v2/accounts/acme1/trunks HTTP/1.1\r\n"),
        "{seen}"
    );
}
