//! The worker's side.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use onboarding::{AccountName, Fault, Journal, OnboardingId};
use sha2::{Digest, Sha256};

use super::{
    Own, RedisStore,
    advancing::Advancing,
    answer::Answer,
    lane::{self, probe_number, stop_number},
    progress::{Progress, in_flight_unknown, json},
    record,
    script::{ABANDON, ACCOUNT, ADVANCE, CLAIM, PERMIT, REGISTER, RENEW, SETTLE},
};
use crate::{
    Advance, Advanced, Claim, Claims, Error, Granted, LateCheck, LateChecked, LateChecks, Lease,
    Limits, Permit, Probe, ProbeKind, Probed, ReadProbe, Result, Settled, Stop, StopKind, Then,
    Unusable, Work, WorkerName, WriteId, clock::millis,
};

/// Most onboardings that one script hands out, and leases that one renews: about two milliseconds
/// of the server's time.
pub(super) const AT_ONCE: usize = 64;

/// Most accounts that one script enters.
const ACCOUNTS_AT_ONCE: usize = 100;

/// The shortest time until a claimer looks again by itself, so that workers without anything to do
/// do not crowd around a lane that gives a permit every few milliseconds.
const LOOK_LATER: Duration = Duration::from_millis(5);

/// All workers with the same accounts.
#[derive(Clone)]
pub(super) struct Group {
    number: Vec<u8>,
    accounts: Arc<Vec<(AccountName, Limits)>>,
}

/// What a claim gave, as the script tells it.
pub(super) struct Handed {
    id: OnboardingId,
    epoch: u64,
    suspect: bool,
    serial: u64,
    expires_ms: i64,
    progress: Vec<u8>,
    record: Vec<u8>,
    age: Duration,
    /// Who has its number, if it is another.
    in_use: Option<OnboardingId>,
}

impl Handed {
    pub(super) fn read(answer: &mut Answer) -> Result<Self> {
        Ok(Self {
            id: OnboardingId::from_bytes(answer.exactly()?),
            epoch: answer.count()?,
            suspect: answer.number()? == 1,
            serial: answer.count()?,
            expires_ms: answer.number()?,
            progress: answer.bytes()?.unwrap_or_default(),
            record: answer.bytes()?.unwrap_or_default(),
            age: Duration::from_millis(answer.count()?),
            in_use: answer
                .bytes()?
                .and_then(|id| Some(OnboardingId::from_bytes(id.try_into().ok()?))),
        })
    }

    /// A person cancelled it and its holder vanished: it is handed out to be ended.
    fn is_cancelled(&self) -> bool {
        self.expires_ms == 0
    }
}

/// Those that try a stopped account.
type Creators = HashMap<OnboardingId, Probe>;

pub(super) fn number(n: impl ToString) -> Vec<u8> {
    n.to_string().into_bytes()
}

impl RedisStore {
    /// Enters a group's accounts and returns its number.
    async fn enter_group(&self, accounts: &[(AccountName, Limits)]) -> Result<Vec<u8>> {
        let mut names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let digest = Sha256::digest(names.join("\n"))[..16].to_vec();
        let mut group = Vec::new();
        let mut chunks = accounts.chunks(ACCOUNTS_AT_ONCE);
        // A worker without accounts is of a group too.
        let mut chunk = chunks.next().unwrap_or_default();
        loop {
            let mut args = vec![digest.clone()];
            for (name, limits) in chunk {
                args.push(name.as_str().as_bytes().to_vec());
                args.push(number(limits.requests_per_window.max(1)));
                args.push(number(millis(limits.window).max(1)));
                args.push(number(limits.in_flight.max(1)));
                args.push(number(limits.burst.max(1)));
            }
            let mut answer = self.call(&REGISTER, &args).await?;
            if answer.text()? == "closed" {
                return Err(self.closed().await);
            }
            group.clear();
            group.extend(answer.bytes()?.unwrap_or_default());
            match chunks.next() {
                Some(next) => chunk = next,
                None => return Ok(group),
            }
        }
    }

