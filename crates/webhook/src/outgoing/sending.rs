//! Takes deliveries that are due, and sends them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::join_all;
use store::{AfterAttempt, Attempt, Delivery, Store};
use tokio::{
    sync::{Notify, watch},
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    Clients, Observer, Pace,
    attempt::{Made, Verdict, attempt},
    line::{Line, Outcome, Taken},
    outage::Outage,
};

/// Most deliveries that are taken at once; the store's bound.
const TAKEN_MAX: usize = 64;

/// How often the observer is told how many deliveries wait.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// A delivery whose endpoint is not configured here may be another process's, which has newer settings:
/// it is left to that one for so long at least.
const STRANGER_DELAY: Duration = Duration::from_secs(60);

/// Without endpoints deliveries are looked at once in so many looks, which is a minute by default: often
/// enough to give up what those that were removed have left, and rarely enough to leave other processes
/// theirs.
const LOOKS_WITHOUT_ENDPOINTS: u32 = 60;

pub(super) struct Sending {
    pub(super) store: Arc<dyn Store>,
    pub(super) clients: Clients,
    pub(super) pace: Pace,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) lines: Vec<Line>,
    /// Whether all that was taken last had to be put back: then more is taken at once, to come to
    /// what other endpoints are told.
    pub(super) overtaken: bool,
}

/// What is under way.
struct Flights {
    tasks: JoinSet<Flown>,
    /// Whose line each is of, for those that end badly.
    line_of: HashMap<Id, usize>,
}

/// What became of a delivery that was sent, once that is recorded.
struct Flown {
    made: Made,
    then: AfterAttempt,
    delivery: Delivery,
}

