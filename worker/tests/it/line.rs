//! The real store behind a line on which calls can fail, take long or break.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use onboarding::{AccountName, OnboardingId, PhoneNumber, SipPassword};
use store::{
    AccountStatus, Advance, Advanced, AfterAttempt, Answers, Attempt, Batch, BatchNumber,
    BatchStatus, Carried, CarriedAccount, CarriedIn, Claims, Cursor, Delivery, DeliveryFilter,
    DeliveryId, DeliveryPage, Departure, Due, Feed, Filter, Granted, Happening, Inspect, Intake,
    LateCheck, LateChecked, LateChecks, Lease, Limits, MoveId, NewDelivery, NewRefused,
    NumberHolder, Onboarding, Operate, Outbox, Outgoing, Page, Position, Probe, Probed, Refusals,
    Refused, RefusedId, RefusedPage, Remembered, Result, Resumed, Retried, Settled, Stop, Tally,
    Transfer, Unusable, Work, WorkerName, WorkerStatus, sqlite::SqliteStore,
};

/// A call that is about to be made, as far as tests tell calls apart.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    Claim,
    Advance(&'a Advance),
    Accounts,
    Other,
}

/// What has to pass before a call is made. Its error is the call's.
pub(crate) type Passing = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

pub(crate) struct Line {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) pass: Box<dyn Fn(Call<'_>) -> Passing + Send + Sync>,
}

impl Line {
    pub(crate) fn new(
        store: &Arc<SqliteStore>,
        pass: impl Fn(Call<'_>) -> Passing + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            pass: Box::new(pass),
        })
    }
}

/// The call is made at once.
pub(crate) fn free() -> Passing {
    Box::pin(std::future::ready(Ok(())))
}

/// The call fails.
pub(crate) fn fails(error: store::Error) -> Passing {
    Box::pin(std::future::ready(Err(error)))
}

#[async_trait]
impl Intake for Line {
    async fn begin(&self) -> Result<Box<dyn Batch>> {
        self.store.begin().await
    }
}

#[async_trait]
impl Work for Line {
    async fn register(&self, worker: &WorkerName, all: &[(AccountName, Limits)]) -> Result<()> {
        self.store.register(worker, all).await
    }
    async fn heard(&self, worker: &WorkerName, says: Option<&[Unusable]>) -> Result<()> {
        self.store.heard(worker, says).await
    }
    async fn claim(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<Claims> {
        (self.pass)(Call::Claim).await?;
        self.store.claim(worker, max, lease, request_timeout).await
    }
    async fn changed(&self) {
        self.store.changed().await;
    }
    async fn advance(&self, lease: &Lease, advance: Advance) -> Result<Advanced> {
        (self.pass)(Call::Advance(&advance)).await?;
        self.store.advance(lease, advance).await
    }
    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<Lease>> {
        (self.pass)(Call::Other).await?;
        self.store.renew(leases, lease).await
    }
    async fn abandon(&self, worker: &WorkerName) -> Result<u64> {
        self.store.abandon(worker).await
    }
    async fn permit(&self, account: &AccountName, timeout: Duration) -> Result<Granted> {
        (self.pass)(Call::Other).await?;
        self.store.permit(account, timeout).await
    }
    async fn settle(&self, settled: Vec<Settled>) -> Result<()> {
        self.store.settle(settled).await
    }
    async fn close_account(&self, account: &AccountName, delay: Duration) -> Result<bool> {
        (self.pass)(Call::Other).await?;
        self.store.close_account(account, delay).await
    }
    async fn late_checks(&self, max: usize, hidden: Duration) -> Result<LateChecks> {
        (self.pass)(Call::Other).await?;
        self.store.late_checks(max, hidden).await
    }
    async fn late_checked(&self, check: &LateCheck, found: LateChecked) -> Result<()> {
        self.store.late_checked(check, found).await
    }
    async fn stop_account(&self, account: &AccountName, stop: &Stop) -> Result<bool> {
        (self.pass)(Call::Other).await?;
        self.store.stop_account(account, stop).await
    }
    async fn probed(&self, probe: &Probe, came: &Probed) -> Result<bool> {
        (self.pass)(Call::Other).await?;
        self.store.probed(probe, came).await
    }
}

#[async_trait]
impl Inspect for Line {
    async fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>> {
        self.store.get(id).await
    }
    async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.store.list(filter, after, limit).await
    }
    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        self.store.workers().await
    }
    async fn late_checks_left(&self) -> Result<u64> {
        self.store.late_checks_left().await
    }
    async fn tally(&self) -> Result<Tally> {
        self.store.tally().await
    }
    async fn number_holders(&self, numbers: &[PhoneNumber]) -> Result<Vec<Option<NumberHolder>>> {
        self.store.number_holders(numbers).await
    }
    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        (self.pass)(Call::Accounts).await?;
        self.store.accounts().await
    }
    async fn batches(&self, before: Option<BatchNumber>, limit: usize) -> Result<Vec<BatchStatus>> {
        self.store.batches(before, limit).await
    }
    async fn batch(&self, number: BatchNumber) -> Result<Option<BatchStatus>> {
        self.store.batch(number).await
    }
    async fn recipe(&self, digest: &str) -> Result<Option<String>> {
        self.store.recipe(digest).await
    }
    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>> {
        self.store.password(id).await
    }
}