    fn group_of(&self, worker: &WorkerName) -> Option<Group> {
        self.lock(&self.groups).get(worker).cloned()
    }

    /// One round of handing out. Returns the claims, when there may be more, and a batch that has
    /// to be seen to.
    async fn claim_some(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<(Claims, Option<super::laying::BatchId>)> {
        let Some(mut group) = self.group_of(worker) else {
            return Ok((Claims::default(), None));
        };
        let mut answer = loop {
            let args = [
                group.number.clone(),
                number(max),
                number(millis(lease)),
                number(millis(request_timeout)),
                number(millis(self.keep_finished)),
                self.world.name().to_vec(),
                self.holder.to_vec(),
            ];
            let keys = self.keys_of(&CLAIM, Own::Nothing);
            let answer = self.link.run_telling(&CLAIM.code, &keys, &args).await?;
            let mut answer = Answer::new(answer, self.place());
            match answer.text()?.as_str() {
                "claims" => break answer,
                "closed" => return Err(self.closed().await),
                "world" => return Err(self.other_world()),
                _ => {}
            }
            // Nobody of this group was heard of for so long that it was forgotten.
            group.number = self.enter_group(&group.accounts).await?;
            self.lock(&self.groups)
                .insert(worker.clone(), group.clone());
        };
        let next = u64::try_from(answer.number()?).ok();
        let batch = answer.bytes()?.and_then(|batch| batch.try_into().ok());
        let now_ms = answer.number()?;
        let (probes, mut creators) = self.tried(answer.list()?)?;
        let mut claims = Claims {
            claims: Vec::new(),
            probes,
            next: next.map(Duration::from_millis),
        };
        while !answer.is_empty() {
            let handed = Handed::read(&mut answer)?;
            let opened = if handed.is_cancelled() {
                self.end_cancelled(&handed).await.map(|()| None)
            } else {
                let probe = creators.remove(&handed.id);
                self.unpack(handed, now_ms, probe).await
            };
            match opened {
                Ok(Some(claim)) => {
                    self.lock(&self.held)
                        .insert(claim.lease.id, (claim.lease.epoch, worker.clone()));
                    claims.claims.push(claim);
                }
                Ok(None) => {}
                // What else was handed out is not to be lost for it; its lease ends by itself.
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an onboarding could not be ended; it is tried again when its lease is over"
                ),
            }
        }
        Ok((claims, batch))
    }

    /// The stopped accounts that are to be tried by a read, and by which onboardings others are.
    fn tried(&self, mut told: Answer) -> Result<(Vec<ReadProbe>, Creators)> {
        let (mut probes, mut creators) = (Vec::new(), Creators::new());
        while !told.is_empty() {
            let account = told.text()?.parse::<AccountName>();
            let account = account.map_err(|error| Error::Corrupt {
                place: self.place().to_owned(),
                message: format!("the name of an account cannot be read: {error}"),
            })?;
            let creator = told.bytes()?.and_then(|id| id.try_into().ok());
            let kind = lane::probe_kind_of(told.number()?);
            let stopped = lane::stop_kind_of(told.number()?);
            let lasts = u64::try_from(told.number()?).unwrap_or(0);
            let probe = Probe {
                account: account.clone(),
                kind: kind.unwrap_or(ProbeKind::Read),
                stopped: stopped.unwrap_or(StopKind::Parked),
                lasts: Duration::from_millis(lasts),
                failures: u32::try_from(told.count()?).unwrap_or(u32::MAX),
                token: told.number()?,
            };
            let permit = Permit {
                account,
                serial: told.count()?,
                expires_ms: told.number()?,
            };
            if let Some(id) = creator {
                creators.insert(OnboardingId::from_bytes(id), probe);
            } else {
                probes.push(ReadProbe { probe, permit });
            }
        }
        Ok((probes, creators))
    }