impl Sending {
    /// Sends until told to stop; then ends what is under way. Dropping it cuts that.
    pub(super) async fn run(mut self, laid_out: &Notify, mut stopped: watch::Receiver<bool>) {
        let mut flights = Flights {
            tasks: JoinSet::new(),
            line_of: HashMap::new(),
        };
        let mut outage = Outage::new("sending webhooks");
        let mut look_at = Instant::now() + self.rest();
        let mut count_at = Instant::now();
        loop {
            let now = Instant::now();
            if now >= look_at && self.takes() {
                let taken = self.take().await;
                look_at = Instant::now() + outage.told(taken).unwrap_or_else(|delay| delay);
            }
            self.start(&mut flights, &stopped);
            if now >= count_at {
                count_at = now + COUNT_EVERY;
                if let Ok(waiting) = self.store.deliveries_waiting().await {
                    self.observer.waiting(waiting);
                }
            }
            let goes_on = self.lines.iter().filter_map(Line::paused).min();
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(flown) = flights.tasks.join_next_with_id() => self.landed(&mut flights, flown),
                () = laid_out.notified() => look_at = Instant::now(),
                () = tokio::time::sleep_until(look_at), if self.takes() => {}
                () = tokio::time::sleep_until(count_at) => {}
                () = tokio::time::sleep_until(goes_on.unwrap_or(now)), if goes_on.is_some() => {}
            }
        }
        self.end(flights).await;
    }

    fn room(&self) -> usize {
        self.lines.iter().map(Line::room).sum()
    }

    /// Whether deliveries are taken: into a line, or, where there is none, to be put back.
    fn takes(&self) -> bool {
        self.lines.is_empty() || self.room() > 0
    }

    /// The least time between two looks.
    fn rest(&self) -> Duration {
        if self.lines.is_empty() {
            self.pace.look * LOOKS_WITHOUT_ENDPOINTS
        } else {
            Duration::ZERO
        }
    }

    /// Takes what is due into the lines. Returns in how long to look again.
    async fn take(&mut self) -> store::Result<Duration> {
        let most = if self.overtaken || self.lines.is_empty() {
            TAKEN_MAX
        } else {
            self.room().min(TAKEN_MAX)
        };
        let at = Instant::now();
        let due = self.store.take_due(most, self.pace.hold).await?;
        let taken = due.deliveries.len();
        let is_full = taken == most;
        let mut back = Vec::new();
        for delivery in due.deliveries {
            let line = self
                .lines
                .iter_mut()
                .find(|line| line.endpoint.name() == delivery.endpoint);
            match line {
                None => back.push(stranger(&self.pace, delivery)),
                Some(line) if line.room() == 0 => back.push(overtaken(&self.pace, line, delivery)),
                Some(line) => line.add(Taken { delivery, at }),
            }
        }
        self.overtaken = taken > 0 && back.len() == taken;
        // All at once, because a store flushes those of the same moment together.
        let store = &self.store;
        let back = back.iter().map(
            |Back {
                 delivery,
                 made,
                 then,
             }| {
                store.attempted(&delivery.id, delivery.attempts, made.clone(), *then)
            },
        );
        for put in join_all(back).await {
            put?;
        }
        Ok(if is_full {
            Duration::ZERO
        } else {
            due.next.unwrap_or(self.pace.look).min(self.pace.look)
        }
        .max(self.rest()))
    }

    fn start(&mut self, flights: &mut Flights, stopped: &watch::Receiver<bool>) {
        // One that is sent so late could be under way still when somebody else is given it.
        let latest = self.pace.hold.saturating_sub(self.pace.timeout * 5 / 4);
        for (at, line) in self.lines.iter_mut().enumerate() {
            while let Some(Taken {
                delivery,
                at: taken,
            }) = line.start()
            {
                if taken.elapsed() > latest {
                    // It is due again by itself.
                    line.ended();
                    continue;
                }
                let endpoint = Arc::clone(&line.endpoint);
                let client = self.clients.of(&endpoint).clone();
                let (store, pace) = (Arc::clone(&self.store), self.pace);
                let stopped = stopped.clone();
                let task = flights.tasks.spawn(async move {
                    let made = attempt(&client, &endpoint, &delivery).await;
                    record(&*store, &pace, made, delivery, (taken, stopped)).await
                });
                flights.line_of.insert(task.id(), at);
            }
        }
    }

    fn landed(
        &mut self,
        flights: &mut Flights,
        flown: Result<(Id, Flown), tokio::task::JoinError>,
    ) {
        let id = match &flown {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(line) = flights
            .line_of
            .remove(&id)
            .and_then(|at| self.lines.get_mut(at))
        else {
            return;
        };
        line.ended();
        let Ok((
            _,
            Flown {
                made,
                then,
                delivery,
            },
        )) = flown
        else {
            tracing::error!(
                endpoint = line.endpoint.name(),
                "sending a webhook panicked; it is tried again"
            );
            return;
        };
        if let Verdict::Failed { asked, busy: true } = made.verdict {
            line.pause(asked);
        }
        let took = Duration::from_millis(made.attempt.duration_ms);
        let error = made.attempt.error.as_deref().unwrap_or_default();
        let endpoint = delivery.endpoint.as_str();
        tracing::debug!(
            endpoint,
            delivery = %delivery.id,
            onboarding = delivery.onboarding.map(tracing::field::display),
            attempt = delivery.attempts,
            status = made.attempt.status,
            error = made.attempt.error,
            duration_ms = made.attempt.duration_ms,
            "tried to deliver a webhook"
        );
        match then {
            AfterAttempt::Delivered => {
                line.note(took, Outcome::Delivered);
                self.observer.delivered(endpoint, took);
            }
            AfterAttempt::Again { .. } => {
                line.note(took, Outcome::Failed { error });
                self.observer.failed(endpoint, took);
            }
            AfterAttempt::GiveUp => {
                let delivery = delivery.id.as_str();
                line.note(took, Outcome::GivenUp { error, delivery });
                self.observer.given_up(endpoint, took);
            }
        }
    }

    /// Gives back what waits, so that the next process need not wait for it, and ends what is under
    /// way: within the timeout of a request.
    async fn end(mut self, mut flights: Flights) {
        let waiting: Vec<Taken> = self.lines.iter_mut().flat_map(Line::give_back).collect();
        let store = &self.store;
        let back = waiting.iter().map(|Taken { delivery, .. }| {
            let made = not_tried("not tried, because Trunkline was stopping");
            let then = AfterAttempt::Again {
                delay: Duration::ZERO,
            };
            store.attempted(&delivery.id, delivery.attempts, made, then)
        });
        // What cannot be given back is due again by itself.
        let _ = join_all(back).await;
        while let Some(flown) = flights.tasks.join_next_with_id().await {
            self.landed(&mut flights, flown);
        }
    }
}

