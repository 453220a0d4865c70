//! Leaving for another store, and taking one in.

use std::collections::HashMap;

use async_trait::async_trait;
use onboarding::OnboardingId;

use super::{
    Own, RedisStore,
    lane::{probe_number, stop_number},
    progress::{Progress, state_number},
    record,
    script::{CARRY, CARRY_ACCOUNT, MARK, Script},
    work::Handed,
};
use crate::{
    Carried, CarriedAccount, CarriedIn, Cursor, Departure, Error, Filter, Inspect, Limits, MoveId,
    NewOnboarding, Outgoing, Result, StopKind, Transfer, clock::millis, transfer::Mark,
};

/// How often a mark is changed anew because another process changed it meanwhile.
const ATTEMPTS: usize = 20;

/// Most onboardings that one script takes in: some milliseconds of the server's time.
const AT_ONCE: usize = 100;

/// What has to be true of the store when its mark is changed.
#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    Idle,
    Empty,
}

/// What came of changing the mark.
enum Marked {
    Done,
    Changed,
    Not,
}

impl RedisStore {
    async fn mark(&self) -> Result<(String, Option<Mark>)> {
        let found = self.fields("meta", &["mark"]).await?.pop().flatten();
        let text = String::from_utf8(found.unwrap_or_default()).unwrap_or_default();
        if text.is_empty() {
            return Ok((text, None));
        }
        let mark = serde_json::from_str(&text).map_err(|error| Error::Corrupt {
            place: self.place().to_owned(),
            message: format!("its mark of a move cannot be read: {error}"),
        })?;
        Ok((text, Some(mark)))
    }

    async fn set_mark(&self, before: &str, mark: &Mark, needs: Needs) -> Result<Marked> {
        let text = serde_json::to_vec(mark).map_err(|error| self.unusable(error.to_string()))?;
        let closed = mark.refusal(self.place()).is_some();
        let needs = match needs {
            Needs::Nothing => "",
            Needs::Idle => "idle",
            Needs::Empty => "empty",
        };
        let args = [
            before.as_bytes().to_vec(),
            text,
            vec![b'0' + u8::from(closed)],
            needs.as_bytes().to_vec(),
            self.holder.to_vec(),
        ];
        let mut answer = self.call_with(&MARK, Own::Nothing, &args, true).await?;
        let state = answer.text()?;
        let mut ended = false;
        while !answer.is_empty() {
            self.end_cancelled(&Handed::read(&mut answer)?).await?;
            ended = true;
        }
        Ok(match state.as_str() {
            "done" => Marked::Done,
            // What a person had cancelled has been ended: it may be idle now.
            "busy" if ended => Marked::Changed,
            "changed" => Marked::Changed,
            _ => Marked::Not,
        })
    }

    fn marks_change_too_fast(&self) -> Error {
        Error::Unavailable {
            place: self.place().to_owned(),
            message: "several copies of this store are begun at once; run one".to_owned(),
            source: None,
        }
    }

    /// Changes the mark to what `next` makes of it.
    async fn remark<T>(
        &self,
        needs: Needs,
        next: impl Fn(Option<&Mark>, i64) -> Result<(Mark, T)>,
    ) -> Result<Option<T>> {
        for _ in 0..ATTEMPTS {
            let (text, before) = self.mark().await?;
            let (mark, value) = next(before.as_ref(), self.now().await?)?;
            match self.set_mark(&text, &mark, needs).await? {
                Marked::Done => return Ok(Some(value)),
                Marked::Not => return Ok(None),
                Marked::Changed => {}
            }
        }
        Err(self.marks_change_too_fast())
    }

