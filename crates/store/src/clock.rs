//! The store's clocks: one that people read and may set, and one that nobody sets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The clocks of a machine.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC. Never goes back while the process lives, but another
    /// process may be told another time.
    fn now_ms(&self) -> i64;

    /// Milliseconds of a clock that nobody sets. All processes of one boot read the same; of two
    /// boots nothing can be compared.
    fn steady_ms(&self) -> i64;

    /// Which boot the steady clock counts in.
    fn boot(&self) -> String;
}

/// The machine's clocks. The time of day is read once and carried on by the steady clock.
#[derive(Debug)]
pub struct SystemClock {
    /// The time of day when the steady clock read zero, as this process was told.
    zero_ms: i64,
    boot: String,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            zero_ms: millis(since_epoch) - steady_ms(),
            boot: boot(),
        }
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        self.zero_ms.saturating_add(steady_ms())
    }

    fn steady_ms(&self) -> i64 {
        steady_ms()
    }

    fn boot(&self) -> String {
        self.boot.clone()
    }
}

/// The time since the boot, suspended or not.
fn steady_ms() -> i64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let millis = now.tv_nsec / 1_000_000;
    now.tv_sec.saturating_mul(1000).saturating_add(millis)
}

/// The boot's name, and that of the time namespace, whose steady clock is another. Where there is no
/// name for the boot, every process takes itself to be in another one: what it
/// finds then costs waiting, as after a restart of the machine.
fn boot() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match named.trim() {
        "" => format!("process {:032x}", rand::random::<u128>()),
        name => match std::fs::read_link("/proc/self/ns/time") {
            Ok(namespace) => format!("{name} {}", namespace.display()),
            Err(_) => name.to_owned(),
        },
    }
}

/// Clocks that move only when told to, for tests.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    now_ms: Arc<AtomicI64>,
    steady_ms: Arc<AtomicI64>,
    boots: Arc<AtomicI64>,
}

impl ManualClock {
    /// Clocks that stand at `now_ms`, some time after a boot.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        Self {
            now_ms: Arc::new(AtomicI64::new(now_ms)),
            steady_ms: Arc::new(AtomicI64::new(1_000_000)),
            boots: Arc::default(),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(millis(by), Ordering::SeqCst);
        self.steady_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the time of day, by this many milliseconds; no time passes.
    pub fn set_by(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// The clocks as another process of the same boot reads them, with a time of day of its own that
    /// is ahead by so many milliseconds. The steady clock is the same one.
    #[must_use]
    pub fn elsewhere(&self, ahead_ms: i64) -> Self {
        let now_ms = self.now_ms.load(Ordering::SeqCst) + ahead_ms;
        Self {
            now_ms: Arc::new(AtomicI64::new(now_ms)),
            ..self.clone()
        }
    }

    /// Starts the machine anew: the steady clock begins again. Stores have to be opened anew.
    pub fn reboot(&self) {
        self.boots.fetch_add(1, Ordering::SeqCst);
        self.steady_ms.store(5_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn steady_ms(&self) -> i64 {
        self.steady_ms.load(Ordering::SeqCst)
    }

    fn boot(&self) -> String {
        format!("boot {}", self.boots.load(Ordering::SeqCst))
    }
}

/// A duration in whole milliseconds; more than 292 million years are cut.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
