//! The promise: any number of producers and workers share a store on Redis; whatever is killed,
//! stopped or restarted, every signup ends in exactly one set of resources, no account gets more
//! requests than its limits allow, and none is left out.
//!
//! The method: three `work` processes and two `enqueue` processes at once, a real Redis that
//! writes every answered change to disk, and a simulator that answers one request in five wrongly.
//! Workers are killed and stopped, and the Redis is killed, after numbers of requests drawn from a
//! seed. Then the simulator is compared with what was recorded, and its log is measured.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    Place, Program, Request, Server, Signal, Signup, Simulator, lines_of, repeats_on_trunks, until,
    until_within, wrong_records,
};

use crate::crash_anywhere::Draw;

const ONBOARDINGS: usize = 2_000;
const WORKERS: usize = 3;

/// Accounts by the requests that each may send in a minute and the onboardings that it has; an
/// onboarding takes about seven requests when one in five goes wrong. The window binds for the
/// narrow ones, the pace for the others.
const ACCOUNTS: [(&str, usize, u32, usize); 4] = [
    ("narrow", 2, 60, 10),
    ("middle", 1, 120, 20),
    ("wide", 16, 900, 116),
    ("last", 1, 900, 104),
];

/// What every account may have open at once.
const CONNECTIONS: u64 = 20;

/// Of the settings that places begin with.
const LEASE: Duration = Duration::from_millis(4000);

/// Longer than any of what happens here keeps an account waiting: a stopped or killed worker's
/// lease, the Redis being away, a full window of a minute.
const LONGEST_GAP: Duration = Duration::from_secs(20);

/// Accounts with the same limits and the same work end after times that differ by this at most.
const UNEVEN: f64 = 1.6;

/// How long all of it may take on a busy machine. It takes about two minutes.
const PATIENCE: Duration = Duration::from_secs(240);

struct Account {
    name: String,
    limit: u32,
    onboardings: usize,
}

fn accounts() -> Vec<Account> {
    let of = |(kind, count, limit, onboardings): (&str, usize, u32, usize)| {
        let named = move |n| Account {
            name: format!("{kind}{n}"),
            limit,
            onboardings,
        };
        (0..count).map(named).collect::<Vec<_>>()
    };
    ACCOUNTS.into_iter().flat_map(of).collect()
}

/// All signups, those of different accounts mixed: first one of each account, then the second.
fn signups(accounts: &[Account]) -> Vec<Signup> {
    let most = accounts.iter().map(|account| account.onboardings).max();
    let mut all = Vec::new();
    for round in 0..most.unwrap_or_default() {
        for account in accounts.iter().filter(|it| round < it.onboardings) {
            all.push(Signup::new(&account.name, "five_steps", all.len()));
        }
    }
    all
}

/// Answers one request in five wrongly, in ten ways.
fn trouble(seed: u64) -> Vec<Value> {
    let ways = [
        (0.027, json!({"status": 500})),
        (0.027, json!({"status": 503, "after": true})),
        (0.027, json!({"html": true, "after": true})),
        (
            0.027,
            json!({"status": 200, "inner_code": 500, "after": true}),
        ),
        (0.027, json!({"reset_before": true})),
        (0.027, json!({"reset_after": true})),
        (0.027, json!({"truncate": true})),
        (0.02, json!({"delay_ms": 700})),
        (0.005, json!({"status": 429, "retry_after": 1})),
        (
            0.005,
            json!({"status": 200, "inner_code": 429, "retry_after": 1}),
        ),
    ];
    let rule = |(n, (probability, way)): (u64, (f64, Value))| {
        let mut rule = way;
        rule["probability"] = json!(probability);
        rule["seed"] = json!(seed * 100 + n);
        rule
    };
    (0..).zip(ways).map(rule).collect()
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    /// A worker is killed, and another one started.
    Kill,
    /// A worker is stopped for longer than its lease.
    Stop,
    /// The Redis is killed, and started again when the workers have noticed.
    LoseRedis,
}

use Happening::{Kill, LoseRedis, Stop};

const HAPPENINGS: [Happening; 10] = [
    Kill, Kill, Stop, Kill, Kill, LoseRedis, Kill, Kill, Stop, Kill,
];

struct Fleet<'p> {
    place: &'p Place,
    redis: Server,
    workers: Vec<Program>,
    draw: Draw,
}

impl Fleet<'_> {
    fn happens(&mut self, what: Happening) {
        let n = self.draw.below(WORKERS as u64) as usize;
        match what {
            Kill => {
                self.workers.remove(n).kill();
                self.workers.push(self.place.start(&["work"]));
            }
            Stop => self.stop(n),
            LoseRedis => {
                self.redis.kill();
                until("every worker has noticed", || {
                    let noticed = |worker: &Program| worker.said("lost the Redis") > 0;
                    self.workers.iter().all(noticed).then_some(())
                });
                self.redis.restart();
                until("every worker has it again", || {
                    let back = |worker: &Program| worker.said("the Redis answers again") > 0;
                    self.workers.iter().all(back).then_some(())
                });
            }
        }
    }

    fn stop(&mut self, n: usize) {
        let worker = &self.workers[n];
        let before = worker.said("lease lost; let go");
        worker.signal(Signal::STOP);
        let stopped = Instant::now();
        until("its leases have ended", || {
            (stopped.elapsed() > LEASE * 5 / 4).then_some(())
        });
        worker.signal(Signal::CONT);
        until("its late writes were refused", || {
            (worker.said("lease lost; let go") > before).then_some(())
        });
    }
}

