//! Where traces go, and that the log does not change for it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use crate::home::{Home, THREE};

/// A collector for one export: gives its head and body as they came.
fn collector() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut all = Vec::new();
        let mut part = [0; 4096];
        loop {
            let read = stream.read(&mut part).unwrap();
            assert_ne!(read, 0, "it ended early");
            all.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&all).into_owned();
            let Some((head, _)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            if all.len() >= head.len() + 4 + length.unwrap() {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .unwrap();
                return text;
            }
        }
    });
    (url, taken)
}

#[test]
fn spans_go_to_the_collector_that_a_setting_or_the_environment_names_and_the_log_stays_as_it_is() {
    let quiet = Home::new();
    quiet.write("three.csv", THREE);
    let untraced = quiet.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
    for variable in ["TRUNKLINE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let (url, taken) = collector();
        let home = Home::new()
            .with(variable, &url)
            .with("OTEL_EXPORTER_OTLP_HEADERS", "x-key=planted-header")
            // All of it at the end.
            .with("OTEL_BSP_SCHEDULE_DELAY", "60000")
            .with("TRUNKLINE_LOG_LEVEL", "warn");
        home.write("three.csv", THREE);
        let ran = home.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
        let sent = taken.join().unwrap();
        assert!(sent.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains("x-key: planted-header\r\n"), "{variable}");
        for span in ["onboarding", "create_trunk", "{trunk_sid}/phone-numbers"] {
            assert!(sent.contains(span), "{variable}: no {span}");
        }
        assert!(!ran.stderr.contains("planted"), "{}", ran.stderr);
        let lines = |text: &str| text.lines().count();
        assert_eq!(lines(&ran.stdout), lines(&untraced.stdout));
        assert!(!ran.stderr.contains("request{"), "{}", ran.stderr);
    }
}

#[test]
fn a_collector_that_is_away_is_told_once_and_fails_nothing() {
    let home = Home::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    home.write("three.csv", THREE);
    let ran = home.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
    let told = ran.stderr.matches("traces cannot be exported").count();
    assert_eq!(told, 1, "{}", ran.stderr);
}

#[test]
fn a_variable_that_cannot_be_used_is_refused_by_its_name_where_there_would_be_traces() {
    let home = Home::new()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    home.write("three.csv", THREE);
    let ran = home.run(&["onboard", "three.csv", "--sandbox"]).ends(2);
    assert!(
        ran.stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL"),
        "{}",
        ran.stderr
    );
    home.run(&["plan", "three.csv", "--sandbox"]).ends(0);
}