    /// Reads what was handed out. One that cannot be read must not keep all the others back: it
    /// fails, for a person to look at.
    async fn unpack(
        &self,
        handed: Handed,
        now_ms: i64,
        probe: Option<Probe>,
    ) -> Result<Option<Claim>> {
        let lease = |account: AccountName| Lease {
            id: handed.id,
            account,
            epoch: handed.epoch,
        };
        let number_in_use = match handed.in_use {
            // One that cannot be read is in nobody's way.
            Some(id) => self
                .holders(&[id])
                .await
                .ok()
                .and_then(|mut one| one.pop()?),
            None => None,
        };
        match self.read(&handed) {
            Ok((record, journal)) => Ok(Some(Claim {
                lease: lease(record.account.clone()),
                verify: handed.suspect,
                key: record.key,
                partner: record.partner,
                number: record.number,
                direction: record.direction,
                plan: record.plan,
                journal,
                password: record.password,
                now_ms,
                age: handed.age,
                trace: record.trace,
                permit: Permit {
                    account: record.account,
                    serial: handed.serial,
                    expires_ms: handed.expires_ms,
                },
                number_in_use,
                probe,
            })),
            Err(error) => {
                tracing::error!(
                    onboarding = %handed.id,
                    error = &error as &dyn std::error::Error,
                    "an onboarding is damaged"
                );
                let fault = Fault {
                    code: "row_damaged".to_owned(),
                    message: format!(
                        "{error}; restore the store from a backup, or use the trunkline that wrote it, then retry"
                    ),
                };
                // The permit comes back by itself: nothing was sent with it.
                let failed = Advance {
                    write: WriteId::draw(),
                    steps: Vec::new(),
                    settled: Vec::new(),
                    then: Then::Fail { fault, step: None },
                    late_check: false,
                };
                self.advance_as(handed.id, handed.epoch, &failed).await?;
                Ok(None)
            }
        }
    }

    fn read(&self, handed: &Handed) -> Result<(record::Record, Journal)> {
        let place = format!("{}, {}", self.place(), handed.id);
        let record = record::unpack(handed.id, &handed.record, &self.key, self.place())?;
        let journal = if handed.progress.is_empty() {
            Journal::new(&record.plan)
        } else {
            Progress::unpack(&place, &handed.progress)?.journal(&place, &record.plan)?
        };
        Ok((record, journal))
    }

