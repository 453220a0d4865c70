//! The promise: whatever happens for as long as one cares to wait, together and again and again, every
//! onboarding ends in exactly one set of resources, and no account gets more requests than its limits
//! allow.
//!
//! The method: rounds of onboardings. In each, workers are killed, stopped for longer than their leases
//! and told other times, every other one of a store's last writes are lost, one request in six is
//! answered wrongly, and one in ten is processed a while after its client gave up; all after numbers of
//! requests drawn from a seed. When all have ended and were checked late, the simulator is compared with
//! what is on record.
//!
//! `TRUNKLINE_SOAK_MINUTES` is how long each store is tried (it is left out unless set), `TRUNKLINE_SOAK_SEED` the
//! seed (the time unless set).
#![expect(clippy::print_stderr, reason = "what it did is for a person to read")]

use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tests::{
    Place, Program, Request, Server, Signal, Signup, Simulator, StoreKind, lines_of,
    repeats_on_trunks, until, until_within, wrong_records,
};

use crate::crash_anywhere::{Draw, trouble};

/// For one round on a loaded machine. After a database was put back accounts wait for a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks that start a process.
const LOOK: Duration = Duration::from_millis(200);

/// Of the settings that places begin with.
const LEASE: Duration = Duration::from_millis(4000);

/// The window of Exotel's limit.
const WINDOW_MS: u64 = 60_000;

/// What is late is so by this at most, so that it is processed before the late check.
const LATE_MAX_MS: u64 = 2_500;

const SETTINGS: &str = "concurrency = 8\nattempts_max = 100\nnever_sent_attempts_max = 100\n\
                        settling_ms = 1000\nlate_check_ms = 10000\naccount_probe_ms = 16000\n\
                        log_level = \"warn,worker=info,store=info\"\n";

/// Accounts by the requests that each may send in a minute, and the onboardings of a round that it has.
/// The window binds for the narrow one.
const ACCOUNTS: [(&str, usize, u64, usize); 2] = [("narrow", 1, 60, 2), ("wide", 12, 600, 4)];

/// What every account may have open at once.
const CONNECTIONS: u64 = 20;

/// What the workers' time of day is read from, by libfaketime.
const CLOCK: &str = "worker-clock";

const DATABASE: [&str; 2] = ["trunkline.db", "trunkline.db-wal"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    /// A worker is killed, and another one started.
    Kill,
    /// A worker is stopped for longer than its lease.
    Stop,
    /// The workers' time of day is set.
    Clock,
    /// What the store has is kept aside.
    Keep,
    /// The store's last writes are lost.
    Lose,
}

use Happening::{Clock, Keep, Kill, Lose, Stop};

/// What happened in all rounds.
#[derive(Debug, Default)]
struct Counts {
    rounds: usize,
    onboardings: usize,
    kills: usize,
    stops: usize,
    clock_steps: usize,
    tails_lost: usize,
    late_requests: usize,
    /// By late checks and at onboardings' ends.
    surplus_removed: usize,
    credentials_live: usize,
}

struct Soak {
    simulator: Simulator,
    place: Place,
    /// Without one the store is a database file.
    redis: Option<Server>,
    workers: Vec<Program>,
    draw: Draw,
    counts: Counts,
    /// The append-only file was as long as this when the round's onboardings were accepted.
    accepted: u64,
    /// When last writes were lost.
    losses: Vec<u64>,
    /// Whether the workers can be told another time.
    clock: bool,
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn accounts() -> Vec<(String, u64, usize)> {
    let of = |(kind, count, limit, onboardings): (&str, usize, u64, usize)| {
        (0..count)
            .map(move |n| (format!("{kind}{n}"), limit, onboardings))
            .collect::<Vec<_>>()
    };
    ACCOUNTS.iter().copied().flat_map(of).collect()
}

impl Soak {
    fn new(kind: StoreKind, seed: u64) -> Self {
        let simulator = Simulator::slow(1, 20);
        simulator.append_credentials();
        let accounts = accounts();
        let limits: Vec<String> = accounts
            .iter()
            .map(|(_, limit, _)| {
                format!("requests_per_minute = {limit}, connections = {CONNECTIONS}")
            })
            .collect();
        let named = accounts.iter().zip(&limits);
        let mut place = Place::with_own_limits(
            &simulator,
            named.map(|((name, ..), limits)| (&**name, &**limits)),
        );
        let redis = (kind == StoreKind::Redis).then(|| {
            let lines = [
                "appendonly yes",
                "appendfsync always",
                "auto-aof-rewrite-percentage 0",
            ];
            Server::start(&lines)
        });
        if let Some(redis) = &redis {
            place = place.on_redis(&redis.url());
        }
        place.settings(SETTINGS);
        place.write(CLOCK, "+0\n");
        let mut soak = Self {
            simulator,
            place,
            workers: Vec::new(),
            draw: Draw(seed),
            counts: Counts::default(),
            accepted: 0,
            losses: Vec::new(),
            clock: Place::moves_clocks(),
            redis,
        };
        let workers = if soak.redis.is_some() { 3 } else { 1 };
        for _ in 0..workers {
            soak.start_worker();
        }
        soak
    }