fn requests(simulator: &Simulator) -> u64 {
    let stats = simulator.stats();
    let of_each = stats.as_object().into_iter().flatten();
    of_each
        .filter_map(|(_, account)| account["requests"].as_u64())
        .sum()
}

/// Two producers at once, with files that overlap: what both have is accepted once.
fn enqueue(place: &Place, signups: &[Signup]) {
    let (from, to) = (ONBOARDINGS * 2 / 5, ONBOARDINGS * 3 / 5);
    place.write("first.jsonl", &lines_of(&signups[..to]));
    place.write("second.jsonl", &lines_of(&signups[from..]));
    let producers =
        ["first.jsonl", "second.jsonl"].map(|file| place.start(&["enqueue", file, "--json"]));
    let told = producers.map(|producer| producer.wait().with(0).record("enqueued"));
    let sum = |field: &str| -> u64 { told.iter().filter_map(|it| it[field].as_u64()).sum() };
    assert_eq!(sum("accepted"), ONBOARDINGS as u64, "{told:?}");
    assert_eq!(sum("duplicates"), (to - from) as u64, "{told:?}");
}

#[test]
fn a_fleet_ends_every_signup_in_exactly_one_set_whatever_is_killed_or_stopped() {
    let simulator = Simulator::slow(1, 10);
    let accounts = accounts();
    let limits: Vec<String> = accounts
        .iter()
        .map(|it| {
            format!(
                "requests_per_minute = {}, connections = {CONNECTIONS}",
                it.limit
            )
        })
        .collect();
    let named = accounts.iter().zip(&limits);
    let redis = Server::with_aof();
    let place =
        Place::with_own_limits(&simulator, named.map(|(it, limits)| (&*it.name, &**limits)))
            .on_redis(&redis.url());
    // Few at once, so that whoever let them wait for one account would starve the others.
    place.settings(
        "concurrency = 8\nattempts_max = 100\nlog_level = \"warn,worker=info,store=info\"\n",
    );
    let signups = signups(&accounts);
    assert_eq!(signups.len(), ONBOARDINGS);
    simulator.break_with(&trouble(1));

    let workers = (0..WORKERS).map(|_| place.start(&["work"])).collect();
    let mut fleet = Fleet {
        place: &place,
        redis,
        workers,
        draw: Draw(1),
    };
    enqueue(&place, &signups);
    for (n, what) in (1..).zip(HAPPENINGS) {
        let wanted = n * 1_200 + fleet.draw.below(600);
        until_within(
            PATIENCE,
            Duration::from_millis(20),
            "there were enough requests",
            || (requests(&simulator) >= wanted).then_some(()),
        );
        fleet.happens(what);
    }
    let every = Duration::from_millis(500);
    let left = until_within(PATIENCE, every, "every onboarding has ended", || {
        let tally = place.tally();
        let open = [&tally["queued"], &tally["running"], &tally["blocked"]];
        open.iter().all(|count| **count == 0).then_some(tally)
    });
    assert_eq!(left["succeeded"], json!(ONBOARDINGS), "{left}");

    let records = place.list();
    assert_eq!(records.len(), ONBOARDINGS);
    let wrong = wrong_records(&simulator.state(), &records);
    assert!(
        wrong.is_empty(),
        "{} wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    let log = simulator.requests();
    let wrong = repeats_on_trunks(&log);
    assert!(
        wrong.is_empty(),
        "{} repeats: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(3)]
    );
    keeps_its_limits(&simulator, &accounts);
    starves_nobody(&log, &accounts);
}

fn keeps_its_limits(simulator: &Simulator, accounts: &[Account]) {
    let stats = simulator.stats();
    let mut bound = 0;
    for Account { name, limit, .. } in accounts {
        let of = |what: &str| stats[name][what].as_u64().expect("a number");
        assert!(
            of("max_in_window") <= u64::from(*limit),
            "{name}: {stats:#}"
        );
        assert!(of("max_connections") <= CONNECTIONS, "{name}: {stats:#}");
        bound += usize::from(of("requests") > u64::from(*limit));
    }
    assert!(bound > 1, "no window was ever full: {stats:#}");
}

fn starves_nobody(log: &[Request], accounts: &[Account]) {
    let mut arrivals: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    // Up to an account's last write: late checks only read, and are in no hurry.
    let mut since: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for request in log {
        let reads = since.entry(&request.account).or_default();
        reads.push(request.at_ms);
        if request.method == "POST" {
            arrivals.entry(&request.account).or_default().append(reads);
        }
    }
    let began = log.first().expect("some requests").at_ms;
    let mut ends: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for account in accounts {
        let times = &arrivals[&*account.name];
        let mut last = began;
        for at in times {
            let gap = Duration::from_millis(at - last);
            assert!(gap < LONGEST_GAP, "{}: nothing for {gap:?}", account.name);
            last = *at;
        }
        if account.onboardings == ACCOUNTS[2].3 {
            ends.entry(account.limit).or_default().push(last - began);
        }
    }
    for (limit, ends) in ends {
        let (first, last) = (ends.iter().min(), ends.iter().max());
        let (first, last) = (first.expect("some"), last.expect("some"));
        assert!(
            *last as f64 <= *first as f64 * UNEVEN,
            "of {limit} a minute: {ends:?}"
        );
    }
}
