//! Made-up onboardings in every state.

use std::time::Duration;

use onboarding::{
    AccountName, CREDENTIALS_LIVE, Fault, OnboardingId, State, Step, StepRecord, StepResult,
    StepState,
};
use producer::{About, Format, Source};
use records::RefusedProblem;
use store::{
    Advance, Claim, DeliveryId, Filter, Limits, NewDelivery, NewRefused, Onboarding, Position,
    Then, WorkerName, WriteId,
};

use crate::place::Place;

/// A text that would do harm where it is not escaped.
pub(crate) const HOSTILE: &str = "\"><script>alert('1')</script><b>&amp;";

const LEASE: Duration = Duration::from_secs(600);

fn worker() -> WorkerName {
    WorkerName("worker".to_owned())
}

impl Place {
    /// Accepts these lines of CSV as a batch from `source`.
    pub(crate) async fn accept(&self, source: &str, csv: &str) {
        let about = About {
            source: Some(source.to_owned()),
            trace: None,
        };
        let bytes = std::io::Cursor::new(csv.to_owned().into_bytes());
        let input = vec![Source::from_reader(source, Some(Format::Csv), bytes)];
        let store = self.store.as_ref();
        producer::enqueue(input, &self.desk, about, store, |_| {})
            .await
            .unwrap();
    }

    /// A worker claims all there is of these accounts.
    pub(crate) async fn claim(&self, accounts: &[&str]) -> Vec<Claim> {
        let limits = Limits::per_minute(100_000, 1000);
        let accounts: Vec<(AccountName, Limits)> = accounts
            .iter()
            .map(|name| (name.parse().unwrap(), limits))
            .collect();
        self.store.register(&worker(), &accounts).await.unwrap();
        let claimed = self
            .store
            .claim(&worker(), 1000, LEASE, Duration::from_secs(10))
            .await;
        claimed.unwrap().claims
    }

    /// Every step is done, with made-up results.
    pub(crate) async fn succeed(&self, claim: &Claim) {
        let steps = claim.plan.steps.iter().enumerate().map(|(at, step)| {
            let result = if matches!(step, Step::CreateTrunk { .. }) {
                StepResult::Trunk {
                    trunk_sid: "trmum1c16b1c2d3e4f5a6b7c8d9e".parse().unwrap(),
                }
            } else {
                StepResult::Entry {
                    id: (1000 + at).to_string(),
                }
            };
            let record = StepRecord {
                state: StepState::Done,
                attempts: 1,
                result: Some(result),
                ..StepRecord::default()
            };
            (at, record)
        });
        let steps = steps.collect();
        self.advance(claim, steps, Then::Succeed).await;
    }

    /// The first step failed.
    pub(crate) async fn fail(&self, claim: &Claim, message: &str) {
        self.fail_as(claim, "invalid_parameter", message).await;
    }

    /// The first step failed with this code.
    pub(crate) async fn fail_as(&self, claim: &Claim, code: &str, message: &str) {
        let fault = Fault {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        let record = StepRecord {
            state: StepState::Failed,
            attempts: 2,
            error: Some(fault.clone()),
            ..StepRecord::default()
        };
        let then = Then::Fail {
            fault,
            step: Some(0),
        };
        self.advance(claim, vec![(0, record)], then).await;
    }

    /// One that failed because its credentials are in use.
    pub(crate) async fn live(&self) -> Onboarding {
        let csv = "account,partner,number,key\nacme,elevenlabs,+918000000009,live-1\n";
        self.accept("live.csv", csv).await;
        let claim = self.claim(&["acme"]).await.remove(0);
        let message = "the partner may be using them; replace them or leave them";
        self.fail_as(&claim, CREDENTIALS_LIVE, message).await;
        self.store.get(claim.lease.id).await.unwrap().unwrap()
    }

    /// An earlier request of the first step may be processed for this long.
    pub(crate) async fn settle(&self, claim: &Claim, delay: Duration) {
        let mut record = StepRecord {
            state: StepState::Unknown,
            attempts: 1,
            ..StepRecord::default()
        };
        let millis = i64::try_from(delay.as_millis()).unwrap();
        record.note_doubt(claim.now_ms, claim.now_ms + millis);
        let then = Then::Release { delay };
        self.advance(claim, vec![(0, record)], then).await;
    }

    async fn advance(&self, claim: &Claim, steps: Vec<(usize, StepRecord)>, then: Then) {
        let advance = Advance {
            write: WriteId::draw(),
            steps,
            settled: vec![],
            then,
            late_check: false,
        };
        self.store.advance(&claim.lease, advance).await.unwrap();
    }

    /// A message of a sender was refused.
    pub(crate) async fn refuse(&self, sender: &str, message: &str, problem: &str) {
        let problems = RefusedProblem::written([RefusedProblem {
            pointer: "/answers/did".into(),
            field: "number".into(),
            message: problem.to_owned(),
        }]);
        let refused = NewRefused {
            sender: sender.to_owned(),
            message: message.to_owned(),
            status: 422,
            problems,
        };
        self.store.refuse(refused).await.unwrap();
    }

    /// A delivery about this onboarding, or about none.
    pub(crate) async fn deliver(&self, id: Option<OnboardingId>, endpoint: &str) -> DeliveryId {
        let about = id.map_or([0; 16], |id| id.to_bytes());
        let delivery = DeliveryId::of(endpoint, &Position("1".into()), &about);
        let before = self.store.laid_out().await.unwrap();
        let after = format!("{}1", before.as_deref().unwrap_or_default());
        let new = NewDelivery {
            id: delivery.clone(),
            endpoint: endpoint.to_owned(),
            event: "onboarding.succeeded".into(),
            onboarding: id,
            payload: "{}".into(),
        };
        let laid = self.store.lay_out(before.as_deref(), &after, vec![new]);
        assert!(laid.await.unwrap());
        delivery
    }

    /// The onboardings in this state.
    pub(crate) async fn in_state(&self, state: State) -> Vec<Onboarding> {
        let filter = Filter {
            state: Some(state),
            ..Filter::default()
        };
        self.store.list(&filter, None, 1000).await.unwrap().items
    }

    /// The only one in this state.
    pub(crate) async fn one(&self, state: State) -> Onboarding {
        let mut all = self.in_state(state).await;
        assert_eq!(all.len(), 1, "{state}");
        all.remove(0)
    }

    /// One of each: succeeded, failed, running or queued, blocked; a batch; deliveries; a refused message.
    pub(crate) async fn fill(&self) {
        self.accept(
            "signups.csv",
            "account,partner,number,key,direction\n\
             acme,elevenlabs,+918000000001,crm-1,outbound\n\
             acme,elevenlabs,+918000000002,crm-2,both\n\
             globex,elevenlabs,+918000000003,crm-3,inbound\n",
        )
        .await;
        let claims = self.claim(&["acme"]).await;
        assert!(!claims.is_empty());
        self.succeed(&claims[0]).await;
        self.store
            .park_account(&"globex".parse().unwrap(), "Exotel refused the key")
            .await
            .unwrap();
        let done = self.in_state(State::Succeeded).await.remove(0);
        self.deliver(Some(done.id), "crm").await;
        self.deliver(None, "billing").await;
        self.refuse("forms", "msg-1", HOSTILE).await;
        for claim in self.claim(&["acme"]).await.iter().chain(&claims[1..]) {
            self.fail(claim, "create_trunk: the name is taken; choose another")
                .await;
        }
    }
}