    fn start_worker(&mut self) {
        let command = if self.clock {
            self.place.command_set_by(CLOCK, &["work"])
        } else {
            self.place.command(&["work"])
        };
        let worker = self.place.launch(command);
        until("the worker has started", || {
            (worker.said("worker started") > 0).then_some(())
        });
        self.workers.push(worker);
    }

    /// One of these.
    fn drawn<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.draw.below(of.len() as u64) as usize]
    }

    fn signups(&self, chosen: bool) -> Vec<Signup> {
        let mut all = Vec::new();
        let accounts = accounts();
        let most = accounts
            .iter()
            .map(|(_, _, onboardings)| *onboardings)
            .max();
        for nth in 0..most.unwrap_or_default() {
            for (account, ..) in accounts.iter().filter(|(_, _, most)| nth < *most) {
                let n = self.counts.onboardings + all.len();
                let mut signup = Signup::new(account, "five_steps", n);
                if chosen && n.is_multiple_of(4) {
                    signup = signup.with("trunk_name", &format!("chosen_{n}"));
                }
                all.push(signup);
            }
        }
        all
    }

    /// Breaks one request in six, and one in ten is processed late.
    fn faults(&mut self) -> Vec<Value> {
        let seed = self.draw.below(1_000_000);
        let mut rules = trouble(seed);
        for n in 0..6 {
            let late_ms = 20 + self.draw.below(LATE_MAX_MS - 20);
            let mut rule = match n % 3 {
                0 => json!({"status": 504, "body": "html"}),
                1 => json!({"hold_ms": 600_000}),
                _ => json!({"reset_before": true}),
            };
            rule["late_ms"] = json!(late_ms);
            rule["probability"] = json!(1.0 / 60.0);
            rule["seed"] = json!(seed + 100 + n);
            rules.push(rule);
        }
        rules
    }

    /// What happens in a round, in this order.
    fn happenings(&mut self, lossy: bool) -> Vec<Happening> {
        let mut all: Vec<Happening> = (0..5)
            .map(|_| self.drawn(&[Kill, Kill, Stop, Clock]))
            .collect();
        if lossy {
            all.insert(1, Keep);
            all.insert(4, Lose);
        }
        all.retain(|it| *it != Clock || self.clock);
        all
    }

    fn round(&mut self) {
        let began = now_ms();
        let lossy = self.counts.rounds % 2 == 1;
        // Only where everything of the rounds before is over: Exotel's real clock does not jump.
        let ahead_ms = self.drawn(&[-600_000, -2_500, 0, 2_500, 600_000]);
        self.simulator.set_clock(ahead_ms);
        // A chosen name whose first attempt was lost is somebody else's for all that can be known.
        let signups = self.signups(!lossy);
        self.place.write("signups.jsonl", &lines_of(&signups));
        let _ = self.place.run(&["enqueue", "signups.jsonl"]).with(0);
        self.counts.onboardings += signups.len();
        self.accepted = self.redis.as_ref().map_or(0, Server::aof_length);
        let faults = self.faults();
        self.simulator.break_with(&faults);
        for what in self.happenings(lossy) {
            self.more_is_sent();
            self.happens(what);
        }
        self.finish();
        self.check(began);
        self.counts.rounds += 1;
    }

    /// Waits until a drawn number of requests more has arrived, or nothing is left to send.
    fn more_is_sent(&mut self) {
        let wanted = self.requests() + 15 + self.draw.below(60);
        until_within(PATIENCE, LOOK, "more was sent", || {
            (self.requests() >= wanted || self.is_done()).then_some(())
        });
    }

    fn requests(&self) -> u64 {
        let stats = self.simulator.stats();
        let of_each = stats.as_object().into_iter().flatten();
        of_each
            .filter_map(|(_, account)| account["requests"].as_u64())
            .sum()
    }

    fn is_done(&self) -> bool {
        let tally = self.place.tally();
        let open = [&tally["queued"], &tally["running"], &tally["blocked"]];
        open.iter().all(|count| **count == 0)
    }

    fn happens(&mut self, what: Happening) {
        let n = self.draw.below(self.workers.len() as u64) as usize;
        match what {
            Kill => {
                self.workers.remove(n).kill();
                self.start_worker();
                self.counts.kills += 1;
            }
            Stop => {
                self.workers[n].stop();
                let stopped = Instant::now();
                until("its leases have ended", || {
                    (stopped.elapsed() > LEASE * 5 / 4).then_some(())
                });
                self.workers[n].signal(Signal::CONT);
                self.counts.stops += 1;
            }
            Clock => {
                let time = self.drawn(&["-3600s", "-90s", "-1s", "+0", "+1s", "+61s", "+7200s"]);
                self.place.write(CLOCK, &format!("{time}\n"));
                self.counts.clock_steps += 1;
            }
            Keep => self.keep(),
            Lose => {
                self.lose();
                self.losses.push(now_ms());
                self.counts.tails_lost += 1;
            }
        }
    }

    /// As it is on the disk now.
    fn keep(&self) {
        if self.redis.is_some() {
            return;
        }
        self.workers[0].stop();
        for file in DATABASE {
            fs::copy(self.place.path(file), self.kept(file)).unwrap();
        }
        self.workers[0].signal(Signal::CONT);
    }

    fn kept(&self, file: &str) -> PathBuf {
        self.place.path(&format!("kept-{file}"))
    }

    fn lose(&mut self) {
        let lost = 1_000 + self.draw.below(20_000);
        let Some(redis) = &mut self.redis else {
            self.workers.remove(0).kill();
            for file in DATABASE {
                fs::rename(self.kept(file), self.place.path(file)).unwrap();
            }
            drop(fs::remove_file(self.place.path("trunkline.db-shm")));
            return self.start_worker();
        };
        let said = |what: &str| {
            self.workers
                .iter()
                .map(|it| it.said(what))
                .collect::<Vec<_>>()
        };
        let more = |what: &str, before: &[usize]| {
            until(&format!("every worker says: {what}"), || {
                let now = said(what);
                now.iter()
                    .zip(before)
                    .all(|(now, before)| now > before)
                    .then_some(())
            });
        };
        let (away, back) = ("lost the Redis", "the Redis answers again");
        let before = (said(away), said(back));
        redis.kill();
        more(away, &before.0);
        let end = redis.aof_length();
        redis.cut_aof(end.saturating_sub(lost).max(self.accepted));
        redis.restart();
        more(back, &before.1);
    }

    /// Until everything has ended and was checked late.
    fn finish(&self) {
        until_within(PATIENCE, LOOK, "every onboarding has ended", || {
            self.is_done().then_some(())
        });
        until_within(PATIENCE, LOOK, "every late check was made", || {
            (self.place.tally()["late_checks_left"] == 0).then_some(())
        });
        self.simulator.mend();
        let log = self.simulator.requests();
        let makes = |it: &&Request| it.pending && it.method == "POST";
        let late: Vec<&Request> = log.iter().filter(makes).collect();
        assert!(late.is_empty(), "later than late checks: {late:#?}");
        self.simulator.process_pending();
    }

    fn check(&mut self, began: u64) {
        let records = self.place.list();
        assert_eq!(records.len(), self.counts.onboardings);
        let live = |record: &&Value| record["error"]["code"] == "credentials_live";
        self.counts.credentials_live = records.iter().filter(live).count();
        let mut wrong = wrong_records(&self.simulator.state(), &records);
        // The window before this round's counts too.
        let log = self.simulator.requests_since(began - WINDOW_MS);
        let round: Vec<Request> = log.iter().filter(|it| it.at_ms >= began).cloned().collect();
        wrong.extend(repeats_on_trunks(&round));
        wrong.extend(self.limits(&log));
        self.counts.late_requests += round.iter().filter(|it| it.late_at_ms.is_some()).count();
        let removed = |it: &&Request| it.method == "DELETE" && it.processed;
        self.counts.surplus_removed += round.iter().filter(removed).count();
        if !wrong.is_empty() {
            std::process::Command::new("cp")
                .arg("-r")
                .arg(self.place.folder())
                .arg(format!("/tmp/soakfail-{}", now_ms()))
                .status()
                .unwrap(); // TEMP
            self.tell(&wrong, &records, &round);
        }
    }

    /// Fails with all that is known of what is wrong.
    fn tell(&self, wrong: &[String], records: &[Value], log: &[Request]) -> ! {
        let mut more = String::new();
        for record in records {
            let key = record["key"].to_string();
            if !wrong.iter().any(|it| it.starts_with(&key)) {
                continue;
            }
            more.push_str(&format!("{record:#}\n"));
            let id = record["id"].as_str().unwrap_or_default();
            let trunk = record["steps"][0]["result"]["trunk_sid"]
                .as_str()
                .unwrap_or("none");
            for request in log.iter().filter(|it| it.path.contains(trunk)) {
                more.push_str(&format!("{request:?}\n"));
            }
            for file in fs::read_dir(self.place.folder())
                .into_iter()
                .flatten()
                .flatten()
            {
                let text = fs::read_to_string(file.path()).unwrap_or_default();
                let lines = text.lines().filter(|line| line.contains(id));
                let name = file.file_name();
                lines.for_each(|line| more.push_str(&format!("{name:?}: {line}\n")));
            }
        }
        let losses = &self.losses;
        panic!(
            "{:#?}\n{} wrong, losses at {losses:?}:\n{}\n{more}",
            self.counts,
            wrong.len(),
            wrong.join("\n")
        );
    }

    fn limits(&self, log: &[Request]) -> Vec<String> {
        let stats = self.simulator.stats();
        let mut wrong = Vec::new();
        for (name, limit, _) in accounts() {
            let own = &stats[&name];
            // A Redis forgets permits with its last writes.
            let forgot = self.redis.is_some() && !self.losses.is_empty();
            let most = if forgot {
                let arrivals = log.iter().filter(|it| it.account == name);
                let arrivals: Vec<u64> = arrivals.map(|it| it.at_ms).collect();
                most_in_window(&arrivals, &self.losses)
            } else {
                own["max_in_window"].as_u64().unwrap_or_default()
            };
            if most > limit || own["max_connections"].as_u64() > Some(CONNECTIONS) {
                wrong.push(format!("{name}: {most} in a window of {limit}: {own}"));
            }
        }
        wrong
    }
}

