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
use records::{Parked, undamaged};
use store::{
    Cursor, DeliveryId, Filter, Happening, NewDelivery, Onboarding, Page, Position, Store, What,
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
}

/// Something that an endpoint may have to be told.
struct News {
    position: Position,
    at: Timestamp,
    id: OnboardingId,
    event: Event,
}

impl Layout {
    pub(super) fn new(store: Arc<dyn Store>, endpoints: Vec<Arc<Endpoint>>) -> Self {
        Self {
            store,
            endpoints,
            settling: None,
        }
    }

    /// Lays out the next part of the feed.
    pub(super) async fn round(&mut self) -> store::Result<Round> {
        let text = self.store.laid_out().await?;
        let mark = text.as_deref().map(Mark::parse);
        match mark {
            Some(Some(Mark::After(position))) => self.after(position).await,
            Some(Some(Mark::Within { before, at, cursor })) => {
                self.within(before, at, cursor).await
            }
            // Who is new here begins with the present.
            None => self.begin(None).await,
            Some(None) => {
                tracing::warn!(
                    "how far webhooks were laid out cannot be read; they go on with what happens from now on"
                );
                self.begin(text.as_deref()).await
            }
        }
    }

    async fn begin(&self, before: Option<&str>) -> store::Result<Round> {
        let latest = Mark::After(self.store.latest().await?);
        self.store
            .lay_out(before, &latest.to_string(), Vec::new())
            .await?;
        Ok(Round::Moved { laid_out: false })
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

    async fn after(&mut self, position: Option<Position>) -> store::Result<Round> {
        if self.endpoints.is_empty() {
            return self.skip(position).await;
        }
        let mut happened = self
            .store
            .happenings(position.as_ref(), self.most())
            .await?;
        let parking = happened.iter().position(|happening| {
            matches!(happening.what, What::Parked { .. }) && self.is_told(Event::Blocked)
        });
        match parking {
            Some(0) => {
                let parking = happened.swap_remove(0);
                return self.parked(position, parking, None).await;
            }
            Some(at) => happened.truncate(at),
            None => {}
        }
        let Some(last) = happened.last() else {
            return Ok(Round::Done);
        };
        let after = Mark::After(Some(last.position.clone()));
        let news = self.news(happened);
        let deliveries = self.deliveries_of(news).await?;
        self.lay_out(&Mark::After(position), &after, deliveries)
            .await
    }

    /// Nobody is told of anything: who is added later begins with what happens then.
    async fn skip(&self, position: Option<Position>) -> store::Result<Round> {
        let latest = self.store.latest().await?;
        if latest == position {
            return Ok(Round::Done);
        }
        let (before, after) = (Mark::After(position), Mark::After(latest));
        self.lay_out(&before, &after, Vec::new()).await
    }

    async fn within(
        &mut self,
        before: Option<Position>,
        at: Position,
        cursor: Cursor,
    ) -> store::Result<Round> {
        let first = self.store.happenings(before.as_ref(), 1).await?.pop();
        match first {
            Some(parking) if parking.position == at && !self.endpoints.is_empty() => {
                self.parked(before, parking, Some(cursor)).await
            }
            // It has left the feed, or nobody is told any more.
            _ => {
                let mark = Mark::Within {
                    before,
                    at: at.clone(),
                    cursor,
                };
                let after = Mark::After(Some(at));
                self.lay_out(&mark, &after, Vec::new()).await
            }
        }
    }

    /// Tells of a page of what waits for a parked account.
    async fn parked(
        &mut self,
        before: Option<Position>,
        parking: Happening,
        cursor: Option<Cursor>,
    ) -> store::Result<Round> {
        let Happening { position, at, what } = parking;
        let mark = match &cursor {
            None => Mark::After(before.clone()),
            Some(cursor) => Mark::Within {
                before: before.clone(),
                at: position.clone(),
                cursor: cursor.clone(),
            },
        };
        let What::Parked { account, .. } = what else {
            let after = Mark::After(Some(position));
            return self.lay_out(&mark, &after, Vec::new()).await;
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
                at: position.clone(),
                cursor,
            },
            None => Mark::After(Some(position.clone())),
        };
        let parked = self.reasons(&page.items).await?;
        let mut deliveries = Vec::new();
        for own in &page.items {
            let news = News {
                position: position.clone(),
                at,
                id: own.id,
                event: Event::Blocked,
            };
            self.tell(&news, own, &parked, &mut deliveries)?;
        }
        self.lay_out(&mark, &after, deliveries).await
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
            let What::Moved { id, state } = happening.what else {
                return None;
            };
            let event = Event::of(state).filter(|event| self.is_told(*event))?;
            Some(News {
                position: happening.position,
                at: happening.at,
                id,
                event,
            })
        });
        told.collect()
    }

    async fn deliveries_of(&self, news: Vec<News>) -> store::Result<Vec<NewDelivery>> {
        if news.is_empty() {
            return Ok(Vec::new());
        }
        let ids: HashSet<OnboardingId> = news.iter().map(|news| news.id).collect();
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
            // One that has left the store since has nothing to be told.
            if let Some(own) = found.get(&news.id) {
                self.tell(news, own, &parked, &mut deliveries)?;
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
        own: &Onboarding,
        parked: &Parked,
        deliveries: &mut Vec<NewDelivery>,
    ) -> store::Result<()> {
        let payload = payload(news.event, news.at, own, parked)?;
        let told = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.events().contains(&news.event));
        deliveries.extend(told.map(|endpoint| NewDelivery {
            id: DeliveryId::of(endpoint.name(), &news.position, own.id),
            endpoint: endpoint.name().to_owned(),
            event: news.event.message_type().to_owned(),
            onboarding: own.id,
            payload: payload.clone(),
        }));
        Ok(())
    }

    async fn lay_out(
        &self,
        before: &Mark,
        after: &Mark,
        deliveries: Vec<NewDelivery>,
    ) -> store::Result<Round> {
        let something = !deliveries.is_empty();
        let moved = self
            .store
            .lay_out(Some(&before.to_string()), &after.to_string(), deliveries)
            .await?;
        Ok(Round::Moved {
            laid_out: something && moved,
        })
    }
}
