//! Finished onboardings are checked once more: a request whose outcome was not known may have been
//! processed after they ended.
//!
//! A succeeded one has its repeated writes read back, and surplus copies are removed. Of one that
//! failed or was cancelled it is only looked up what it left, because it may be retried meanwhile.

use std::{sync::Arc, time::Duration};

use exotel::Class;
use onboarding::{Fault, Journal, SipPassword, State, StepRecord, StepState};
use store::{LateCheck, LateChecked, Onboarding, Store};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Account, Error, Served, Settings, Stats,
    check::{Outside, error_of},
    fault::{self, Interrupt},
    shared::Shared,
    steps::{self, Found, MayBeSent, Write},
    surplus,
};

/// Most checks under way at once.
const AT_ONCE: usize = 16;

/// How long a check that was taken is not taken by another worker.
const HIDDEN: Duration = Duration::from_secs(120);

/// The longest time between two looks into the store.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long one is put off whose account gives no permit, or is of another worker.
const PUT_OFF: Duration = Duration::from_secs(60);

/// One that fails for so long is given up.
const GIVEN_UP: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the late checks that are due, and nothing else: for a command that has nothing to run.
///
/// # Errors
///
/// [`Error::Settings`] and [`Error::Store`] before anything is done. What goes wrong with one check
/// puts it off.
pub async fn make_late_checks(
    settings: Settings,
    store: Arc<dyn Store>,
    accounts: impl Into<Served>,
) -> Result<Stats, Error> {
    settings.validate()?;
    let served = accounts.into();
    store
        .register(&settings.worker_name, &served.limits())
        .await?;
    let shared = Arc::new(Shared::new(settings, store, served));
    pass(&shared).await;
    Ok(shared.counters.read())
}

/// Makes late checks as they become due, until the stop.
pub(crate) async fn check_all(shared: Arc<Shared>) {
    while !shared.stop.is_raised() {
        let next = pass(&shared).await;
        shared.late_checks_begun.raise();
        shared.ended.notify_one();
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = shared.stop.wait() => {}
        }
    }
}

/// Makes those that are due. Returns in how long to look again.
async fn pass(shared: &Arc<Shared>) -> Duration {
    if !shared.settings.checks_late() {
        return LOOK_EVERY;
    }
    let mut under_way = JoinSet::new();
    loop {
        let taken = match shared.store.late_checks(AT_ONCE, HIDDEN).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "late checks cannot be read"
                );
                return LOOK_EVERY;
            }
        };
        let full = taken.due.len() == AT_ONCE;
        for check in taken.due {
            let shared = Arc::clone(shared);
            under_way.spawn(async move { one(&shared, &check).await });
        }
        while under_way.join_next().await.is_some() {}
        if !full || shared.stop.is_raised() {
            return taken.next.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        }
    }
}

/// Makes one check and records it, or that it is put off.
async fn one(shared: &Shared, check: &LateCheck) {
    let put_off = |again| LateChecked {
        again: Some(again),
        ..LateChecked::default()
    };
    let found = match look(shared, check).await {
        Ok(Look::Found(found)) => found,
        Ok(Look::Early(wait)) => put_off(wait),
        Err(error) if check.ended > GIVEN_UP => {
            tracing::warn!(
                onboarding = %check.id,
                error = &error as &dyn std::error::Error,
                "a late check is given up; `trunkline verify` compares the onboarding with Exotel"
            );
            LateChecked::default()
        }
        Err(error) => {
            tracing::debug!(
                onboarding = %check.id,
                error = &error as &dyn std::error::Error,
                "a late check is put off"
            );
            let stopped = matches!(error, Error::Stopped);
            put_off(if stopped { Duration::ZERO } else { PUT_OFF })
        }
    };
    if let Err(error) = shared.store.late_checked(check, found).await {
        tracing::debug!(
            onboarding = %check.id,
            error = &error as &dyn std::error::Error,
            "a late check is not recorded; it is made again"
        );
    }
}

/// What a look at one came to.
enum Look {
    Found(LateChecked),
    /// It is not time yet.
    Early(Duration),
}

async fn look(shared: &Shared, check: &LateCheck) -> Result<Look, Error> {
    let Some(mut own) = shared.store.get(check.id).await? else {
        return Ok(Look::Found(LateChecked::default()));
    };
    let settings = &shared.settings;
    if check.suspect {
        note_suspicion(&mut own, check);
    }
    if !own.journal.needs_late_check() {
        return Ok(Look::Found(LateChecked::default()));
    }
    let wait = settings.checks_late_after().saturating_sub(check.ended);
    if !wait.is_zero() {
        return Ok(Look::Early(wait));
    }
    let Some(account) = shared.served.get(&own.account) else {
        return Ok(Look::Early(PUT_OFF));
    };
    let checked = Checking {
        shared,
        account: &account,
        own: &own,
        now: (Instant::now(), check.now_ms),
    };
    checked.run().await.map(Look::Found)
}

/// Its owner vanished before it ended: the first unfinished step may have been sent, not later than
/// now.
fn note_suspicion(own: &mut Onboarding, check: &LateCheck) {
    let sent = MayBeSent {
        first_ms: check.now_ms,
        settles_ms: check.now_ms,
    };
    let index = own.journal.first_unfinished();
    if let Some((index, step)) = index.and_then(|at| Some((at, own.plan.steps.get(at)?)))
        && let Some(mut record) = own.journal.record(index).cloned()
        && steps::doubt(step, &mut record, sent)
    {
        own.journal.set(index, record);
    }
}

