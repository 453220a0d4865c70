//! The metrics as they are read, and against the page that lists them.

use std::{collections::BTreeMap, fs};

use ::store::{AccountStatus, Limits, Stopped, Tally};
use ::worker::{Release, StepOutcome};
use exotel::Class;
use jiff::{SignedDuration, Timestamp};
use onboarding::{AccountName, OnboardingId, State, StepKind};

use super::*;

/// One of every event there is, made up.
fn everything(metrics: &Arc<Metrics>) -> Watcher {
    let account: AccountName = "acme".parse().unwrap();
    let account = &account;
    let second = Duration::from_secs(1);
    for event in [
        Event::Claimed { account, epoch: 1 },
        Event::Request {
            account,
            call: "create_trunk",
            failure: Some(Class::Duplicate),
            status: Some(200),
            duration: second,
        },
        Event::PermitWait {
            account,
            waited: second,
            granted: true,
        },
        Event::Step {
            account,
            step: StepKind::CreateTrunk,
            outcome: StepOutcome::Adopted,
        },
        Event::Released {
            account,
            why: Release::NoPermit,
        },
        Event::LeaseLost { account },
        Event::Broken { account },
        Event::Finished {
            id: OnboardingId::from_bytes([7; 16]),
            state: State::Succeeded,
        },
        Event::Closed {
            account,
            delay: second,
        },
        Event::Settling {
            account,
            id: OnboardingId::from_bytes([7; 16]),
            delay: second,
        },
        Event::SurplusRemoved {
            account,
            step: StepKind::MapDestination,
            copies: 2,
        },
        Event::Parked {
            account,
            reason: "made up",
        },
    ] {
        metrics.event(event);
    }
    metrics.http("/v1/onboardings", "POST", 202, second);
    metrics.signups(SignupSource::Api, SignupOutcome::Accepted, 3);
    metrics.delivery(DeliveryOutcome::Delivered, second);
    metrics.watcher()
}

fn status(name: &str, waiting: u64) -> AccountStatus {
    AccountStatus {
        waiting,
        limits: Some(Limits::per_minute(200, 50)),
        ..AccountStatus::new(name.parse().unwrap())
    }
}

async fn all_text() -> String {
    let metrics = Arc::new(Metrics::new());
    let _watcher = everything(&metrics);
    let own = metrics.text(None).await;
    let own = own.strip_suffix("# EOF\n").unwrap();
    let now = Timestamp::now();
    let store =
        store::running(&[]) + &store::render(&Tally::default(), vec![status("acme", 1)], 0, 0, now);
    format!("{own}{}{store}# EOF\n", store::up(true))
}

/// What is told of one metric.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: String,
    labels: String,
    meaning: String,
}

/// Every metric as it is asked for: counters with their suffix.
fn registered(text: &str) -> BTreeMap<String, Told> {
    let plain = Form::Plain.of(text.to_owned());
    let mut meanings = BTreeMap::new();
    let mut all = BTreeMap::new();
    for line in plain.lines() {
        if let Some((name, meaning)) = line
            .strip_prefix("# HELP ")
            .and_then(|it| it.split_once(' '))
        {
            meanings.insert(name, meaning);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|it| it.split_once(' '))
        {
            let meaning = meanings[name].trim_end_matches('.').to_owned();
            let told = Told {
                kind: kind.to_owned(),
                labels: labels(&plain, name),
                meaning,
            };
            all.insert(name.to_owned(), told);
        }
    }
    all
}

/// The names of a metric's labels, as in `call, class`.
fn labels(plain: &str, name: &str) -> String {
    let sample = plain.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = ["_bucket", "_count", ""].iter().find_map(|suffix| {
            rest.strip_prefix(suffix)
                .filter(|it| it.starts_with(['{', ' ']))
        })?;
        Some(rest)
    });
    let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
    let Some((inside, _)) = sample.strip_prefix('{').and_then(|it| it.split_once('}')) else {
        return String::new();
    };
    let names = inside
        .split("\",")
        .filter_map(|label| label.split_once('=').map(|(name, _)| name))
        .filter(|name| *name != "le");
    names.collect::<Vec<_>>().join(", ")
}