/// A delivery that is put back, untried.
struct Back {
    delivery: Delivery,
    made: Attempt,
    then: AfterAttempt,
}

fn not_tried(why: &str) -> Attempt {
    Attempt {
        status: None,
        error: Some(why.to_owned()),
        duration_ms: 0,
    }
}

/// For how long it had been tried when it was taken, by the store's clock alone: ours may be days from
/// that, which stands still while a machine sleeps, and is not corrected while the store is open.
fn tried_for(pace: &Pace, delivery: &Delivery) -> Duration {
    // It was taken a hold before it is due again.
    let due = delivery.next_at.unwrap_or(delivery.since);
    let since = Duration::try_from(due.duration_since(delivery.since)).unwrap_or_default();
    since.saturating_sub(pace.hold)
}

/// Back, for longer and longer: an endpoint that was removed may leave many.
fn stranger(pace: &Pace, delivery: Delivery) -> Back {
    let then = match pace.delay(tried_for(pace, &delivery), Some(STRANGER_DELAY)) {
        Some(delay) => AfterAttempt::Again { delay },
        None => AfterAttempt::GiveUp,
    };
    Back {
        made: not_tried("not tried, because no endpoint of this name is configured"),
        delivery,
        then,
    }
}

fn overtaken(pace: &Pace, line: &mut Line, delivery: Delivery) -> Back {
    let turn = line.turn();
    // An endpoint that fails is not waited for to the second.
    let delay = if line.is_failing() {
        pace.delay(tried_for(pace, &delivery), None)
            .map_or(turn, |delay| delay.max(turn))
    } else {
        turn
    };
    Back {
        made: not_tried("not tried yet, because many others are before it"),
        delivery,
        then: AfterAttempt::Again { delay },
    }
}

/// Records what came of an attempt. Tries until the delivery is due again, for a store that is away
/// for a moment must not make it be sent twice; once more only when told to stop.
async fn record(
    store: &dyn Store,
    pace: &Pace,
    made: Made,
    delivery: Delivery,
    (taken, mut stopped): (Instant, watch::Receiver<bool>),
) -> Flown {
    let then = match made.verdict {
        Verdict::Taken => AfterAttempt::Delivered,
        Verdict::Gone => AfterAttempt::GiveUp,
        Verdict::Failed { asked, .. } => {
            let tried_for = tried_for(pace, &delivery) + taken.elapsed();
            match pace.delay(tried_for, asked) {
                Some(delay) => AfterAttempt::Again { delay },
                None => AfterAttempt::GiveUp,
            }
        }
    };
    for delay in super::outage::delays() {
        let stopping = *stopped.borrow();
        let recorded = store
            .attempted(&delivery.id, delivery.attempts, made.attempt.clone(), then)
            .await;
        match recorded {
            Ok(_) => break,
            Err(error) if stopping || taken.elapsed() + delay > pace.hold => {
                tracing::debug!(delivery = %delivery.id, %error, "a delivery was not recorded; it is made again");
                break;
            }
            Err(_) => tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = tokio::time::sleep(delay) => {}
            },
        }
    }
    Flown {
        made,
        then,
        delivery,
    }
}