    /// Those of `carried` that are not there, refused if one is there with other content.
    async fn still_to_come(&self, carried: Vec<Carried>) -> Result<(Vec<Carried>, u64)> {
        let ids: Vec<OnboardingId> = carried.iter().map(|one| one.onboarding.id).collect();
        let there = self.get_many(&ids).await?;
        let there: HashMap<_, _> = there.into_iter().map(|one| (one.id, one)).collect();
        let mut to_come = Vec::with_capacity(carried.len());
        for one in carried {
            match there.get(&one.onboarding.id) {
                None => to_come.push(one),
                Some(own) if one.is_there(own) => {}
                Some(_) => return Err(one.differs(self.place())),
            }
        }
        Ok((to_come, there.len() as u64))
    }

    fn carry_args(&self, args: &mut Vec<Vec<u8>>, carried: &Carried) -> Result<()> {
        let own = &carried.onboarding;
        let json = |value: serde_json::Result<Vec<u8>>| {
            value.map_err(|error| self.unusable(format!("{}: {error}", own.id)))
        };
        let number = |n: i64| n.to_string().into_bytes();
        let new = NewOnboarding {
            id: own.id,
            key: own.key.clone(),
            account: own.account.clone(),
            partner: own.partner.clone(),
            number: own.number.clone(),
            direction: own.direction,
            signup: own.signup.clone(),
            plan: own.plan.clone(),
            recipe: own.recipe.clone(),
            password: carried.password.clone(),
            trace: None,
        };
        args.push(own.id.to_bytes().to_vec());
        args.push(own.account.as_str().as_bytes().to_vec());
        args.push(record::pack(&new, &self.key, self.place())?);
        args.push(number(own.created_at.as_millisecond()));
        args.push(number(state_number(carried.arrives_as()).into()));
        args.push(own.epoch.to_string().into_bytes());
        args.push(number(own.updated_at.as_millisecond()));
        args.push(number(carried.arrives_in_doubt().into()));
        let (fault, step) = match &own.fault {
            Some((fault, step)) => (json(serde_json::to_vec(fault))?, *step),
            None => (Vec::new(), None),
        };
        args.push(fault);
        args.push(number(
            step.and_then(|step| i64::try_from(step).ok()).unwrap_or(-1),
        ));
        let late = carried.arrives_as().is_finished() && own.journal.needs_late_check();
        args.push(number(late.into()));
        args.push(number(carried.has_number.into()));
        let nothing = onboarding::Journal::new(&own.plan);
        let journal = carried.journal(0);
        let steps = if journal == nothing {
            &[]
        } else {
            journal.records()
        };
        args.push(steps.len().to_string().into_bytes());
        for record in steps {
            args.push(json(serde_json::to_vec(record))?);
        }
        Ok(())
    }

    async fn durably(&self, script: &Script, args: &[Vec<u8>]) -> Result<super::answer::Answer> {
        self.call_with(script, Own::Nothing, args, true).await
    }
}

#[async_trait]
impl Transfer for RedisStore {
    async fn begin_departure(&self, to: &str) -> Result<Departure> {
        // What somebody left half taken in belongs to what is moved, or goes.
        for batch in self.open_batches().await? {
            self.see_to_batch(batch).await?;
        }
        let begun = self
            .remark(Needs::Idle, |before, now| {
                Mark::depart(before, self.place(), to, now)
            })
            .await?;
        begun.ok_or_else(|| Error::WorkerRunning {
            place: self.place().to_owned(),
        })
    }

    async fn carry_out(&self, after: Option<&Cursor>, limit: usize) -> Result<Outgoing> {
        let page = self.list(&Filter::default(), after, limit).await?;
        let ids: Vec<[u8; 16]> = page.items.iter().map(|one| one.id.to_bytes()).collect();
        let records = self.fields("onboarding", &ids).await?;
        let progress = self.fields("progress", &ids).await?;
        let numbers: Vec<[u8; 7]> = page
            .items
            .iter()
            .map(|one| record::number_field(&one.number))
            .collect();
        let mut holders = self.fields("numbers", &numbers).await?.into_iter();
        let mut items = Vec::with_capacity(page.items.len());
        for ((own, packed), progress) in page.items.into_iter().zip(records).zip(progress) {
            let place = format!("{}, {}", self.place(), own.id);
            let packed = packed.ok_or_else(|| Error::Corrupt {
                place: place.clone(),
                message: "the onboarding vanished while it was carried out".to_owned(),
            })?;
            let record = record::unpack(own.id, &packed, &self.key, self.place())?;
            let progress = progress
                .map(|packed| Progress::unpack(&place, &packed))
                .transpose()?;
            items.push(Carried {
                password: record.password,
                in_doubt: progress.is_some_and(|progress| progress.suspect == 1),
                has_number: holders.next().flatten().as_deref() == Some(&own.id.to_bytes()[..]),
                onboarding: own,
            });
        }
        Ok(Outgoing {
            items,
            next: page.next,
        })
    }

