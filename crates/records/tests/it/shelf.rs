//! What a test says that a store has. Everything in it is made up.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use async_trait::async_trait;
use jiff::Timestamp;
use onboarding::{
    AccountName, Journal, OnboardingId, PhoneNumber, RawSignup, RecipeBook, SipPassword, State,
};
use serde_json::json;
use store::{
    AccountStatus, BatchNumber, BatchStatus, Cursor, Filter, Inspect, NumberHolder, Onboarding,
    Page, Result, Tally, WorkerStatus,
};

/// Answers with what was put on it.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) accounts: Vec<AccountStatus>,
    pub(crate) recipe: Option<String>,
}

#[async_trait]
impl Inspect for Shelf {
    async fn get(&self, _: OnboardingId) -> Result<Option<Onboarding>> {
        Ok(None)
    }

    async fn list(&self, _: &Filter, _: Option<&Cursor>, _: usize) -> Result<Page> {
        Ok(Page::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        Ok(Vec::new())
    }

    async fn late_checks_left(&self) -> Result<u64> {
        Ok(0)
    }

    async fn number_holders(&self, _: &[PhoneNumber]) -> Result<Vec<Option<NumberHolder>>> {
        Ok(Vec::new())
    }

    async fn tally(&self) -> Result<Tally> {
        Ok(Tally::default())
    }

    async fn batches(&self, _: Option<BatchNumber>, _: usize) -> Result<Vec<BatchStatus>> {
        Ok(Vec::new())
    }

    async fn batch(&self, _: BatchNumber) -> Result<Option<BatchStatus>> {
        Ok(None)
    }

    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        Ok(self.accounts.clone())
    }

    async fn recipe(&self, _: &str) -> Result<Option<String>> {
        Ok(self.recipe.clone())
    }

    async fn password(&self, _: OnboardingId) -> Result<Option<SipPassword>> {
        Ok(None)
    }
}

pub(crate) fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

/// So many milliseconds after a quarter past two.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_763_734_500_000 + millis).unwrap()
}

/// An account that waits for nothing.
pub(crate) fn status(text: &str) -> AccountStatus {
    AccountStatus::new(name(text))
}

/// An onboarding of LiveKit's recipe that nobody has begun, and that recipe as a store keeps it.
pub(crate) fn onboarding() -> (Onboarding, String) {
    let given = json!({"account": "acme", "partner": "livekit", "number": "+918000000001"});
    let book = RecipeBook::builtin();
    let accepted = book.accept(&RawSignup::from_json(&given)).unwrap();
    let recipe = book.find(&accepted.signup.partner).unwrap();
    let own = Onboarding {
        id: accepted.id,
        key: accepted.key,
        account: accepted.signup.account,
        partner: accepted.signup.partner,
        number: accepted.signup.number,
        direction: accepted.direction,
        state: State::Queued,
        signup: given.to_string(),
        recipe: recipe.digest().to_string(),
        journal: Journal::new(&accepted.plan),
        plan: accepted.plan,
        fault: None,
        epoch: 0,
        created_at: at(0),
        updated_at: at(7),
        time_ahead_ms: 0,
    };
    (own, recipe.to_canonical_json())
}
