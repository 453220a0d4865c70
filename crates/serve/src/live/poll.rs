//! The task that asks the store for all who watch.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use onboarding::OnboardingId;
use records::{Parked, Workers, undamaged};
use store::{BatchNumber, Happening, Position, What};
use tokio::time::{MissedTickBehavior, interval};

use super::{Inner, paces::Paces, render};
use crate::{account_view::Accounts, batch_view::BatchView};

/// How often the feed is asked: as fast as people see.
const TICK: Duration = Duration::from_millis(250);

/// In how many ticks the figures are asked for: once in a second.
const FIGURES_EVERY: u32 = 4;

/// Ticks after which a comment is sent where nothing else was: 15 s, below what proxies wait.
const COMMENT_AFTER: u32 = 60;

/// Most happenings of one tick. More follow with the next.
const HAPPENINGS_MAX: usize = 1000;

/// Batches that are told of; older open ones are in the lists.
const BATCHES_MAX: usize = 50;

/// Accounts that are told of.
const ACCOUNTS_MAX: usize = 1000;

/// What the task knows.
#[derive(Default)]
struct Seen {
    position: Option<Position>,
    parked: Parked,
    tally: String,
    accounts: BTreeMap<String, String>,
    batches: BTreeMap<BatchNumber, String>,
    paces: Paces,
}

/// Runs while anybody watches.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut seen = Seen::default();
    let mut closing = inner.closing.subscribe();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tick = 0_u32;
    let mut quiet = 0_u32;
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        if !inner.is_watched() {
            return;
        }
        let mut out = String::new();
        let asked = inner
            .ask(&mut seen, tick.is_multiple_of(FIGURES_EVERY), &mut out)
            .await;
        match asked {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = %crate::problem::chain(&error), "those who watch are told nothing: the store does not answer");
            }
            Err(_) => {}
        }
        quiet = if out.is_empty() { quiet + 1 } else { 0 };
        if quiet >= COMMENT_AFTER {
            quiet = 0;
            out.push_str(":\n\n");
        }
        if tick.is_multiple_of(COMMENT_AFTER) {
            inner.comment();
        }
        if !out.is_empty() {
            // Nobody there any more is no failure.
            let _ = inner.shared().all.send(Bytes::from(out));
        }
        tick = tick.wrapping_add(1);
    }
}

impl Inner {
    /// Whether anybody is there. Where nobody is, the task has ended for those who come next.
    fn is_watched(&self) -> bool {
        let mut shared = self.shared();
        shared.forget_unwatched();
        if shared.all.receiver_count() > 0 || !shared.watched.is_empty() {
            return true;
        }
        shared.running = false;
        shared.figures = Bytes::new();
        self.ready.send_replace(false);
        false
    }

    async fn ask(&self, seen: &mut Seen, figures: bool, out: &mut String) -> store::Result<()> {
        if !*self.ready.borrow() {
            seen.position = self.store.latest().await?;
            self.ready.send_replace(true);
        }
        let happened = self
            .store
            .happenings(seen.position.as_ref(), HAPPENINGS_MAX)
            .await?;
        let accounts_moved = happened.iter().any(|one| moved(one).is_none());
        let mut told = String::new();
        if figures || accounts_moved {
            self.figures(seen, &mut told).await?;
            self.watched(seen).await?;
        }
        // What moved comes before the figures that it changed.
        self.moved(&happened, &seen.parked, out).await?;
        out.push_str(&told);
        if let Some(last) = happened.last() {
            seen.position = Some(last.position.clone());
        }
        Ok(())
    }

