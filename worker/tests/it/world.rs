//! One simulator, one store, and what tests ask of them.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has nothing to show"
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use exotel::ClientConfig;
use onboarding::{
    AccountName, Direction, Key, OnboardingId, Plan, Secret, SipPassword, State, Step,
};
use sandbox::Sandbox;
use serde_json::{Value, json};
use store::{
    Candidate, Committed, Inspect, Intake, Limits, NewOnboarding, Onboarding, Origin, SealingKey,
    SqliteOptions, Store, WorkerName, clock::SystemClock, sqlite::SqliteStore,
};
use worker::{Account, RetryPolicy, Settings, Stats};

/// Longer than any test takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) sandbox: sandbox::Running,
    pub(crate) store: Arc<SqliteStore>,
    http: reqwest::Client,
    folder: tempfile::TempDir,
    stores: u32,
}

fn open(path: PathBuf) -> Arc<SqliteStore> {
    SqliteStore::open(SqliteOptions {
        path,
        patience: store::sqlite::BUSY_TIMEOUT,
        key: SealingKey::generate().0,
        world: store::World::Sandbox,
        clock: Arc::new(SystemClock::default()),
    })
    .unwrap()
}

/// Far above what a test sends.
pub(crate) fn wide() -> Limits {
    Limits {
        requests_per_window: 1_000_000,
        window: Duration::from_secs(60),
        in_flight: 40,
        burst: 100_000,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::new(sandbox::Options {
            limits: sandbox::Limits {
                requests_per_minute: 1_000_000,
                ..sandbox::Limits::default()
            },
            ..sandbox::Options::default()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            sandbox: sandbox.start(listener).unwrap(),
            store: open(folder.path().join("trunkline.db")),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            folder,
            stores: 1,
        }
    }

    /// Goes on with an empty store, as if the first one was lost.
    pub(crate) fn lose_the_store(&mut self) {
        self.stores += 1;
        let name = format!("trunkline-{}.db", self.stores);
        self.store = open(self.folder.path().join(name));
    }

    pub(crate) async fn put(&self, control: &str, body: &Value) {
        let url = format!("{}/_sandbox/{control}", self.sandbox.base_url());
        let answer = self.http.put(url).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{control}: {text}");
    }

    pub(crate) async fn post(&self, control: &str) {
        let url = format!("{}/_sandbox/{control}", self.sandbox.base_url());
        let answer = self.http.post(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{control}");
    }

    pub(crate) async fn delete(&self, control: &str) {
        let url = format!("{}/_sandbox/{control}", self.sandbox.base_url());
        let answer = self.http.delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{control}");
    }

    pub(crate) async fn get(&self, control: &str) -> Value {
        let url = format!("{}/_sandbox/{control}", self.sandbox.base_url());
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// What an account has, as the simulator tells.
    pub(crate) async fn trunks(&self, account: &str) -> Vec<Value> {
        let state = self.get("state").await;
        let trunks = &state["accounts"][sid(account)]["trunks"];
        trunks.as_array().cloned().unwrap_or_default()
    }

    /// Every request of an account as `METHOD path`, without the account's part of the path.
    pub(crate) async fn requests(&self, account: &str) -> Vec<String> {
        let log = self.get("requests").await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let ours = entries
            .into_iter()
            .filter(|entry| entry["account"] == sid(account).as_str());
        ours.map(|entry| {
            let path = entry["path"].as_str().unwrap();
            let path = path.split('?').next().unwrap();
            let rest = path.split(&sid(account)).nth(1).unwrap_or(path);
            format!("{} {rest}", entry["method"].as_str().unwrap())
        })
        .collect()
    }

    pub(crate) async fn enqueue(&self, signups: Vec<NewOnboarding>) -> Vec<OnboardingId> {
        let ids = signups.iter().map(|new| new.id).collect();
        let mut batch = self.store.begin().await.unwrap();
        batch.add_recipe("digest", "{}").await.unwrap();
        let origin = |line| Origin { file: 0, line };
        let chunk = (1..).zip(signups).map(|(line, new)| Candidate {
            origin: origin(line),
            new,
        });
        batch.add(chunk.collect()).await.unwrap();
        let committed = batch.commit().await.unwrap();
        assert!(
            matches!(committed, Committed::Accepted { .. }),
            "{committed:?}"
        );
        ids
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        self.account_with(name, wide())
    }

    pub(crate) fn account_with(&self, name: &str, limits: Limits) -> Account {
        Account::new(account(name), self.config(name), limits)
    }

    pub(crate) fn config(&self, name: &str) -> ClientConfig {
        ClientConfig::new(
            self.sandbox.base_url(),
            sid(name),
            Secret::new("key"),
            Secret::new("token"),
        )
    }

    /// Works until nothing is left to run.
    pub(crate) async fn drain(&self, settings: Settings, accounts: Vec<Account>) -> Stats {
        let settings = Settings {
            drain: true,
            ..settings
        };
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let running = worker::run(settings, store, accounts, std::future::pending());
        tokio::time::timeout(DEADLINE, running)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn onboarding(&self, id: OnboardingId) -> Onboarding {
        self.store.get(id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: OnboardingId) -> State {
        self.onboarding(id).await.state
    }

    /// The code and text of what went wrong with an onboarding.
    pub(crate) async fn fault(&self, id: OnboardingId) -> (String, String) {
        let onboarding = self.onboarding(id).await;
        let (fault, _) = onboarding.fault.unwrap();
        (fault.code, fault.message)
    }

    /// One trunk with exactly one of each thing that [`full`] makes, and the stored password.
    pub(crate) async fn assert_exactly_one(&self, name: &str, account: &str, id: OnboardingId) {
        let onboarding = self.onboarding(id).await;
        assert_eq!(onboarding.state, State::Succeeded, "{name}: {onboarding:?}");
        let trunks = self.trunks(account).await;
        assert_eq!(trunks.len(), 1, "{name}: {trunks:#?}");
        let trunk = &trunks[0];
        for kind in [
            "numbers",
            "whitelisted_ips",
            "credentials",
            "destinations",
            "settings",
        ] {
            let entries = trunk[kind].as_array().unwrap();
            assert_eq!(entries.len(), 1, "{name}: {kind} {entries:#?}");
        }
        let journal = &onboarding.journal;
        assert_eq!(
            journal.trunk_sid().unwrap().as_str(),
            trunk["trunk_sid"].as_str().unwrap(),
            "{name}"
        );
        let password = self.store.password(id).await.unwrap().unwrap();
        assert_eq!(
            trunk["credentials"][0]["password"].as_str().unwrap(),
            password.secret().expose(),
            "{name}"
        );
    }
}

pub(crate) fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

/// The account SID of a made-up account.
pub(crate) fn sid(account: &str) -> String {
    format!("{account}_sid")
}

/// Small delays, so that a test does not wait.
pub(crate) fn settings(name: &str) -> Settings {
    let mut settings = Settings::new(WorkerName(name.into()));
    settings.lease = Duration::from_secs(15);
    settings.request_timeout = Duration::from_secs(2);
    settings.settling = Duration::from_millis(100);
    settings.late_check = Duration::from_millis(300);
    settings.retry = RetryPolicy {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(50),
        attempts: 8,
        never_sent_attempts: 10,
    };
    settings
}

/// A number that no other test's world has; the country code is made up as is the rest.
pub(crate) fn number(n: u32) -> String {
    format!("+9180{n:08}")
}

/// Every kind of writing step, in the order of a plan.
pub(crate) fn full(id: OnboardingId, n: u32) -> Vec<Step> {
    let id = id.to_string();
    let own = format!("tl_{}", &id[id.len() - 13..]);
    vec![
        Step::CreateTrunk {
            name: own.parse().unwrap(),
            chosen: false,
        },
        Step::MapNumber {
            number: number(n).parse().unwrap(),
            mode: None,
        },
        Step::WhitelistIp {
            ip: "44.248.146.11".parse().unwrap(),
        },
        Step::CreateCredentials {
            user_name: own.parse().unwrap(),
            friendly_name: None,
        },
        Step::MapDestination {
            destination: "sip.partner.example:5061;transport=tls".parse().unwrap(),
        },
        Step::SetCallerId {
            caller_id: number(n).parse().unwrap(),
        },
    ]
}

/// A signup of `account` with number `n` and the steps that `steps` gives for its id.
pub(crate) fn signup(
    account: &str,
    n: u32,
    steps: impl FnOnce(OnboardingId) -> Vec<Step>,
) -> NewOnboarding {
    let key: Key = format!("{account}-{n}").parse().unwrap();
    let id = OnboardingId::of(&key);
    let plan = Plan {
        steps: steps(id),
        warnings: Vec::new(),
    };
    NewOnboarding {
        id,
        account: account.parse().unwrap(),
        partner: "livekit".parse().unwrap(),
        number: number(n).parse().unwrap(),
        direction: Direction::Both,
        signup: json!({ "account": account, "number": number(n) }).to_string(),
        recipe: "digest".into(),
        trace: None,
        password: plan
            .needs_password()
            .then(|| SipPassword::from_secret(Secret::new(format!("madeup{n:018}")))),
        plan,
        key,
    }
}

/// A signup with every kind of writing step.
pub(crate) fn full_signup(account: &str, n: u32) -> NewOnboarding {
    signup(account, n, |id| full(id, n))
}