    /// Ends an onboarding that a person cancelled and whose holder vanished: nobody will look any
    /// more whether the step in flight was done, so its journal says so.
    pub(super) async fn end_cancelled(&self, handed: &Handed) -> Result<()> {
        let in_flight = self
            .read(handed)
            .ok()
            .and_then(|(record, journal)| in_flight_unknown(&record.plan, &journal));
        let ended = Advance {
            write: WriteId::draw(),
            steps: in_flight.into_iter().collect(),
            settled: Vec::new(),
            // A cancelled one ends as cancelled whatever comes then.
            then: Then::Abandon,
            late_check: true,
        };
        match self.advance_as(handed.id, handed.epoch, &ended).await {
            Ok(_) | Err(Error::LeaseLost { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn advance_as(&self, id: OnboardingId, epoch: u64, advance: &Advance) -> Result<Answer> {
        let args = advance_args(id, epoch, advance, self.place())?;
        self.advancing
            .get_or_init(|| {
                Advancing::start(
                    Arc::clone(&self.link),
                    self.keys_of(&ADVANCE, Own::Nothing),
                    self.holder,
                )
            })
            .write(args)
            .await
    }

    fn settled_args(args: &mut Vec<Vec<u8>>, settled: &[Settled]) {
        for one in settled {
            args.push(one.permit.account.as_str().as_bytes().to_vec());
            args.push(number(one.permit.serial));
            args.push(number(one.permit.expires_ms));
            args.push(number(u8::from(one.answered)));
        }
    }

    /// See `lua/account.lua`.
    pub(super) async fn change_account(&self, account: &AccountName, what: &[&str]) -> Result<i64> {
        let mut args = vec![account.as_str().as_bytes().to_vec()];
        args.extend(what.iter().map(|word| word.as_bytes().to_vec()));
        self.call(&ACCOUNT, &args).await?.number()
    }
}

fn advance_args(
    id: OnboardingId,
    epoch: u64,
    advance: &Advance,
    place: &str,
) -> Result<Vec<Vec<u8>>> {
    let mut fault_json = Vec::new();
    let (then, argument) = match &advance.then {
        Then::Keep => ("keep", 0),
        Then::Permit => ("permit", 0),
        Then::PermitOrWait => ("wait", 0),
        Then::Release { delay } => ("release", millis(*delay)),
        Then::Abandon => ("abandon", 0),
        Then::Succeed => ("succeed", 0),
        Then::Fail { fault, step } => {
            fault_json = json(place, fault)?;
            let step = step.and_then(|step| i64::try_from(step).ok());
            ("fail", step.unwrap_or(-1))
        }
    };
    let mut args = vec![
        id.to_bytes().to_vec(),
        number(epoch),
        number(advance.write.0),
        then.as_bytes().to_vec(),
        number(argument),
        fault_json,
        number(u8::from(advance.late_check)),
        number(advance.settled.len()),
    ];
    RedisStore::settled_args(&mut args, &advance.settled);
    for (index, record) in &advance.steps {
        args.push(number(index));
        args.push(json(place, record)?);
    }
    Ok(args)
}

#[async_trait]
impl Work for RedisStore {
    async fn register(
        &self,
        worker: &WorkerName,
        accounts: &[(AccountName, Limits)],
    ) -> Result<()> {
        tracing::debug!(worker = %worker, accounts = accounts.len(), "registering");
        let group = Group {
            number: self.enter_group(accounts).await?,
            accounts: Arc::new(accounts.to_vec()),
        };
        self.lock(&self.groups).insert(worker.clone(), group);
        Ok(())
    }

    async fn heard(&self, worker: &WorkerName, says: Option<&[Unusable]>) -> Result<()> {
        self.hear(worker, says).await
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<Claims> {
        let mut all = Claims::default();
        loop {
            let wanted = (max - all.claims.len()).min(AT_ONCE);
            let some = self
                .claim_some(worker, wanted, lease, request_timeout)
                .await;
            let (some, batch) = match some {
                Ok(some) => some,
                // What was handed out already is not to be lost.
                Err(_) if !all.claims.is_empty() => return Ok(all),
                Err(error) => return Err(error),
            };
            let full = some.claims.len() == wanted;
            all.claims.extend(some.claims);
            all.probes.extend(some.probes);
            all.next = some.next.map(|next| next.max(LOOK_LATER));
            if let Some(batch) = batch {
                self.see_to_batch_later(batch);
            }
            if !full || all.claims.len() >= max {
                return Ok(all);
            }
        }
    }

    async fn changed(&self) {
        self.link.changed().await;
    }

    async fn advance(&self, lease: &Lease, advance: Advance) -> Result<Advanced> {
        let mut answer = self.advance_as(lease.id, lease.epoch, &advance).await?;
        let state = answer.text()?;
        let advanced = match state.as_str() {
            "kept" => return Ok(Advanced::Kept),
            "permitted" => {
                return Ok(Advanced::Permitted(Permit {
                    account: lease.account.clone(),
                    serial: answer.count()?,
                    expires_ms: answer.number()?,
                }));
            }
            "wait" => return Ok(Advanced::Wait(Duration::from_millis(answer.count()?))),
            "released" => Ok(Advanced::Released),
            "finished" => Ok(Advanced::Finished),
            "cancelled" => Ok(Advanced::Cancelled),
            "error" => {
                return Err(Error::Corrupt {
                    place: format!("{}, {}", self.place(), lease.id),
                    message: format!("its progress cannot be written: {}", answer.text()?),
                });
            }
            _ => Err(Error::LeaseLost {
                id: lease.id,
                epoch: lease.epoch,
            }),
        };
        self.let_go(lease);
        advanced
    }

    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<Lease>> {
        let mut lost = Vec::new();
        for chunk in leases.chunks(AT_ONCE) {
            let mut args = vec![number(millis(lease)), self.holder.to_vec()];
            for one in chunk {
                args.push(one.id.to_bytes().to_vec());
                args.push(number(one.epoch));
            }
            let mut answer = self.call(&RENEW, &args).await?;
            while !answer.is_empty() {
                let id = OnboardingId::from_bytes(answer.exactly()?);
                lost.extend(chunk.iter().filter(|one| one.id == id).cloned());
            }
        }
        for one in &lost {
            self.let_go(one);
        }
        Ok(lost)
    }

    async fn abandon(&self, worker: &WorkerName) -> Result<u64> {
        let mut theirs = Vec::new();
        self.lock(&self.held).retain(|id, (epoch, holder)| {
            let mine = holder == worker;
            if mine {
                theirs.push((*id, *epoch));
            }
            !mine
        });
        let mut given_back = 0;
        for chunk in theirs.chunks(AT_ONCE) {
            let mut args = vec![self.holder.to_vec()];
            for (id, epoch) in chunk {
                args.push(id.to_bytes().to_vec());
                args.push(number(epoch));
            }
            let mut answer = self.call(&ABANDON, &args).await?;
            given_back += answer.count()?;
            while !answer.is_empty() {
                self.end_cancelled(&Handed::read(&mut answer)?).await?;
            }
        }
        Ok(given_back)
    }

    async fn permit(&self, account: &AccountName, request_timeout: Duration) -> Result<Granted> {
        let args = [
            account.as_str().as_bytes().to_vec(),
            number(millis(request_timeout)),
        ];
        let mut answer = self.call(&PERMIT, &args).await?;
        Ok(match answer.text()?.as_str() {
            "permitted" => Granted::Permit(Permit {
                account: account.clone(),
                serial: answer.count()?,
                expires_ms: answer.number()?,
            }),
            "wait" => Granted::Wait(Duration::from_millis(answer.count()?)),
            "closed" => return Err(self.closed().await),
            _ => Granted::Parked(answer.text()?),
        })
    }

    async fn settle(&self, settled: Vec<Settled>) -> Result<()> {
        for chunk in settled.chunks(AT_ONCE) {
            let mut args = Vec::new();
            Self::settled_args(&mut args, chunk);
            self.call(&SETTLE, &args).await?;
        }
        Ok(())
    }

    async fn close_account(&self, account: &AccountName, delay: Duration) -> Result<bool> {
        let delay = millis(delay).to_string();
        let did = self.change_account(account, &["close", &delay]).await?;
        Ok(did == 1)
    }

    async fn late_checks(&self, max: usize, hidden: Duration) -> Result<LateChecks> {
        self.take_late_checks(max, hidden).await
    }

    async fn late_checked(&self, check: &LateCheck, found: LateChecked) -> Result<()> {
        self.record_late_check(check, found).await
    }

    async fn stop_account(&self, account: &AccountName, stop: &Stop) -> Result<bool> {
        let kind = stop_number(stop.kind).to_string();
        let probe = probe_number(stop.probe.map(|(kind, _)| kind)).to_string();
        let after = stop.probe.map_or(0, |(_, after)| millis(after)).to_string();
        let what = ["stop", &kind, &stop.reason, &probe, &after];
        Ok(self.change_account(account, &what).await? == 1)
    }

    async fn probed(&self, probe: &Probe, came: &Probed) -> Result<bool> {
        let token = probe.token.to_string();
        let did = match came {
            Probed::Works => {
                let what = ["probed", &token, "works"];
                self.change_account(&probe.account, &what).await?
            }
            Probed::Failed { next, park } => {
                let next = next.map_or_else(String::new, |next| millis(next).to_string());
                let park = park.as_ref().map(|reason| format!("={reason}"));
                let park = park.unwrap_or_default();
                let what = ["probed", &token, "failed", &next, &park];
                self.change_account(&probe.account, &what).await?
            }
        };
        Ok(did == 1)
    }
}
