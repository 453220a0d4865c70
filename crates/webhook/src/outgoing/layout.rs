//! From what happened to deliveries, a part of the feed at a time.
//!
//! The mark in the store says how far that is done, and moves together with the deliveries that were
//! laid out: a crash repeats nothing and leaves nothing out, and of two processes one goes ahead.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use onboarding::{AccountName, OnboardingId, State};
use records::{OnboardingRecord, Parked, RefusedRecord, undamaged};
use serde::Serialize;
use store::{
    Cursor, DeliveryId, Filter, Happening, NewDelivery, Onboarding, Page, Position, RefusedId,
    Store, What,
};
use tokio::time::Instant;

use super::{endpoint::Endpoint, event::Event, mark::Mark, message::payload};

/// Most deliveries that are laid out at once; the store's bound.
const DELIVERIES_MAX: usize = 500;

/// How long after an account was parked its onboardings are waited for that a worker still holds: they
/// are blocked once their request in flight has ended, within the 10 s that one may take.
const SETTLING_MAX: Duration = Duration::from_secs(15);

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The mark moved, here or elsewhere: there may be more.
    Moved {
        /// Whether there is something new to send.
        laid_out: bool,
    },
    /// There is nothing to do before something happens.
    Done,
}

pub(super) struct Layout {
    store: Arc<dyn Store>,
    endpoints: Vec<Arc<Endpoint>>,
    /// The account's parking that is waited for, and since when.
    settling: Option<(Position, Instant)>,
    /// Whether it is known that nothing left the feed before it could be told of.
    caught_up: bool,
}

/// Something that an endpoint may have to be told.
struct News {
    position: Position,
    at: Timestamp,
    event: Event,
    about: About,
}

#[derive(Clone, Copy)]
enum About {
    Onboarding(OnboardingId),
    Refused(RefusedId),
}

impl Layout {
    pub(super) fn new(store: Arc<dyn Store>, endpoints: Vec<Arc<Endpoint>>) -> Self {
        Self {
            store,
            endpoints,
            settling: None,
            caught_up: false,
        }
    }

    /// Lays out the next part of the feed.
    pub(super) async fn round(&mut self) -> store::Result<Round> {
        let Some(text) = self.store.laid_out().await? else {
            return self.begin(None).await;
        };
        let mark = Mark::parse(&text);
        if self.endpoints.is_empty() {
            return match mark {
                Some(Mark::Idle(position)) => self.idle(&text, position).await,
                // Somebody has endpoints, or had some and may have them again: what they are to be
                // told is not to be skipped by who has none.
                Some(Mark::After { .. } | Mark::Within { .. }) | None => Ok(Round::Done),
            };
        }
        match mark {
            Some(Mark::Idle(position)) => {
                // Who is new here begins with the present: what happened before is not missed.
                self.caught_up = true;
                let after = Mark::After { position, at: None };
                self.lay_out(&text, &after, Vec::new()).await
            }
            Some(Mark::After { position, at }) => self.after(&text, position, at).await,
            Some(Mark::Within {
                before,
                parking,
                cursor,
            }) => self.within(&text, before, parking, cursor).await,
            None => {
                tracing::warn!(
                    "how far webhooks were laid out cannot be read; they go on with what happens from now on"
                );
                self.begin(Some(&text)).await
            }
        }
    }

    async fn begin(&mut self, before: Option<&str>) -> store::Result<Round> {
        let position = self.store.latest().await?;
        let present = if self.endpoints.is_empty() {
            Mark::Idle(position)
        } else {
            self.caught_up = true;
            Mark::After { position, at: None }
        };
        self.store
            .lay_out(before, &present.to_string(), Vec::new())
            .await?;
        Ok(Round::Moved { laid_out: false })
    }

    /// Nobody is told of anything: who is added later begins with what happens then.
    async fn idle(&self, mark: &str, position: Option<Position>) -> store::Result<Round> {
        let latest = self.store.latest().await?;
        if latest == position {
            return Ok(Round::Done);
        }
        self.lay_out(mark, &Mark::Idle(latest), Vec::new()).await
    }

    /// How many things may be told of at once, so that all endpoints can be told.
    fn most(&self) -> usize {
        (DELIVERIES_MAX / self.endpoints.len().max(1)).max(1)
    }