/// The table of `docs/observability.md` that begins with `Metric`.
fn documented() -> BTreeMap<String, Told> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability.md");
    let page = fs::read_to_string(page).unwrap();
    let mut lines = page
        .lines()
        .skip_while(|line| !line.starts_with("| Metric"));
    assert!(
        lines.next().is_some(),
        "docs/observability.md has no table of metrics"
    );
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else {
            panic!("{row}: not four cells");
        };
        let told = Told {
            kind: kind.to_owned(),
            labels: labels.replace('`', ""),
            meaning: meaning.to_owned(),
        };
        (name.trim_matches('`').to_owned(), told)
    })
    .collect()
}

#[tokio::test]
async fn the_page_lists_exactly_the_metrics_that_there_are() {
    let there = registered(&all_text().await);
    let listed = documented();
    let mut wrong = Vec::new();
    for (name, told) in &there {
        if listed.get(name) != Some(told) {
            let Told {
                kind,
                labels,
                meaning,
            } = told;
            let labels: Vec<String> = labels
                .split(", ")
                .filter(|it| !it.is_empty())
                .map(|it| format!("`{it}`"))
                .collect();
            wrong.push(format!(
                "| `{name}` | {kind} | {} | {meaning} |",
                labels.join(", ")
            ));
        }
    }
    for name in listed.keys().filter(|name| !there.contains_key(*name)) {
        wrong.push(format!("{name}: there is no such metric"));
    }
    assert!(
        wrong.is_empty(),
        "docs/observability.md should say:\n{}",
        wrong.join("\n")
    );
}

