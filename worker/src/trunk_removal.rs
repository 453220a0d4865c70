//! Removing a trunk that was made for nothing: its number is on another one.
//!
//! Only a trunk whose creating answer was read, and on which nothing stands that the journal does
//! not name. The removal is put on record before it begins, so that a crash in its middle is
//! continued; the journal then stands before `create_trunk`.

use exotel::{Class, EntryId};
use onboarding::{Fault, Step, StepKind, StepResult, StepState, TrunkSid};
use store::Then;

use crate::{
    execute::{Halt, Run},
    fault::{self, Interrupt},
    read::{self, Entries, Reader},
};

/// What keeps a trunk from being removed, or went wrong.
enum Left {
    Halt(Halt),
    /// It stays; why.
    Stays(String),
}

impl From<Interrupt<Halt>> for Left {
    fn from(interrupt: Interrupt<Halt>) -> Self {
        match interrupt {
            Interrupt::Halt(halt) => Self::Halt(halt),
            Interrupt::Refused(error) => Self::Stays(error.to_string()),
            Interrupt::TooLong { what, .. } | Interrupt::Unreadable { what } => {
                Self::Stays(format!("the list of {what} cannot be read whole"))
            }
        }
    }
}

impl Run<'_> {
    /// Ends the onboarding because its number is on another trunk, and removes its own trunk if it
    /// may.
    pub(crate) async fn number_is_taken(
        &mut self,
        trunk: &TrunkSid,
        fault: Fault,
        known: bool,
    ) -> Halt {
        let made = self.journal.trunk_record();
        if !known || made.is_none_or(|record| record.adopted) {
            return self.fail(fault, false).await;
        }
        self.change(|record| {
            record.state = StepState::Failed;
            record.error = Some(fault);
        });
        if let Some(at) = self.trunk_index() {
            self.change_other(at, |record| record.removing = true);
        }
        if let Err(halt) = self.advance(Then::Keep).await {
            return halt;
        }
        self.remove_trunk(&trunk.clone()).await
    }

    pub(crate) fn trunk_index(&self) -> Option<usize> {
        let is_trunk = |step: &Step| step.kind() == StepKind::CreateTrunk;
        self.plan.steps.iter().position(is_trunk)
    }

    /// Continues a removal that a crash or a lost answer interrupted.
    pub(crate) async fn go_on_removing_the_trunk(&mut self) -> Result<(), Halt> {
        let trunk = self.journal.trunk_sid().cloned();
        let (true, Some(trunk)) = (self.removes_the_trunk(), trunk) else {
            return Ok(());
        };
        self.index = self.journal.first_unfinished().unwrap_or_default();
        Err(self.remove_trunk(&trunk).await)
    }

    /// Whether it is on record that the trunk is to be removed.
    pub(crate) fn removes_the_trunk(&self) -> bool {
        let trunk = self.journal.trunk_record();
        trunk.is_some_and(|record| record.removing)
    }

    /// Why the trunk is removed: what the onboarding fails for.
    fn removed_for(&self) -> Fault {
        self.record().error.clone().unwrap_or_else(|| {
            fault::fault(
                "duplicate_number",
                "map_number: the number is mapped to another trunk",
            )
        })
    }

    /// Ends the onboarding with its trunk left: a retry asks for the number again first.
    pub(crate) async fn trunk_stays(&mut self, why: &str) -> Halt {
        let mut fault = self.removed_for();
        if let Some(trunk) = self.journal.trunk_sid() {
            let stays = format!("; trunk {trunk} was not removed: {why}");
            fault.message.push_str(&stays);
        }
        if let Some(at) = self.trunk_index() {
            self.change_other(at, |record| record.removing = false);
        }
        self.fail(fault, false).await
    }

    async fn remove_trunk(&mut self, trunk: &TrunkSid) -> Halt {
        match self.delete(trunk).await {
            Ok(()) => {
                tracing::info!(
                    onboarding = %self.held.lease.id,
                    account = %self.account.name,
                    "the trunk was removed, because its number is mapped to another one"
                );
                for at in 0..self.plan.steps.len() {
                    self.change_other(at, |record| {
                        record.result = None;
                        record.doubt = None;
                        record.adopted = false;
                        record.removing = false;
                        if record.state == StepState::Done {
                            record.state = StepState::Pending;
                        }
                    });
                }
                let fault = self.removed_for();
                self.fail(fault, false).await
            }
            Err(Left::Halt(halt)) => halt,
            Err(Left::Stays(why)) => self.trunk_stays(&why).await,
        }
    }

    /// Deletes it unless it has something else. That is looked up anew when the removal is
    /// continued, because anybody may have put something on it meanwhile.
    async fn delete(&mut self, trunk: &TrunkSid) -> Result<(), Left> {
        let client = self.client;
        if self.is_gone(trunk).await? {
            return Ok(());
        }
        if let Some(what) = self.foreign_on(trunk).await? {
            return Err(Left::Stays(format!("it has {what}")));
        }
        // Not in Exotel's list of what goes with a trunk.
        for id in self.made(StepKind::CreateCredentials) {
            if let Ok(id) = id.parse::<EntryId>() {
                gone(
                    self.read(|| Box::pin(client.delete_credentials(trunk, &id)))
                        .await,
                )?;
            }
        }
        gone(self.read(|| Box::pin(client.delete_trunk(trunk))).await)?;
        if self.is_gone(trunk).await? {
            return Ok(());
        }
        Err(Left::Stays(
            "Exotel says that it was deleted and still has it".into(),
        ))
    }

    async fn is_gone(&mut self, trunk: &TrunkSid) -> Result<bool, Left> {
        let client = self.client;
        match self.read(|| Box::pin(client.trunk(trunk))).await {
            Ok(_) => Ok(false),
            Err(Interrupt::Refused(error)) if error.class() == Class::NotThere => Ok(true),
            Err(interrupt) => Err(interrupt.into()),
        }
    }

    /// The ids of what done steps of this kind made.
    fn made(&self, kind: StepKind) -> Vec<String> {
        let steps = self.plan.steps.iter().zip(self.journal.records());
        steps
            .filter(|(step, _)| step.kind() == kind)
            .filter_map(|(_, record)| match &record.result {
                Some(StepResult::Entry { id }) => Some(id.clone()),
                _ => None,
            })
            .collect()
    }

    /// Something on the trunk that the journal does not name.
    async fn foreign_on(&mut self, trunk: &TrunkSid) -> Result<Option<String>, Left> {
        let client = self.client;
        let numbers = read::all(self, "a trunk's numbers", |at| {
            Box::pin(client.numbers_page(trunk, at))
        });
        let numbers = ids(numbers.await?, |it| it.id.to_string())?;
        let addresses = read::all(self, "a trunk's ACL entries", |at| {
            Box::pin(client.whitelisted_ips_page(trunk, at))
        });
        let addresses = ids(addresses.await?, |it| it.id.to_string())?;
        let credentials = read::all(self, "a trunk's credentials", |at| {
            Box::pin(client.credentials_page(trunk, at))
        });
        let credentials = ids(credentials.await?, |it| it.id.to_string())?;
        let destinations = read::all(self, "a trunk's destinations", |at| {
            Box::pin(client.destinations_page(trunk, at))
        });
        let destinations = ids(destinations.await?, |it| it.id.to_string())?;
        let lists = [
            ("number mapping", StepKind::MapNumber, numbers),
            ("ACL entry", StepKind::WhitelistIp, addresses),
            ("credential", StepKind::CreateCredentials, credentials),
            ("destination", StepKind::MapDestination, destinations),
        ];
        for (noun, kind, listed) in lists {
            let ours = self.made(kind);
            if let Some(foreign) = listed.iter().find(|id| !ours.contains(id)) {
                return Ok(Some(format!(
                    "{noun} {foreign}, which this onboarding did not make"
                )));
            }
        }
        Ok(None)
    }
}

/// The ids of all entries. An entry that cannot be read may be anybody's.
fn ids<T>(listed: Entries<T>, id: impl Fn(&T) -> String) -> Result<Vec<String>, Left> {
    listed.absent::<Halt>("")?;
    Ok(listed.items.iter().map(id).collect())
}

/// What is gone already is deleted.
fn gone<T>(deleted: Result<T, Interrupt<Halt>>) -> Result<(), Left> {
    match deleted {
        Ok(_) => Ok(()),
        Err(Interrupt::Refused(error)) if error.class() == Class::NotThere => Ok(()),
        Err(interrupt) => Err(interrupt.into()),
    }
}
