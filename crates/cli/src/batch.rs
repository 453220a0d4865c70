//! The onboardings that a run is about, and how each of them ended.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use onboarding::{AccountName, Handoff, OnboardingId, State};
use records::{Handoffs, OnboardingRecord, Parked, beside_step, faulty_step, has_live_credentials};
use store::{Filter, Inspect, Onboarding, Unusable};

use crate::{
    error::{Result, unless_away},
    handoff_folder::Folder,
    lookup::Pages,
    output::{Output, counted, note},
    progress::Counts,
};

/// Reading one onboarding of a page costs about an eighth of reading one alone.
const WORTH_A_PAGE: u64 = 8;

/// Most onboardings that are read at once.
const AT_ONCE: usize = 512;

/// The onboardings of a run. Of each that is open only the id is kept, 16 bytes.
pub(crate) struct Batch<'a> {
    store: &'a dyn Inspect,
    open: HashSet<OnboardingId>,
    counts: Counts,
    handoffs: Handoffs<'a>,
    folder: Option<&'a Folder>,
    /// All that were blocked in the store when they were last counted, others' too.
    blocked_in_store: u64,
    /// Handoff files that could not be written.
    unwritten: u64,
    /// Those that ended and could not be read yet, because the store was away.
    unread: Vec<OnboardingId>,
    /// Those that are still to be looked at in this round; see [`Batch::look_further`].
    round: Vec<OnboardingId>,
    /// Those that were blocked when they were last looked at.
    blocked: HashSet<OnboardingId>,
    /// Those that had ended and left the store before they could be looked at.
    gone: u64,
    /// Those of accounts that cannot be used here: counted as blocked and not waited for.
    aside: u64,
}

impl<'a> Batch<'a> {
    /// None yet.
    pub(crate) fn new(
        store: &'a dyn Inspect,
        handoffs: Handoffs<'a>,
        folder: Option<&'a Folder>,
    ) -> Self {
        Self {
            store,
            open: HashSet::new(),
            counts: Counts::default(),
            handoffs,
            folder,
            blocked_in_store: 0,
            unwritten: 0,
            unread: Vec::new(),
            round: Vec::new(),
            blocked: HashSet::new(),
            gone: 0,
            aside: 0,
        }
    }

    /// Adds onboardings that are to be waited for.
    pub(crate) fn wait_for(&mut self, ids: HashSet<OnboardingId>) {
        self.counts.total += ids.len() as u64;
        self.open.extend(ids);
    }

    /// Waits no longer for those of accounts that cannot be used, and says so.
    pub(crate) async fn set_aside(
        &mut self,
        unusable: &[Unusable],
        output: &mut Output,
    ) -> Result<()> {
        if unusable.is_empty() {
            return Ok(());
        }
        let parked = Parked::default();
        let mut by_account: BTreeMap<&AccountName, u64> = BTreeMap::new();
        let ids: Vec<OnboardingId> = self.open.iter().copied().collect();
        for ids in ids.chunks(AT_ONCE) {
            for own in self.store.get_many(ids).await? {
                let theirs = unusable.iter().find(|it| it.account == own.account);
                if let Some(theirs) = theirs.filter(|_| !is_over(own.state)) {
                    self.open.remove(&own.id);
                    self.aside += 1;
                    *by_account.entry(&theirs.account).or_default() += 1;
                    output.record(&OnboardingRecord::of(&own, &parked));
                }
            }
        }
        self.counts.blocked = self.aside;
        for (account, count) in by_account {
            note(format_args!(
                "{} of account {account} waits until it can be used; once that is mended, the same command or `trunkline work` goes on",
                counted(count, "onboarding")
            ));
        }
        Ok(())
    }

    /// How they stand.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether none is left to wait for, blocked ones aside.
    pub(crate) fn is_over(&self) -> bool {
        self.counts.open() == 0
    }

    /// Whether something is left to do by a person.
    pub(crate) fn leaves_something(&self) -> bool {
        self.counts.failed + self.counts.blocked + self.unwritten + self.gone + self.counts.open()
            > 0
    }

    /// Onboardings ended, perhaps some of these.
    pub(crate) async fn finished(
        &mut self,
        mut ended: Vec<(OnboardingId, State)>,
        output: &mut Output,
    ) -> Result<()> {
        ended.retain(|(id, _)| self.open.contains(id));
        self.ended(&ended, output).await
    }

