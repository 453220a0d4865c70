//! What is in doubt is read back before it is repeated, and an absence is believed late.
//!
//! Doubt begins with a step that may have been sent and is not on record as done. What is found is
//! adopted, and then the next step is in doubt too. On a trunk that this onboarding made the first
//! step that is absent ends the doubt, because steps are sent one after the other; on any other
//! trunk every step that appends is read back, because what is on it may be of another store.

use std::time::Duration;

use exotel::EntryId;
use onboarding::{Step, StepState};
use store::{Claim, Then, clock::millis};
use tokio::time::Instant;

use crate::{
    execute::{Halt, Run},
    observe::{Event, StepOutcome},
    read::Reader,
    settings::Settings,
    steps::{
        Found, Look, MayBeSent, Resource, Write,
        create_credentials::{live, replace},
        create_trunk::unlisted,
        duplicate_unlisted,
        map_number::{Elsewhere, elsewhere},
    },
};

/// What an onboarding's owners before this claim may have sent: not before it was accepted, and
/// not after this claim.
pub(crate) fn sent_before(claim: &Claim, settings: &Settings) -> MayBeSent {
    MayBeSent {
        first_ms: claim.now_ms.saturating_sub(millis(claim.age)),
        settles_ms: claim.now_ms.saturating_add(millis(settings.settling)),
    }
}

impl<'a> Run<'a> {
    /// The store's clock at `at`, in milliseconds, or a little later.
    pub(crate) fn store_ms(&self, at: Instant) -> i64 {
        let (claimed_ms, claimed) = self.claimed;
        claimed_ms.saturating_add(millis(at.saturating_duration_since(claimed)))
    }

    /// A request of this claim that was sent at `at`.
    pub(crate) fn sent_at(&self, at: Instant) -> MayBeSent {
        let first_ms = self.store_ms(at);
        MayBeSent {
            first_ms,
            settles_ms: first_ms.saturating_add(millis(self.shared.settings.settles_after())),
        }
    }

    /// Whether a step of which nothing is on record is read back before it is sent.
    pub(crate) fn doubt_goes_on(&self, write: &Write<'_>) -> bool {
        let earlier = self.plan.steps.iter().zip(self.journal.records());
        let before = earlier
            .take(self.index)
            .rfind(|(step, _)| !matches!(step, Step::SetCallerId { .. } | Step::Verify));
        let adopted = before.is_some_and(|(_, record)| record.adopted);
        let of_others = self.journal.trunk_sid().is_some() && !self.journal.made_the_trunk();
        adopted || (write.appends() && of_others)
    }

    /// Reads back. What refuses the reading is final.
    pub(crate) async fn look(&mut self, write: &Write<'_>) -> Result<Found, Halt> {
        let look = self.look_of(self.index);
        let found = match write.look(self, &look).await {
            Ok(found) => found,
            Err(interrupt) => return Err(self.interrupted(interrupt).await),
        };
        if matches!(
            (&found, write),
            (Found::Wrong(_), Write::CreateTrunk { .. })
        ) {
            // So no attempt of ours made it, and none can any more.
            self.earlier = false;
        }
        Ok(found)
    }