#[async_trait]
impl Operate for Line {
    async fn retry(&self, id: OnboardingId, replace_credentials: bool) -> Result<Retried> {
        self.store.retry(id, replace_credentials).await
    }
    async fn cancel(&self, id: OnboardingId) -> Result<store::operate::Cancelled> {
        self.store.cancel(id).await
    }
    async fn mark_restored(&self) -> Result<u64> {
        self.store.mark_restored().await
    }
    async fn resume_account(&self, account: &AccountName) -> Result<Resumed> {
        self.store.resume_account(account).await
    }
    async fn park_account(&self, account: &AccountName, reason: &str) -> Result<bool> {
        self.store.park_account(account, reason).await
    }
}

#[async_trait]
impl Transfer for Line {
    async fn begin_departure(&self, to: &str) -> Result<Departure> {
        self.store.begin_departure(to).await
    }
    async fn carry_out(&self, after: Option<&Cursor>, limit: usize) -> Result<Outgoing> {
        self.store.carry_out(after, limit).await
    }
    async fn end_departure(&self, id: &MoveId) -> Result<()> {
        self.store.end_departure(id).await
    }
    async fn begin_arrival(&self, id: &MoveId, from: &str) -> Result<bool> {
        self.store.begin_arrival(id, from).await
    }
    async fn carry_accounts(&self, accounts: &[CarriedAccount]) -> Result<()> {
        self.store.carry_accounts(accounts).await
    }
    async fn carry_in(
        &self,
        recipes: &[(String, String)],
        onboardings: Vec<Carried>,
    ) -> Result<CarriedIn> {
        self.store.carry_in(recipes, onboardings).await
    }
    async fn end_arrival(&self, id: &MoveId) -> Result<()> {
        self.store.end_arrival(id).await
    }
}

#[async_trait]
impl Feed for Line {
    async fn happenings(&self, after: Option<&Position>, limit: usize) -> Result<Vec<Happening>> {
        self.store.happenings(after, limit).await
    }
    async fn latest(&self) -> Result<Option<Position>> {
        self.store.latest().await
    }
}

#[async_trait]
impl Outbox for Line {
    async fn laid_out(&self) -> Result<Option<String>> {
        self.store.laid_out().await
    }
    async fn lay_out(
        &self,
        before: Option<&str>,
        after: &str,
        deliveries: Vec<NewDelivery>,
    ) -> Result<bool> {
        self.store.lay_out(before, after, deliveries).await
    }
    async fn take_due(&self, max: usize, hold: Duration) -> Result<Due> {
        self.store.take_due(max, hold).await
    }
    async fn attempted(
        &self,
        id: &DeliveryId,
        attempt: u32,
        made: Attempt,
        then: AfterAttempt,
    ) -> Result<bool> {
        self.store.attempted(id, attempt, made, then).await
    }
    async fn resend(&self, id: &DeliveryId) -> Result<bool> {
        self.store.resend(id).await
    }
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        self.store.delivery(id).await
    }
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<DeliveryPage> {
        self.store.deliveries(filter, after, limit).await
    }
    async fn deliveries_waiting(&self) -> Result<u64> {
        self.store.deliveries_waiting().await
    }
}

#[async_trait]
impl Answers for Line {
    async fn remember(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        keep: Duration,
    ) -> Result<Remembered> {
        self.store.remember(scope, key, digest, keep).await
    }
    async fn is_remembered(&self, scope: &str, key: &str) -> Result<bool> {
        self.store.is_remembered(scope, key).await
    }
    async fn answer(&self, scope: &str, key: &str, answer: &[u8]) -> Result<Vec<u8>> {
        self.store.answer(scope, key, answer).await
    }
}

#[async_trait]
impl Refusals for Line {
    async fn refuse(&self, refused: NewRefused) -> Result<()> {
        self.store.refuse(refused).await
    }

    async fn accepted_after_all(&self, sender: &str, message: &str) -> Result<()> {
        self.store.accepted_after_all(sender, message).await
    }

    async fn refused(&self, id: RefusedId) -> Result<Option<Refused>> {
        self.store.refused(id).await
    }

    async fn refusals(
        &self,
        sender: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<RefusedPage> {
        self.store.refusals(sender, after, limit).await
    }
}
