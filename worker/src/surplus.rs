//! Removing surplus copies of writes that were repeated after an attempt of unknown outcome.

use exotel::Class;
use onboarding::{Journal, Plan, SipPassword, StepResult};

use crate::{
    execute::{Halt, Run},
    fault::Interrupt,
    observe::{Event, count},
    read::Reader,
    steps::{Look, Write},
};

/// The steps of which there may be surplus copies.
fn repeated(journal: &Journal) -> impl Iterator<Item = usize> {
    let repeated = |(index, record): (usize, &onboarding::StepRecord)| {
        let done = matches!(record.result, Some(StepResult::Entry { .. }));
        (done && record.was_repeated()).then_some(index)
    };
    journal.records().iter().enumerate().filter_map(repeated)
}

/// What was removed of one step.
pub(crate) struct Removed {
    pub(crate) index: usize,
    pub(crate) copies: u32,
}

/// Reads back every repeated write and removes its copies: exactly ours, by id, never the one on
/// record, and only on a trunk that this onboarding made. `look` gives what is known of a step.
pub(crate) async fn remove<'l, R: Reader>(
    reader: &mut R,
    plan: &Plan,
    journal: &Journal,
    password: Option<&SipPassword>,
    mut look: impl FnMut(&mut R, usize) -> Look<'l>,
) -> Result<Vec<Removed>, Interrupt<R::Halt>> {
    let mut all = Vec::new();
    if !journal.made_the_trunk() {
        return Ok(all);
    }
    for index in repeated(journal).collect::<Vec<_>>() {
        let (Some(step), Some(record)) = (plan.steps.get(index), journal.record(index)) else {
            continue;
        };
        let (Ok(write), Some(StepResult::Entry { id: kept })) =
            (Write::prepare(step, journal, password), &record.result)
        else {
            continue;
        };
        let look = look(reader, index);
        let mut copies = 0;
        for id in write.surplus(reader, &look, kept).await? {
            match write.remove(reader, look.client, &id).await {
                Ok(()) => copies += 1,
                // Exotel offers no way to remove it: `verify` says that it is there.
                Err(Interrupt::Refused(error)) if error.class() != Class::Unknown => {
                    tracing::warn!(
                        step = step.kind().as_str(),
                        id = id.as_str(),
                        code = error.code(),
                        "a surplus copy is not removed; `trunkline verify` shows it"
                    );
                }
                Err(interrupt) => return Err(interrupt),
            }
        }
        if copies > 0 {
            all.push(Removed { index, copies });
        }
    }
    Ok(all)
}

impl Run<'_> {
    /// Whether there may be surplus copies that were not looked for.
    pub(crate) fn has_repeats(&self) -> bool {
        !self.surplus_removed && repeated(&self.journal).next().is_some()
    }

    /// Once, when all writes are done.
    pub(crate) async fn remove_surplus(&mut self) -> Result<(), Halt> {
        if !self.has_repeats() {
            return Ok(());
        }
        let (plan, journal, password) = (self.plan, self.journal.clone(), self.password);
        let removed = remove(self, plan, &journal, password, Run::look_of).await;
        match removed {
            Ok(removed) => {
                for Removed { index, copies } in removed {
                    self.change_other(index, |record| {
                        record.removed = record.removed.saturating_add(copies);
                    });
                    self.shared
                        .surplus_removed(self.account, plan, index, copies);
                }
                self.surplus_removed = true;
                Ok(())
            }
            // The late check looks again; the onboarding is done all the same.
            Err(
                Interrupt::Refused(_) | Interrupt::TooLong { .. } | Interrupt::Unreadable { .. },
            ) => {
                self.surplus_removed = true;
                Ok(())
            }
            Err(Interrupt::Halt(halt)) => Err(halt),
        }
    }
}

impl crate::shared::Shared {
    /// Counts and reports surplus copies that were removed.
    pub(crate) fn surplus_removed(
        &self,
        account: &crate::Account,
        plan: &Plan,
        index: usize,
        copies: u32,
    ) {
        let Some(step) = plan.steps.get(index) else {
            return;
        };
        let step = step.kind();
        for _ in 0..copies {
            count(&self.counters.surplus_removed);
        }
        tracing::warn!(
            account = %account.name,
            step = step.as_str(),
            copies,
            "surplus copies of a repeated write were removed"
        );
        let account = &account.name;
        self.tell(Event::SurplusRemoved {
            account,
            step,
            copies,
        });
    }
}