    /// Onboardings ended that nobody was waiting for: they are taken in.
    pub(crate) async fn take_in(
        &mut self,
        ended: Vec<(OnboardingId, State)>,
        output: &mut Output,
    ) -> Result<()> {
        for (id, _) in &ended {
            if self.open.insert(*id) {
                self.counts.total += 1;
            }
        }
        self.ended(&ended, output).await
    }

    /// Looks at those of which there is more to tell than that they succeeded.
    async fn ended(&mut self, ended: &[(OnboardingId, State)], output: &mut Output) -> Result<()> {
        let tells_all = output.json() || self.folder.is_some();
        for (id, state) in ended {
            if *state == State::Succeeded && !tells_all {
                if self.close(*id) {
                    self.counts.succeeded += 1;
                }
            } else {
                self.unread.push(*id);
            }
        }
        self.catch_up(output).await
    }

    /// Reads those that ended, as far as the store answers.
    pub(crate) async fn catch_up(&mut self, output: &mut Output) -> Result<()> {
        while !self.unread.is_empty() {
            let rest = self.unread.len().saturating_sub(AT_ONCE);
            let mut ids = self.unread.split_off(rest);
            ids.retain(|id| self.open.contains(id));
            let looked = self.look_at(&ids, output).await;
            if looked.is_err() {
                self.unread.extend(ids);
            }
            if unless_away(looked)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Goes on looking at those that are open, some hundred at a time and for about this long:
    /// for a store in which others work too and tell nobody here. Returns whether it has been
    /// round.
    pub(crate) async fn look_further(
        &mut self,
        budget: Duration,
        output: &mut Output,
    ) -> Result<bool> {
        let begun = Instant::now();
        if self.round.is_empty() {
            self.round = self.open.iter().copied().collect();
        }
        loop {
            let rest = self.round.len().saturating_sub(AT_ONCE);
            let mut ids = self.round.split_off(rest);
            ids.retain(|id| self.open.contains(id));
            if unless_away(self.look_at(&ids, output).await)?.is_none() || self.round.is_empty() {
                // After an outage from the beginning: what was not read is still open.
                self.round.clear();
                self.count_open_blocked();
                return Ok(true);
            }
            if begun.elapsed() >= budget {
                return Ok(false);
            }
        }
    }

    fn count_open_blocked(&mut self) {
        self.blocked.retain(|id| self.open.contains(id));
        self.counts.blocked = self.aside + self.blocked.len() as u64;
    }

    /// Looks at all that are open: others may have ended or blocked them.
    pub(crate) async fn look_at_all(&mut self, output: &mut Output) -> Result<()> {
        let total = self.store.tally().await?.total();
        if self.open.len() as u64 > total / WORTH_A_PAGE {
            let mut pages = Pages::of(self.store, Filter::default());
            while let Some(page) = pages.next().await? {
                for own in &page {
                    if self.open.contains(&own.id) {
                        self.take(own, output).await?;
                    }
                }
            }
        } else {
            let ids: Vec<OnboardingId> = self.open.iter().copied().collect();
            for ids in ids.chunks(AT_ONCE) {
                self.look_at(ids, output).await?;
            }
        }
        self.count_blocked().await
    }

    async fn look_at(&mut self, ids: &[OnboardingId], output: &mut Output) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let found = self.store.get_many(ids).await?;
        if found.len() < ids.len() {
            // A store that keeps finished ones for a time only may let them go before they were
            // looked at: how they ended is not known any more.
            let there: HashSet<OnboardingId> = found.iter().map(|own| own.id).collect();
            for id in ids.iter().filter(|id| !there.contains(id)) {
                if self.close(*id) {
                    self.counts.total = self.counts.total.saturating_sub(1);
                    self.gone += 1;
                }
            }
        }
        for own in &found {
            self.take(own, output).await?;
        }
        Ok(())
    }

    /// How many had left the store before they could be looked at.
    pub(crate) fn gone(&self) -> u64 {
        self.gone
    }

    /// Takes note of an onboarding, if it ended.
    async fn take(&mut self, own: &Onboarding, output: &mut Output) -> Result<()> {
        if !self.open.contains(&own.id) {
            return Ok(());
        }
        match own.state {
            State::Succeeded | State::Failed | State::Cancelled => {}
            State::Blocked => {
                self.blocked.insert(own.id);
                return Ok(());
            }
            State::Queued | State::Running => {
                self.blocked.remove(&own.id);
                return Ok(());
            }
        }
        // First, so that it is looked at again where the store goes away now.
        let handoff = match (self.folder, own.state) {
            (Some(_), State::Succeeded) => Some(self.handoffs.render(own, true).await?),
            _ => None,
        };
        self.close(own.id);
        match own.state {
            State::Succeeded => self.counts.succeeded += 1,
            State::Failed => {
                self.counts.failed += 1;
                self.counts.credentials_live += u64::from(has_live_credentials(own));
            }
            State::Cancelled | State::Queued | State::Running | State::Blocked => {
                self.counts.cancelled += 1;
            }
        }
        self.tell(own, handoff.as_ref(), output);
        Ok(())
    }

    /// It is not waited for any more. Whether it was.
    fn close(&mut self, id: OnboardingId) -> bool {
        if self.blocked.remove(&id) {
            self.counts.blocked = self.counts.blocked.saturating_sub(1);
        }
        self.open.remove(&id)
    }

    /// Prints an onboarding that ended, and writes its handoff.
    fn tell(&mut self, own: &Onboarding, handoff: Option<&Handoff>, output: &mut Output) {
        output.record(&OnboardingRecord::of(own, &Parked::default()));
        if let (Some((fault, _)), State::Failed) = (&own.fault, own.state) {
            let (step, message) = match faulty_step(own) {
                Some(step) => (format!(" at {step}"), beside_step(&fault.message, step)),
                None => (String::new(), fault.message.as_str()),
            };
            note(format_args!("{} {}{step}: {message}", own.key, own.state));
        }
        if let (Some(folder), Some(handoff)) = (self.folder, handoff)
            && let Err(error) = folder.write(handoff)
        {
            self.unwritten += 1;
            note(error);
        }
    }

    /// All that were blocked in the store when they were last counted, others' too.
    pub(crate) fn blocked_in_store(&self) -> u64 {
        self.blocked_in_store
    }

    /// Counts those of them that are blocked.
    pub(crate) async fn count_blocked(&mut self) -> Result<()> {
        self.counts.blocked = self.aside;
        self.blocked_in_store = 0;
        let mut pages = Pages::of(self.store, blocked());
        while let Some(page) = pages.next().await? {
            let ours = page.iter().filter(|own| self.open.contains(&own.id));
            self.counts.blocked += ours.count() as u64;
            self.blocked_in_store += page.len() as u64;
        }
        Ok(())
    }

    /// Prints those that are left blocked, at the end, and once per account why. With `others` all of the store's are taken
    /// in first.
    pub(crate) async fn tell_blocked(&mut self, others: bool, output: &mut Output) -> Result<()> {
        self.counts.blocked = self.aside;
        if !others && self.open.is_empty() {
            return Ok(());
        }
        let parked = Parked::read(self.store).await?;
        let mut by_account: BTreeMap<AccountName, u64> = BTreeMap::new();
        let mut tell = |counts: &mut Counts, own: &Onboarding| {
            counts.blocked += 1;
            output.record(&OnboardingRecord::of(own, &parked));
            *by_account.entry(own.account.clone()).or_default() += 1;
        };
        let in_store = self.store.tally().await?.of(State::Blocked);
        if !others && self.open.len() as u64 <= in_store / WORTH_A_PAGE {
            let ids: Vec<OnboardingId> = self.open.iter().copied().collect();
            for ids in ids.chunks(AT_ONCE) {
                let found = self.store.get_many(ids).await?;
                for own in found.iter().filter(|own| own.state == State::Blocked) {
                    tell(&mut self.counts, own);
                }
            }
        } else {
            let mut pages = Pages::of(self.store, blocked());
            while let Some(page) = pages.next().await? {
                for own in &page {
                    if others && self.open.insert(own.id) {
                        self.counts.total += 1;
                    }
                    if self.open.contains(&own.id) {
                        tell(&mut self.counts, own);
                    }
                }
            }
        }
        for (account, count) in &by_account {
            let reason = parked.of(account).unwrap_or("it was parked");
            note(format_args!(
                "account {account} is parked with {}: {reason}",
                counted(*count, "onboarding")
            ));
        }
        Ok(())
    }
}

fn is_over(state: State) -> bool {
    matches!(state, State::Succeeded | State::Failed | State::Cancelled)
}

fn blocked() -> Filter {
    Filter {
        state: Some(State::Blocked),
        ..Filter::default()
    }
}