    async fn end_departure(&self, id: &MoveId) -> Result<()> {
        self.remark(Needs::Nothing, |before, now| {
            Mark::departed(before, self.place(), id, now).map(|mark| (mark, ()))
        })
        .await
        .map(drop)
    }

    async fn begin_arrival(&self, id: &MoveId, from: &str) -> Result<bool> {
        let arrive = |is_empty: bool| {
            move |before: Option<&Mark>, now: i64| {
                Mark::arrive(before, self.place(), id, from, is_empty, now)
            }
        };
        // A store that this move fills already is not empty, and is told by its mark.
        let (_, before) = self.mark().await?;
        let now = self.now().await?;
        if before.is_some()
            && let Ok((_, to_come)) = arrive(false)(before.as_ref(), now)
        {
            return Ok(to_come);
        }
        match self.remark(Needs::Empty, arrive(true)).await? {
            Some(to_come) => Ok(to_come),
            None => arrive(false)(None, now).map(|(_, to_come)| to_come),
        }
    }

    async fn carry_accounts(&self, accounts: &[CarriedAccount]) -> Result<()> {
        for account in accounts {
            let limits = account.limits.unwrap_or(Limits::per_minute(200, 50));
            let (kind, stopped) = match (&account.parked, &account.outage) {
                (Some(parked), _) => (stop_number(StopKind::Parked), Some(parked)),
                (None, Some(outage)) => (stop_number(StopKind::Outage), Some(outage)),
                (None, None) => (0, None),
            };
            let (reason, since) = match stopped {
                Some(stopped) => (stopped.reason.as_str(), stopped.since.as_millisecond()),
                None => ("", 0),
            };
            let text = |n: &dyn ToString| n.to_string().into_bytes();
            let args = [
                account.name.as_str().as_bytes().to_vec(),
                text(&u8::from(account.limits.is_some())),
                text(&limits.requests_per_window.max(1)),
                text(&millis(limits.window).max(1)),
                text(&limits.in_flight.max(1)),
                text(&limits.burst.max(1)),
                text(&kind),
                reason.as_bytes().to_vec(),
                text(&since),
                text(&probe_number(account.probe)),
                text(&millis(account.closed_for)),
            ];
            self.durably(&CARRY_ACCOUNT, &args).await?;
        }
        Ok(())
    }

    async fn carry_in(
        &self,
        recipes: &[(String, String)],
        onboardings: Vec<Carried>,
    ) -> Result<CarriedIn> {
        self.add_recipes(recipes).await?;
        let (to_come, there_before) = self.still_to_come(onboardings).await?;
        let mut new = 0;
        // In one store nobody else writes meanwhile, so that chunks are as good as a page: one
        // that was cut goes on where it was.
        for chunk in to_come.chunks(AT_ONCE) {
            let mut args = vec![self.world.name().to_vec()];
            for one in chunk {
                self.carry_args(&mut args, one)?;
            }
            new += self.durably(&CARRY, &args).await?.count()?;
        }
        Ok(CarriedIn { new, there_before })
    }

    async fn end_arrival(&self, id: &MoveId) -> Result<()> {
        self.remark(Needs::Nothing, |before, now| {
            Mark::arrived(before, self.place(), id, now).map(|mark| (mark, ()))
        })
        .await
        .map(drop)
    }
}