    /// What is known for a look at the step at `index`.
    pub(crate) fn look_of(&mut self, index: usize) -> Look<'a> {
        let now = Instant::now();
        let doubt = self.journal.record(index).and_then(|record| record.doubt);
        let ago = doubt.map(|doubt| self.store_ms(now).saturating_sub(doubt.first_ms));
        Look {
            client: self.client,
            account: self.account,
            plan: self.plan,
            first_attempt: ago.map(|ago| (now, ago)),
            attempted: self.earlier,
            made_the_trunk: self.journal.made_the_trunk(),
            numbers: self.numbers.take(),
        }
    }

    /// Puts on record that a trunk with a chosen name is about to be created, so that a crash
    /// leaves it known that a trunk of that name may be ours. Derived names need no such record.
    pub(crate) async fn intend(&mut self, write: &Write<'_>) -> Result<(), Halt> {
        if !write.needs_intent() || self.record().state == StepState::Unknown {
            return Ok(());
        }
        loop {
            let sent = self.sent_at(Instant::now());
            self.change(|record| {
                record.state = StepState::Unknown;
                record.note_doubt(sent.first_ms, sent.settles_ms);
            });
            self.advance(Then::Keep).await?;
            self.under_way();
            if self.may_send() {
                return Ok(());
            }
            // The store took its time. What is not sent now gives no right to the name.
            self.undo_intent(write);
            self.ready().await?;
        }
    }

    /// Nothing came of the intended write: whoever has that name, it is not this onboarding.
    pub(crate) fn undo_intent(&mut self, write: &Write<'_>) {
        if write.needs_intent() && !self.earlier {
            self.change(|record| {
                record.state = StepState::Pending;
                record.doubt = None;
            });
            self.under_way();
        }
    }

    /// Adopts what was found as the step's result.
    pub(crate) async fn adopt(
        &mut self,
        resource: Resource,
        write: &Write<'_>,
    ) -> Result<(), Halt> {
        if let (Some(mode), Write::MapNumber { trunk, number, .. }) = (resource.mode, write)
            && let onboarding::StepResult::Entry { id } = &resource.result
            && let Ok(id) = id.parse::<EntryId>()
        {
            let client = self.client;
            let set = self
                .read(|| Box::pin(client.update_number(trunk, &id, number, mode)))
                .await;
            if let Err(interrupt) = set {
                return Err(self.interrupted(interrupt).await);
            }
        }
        let before = self.inherited_doubt();
        let surplus = resource.surplus;
        self.change(|record| {
            if record.doubt.is_none() {
                record.note_doubt(before.first_ms, before.settles_ms);
            }
            if let Some(doubt) = &mut record.doubt {
                doubt.repeated |= surplus;
            }
        });
        self.done(resource, false).await
    }

    /// A write that appends was not found: waits until that is believed, and puts the repeat on
    /// record before it is sent.
    pub(crate) async fn before_a_repeat(&mut self) -> Result<(), Halt> {
        let inherited = self.inherited_doubt();
        self.change(|record| {
            if record.doubt.is_none() {
                record.note_doubt(inherited.first_ms, inherited.settles_ms);
            }
        });
        self.settled().await?;
        // When it is sent is noted once that is not known: by a lost answer, or the next claim.
        self.change(|record| {
            record.state = StepState::Unknown;
            if let Some(doubt) = &mut record.doubt {
                doubt.repeated = true;
            }
        });
        self.advance(Then::Keep).await?;
        self.under_way();
        Ok(())
    }

    /// When a step may have been sent of which nothing is on record: as the adopted one before it.
    fn inherited_doubt(&self) -> MayBeSent {
        let earlier = self.journal.records().iter().take(self.index);
        let doubt = earlier.rev().find_map(|record| record.doubt);
        doubt.map_or(self.sent_before, |doubt| MayBeSent {
            first_ms: doubt.first_ms,
            settles_ms: doubt.settles_ms,
        })
    }

    /// Returns once an absence that was just read is believed. Until then the onboarding waits as a
    /// delay, without a slot and without a permit.
    pub(crate) async fn settled(&mut self) -> Result<(), Halt> {
        let Some(doubt) = self.record().doubt else {
            return Ok(());
        };
        // From the claim on: so it is never too early, and a second look never comes before its time.
        let (now, _) = self.claimed;
        // A clock that was wrong wrote a time that is farther away than any.
        let longest = millis(self.shared.settings.settles_after());
        let left = doubt.settles_ms.saturating_sub(now).min(longest);
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
            return Ok(());
        };
        self.settle(true);
        self.outcome = Some(StepOutcome::PutBack);
        self.change(|record| record.state = StepState::Unknown);
        let left = Duration::from_millis(left);
        tracing::info!(
            onboarding = %self.held.lease.id,
            step = self.step_name(),
            delay_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            "an earlier request may still be processed; waiting before it is repeated"
        );
        self.shared.tell(Event::Settling {
            account: &self.account.name,
            id: self.held.lease.id,
            delay: left,
        });
        Err(self.release(left).await)
    }

    /// Credentials of our user name have a password that this store does not have. `None`: a person
    /// allowed to replace them, and they are to be made anew.
    pub(crate) async fn live(
        &mut self,
        write: &Write<'_>,
        ids: &[EntryId],
    ) -> Result<Option<Resource>, Halt> {
        let Write::CreateCredentials {
            trunk,
            user_name,
            password,
            label,
        } = write
        else {
            return Ok(None);
        };
        // Another store made them, so the trunk is not this onboarding's alone.
        if let Some(at) = self.trunk_index() {
            self.change_other(at, |record| record.own = false);
        }
        if !self.record().replace {
            let fault = live(trunk, user_name, ids);
            return Err(self.fail(fault, false).await);
        }
        match replace(self, trunk, user_name, password, *label, ids).await {
            Ok(Found::There(resource)) => Ok(Some(resource)),
            Ok(Found::Absent | Found::Live(_)) => Ok(None),
            Ok(Found::Wrong(fault)) => Err(self.fail(fault, false).await),
            Err(interrupt) => Err(self.interrupted(interrupt).await),
        }
    }

    /// Exotel calls the write a duplicate, and what it makes is not where it should be. `None`: it
    /// is sent once more.
    pub(crate) async fn duplicate_but_absent(
        &mut self,
        write: &Write<'_>,
        error: &exotel::Error,
        duplicates: u32,
    ) -> Result<Option<Resource>, Halt> {
        if let Write::MapNumber { trunk, number, .. } = write {
            return match elsewhere(self, trunk, number).await {
                Ok(Elsewhere::OnOurs(resource)) => Ok(Some(resource)),
                Ok(Elsewhere::Taken { fault, known }) => {
                    self.settled().await?;
                    Err(self.number_is_taken(trunk, fault, known).await)
                }
                Err(interrupt) => Err(self.interrupted(interrupt).await),
            };
        }
        self.settled().await?;
        if let Write::CreateTrunk { name, .. } = write {
            return Err(self.fail(unlisted(name), false).await);
        }
        if duplicates < 2 {
            return Ok(None);
        }
        let fault = duplicate_unlisted(write, error);
        Err(self.fail(fault, false).await)
    }
}
