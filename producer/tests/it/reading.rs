//! Reading is incremental.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use producer::{About, Accounts, Format, Source, enqueue, plan};
use store::{Inspect, Limits};

use crate::desk::{Desk, builtin};

/// How far a reader may be ahead of what was handled: its buffer, and a record.
const AHEAD_BYTES: u64 = 64 * 1024 + 1024;

/// Makes rows as they are asked for, and counts the bytes that it gave.
struct Rows {
    format: Format,
    next: u64,
    last: u64,
    pending: Vec<u8>,
    given: Arc<AtomicU64>,
}

impl Rows {
    fn row(&self) -> String {
        let number = self.next;
        let object = format!(
            "{{\"account\":\"acme\",\"partner\":\"livekit\",\"number\":\"+91{number:010}\"}}\n"
        );
        match (self.format, number) {
            (Format::Csv, 0) => "account,partner,number\n".to_owned(),
            (Format::Csv, _) => format!("acme,livekit,+91{number:010}\n"),
            (Format::JsonLines, _) => object,
            (Format::JsonArray, 0) => format!("[{object}"),
            (Format::JsonArray, n) if n == self.last => format!(",{object}]"),
            (Format::JsonArray, _) => format!(",{object}"),
        }
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() && self.next <= self.last {
            self.pending = self.row().into_bytes();
            self.next += 1;
        }
        // Odd pieces, as a pipe may hand them over.
        let count = buffer.len().min(self.pending.len()).min(7);
        buffer[..count].copy_from_slice(&self.pending[..count]);
        self.pending.drain(..count);
        self.given.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[test]
fn a_signup_is_handled_before_what_follows_it_is_read() {
    for format in [Format::Csv, Format::JsonLines, Format::JsonArray] {
        let given = Arc::new(AtomicU64::new(0));
        let rows = Rows {
            format,
            next: 0,
            last: 20_000,
            pending: Vec::new(),
            given: Arc::clone(&given),
        };
        let (mut handled, mut ahead) = (0_u64, 0_u64);
        let source = Source::from_reader("rows", Some(format), rows);
        let report = plan(
            vec![source],
            &builtin(Accounts::Any),
            |_| Limits::per_minute(200, 50),
            |planned| {
                let row = match format {
                    Format::Csv => "acme,livekit,+910000000000\n".len(),
                    Format::JsonLines | Format::JsonArray => 66,
                };
                handled = planned.line * row as u64;
                ahead = ahead.max(given.load(Ordering::Relaxed).saturating_sub(handled));
            },
        );
        assert!(report.unwrap().total >= 20_000, "{format:?}");
        assert!(ahead < AHEAD_BYTES, "{format:?}: {ahead} bytes ahead");
        assert!(handled > 500_000, "{format:?}: {handled}");
    }
}

#[test]
fn a_reader_that_fails_ends_the_reading_with_its_reason() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let good = "account,partner,number\nacme,livekit,+918000000001\n";
    let source = Source::from_reader("tape", Some(Format::Csv), good.as_bytes().chain(Broken));
    let error = plan(
        vec![source],
        &builtin(Accounts::Any),
        |_| Limits::per_minute(200, 50),
        |_| {},
    );
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("tape") && text.contains("the disk is on fire"),
        "{text}"
    );
}

#[tokio::test]
async fn an_enqueue_that_is_given_up_stops_reading_and_leaves_nothing() {
    /// Never ends, and tells when it is dropped by closing the channel.
    struct Endless(
        Rows,
        #[expect(dead_code, reason = "closed by its drop")] mpsc::Sender<()>,
    );
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    // Good rows only, and a bad one first: after a problem the rest is still read for others.
    for first in ["", "{}\n"] {
        let (alive, dropped) = mpsc::channel();
        let given = Arc::new(AtomicU64::new(0));
        let rows = Rows {
            format: Format::JsonLines,
            next: 0,
            last: u64::MAX,
            pending: first.as_bytes().to_vec(),
            given: Arc::clone(&given),
        };
        let desk = Desk::new();
        let known = builtin(Accounts::Any);
        let source = Source::from_reader("endless", None, Endless(rows, alive));
        let reading = enqueue(
            vec![source],
            &known,
            About::default(),
            desk.store.as_ref(),
            |_| {},
        );
        let started = async {
            while given.load(Ordering::Relaxed) < 250_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = reading => panic!("{ended:?}"),
            () = started => {}
        }
        let closed = dropped.recv_timeout(Duration::from_secs(30));
        assert_eq!(
            closed,
            Err(mpsc::RecvTimeoutError::Disconnected),
            "{first:?}"
        );
        assert_eq!(desk.store.tally().await.unwrap().total(), 0);
    }
}
