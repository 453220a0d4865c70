//! How far a run is: a bar on a terminal, a plain line every few seconds elsewhere.

use std::{
    collections::VecDeque,
    io::IsTerminal,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use records::Summary;
use store::{AccountStatus, Inspect};

use crate::{args::LogForm, error::Result, output::note, settings::Settings};

static BAR: OnceLock<Mutex<Option<ProgressBar>>> = OnceLock::new();

fn bar() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    let slot = BAR.get_or_init(|| Mutex::new(None));
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to stderr while the bar, if there is one, stands aside.
pub(crate) fn beside<T>(write: impl FnOnce() -> T) -> T {
    let shown = bar().clone();
    match shown {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// How many there are and how they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) blocked: u64,
    pub(crate) cancelled: u64,
    /// Those of the failed ones whose credentials are in use with a password that the store does not
    /// have.
    pub(crate) credentials_live: u64,
    /// Those that wait until an earlier request is certain.
    pub(crate) settling: Settling,
}

/// Onboardings that wait because an earlier request may still be processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settling {
    pub(crate) count: u64,
    /// For how long at most.
    pub(crate) longest: Duration,
}

impl Counts {
    /// Those that need nothing more.
    pub(crate) fn finished(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    /// Those that are neither finished nor blocked.
    pub(crate) fn open(&self) -> u64 {
        self.total.saturating_sub(self.finished() + self.blocked)
    }

    /// The summary of a run that sent so many requests.
    pub(crate) fn summary(&self, requests: u64, elapsed_ms: u64) -> Summary {
        Summary {
            total: self.total,
            succeeded: self.succeeded,
            failed: self.failed,
            blocked: self.blocked,
            cancelled: self.cancelled,
            credentials_live: self.credentials_live,
            requests,
            elapsed_ms,
        }
    }
}

/// How often it is looked which accounts are closed.
const ACCOUNTS_EVERY: Duration = Duration::from_secs(5);

/// How long the past is that the rate is taken from: an account's allowance comes by the minute.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// The finished ones over the last minute.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// What was finished before the first look, by whomever, does not count.
    fn begin(&mut self, now: Instant, finished: u64) {
        if self.0.is_empty() {
            self.0.push_back((now, finished));
        }
    }

    /// Notes that `finished` are finished now; gives how many a second.
    fn per_second(&mut self, now: Instant, finished: u64) -> f64 {
        self.0.push_back((now, finished));
        // Two samples a second at most are kept for a minute.
        while self.0.len() > 2
            && self
                .0
                .get(1)
                .is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW)
        {
            self.0.pop_front();
        }
        let Some((since, before)) = self.0.front() else {
            return 0.0;
        };
        let seconds = now.duration_since(*since).as_secs_f64();
        if seconds < 0.1 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let count = finished.saturating_sub(*before) as f64;
        count / seconds
    }
}

/// The progress of one run.
pub(crate) struct Progress {
    shown: Option<ProgressBar>,
    /// Whether lines are written where no bar can be shown.
    lines: bool,
    interval: Duration,
    last: Instant,
    rate: Rate,
    /// When it was last looked which accounts are closed, and how many were finished then.
    looked: (Instant, u64),
    /// Which are, for people.
    closed: Option<String>,
}

impl Progress {
    /// Begins to show it; the first count is what was there before. Without a terminal plain lines
    /// are written, but not between the records of a JSON log.
    pub(crate) fn start(settings: &Settings) -> Self {
        let shown = std::io::stderr().is_terminal().then(|| {
            let shown = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            shown.set_style(style());
            *bar() = Some(shown.clone());
            shown
        });
        Self {
            shown,
            lines: settings.log == LogForm::Text,
            interval: settings.progress_interval,
            last: Instant::now(),
            rate: Rate::default(),
            looked: (Instant::now(), 0),
            closed: None,
        }
    }

    /// Looks which accounts are closed, where nothing was finished since the last time: a person is
    /// to see what is waited for.
    pub(crate) async fn look_at_accounts(
        &mut self,
        store: &dyn Inspect,
        counts: &Counts,
    ) -> Result<()> {
        let (looked, finished) = self.looked;
        if looked.elapsed() < self.interval.min(ACCOUNTS_EVERY) {
            return Ok(());
        }
        self.looked = (Instant::now(), counts.finished());
        self.closed = if counts.open() == 0 || counts.finished() != finished {
            None
        } else {
            closed(&store.accounts().await?, Timestamp::now())
        };
        Ok(())
    }