/// One onboarding that is checked.
struct Checking<'c> {
    shared: &'c Shared,
    account: &'c Account,
    own: &'c Onboarding,
    /// The store's clock, in milliseconds, at that moment.
    now: (Instant, i64),
}

impl Checking<'_> {
    async fn run(&self) -> Result<LateChecked, Error> {
        let (shared, own) = (self.shared, self.own);
        let Ok(client) = self.account.client(&shared.settings) else {
            return Err(Error::Runtime("the account cannot be used".into()));
        };
        let password = shared.store.password(own.id).await?;
        let client = &client.hiding(password.as_ref().map(SipPassword::secret));
        let mut outside = Outside::within(shared, self.account);
        let mut journal = own.journal.clone();
        let mut changed = Vec::new();
        let look = |journal: &Journal, index: usize| steps::Look {
            client,
            account: self.account,
            plan: &own.plan,
            first_attempt: self.first_attempt(journal.record(index)),
            attempted: true,
            made_the_trunk: journal.made_the_trunk(),
            numbers: None,
        };
        for index in 0..own.plan.steps.len() {
            // A refused repeat says nothing of the attempt before it.
            let unknown = journal.record(index).is_some_and(|record| {
                record.state == StepState::Unknown
                    || (record.state == StepState::Failed && record.was_repeated())
            });
            if !unknown {
                continue;
            }
            let look = look(&journal, index);
            let found = self.look_at(&mut outside, &journal, index, password.as_ref(), &look);
            if let Some(record) = found.await? {
                journal.set(index, record.clone());
                changed.push((index, record));
            }
        }
        // One that a person may retry meanwhile loses nothing here: at its end it looks itself.
        if own.state != State::Succeeded {
            return Ok(self.checked(&journal, changed));
        }
        let before = journal.clone();
        let removed = surplus::remove(
            &mut outside,
            &own.plan,
            &before,
            password.as_ref(),
            |_, index| look(&before, index),
        );
        for removed in absent(removed.await)?.unwrap_or_default() {
            let Some(mut record) = journal.record(removed.index).cloned() else {
                continue;
            };
            record.removed = record.removed.saturating_add(removed.copies);
            shared.surplus_removed(self.account, &own.plan, removed.index, removed.copies);
            journal.set(removed.index, record.clone());
            changed.push((removed.index, record));
        }
        Ok(self.checked(&journal, changed))
    }

    fn checked(&self, journal: &Journal, changed: Vec<(usize, StepRecord)>) -> LateChecked {
        let fault = (!changed.is_empty()).then(|| self.fault(journal)).flatten();
        LateChecked {
            steps: changed,
            fault,
            again: None,
        }
    }

    /// What the step of unknown outcome left, as its new record. `None`: that cannot be told.
    async fn look_at(
        &self,
        outside: &mut Outside<'_>,
        journal: &Journal,
        index: usize,
        password: Option<&SipPassword>,
        look: &steps::Look<'_>,
    ) -> Result<Option<StepRecord>, Error> {
        let step = self.own.plan.steps.get(index);
        let write = step.and_then(|step| Write::prepare(step, journal, password).ok());
        let (Some(write), Some(mut record)) = (write, journal.record(index).cloned()) else {
            return Ok(None);
        };
        if !write.can_be_read_back() {
            return Ok(None);
        }
        let Some(found) = absent(write.look(outside, look).await)? else {
            return Ok(None);
        };
        match found {
            Found::There(resource) => {
                tracing::warn!(
                    onboarding = %self.own.id,
                    account = %self.account.name,
                    state = self.own.state.as_str(),
                    step = step.map_or("none", |step| step.kind().as_str()),
                    "a request whose outcome was not known took effect; it is on record now"
                );
                record.state = StepState::Done;
                record.result = Some(resource.result);
                record.adopted = true;
                record.own = resource.own;
                if let Some(doubt) = &mut record.doubt {
                    doubt.repeated |= resource.surplus;
                }
            }
            Found::Absent | Found::Live(_) | Found::Wrong(_) => record.state = StepState::Failed,
        }
        Ok(Some(record))
    }

    fn first_attempt(&self, record: Option<&StepRecord>) -> Option<(Instant, i64)> {
        let (at, now_ms) = self.now;
        Some((at, now_ms.saturating_sub(record?.doubt?.first_ms)))
    }

    /// What a failed one left is known better now.
    fn fault(&self, journal: &Journal) -> Option<Fault> {
        let (fault, _) = self.own.fault.clone()?;
        Some(fault::with_left_behind(fault, journal, &self.own.plan))
    }
}

/// `None`: Exotel refuses the reading, so the trunk is gone or there is no such call.
fn absent<T>(read: Result<T, Interrupt<Error>>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Interrupt::Refused(error))
            if matches!(
                error.class(),
                Class::NotThere | Class::Refused | Class::Unsupported
            ) =>
        {
            Ok(None)
        }
        Err(interrupt) => Err(error_of(interrupt)),
    }
}
