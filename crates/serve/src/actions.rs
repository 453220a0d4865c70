//! What people and programs may do, wherever they ask for it. Each leaves a line in the log, target
//! `audit`, that names the token.

use onboarding::{AccountName, Handoff, OnboardingId};
use records::Handoffs;
use store::{Cancelled, DeliveryId, Onboarding, Resumed, Retried};
use telemetry::{SignupOutcome, SignupSource};

use crate::{
    App, Problem,
    auth::{Caller, Scope},
    problem::{Code, chain},
};

impl App {
    /// Queues a failed or cancelled onboarding again. With `replace_credentials`, credentials that it
    /// failed for, because their password is not in the store, are replaced.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn retry(
        &self,
        caller: &Caller,
        id: OnboardingId,
        replace_credentials: bool,
    ) -> store::Result<Retried> {
        let came = self.store().retry(id, replace_credentials).await?;
        tracing::info!(target: "audit", token = caller.token(), action = "retry", onboarding = %id, replace_credentials, outcome = ?came, "retry");
        Ok(came)
    }

    /// Calls an onboarding off.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn cancel(&self, caller: &Caller, id: OnboardingId) -> store::Result<Cancelled> {
        let came = self.store().cancel(id).await?;
        tracing::info!(target: "audit", token = caller.token(), action = "cancel", onboarding = %id, outcome = ?came, "cancel");
        Ok(came)
    }

    /// Lets a parked or closed account go on. Returns what it was.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn resume(&self, caller: &Caller, account: &AccountName) -> store::Result<Resumed> {
        let was = self.store().resume_account(account).await?;
        tracing::info!(target: "audit", token = caller.token(), action = "resume", %account, ?was, "resume");
        Ok(was)
    }

    /// Sends a delivery again, now. `false`: there is none with this id.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn resend(&self, caller: &Caller, delivery: &DeliveryId) -> store::Result<bool> {
        let found = self.store().resend(delivery).await?;
        tracing::info!(target: "audit", token = caller.token(), action = "resend", %delivery, found, "resend");
        Ok(found)
    }

    /// Says in the log, and counts, that somebody enqueued a file.
    pub fn enqueued(&self, caller: &Caller, source: &str, accepted: u64, duplicates: u64) {
        for (outcome, count) in [
            (SignupOutcome::Accepted, accepted),
            (SignupOutcome::Duplicate, duplicates),
        ] {
            self.metrics().signups(SignupSource::Upload, outcome, count);
        }
        tracing::info!(target: "audit", token = caller.token(), action = "enqueue", source, accepted, duplicates, "enqueue");
    }

    /// The handoff of an onboarding. Its password is in it in clear with `show_secrets` only, for
    /// which the token needs the write scope, and which is logged.
    ///
    /// # Errors
    /// A problem: the scope, an account that no file names any more, or the store.
    pub async fn handoff(
        &self,
        caller: &Caller,
        own: &Onboarding,
        show_secrets: bool,
    ) -> Result<Handoff, Problem> {
        if show_secrets {
            caller.may(Scope::Write)?;
            tracing::info!(target: "audit", token = caller.token(), action = "show_secrets", onboarding = %own.id, "show secrets");
        }
        let mut handoffs = Handoffs::new(self.store().as_ref(), self.directory().as_ref());
        handoffs
            .render(own, show_secrets)
            .await
            .map_err(|error| match error {
                records::Error::Store(error) => error.into(),
                records::Error::AccountUnknown { message } => {
                    Problem::new(Code::WrongState, message)
                }
                other @ (records::Error::Damaged { .. } | _) => {
                    tracing::error!(error = %chain(&other), onboarding = %own.id, "a handoff cannot be rendered");
                    Problem::new(
                        Code::Internal,
                        "the handoff cannot be rendered; the server's log says why",
                    )
                }
            })
    }
}