#[tokio::test]
async fn every_name_is_ours_or_every_programs_and_ends_in_its_unit() {
    for (name, told) in registered(&all_text().await) {
        assert!(
            name.starts_with("trunkline_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), told.kind == "counter", "{name}");
        let timed = ["duration", "age", "wait", "time"];
        if timed.iter().any(|word| name.contains(word)) && told.kind != "counter" {
            let counted = name.contains("waiting");
            assert!(counted || name.ends_with("_seconds"), "{name}");
        }
        assert!(told.meaning.len() > 10, "{name}: {}", told.meaning);
    }
}

#[tokio::test]
async fn what_happens_is_counted_under_its_labels() {
    let text = all_text().await;
    for line in [
        "trunkline_build_info{version=\"0.1.0\"} 1",
        "trunkline_claims_total{kind=\"first\"} 1",
        "trunkline_claims_total{kind=\"again\"} 0",
        "trunkline_requests_total{call=\"create_trunk\",class=\"duplicate\",status=\"2xx\"} 1",
        "trunkline_request_duration_seconds_sum{call=\"create_trunk\",class=\"duplicate\"} 1.0",
        "trunkline_request_duration_seconds_bucket{le=\"1.0\",call=\"create_trunk\",class=\"duplicate\"} 1",
        "trunkline_permit_wait_seconds_count{outcome=\"granted\"} 1",
        "trunkline_steps_total{step=\"create_trunk\",outcome=\"adopted\"} 1",
        "trunkline_steps_total{step=\"verify\",outcome=\"unknown\"} 0",
        "trunkline_leases_released_total{reason=\"no_permit\"} 1",
        "trunkline_lease_losses_total 1",
        "trunkline_handlers_broken_total 1",
        "trunkline_onboardings_ended_total{state=\"succeeded\"} 1",
        "trunkline_onboardings_ended_total{state=\"failed\"} 0",
        "trunkline_parkings_total 1",
        "trunkline_settling_total 1",
        "trunkline_surplus_removed_total{step=\"map_destination\"} 2",
        "trunkline_surplus_removed_total{step=\"create_credentials\"} 0",
        "trunkline_http_requests_total{route=\"/v1/onboardings\",method=\"POST\",status=\"202\"} 1",
        "trunkline_signups_total{source=\"api\",outcome=\"accepted\"} 3",
        "trunkline_delivery_attempts_total{outcome=\"delivered\"} 1",
        "trunkline_sse_clients 1",
        "trunkline_store_up 1",
        "trunkline_account_permits_limit{account=\"acme\"} 200",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\nnot in:\n{text}");
    }
    for name in [
        "process_start_time_seconds ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
    ] {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value: f64 = line.unwrap().parse().unwrap();
        assert!(value > 0.0, "{name}");
    }
}

#[tokio::test]
async fn a_watcher_counts_until_it_is_gone() {
    let metrics = Arc::new(Metrics::new());
    let watchers = [metrics.watcher(), metrics.watcher()];
    let text = metrics.text(None).await;
    assert!(text.contains("\ntrunkline_sse_clients 2\n"), "{text}");
    drop(watchers);
    let text = metrics.text(None).await;
    assert!(text.contains("\ntrunkline_sse_clients 0\n"), "{text}");
}

#[tokio::test]
async fn what_anybody_may_send_makes_no_series_of_its_own() {
    let metrics = Metrics::new();
    for n in 0..1_000 {
        metrics.http(
            &format!("/v1/onboardings/{n}"),
            &format!("M{n}"),
            200,
            Duration::ZERO,
        );
        metrics.http("", "GET", 404, Duration::ZERO);
    }
    let text = metrics.text(None).await;
    let series = text
        .lines()
        .filter(|line| line.starts_with("trunkline_http_requests_total"))
        .count();
    // Those that are told apart, the other ones, and those without a route.
    assert_eq!(series, 202);
    assert!(!text.contains("method=\"M1\""));
}

#[test]
fn the_busiest_accounts_have_series_of_their_own_and_the_others_are_counted() {
    let mut accounts: Vec<_> = (0..1_500).map(|n| status(&format!("a{n}"), n)).collect();
    accounts[3].parked = Some(Stopped {
        reason: "made up".to_owned(),
        since: Timestamp::now(),
    });
    let text = store::render(&Tally::default(), accounts, 4, 2, Timestamp::now());
    let series = text
        .lines()
        .filter(|line| line.starts_with("trunkline_account_waiting{"));
    assert_eq!(series.count(), 1_000);
    for line in [
        "trunkline_account_waiting{account=\"a1499\"} 1499",
        "trunkline_accounts_unlisted 500",
        "trunkline_accounts_known 1500",
        "trunkline_accounts_parked 1",
        "trunkline_queue_waiting 1124250",
        "trunkline_deliveries_waiting 4",
        "trunkline_late_checks_left 2",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}");
    }
    assert!(
        !text.contains("account=\"a499\""),
        "one of the idle ones is listed"
    );
}

#[test]
fn ages_and_closings_are_measured_against_the_clock() {
    let now = Timestamp::now();
    let ago = |seconds| now - SignedDuration::from_secs(seconds);
    let mut accounts = vec![status("old", 1), status("new", 1), status("ahead", 1)];
    accounts[0].oldest_waiting_at = Some(ago(90));
    accounts[0].closed_until = Some(ago(1));
    accounts[1].oldest_waiting_at = Some(ago(2));
    accounts[1].closed_until = Some(ago(-1));
    // The store's clock is ahead of this machine's.
    accounts[2].oldest_waiting_at = Some(ago(-5));
    accounts[2].outage = Some(Stopped {
        reason: "made up".to_owned(),
        since: now,
    });
    let text = store::render(&Tally::default(), accounts, 0, 0, now);
    for line in [
        "trunkline_queue_oldest_age_seconds 90.0",
        "trunkline_account_oldest_age_seconds{account=\"old\"} 90.0",
        "trunkline_account_oldest_age_seconds{account=\"new\"} 2.0",
        "trunkline_account_oldest_age_seconds{account=\"ahead\"} 0.0",
        "trunkline_account_closed{account=\"old\"} 0",
        "trunkline_account_closed{account=\"new\"} 1",
        "trunkline_account_closed{account=\"ahead\"} 1",
        "trunkline_accounts_closed 2",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
}