/// The most of these in a window in which nothing was lost.
fn most_in_window(arrivals: &[u64], losses: &[u64]) -> u64 {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in arrivals.iter().enumerate() {
        while arrivals[first] + WINDOW_MS <= *at {
            first += 1;
        }
        let lost = |loss: &u64| (at.saturating_sub(WINDOW_MS)..=*at).contains(loss);
        if !losses.iter().any(lost) {
            most = most.max(last + 1 - first);
        }
    }
    most as u64
}

fn minutes() -> f64 {
    let set = env::var("TRUNKLINE_SOAK_MINUTES").ok();
    set.map_or(1.0, |text| text.parse().expect("a number of minutes"))
}

fn soak(kind: StoreKind) {
    if env::var_os("TRUNKLINE_SOAK_MINUTES").is_none() {
        eprintln!("left out: TRUNKLINE_SOAK_MINUTES says how long it is to take");
        return;
    }
    let set = env::var("TRUNKLINE_SOAK_SEED").ok();
    let seed = set.map_or_else(now_ms, |text| text.parse().expect("a number"));
    eprintln!("{kind:?}: TRUNKLINE_SOAK_SEED={seed}");
    let until = Instant::now() + Duration::from_secs_f64(minutes() * 60.0);
    let mut soak = Soak::new(kind, seed);
    // The second loses the end of its store.
    while soak.counts.rounds < 2 || Instant::now() < until {
        soak.round();
    }
    let requests = soak.requests();
    eprintln!("{kind:?}: {requests} requests, {:#?}", soak.counts);
}

#[test]
fn a_soak_on_a_database_leaves_exactly_one_of_each() {
    soak(StoreKind::Sqlite);
}

#[test]
fn a_soak_on_a_redis_leaves_exactly_one_of_each() {
    soak(StoreKind::Redis);
}
