//! The promise: where the only way out is a proxy, it is used for Exotel's API; what it refuses is reported
//! with the remedy, and its credentials appear nowhere.
//!
//! The method: a proxy of the test's own that refuses everything, and a host that does not exist.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use tests::{Ended, Place, Simulator};

/// Answers every `CONNECT` with these lines; keeps what it was asked.
fn proxy(answer: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            let head: Vec<String> = lines
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            kept.lock().unwrap().push(head.join("\n"));
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (address, asked)
}

const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
base_url = "https://exotel-api.invalid"
api_key = { env = "ACME_KEY" }
api_token = { env = "ACME_KEY" }
"#;

fn place() -> Place {
    let place = Place::bare().env("ACME_KEY", "made-up-key");
    place.write("accounts.toml", ACCOUNTS);
    place
}

/// Why the account does not work.
fn why(ran: &Ended) -> String {
    ran.record("account_check")["error"]["message"].to_string()
}

#[test]
fn the_environments_proxy_is_asked_and_what_it_refuses_is_told_without_its_login() {
    for (answer, says) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "wants a login",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            "refused to connect there",
        ),
    ] {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            let (address, asked) = proxy(answer);
            let url = format!("http://planted-user:planted-word@{address}");
            let place = place()
                .env(variable, &url)
                .env("TRUNKLINE_LOG_LEVEL", "trace");
            let ran = place.run(&["accounts", "check", "--json"]).with(1);
            let message = why(&ran);
            assert!(message.contains("proxy_refused"), "{message}");
            assert!(message.contains(says), "{message}");
            assert!(message.contains(&address.to_string()), "{message}");
            let asked = asked.lock().unwrap().join("\n");
            assert!(asked.starts_with("CONNECT exotel-api.invalid:443 "));
            let output = format!("{}{}", ran.stdout, ran.stderr);
            // And BASE64 of planted-user:planted-word.
            for secret in ["planted", "cGxhbnRlZC11c2VyOnBsYW50ZWQtd29yZA"] {
                assert!(!output.contains(secret), "{output}");
            }
        }
    }
}

#[test]
fn the_setting_and_no_proxy_win_and_this_machine_needs_no_proxy() {
    let refuse = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
    let ((own, asked), (other, not_asked)) = (proxy(refuse), proxy(refuse));
    let place = place().env("HTTPS_PROXY", &format!("http://{other}"));
    place.settings(&format!("proxy = \"http://{own}\"\n"));
    let ran = place.run(&["accounts", "check", "--json"]).with(1);
    assert!(why(&ran).contains("proxy_refused"), "{}", ran.stdout);
    assert_eq!(asked.lock().unwrap().len(), 1);

    place.settings("proxy = \"none\"\n");
    let past = |place: &Place| {
        let ran = place.run(&["accounts", "check", "--json"]).with(1);
        let message = why(&ran);
        // A machine without a name server may take the whole time to find out.
        let codes = ["dns_failed", "connect_timeout"];
        assert!(codes.iter().any(|code| message.contains(code)), "{message}");
        assert!(!message.contains("proxy"), "{message}");
    };
    past(&place);
    place.settings("");
    past(&place.env("NO_PROXY", "exotel-api.invalid"));

    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]).env("HTTPS_PROXY", &format!("http://{other}"));
    let place = place.env("https_proxy", "http://127.0.0.1:1");
    let _ = place.run(&["accounts", "check"]).with(0);
    assert_eq!(not_asked.lock().unwrap().len(), 0);
}
