//! Signups as a store takes them.

use onboarding::{SipPassword, TraceContext};
use rand::rngs::ThreadRng;
use store::{Candidate, NewOnboarding, Origin};

use crate::{
    checked::Checked,
    desk::{Desk, KeptRecipe},
};

/// How many signups go to a store at once.
pub(crate) const CHUNK: usize = 1000;

/// Makes candidates of checked signups.
pub(crate) struct Candidates<'d> {
    desk: &'d Desk,
    trace: Option<TraceContext>,
    random: ThreadRng,
    /// The digests of the recipes that were used; few.
    used: Vec<&'d str>,
}

impl<'d> Candidates<'d> {
    pub(crate) fn new(desk: &'d Desk, trace: Option<TraceContext>) -> Self {
        Self {
            desk,
            trace,
            random: rand::rng(),
            used: Vec::new(),
        }
    }

    /// The candidate, and its recipe where it is the first one made with it.
    pub(crate) fn make(
        &mut self,
        origin: Origin,
        checked: Checked,
    ) -> (Candidate, Option<&'d KeptRecipe>) {
        let Checked { accepted, content } = checked;
        let kept = self.desk.kept(&accepted.signup.partner);
        let new = kept.filter(|kept| !self.used.contains(&kept.digest.as_str()));
        self.used.extend(new.map(|kept| kept.digest.as_str()));
        let password = accepted
            .plan
            .needs_password()
            .then(|| SipPassword::generate(&mut self.random));
        let candidate = Candidate {
            origin,
            new: NewOnboarding {
                id: accepted.id,
                key: accepted.key,
                account: accepted.signup.account,
                partner: accepted.signup.partner,
                number: accepted.signup.number,
                direction: accepted.direction,
                signup: content,
                plan: accepted.plan,
                recipe: kept.map(|kept| kept.digest.clone()).unwrap_or_default(),
                password,
                trace: self.trace,
            },
        };
        (candidate, new)
    }
}