    /// Shows how far it is now, if it is time to.
    pub(crate) fn update(&mut self, counts: &Counts) {
        let now = Instant::now();
        self.rate.begin(now, counts.finished());
        let due = now.duration_since(self.last) >= self.interval;
        if self.shown.is_none() && !due {
            return;
        }
        self.last = now;
        let rate = self.rate.per_second(now, counts.finished());
        let mut text = sentence(counts, rate);
        if let Some(closed) = &self.closed {
            text.push_str(", ");
            text.push_str(closed);
        }
        match &self.shown {
            Some(bar) => {
                bar.set_length(counts.total);
                bar.set_position(counts.finished());
                bar.set_message(text);
            }
            None if !self.lines => {}
            None => note(format_args!(
                "{}/{} done, {text}",
                counts.finished(),
                counts.total
            )),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.shown {
            shown.finish_and_clear();
        }
        *bar() = None;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn sentence(counts: &Counts, rate: f64) -> String {
    let mut text = format!("{rate:.1}/s");
    let left = counts.open();
    if rate > 0.0 && left > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a time for people")]
        let seconds = left as f64 / rate;
        text.push_str(", ");
        text.push_str(&duration(seconds));
        text.push_str(" left");
    }
    for (count, word) in [
        (counts.failed, "failed"),
        (counts.blocked, "blocked"),
        (counts.cancelled, "cancelled"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    let Settling { count, longest } = counts.settling;
    if count > 0 {
        let longest = duration(longest.as_secs_f64());
        text.push_str(&format!(
            ", {count} waiting until an earlier request is certain, {longest} at most"
        ));
    }
    text
}

/// The accounts that wait although they have something to do.
fn closed(all: &[AccountStatus], now: Timestamp) -> Option<String> {
    let mut waiting = all
        .iter()
        .filter(|own| own.waiting > 0 && own.parked.is_none() && own.is_closed(now));
    let first = waiting.next()?;
    let name = &first.name;
    let more = match waiting.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(match (&first.outage, first.closed_until) {
        (None, Some(until)) => {
            let until = until.strftime("%H:%M:%S");
            format!("{name} is closed by Exotel until {until} UTC{more}")
        }
        _ => format!("{name} is closed until Exotel answers{more}"),
    })
}

/// A time for people: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    // A century is long enough to say that it will not end.
    let whole = seconds.clamp(0.0, 3.2e9).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped above"
    )]
    let whole = whole as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{minutes} min {} s", whole % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (3.2, "4 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (f64::INFINITY, "37037 d 0 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn an_account_that_is_waited_for_is_named_with_its_time() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let closed_until = |name: &str, seconds: i64| AccountStatus {
            waiting: 1,
            closed_until: Timestamp::from_second(1_800_000_000 + seconds).ok(),
            ..AccountStatus::new(name.parse().unwrap())
        };
        assert_eq!(closed(&[closed_until("acme", -1)], now), None);
        let told = closed(&[closed_until("acme", 3600), closed_until("b", 9)], now);
        let text = "acme is closed by Exotel until 09:00:00 UTC (and 1 more)";
        assert_eq!(told.as_deref(), Some(text));
    }

    #[test]
    fn the_rate_is_that_of_the_last_minute_and_the_time_left_follows_from_it() {
        let mut rate = Rate::default();
        let start = Instant::now();
        rate.begin(start, 10);
        assert_eq!(rate.per_second(start, 10), 0.0);
        rate.begin(start, 0);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!((rate.per_second(at(10), 30) - 2.0).abs() < 1e-9);
        for second in 11..=200 {
            rate.per_second(at(second), 30);
        }
        assert_eq!(rate.per_second(at(201), 30), 0.0);
        let counts = Counts {
            total: 100,
            succeeded: 30,
            failed: 5,
            blocked: 5,
            ..Counts::default()
        };
        assert_eq!(
            sentence(&counts, 2.0),
            "2.0/s, 30 s left, 5 failed, 5 blocked"
        );
        let counts = Counts {
            settling: Settling {
                count: 3,
                longest: Duration::from_millis(27_100),
            },
            ..counts
        };
        assert_eq!(
            sentence(&counts, 0.0),
            "0.0/s, 5 failed, 5 blocked, 3 waiting until an earlier request is certain, 28 s at most"
        );
    }
}