    /// The onboardings that moved, each once, as they are now.
    pub(super) async fn moved(
        &self,
        happened: &[Happening],
        parked: &Parked,
        out: &mut String,
    ) -> store::Result<()> {
        let Some(last) = happened.last() else {
            return Ok(());
        };
        let mut ids: Vec<OnboardingId> = happened.iter().filter_map(moved).collect();
        ids.sort_unstable();
        ids.dedup();
        let (found, _) = undamaged(self.store.as_ref(), &ids).await?;
        let mut found: HashMap<_, _> = found.iter().map(|own| (own.id, own)).collect();
        let mut lines = Vec::new();
        // From the end, so that each stands where it moved last.
        for one in happened.iter().rev() {
            if let Some(own) = moved(one).and_then(|id| found.remove(&id)) {
                lines.push((&one.position, render::onboarding(own, parked)));
            }
        }
        for (position, data) in lines.iter().rev() {
            render::event(out, "onboarding", Some(position), data);
        }
        render::mark(out, &last.position);
        Ok(())
    }

    /// The figures: those that changed to all, all of them to those who come.
    async fn figures(&self, seen: &mut Seen, out: &mut String) -> store::Result<()> {
        let tally = render::tally(&self.store.tally().await?);
        if seen.tally != tally {
            render::event(out, "tally", None, &tally);
            seen.tally = tally;
        }
        seen.parked = Parked::read(self.store.as_ref()).await?;
        let statuses = self.store.accounts().await?;
        let workers = Workers::read(self.store.as_ref()).await?;
        let accounts = Accounts::of(self.directory.as_ref(), statuses, workers);
        let mut told = BTreeMap::new();
        for view in accounts.iter().take(ACCOUNTS_MAX) {
            let name = view.record.name.to_string();
            let data = render::json(&view);
            if seen.accounts.get(&name) != Some(&data) {
                render::event(out, "account", None, &data);
            }
            told.insert(name, data);
        }
        seen.accounts = told;
        self.batches(seen, out).await?;
        self.keep_figures(seen);
        Ok(())
    }

    async fn batches(&self, seen: &mut Seen, out: &mut String) -> store::Result<()> {
        let (now, at) = (Instant::now(), Timestamp::now());
        let statuses = self.store.batches(None, BATCHES_MAX).await?;
        let numbers: Vec<BatchNumber> = statuses.iter().map(|status| status.number).collect();
        seen.paces.keep(&numbers);
        let mut told = BTreeMap::new();
        // The oldest first, so that the newest is what a page saw last.
        for status in statuses.iter().rev() {
            let pace = seen.paces.note(status, now);
            let data = render::json(&BatchView::of(status, pace, at));
            if seen.batches.get(&status.number) != Some(&data) {
                render::event(out, "batch", None, &data);
            }
            told.insert(status.number, data);
        }
        seen.batches = told;
        Ok(())
    }

    fn keep_figures(&self, seen: &Seen) {
        let mut all = String::new();
        render::event(&mut all, "tally", None, &seen.tally);
        for data in seen.accounts.values() {
            render::event(&mut all, "account", None, data);
        }
        for data in seen.batches.values() {
            render::event(&mut all, "batch", None, data);
        }
        self.shared().figures = Bytes::from(all);
    }

    /// Tells those who watch one onboarding where it stands, if that changed.
    async fn watched(&self, seen: &Seen) -> store::Result<()> {
        let ids: Vec<OnboardingId> = self.shared().watched.keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (found, _) = undamaged(self.store.as_ref(), &ids).await?;
        let mut shared = self.shared();
        for own in &found {
            let data = render::onboarding(own, &seen.parked);
            if let Some(watched) = shared.watched.get_mut(&own.id)
                && watched.last != data
            {
                let mut out = String::new();
                render::event(&mut out, "onboarding", None, &data);
                watched.last = data;
                let _ = watched.sender.send(Bytes::from(out));
            }
        }
        Ok(())
    }

    /// Says nothing to those who watch one onboarding, so that proxies keep the connection.
    fn comment(&self) {
        for watched in self.shared().watched.values() {
            let _ = watched.sender.send(Bytes::from_static(b":\n\n"));
        }
    }
}

/// The onboarding that something happened to.
fn moved(happening: &Happening) -> Option<OnboardingId> {
    match &happening.what {
        What::Moved { id, .. } => Some(*id),
        What::Parked { .. } | What::Resumed { .. } | What::Refused { .. } => None,
    }
}