    fn is_told(&self, event: Event) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.events().contains(&event))
    }

    async fn after(
        &mut self,
        mark: &str,
        position: Option<Position>,
        at: Option<Timestamp>,
    ) -> store::Result<Round> {
        let mut happened = self
            .store
            .happenings(position.as_ref(), self.most())
            .await?;
        if !self.caught_up {
            if let (Some(_), Some(first)) = (&position, happened.first()) {
                self.look_back(at, first).await?;
            }
            self.caught_up = true;
        }
        let parking = happened.iter().position(|happening| {
            matches!(happening.what, What::Parked { .. }) && self.is_told(Event::Blocked)
        });
        match parking {
            Some(0) => {
                let parking = happened.swap_remove(0);
                return self.parked(mark, position, parking, None).await;
            }
            Some(at) => happened.truncate(at),
            None => {}
        }
        let Some(last) = happened.last() else {
            return Ok(Round::Done);
        };
        let after = up_to(last.position.clone(), last.at);
        let news = self.news(happened);
        let deliveries = self.deliveries_of(news).await?;
        self.lay_out(mark, &after, deliveries).await
    }

    /// Warns where the feed does not reach back to the mark, whose time was `since`.
    async fn look_back(&self, since: Option<Timestamp>, first: &Happening) -> store::Result<()> {
        let oldest = self.store.happenings(None, 1).await?.pop();
        let reaches_back = oldest.is_some_and(|oldest| oldest.position != first.position)
            // What a failover of the store took back is told of again, and is not missed.
            || since.is_some_and(|since| first.at <= since);
        if !reaches_back {
            let since = since.map_or_else(
                || "a time that was not noted".to_owned(),
                |since| since.to_string(),
            );
            tracing::warn!(
                "webhooks were away for longer than what happens is kept, which is three days: endpoints may not be told of all that happened from {since} to {}",
                first.at
            );
        }
        Ok(())
    }

    async fn within(
        &mut self,
        mark: &str,
        before: Option<Position>,
        at: Position,
        cursor: Cursor,
    ) -> store::Result<Round> {
        let first = self.store.happenings(before.as_ref(), 1).await?.pop();
        match first {
            Some(parking) if parking.position == at => {
                self.parked(mark, before, parking, Some(cursor)).await
            }
            // It has left the feed.
            _ => {
                let after = Mark::After {
                    position: Some(at),
                    at: None,
                };
                self.lay_out(mark, &after, Vec::new()).await
            }
        }
    }

    /// Tells of a page of what waits for a parked account.
    async fn parked(
        &mut self,
        mark: &str,
        before: Option<Position>,
        parking: Happening,
        cursor: Option<Cursor>,
    ) -> store::Result<Round> {
        let Happening { position, at, what } = parking;
        let What::Parked { account, .. } = what else {
            return self.lay_out(mark, &up_to(position, at), Vec::new()).await;
        };
        if cursor.is_none() && self.is_settling(&position, &account).await? {
            return Ok(Round::Done);
        }
        let filter = Filter {
            state: Some(State::Blocked),
            account: Some(account),
            ..Filter::default()
        };
        let page = match self.store.list(&filter, cursor.as_ref(), self.most()).await {
            // What comes behind one that is damaged cannot be found, and all other news would wait.
            Err(error @ store::Error::Corrupt { .. }) => {
                tracing::error!(%error, "endpoints are not told of all that a parked account blocks");
                Page::default()
            }
            answered => answered?,
        };
        let after = match page.next {
            Some(cursor) => Mark::Within {
                before,
                parking: position.clone(),
                cursor,
            },
            None => up_to(position.clone(), at),
        };
        let parked = self.reasons(&page.items).await?;
        let mut deliveries = Vec::new();
        for own in &page.items {
            let news = News {
                position: position.clone(),
                at,
                event: Event::Blocked,
                about: About::Onboarding(own.id),
            };
            self.tell(&news, &OnboardingRecord::of(own, &parked), &mut deliveries)?;
        }
        self.lay_out(mark, &after, deliveries).await
    }

    /// Whether a worker still holds onboardings of an account that was just parked.
    async fn is_settling(
        &mut self,
        position: &Position,
        account: &AccountName,
    ) -> store::Result<bool> {
        let since = match &self.settling {
            Some((known, since)) if known == position => *since,
            _ => {
                let now = Instant::now();
                self.settling = Some((position.clone(), now));
                now
            }
        };
        if since.elapsed() >= SETTLING_MAX {
            return Ok(false);
        }
        let accounts = self.store.accounts().await?;
        Ok(accounts
            .iter()
            .any(|status| status.name == *account && status.parked.is_some() && status.running > 0))
    }

    /// What of it is anybody told.
    fn news(&self, happened: Vec<Happening>) -> Vec<News> {
        let told = happened.into_iter().filter_map(|happening| {
            let (event, about) = match happening.what {
                What::Moved { id, state } => (Event::of(state)?, About::Onboarding(id)),
                What::Refused { id } => (Event::Refused, About::Refused(id)),
                What::Parked { .. } | What::Resumed { .. } => return None,
            };
            self.is_told(event).then_some(News {
                position: happening.position,
                at: happening.at,
                event,
                about,
            })
        });
        told.collect()
    }

    async fn deliveries_of(&self, news: Vec<News>) -> store::Result<Vec<NewDelivery>> {
        if news.is_empty() {
            return Ok(Vec::new());
        }
        let ids: HashSet<OnboardingId> = news
            .iter()
            .filter_map(|news| match news.about {
                About::Onboarding(id) => Some(id),
                About::Refused(_) => None,
            })
            .collect();
        let ids: Vec<OnboardingId> = ids.into_iter().collect();
        let (found, damaged) = undamaged(&*self.store, &ids).await?;
        for error in damaged {
            tracing::error!(%error, "no endpoint is told of an onboarding that is damaged");
        }
        let parked = self.reasons(&found).await?;
        let found: HashMap<OnboardingId, Onboarding> =
            found.into_iter().map(|own| (own.id, own)).collect();
        let mut deliveries = Vec::new();
        for news in &news {
            // What has left the store since, or was accepted after all, is told to nobody.
            match news.about {
                About::Onboarding(id) => {
                    if let Some(own) = found.get(&id) {
                        self.tell(news, &OnboardingRecord::of(own, &parked), &mut deliveries)?;
                    }
                }
                About::Refused(id) => {
                    if let Some(own) = self.store.refused(id).await? {
                        self.tell(news, &RefusedRecord::of(&own), &mut deliveries)?;
                    }
                }
            }
        }
        Ok(deliveries)
    }

    /// Why those are blocked that are.
    async fn reasons(&self, onboardings: &[Onboarding]) -> store::Result<Parked> {
        if onboardings.iter().any(|own| own.state == State::Blocked) {
            Parked::read(&*self.store).await
        } else {
            Ok(Parked::default())
        }
    }

    fn tell(
        &self,
        news: &News,
        data: &impl Serialize,
        deliveries: &mut Vec<NewDelivery>,
    ) -> store::Result<()> {
        let (about, onboarding) = match news.about {
            About::Onboarding(id) => (id.to_bytes(), Some(id)),
            About::Refused(id) => (*id.as_bytes(), None),
        };
        let told = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.events().contains(&news.event));
        for endpoint in told {
            let id = DeliveryId::of(endpoint.name(), &news.position, &about);
            deliveries.push(NewDelivery {
                payload: payload(&id, news.event, news.at, data)?,
                id,
                endpoint: endpoint.name().to_owned(),
                event: news.event.message_type().to_owned(),
                onboarding,
            });
        }
        Ok(())
    }

    async fn lay_out(
        &self,
        before: &str,
        after: &Mark,
        deliveries: Vec<NewDelivery>,
    ) -> store::Result<Round> {
        let something = !deliveries.is_empty();
        let moved = self
            .store
            .lay_out(Some(before), &after.to_string(), deliveries)
            .await?;
        Ok(Round::Moved {
            laid_out: something && moved,
        })
    }
}

/// Everything up to something that happened.
fn up_to(position: Position, at: Timestamp) -> Mark {
    Mark::After {
        position: Some(position),
        at: Some(at),
    }
}
