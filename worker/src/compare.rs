//! Comparing what an onboarding made with what Exotel has.

use exotel::{Class, Client, Setting, Unreadable};
use onboarding::{Journal, Mode, Plan, Step, StepKind, StepState, TrunkSid};

use crate::{
    fault::Interrupt,
    read::{self, Reader},
    steps::{SINGLE, same_number},
};

/// What became of one step's resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is there, once, as planned.
    Ok,
    /// It is not there.
    Missing,
    /// It is there, but not as planned.
    Differs {
        /// In what.
        detail: String,
    },
    /// The step is not done, so nothing is expected.
    NotDone,
    /// Exotel offers no way to read it, or what may be it cannot be read.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// One step of the plan beside what Exotel has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepComparison {
    /// Index in the plan.
    pub index: usize,
    /// Its kind.
    pub kind: StepKind,
    /// What it made or should have made, for people: `destination sip.partner.example:5061;...`.
    pub what: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// Something on the trunk that no step of the plan made, or that is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// The step kind whose resources it is among.
    pub kind: StepKind,
    /// Exotel's id of it.
    pub id: String,
    /// What it is, for people.
    pub what: String,
}

/// A whole onboarding beside what Exotel has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// One for every writing step of the plan, in its order.
    pub steps: Vec<StepComparison>,
    /// What is too much.
    pub extra: Vec<Extra>,
}

impl Comparison {
    /// Whether every step's resource was read and is there as planned, once, and nothing else is.
    #[must_use]
    pub fn is_as_planned(&self) -> bool {
        self.differences().is_empty() && self.unconfirmed().is_empty()
    }

    /// How many resources were found as planned.
    #[must_use]
    pub fn confirmed(&self) -> usize {
        let ok = |step: &&StepComparison| step.verdict == Verdict::Ok;
        self.steps.iter().filter(ok).count()
    }

    /// What is not known to be as planned, one text each: its step is not done, or Exotel offers no
    /// way to read it. A run's own last step does not fail because of these: nothing could mend it.
    #[must_use]
    pub fn unconfirmed(&self) -> Vec<String> {
        let of = |step: &StepComparison| match &step.verdict {
            Verdict::NotDone => Some(format!("{} is not done", step.what)),
            Verdict::Unreadable { reason } => {
                Some(format!("{} cannot be read: {reason}", step.what))
            }
            Verdict::Ok | Verdict::Missing | Verdict::Differs { .. } => None,
        };
        self.steps.iter().filter_map(of).collect()
    }

    /// What is seen not to be as planned, one text each.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let wrong = self.steps.iter().filter_map(|step| match &step.verdict {
            Verdict::Ok | Verdict::NotDone | Verdict::Unreadable { .. } => None,
            Verdict::Missing => Some(format!("{} is missing", step.what)),
            Verdict::Differs { detail } => Some(format!("{} differs: {detail}", step.what)),
        });
        let extra = self
            .extra
            .iter()
            .map(|extra| format!("{} ({}) is not of the plan", extra.what, extra.id));
        wrong.chain(extra).collect()
    }
}

/// What a list holds, whatever it is a list of.
struct Listed {
    id: String,
    what: String,
    /// The text that a step's value is compared with.
    value: String,
    /// What of it is not as any step wants it.
    wrong: Option<String>,
}

/// One kind of resource, as Exotel lists it.
#[derive(Default)]
struct Resources {
    readable: Vec<Listed>,
    unreadable: Vec<Unreadable>,
}

/// Reads everything that `plan` makes: the trunk, and one list per kind of resource.
pub(crate) async fn compare<R: Reader>(
    reader: &mut R,
    client: &Client,
    plan: &Plan,
    journal: &Journal,
) -> Result<Comparison, Interrupt<R::Halt>> {
    let mut comparison = Comparison::default();
    let trunk = match journal.trunk_sid() {
        Some(sid) => compare_trunk(reader, client, plan, sid, &mut comparison).await?,
        None => None,
    };
    let done = |index| {
        journal
            .record(index)
            .is_some_and(|it| it.state == StepState::Done)
    };
    let mut lists: Vec<(StepKind, Result<Resources, String>)> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let kind = step.kind();
        if kind == StepKind::Verify || comparison.steps.iter().any(|it| it.index == index) {
            continue;
        }
        let verdict = match trunk {
            _ if !done(index) => Verdict::NotDone,
            None => Verdict::Missing,
            Some(sid) => {
                if !lists.iter().any(|(listed, _)| *listed == kind) {
                    lists.push((kind, list(reader, client, sid, kind, plan.mode()).await?));
                }
                let list = lists.iter_mut().find(|(listed, _)| *listed == kind);
                match list.map(|(_, list)| list) {
                    Some(Ok(list)) => take(list, step),
                    Some(Err(reason)) => Verdict::Unreadable {
                        reason: reason.clone(),
                    },
                    None => Verdict::Missing,
                }
            }
        };
        comparison.steps.push(StepComparison {
            index,
            kind,
            what: describe(step),
            verdict,
        });
    }
    for (kind, list) in lists {
        for left in list.unwrap_or_default().readable {
            comparison.extra.push(Extra {
                kind,
                id: left.id,
                what: left.what,
            });
        }
    }
    Ok(comparison)
}

/// Reads the trunk itself. `None`: it is not there.
async fn compare_trunk<'j, R: Reader>(
    reader: &mut R,
    client: &Client,
    plan: &Plan,
    sid: &'j TrunkSid,
    comparison: &mut Comparison,
) -> Result<Option<&'j TrunkSid>, Interrupt<R::Halt>> {
    let found = match reader.read(|| Box::pin(client.trunk(sid))).await {
        Ok(trunk) => Some(trunk),
        Err(Interrupt::Refused(error)) if error.class() == Class::NotThere => None,
        Err(interrupt) => return Err(interrupt),
    };
    for (index, step) in plan.steps.iter().enumerate() {
        if let Step::CreateTrunk { name, .. } = step {
            let verdict = match &found {
                None => Verdict::Missing,
                Some(trunk) if trunk.trunk_name == name.as_str() => Verdict::Ok,
                Some(trunk) => Verdict::Differs {
                    detail: format!("its name is {}", trunk.trunk_name),
                },
            };
            comparison.steps.push(StepComparison {
                index,
                kind: StepKind::CreateTrunk,
                what: format!("trunk {name} ({sid})"),
                verdict,
            });
        }
    }
    Ok(found.map(|_| sid))
}

/// Takes what `step` made out of its list; what is left in the end is too much.
fn take(list: &mut Resources, step: &Step) -> Verdict {
    let Resources {
        readable: list,
        unreadable,
    } = list;
    let same = |listed: &Listed| match step {
        Step::MapNumber { number, .. } => same_number(&listed.value, number),
        Step::WhitelistIp { ip } => listed.value == ip.to_string(),
        Step::CreateCredentials { user_name, .. } => listed.value == user_name.as_str(),
        Step::MapDestination { destination } => destination.matches(&listed.value),
        Step::SetCallerId { caller_id } => same_number(&listed.value, caller_id),
        Step::CreateTrunk { .. } | Step::Verify => false,
    };
    if let Some(at) = list.iter().position(same) {
        return match list.remove(at).wrong {
            None => Verdict::Ok,
            Some(detail) => Verdict::Differs { detail },
        };
    }
    // A trunk has one caller id: another one is a difference, not one too many.
    if let (Step::SetCallerId { .. }, Some(other)) = (step, list.pop()) {
        return Verdict::Differs {
            detail: format!("it is {}", other.value),
        };
    }
    if unreadable.iter().any(|it| it.mentions(&value(step))) {
        return Verdict::Unreadable {
            reason: "an entry of Exotel's list that may be it is not in the form that is known"
                .into(),
        };
    }
    Verdict::Missing
}

/// What an entry of the step's list is looked for by.
fn value(step: &Step) -> String {
    match step {
        Step::MapNumber { number, .. } => number.to_string(),
        Step::WhitelistIp { ip } => ip.to_string(),
        Step::CreateCredentials { user_name, .. } => user_name.to_string(),
        Step::MapDestination { destination } => destination.to_string(),
        Step::SetCallerId { caller_id } => caller_id.to_string(),
        Step::CreateTrunk { name, .. } => name.to_string(),
        Step::Verify => String::new(),
    }
}

/// Reads the list of one kind of resource. The inner `Err` says why it cannot be read.
async fn list<R: Reader>(
    reader: &mut R,
    client: &Client,
    sid: &TrunkSid,
    kind: StepKind,
    mode: Option<Mode>,
) -> Result<Result<Resources, String>, Interrupt<R::Halt>> {
    let (readable, unreadable) = match kind {
        StepKind::MapNumber => numbers(reader, client, sid, mode.unwrap_or(Mode::Pstn)).await?,
        StepKind::WhitelistIp => addresses(reader, client, sid).await?,
        StepKind::CreateCredentials => {
            let all = read::all(reader, "a trunk's credentials", |at| {
                Box::pin(client.credentials_page(sid, at))
            });
            let plain = |it: exotel::Credentials| {
                Listed::plain(it.id.as_str(), "credentials", it.user_name)
            };
            let (all, unreadable) = all.await?;
            (all.into_iter().map(plain).collect(), unreadable)
        }
        StepKind::MapDestination => {
            let all = read::all(reader, "a trunk's destinations", |at| {
                Box::pin(client.destinations_page(sid, at))
            });
            let plain = |it: exotel::DestinationEntry| {
                Listed::plain(it.id.as_str(), "destination", it.destination)
            };
            let (all, unreadable) = all.await?;
            (all.into_iter().map(plain).collect(), unreadable)
        }
        StepKind::SetCallerId => {
            let listed = caller_id(reader, client, sid).await?;
            return Ok(listed.map(|readable| Resources {
                readable,
                ..Resources::default()
            }));
        }
        StepKind::CreateTrunk | StepKind::Verify => (Vec::new(), Vec::new()),
    };
    Ok(Ok(Resources {
        readable,
        unreadable,
    }))
}

async fn numbers<R: Reader>(
    reader: &mut R,
    client: &Client,
    sid: &TrunkSid,
    wanted: Mode,
) -> Result<(Vec<Listed>, Vec<Unreadable>), Interrupt<R::Halt>> {
    let (all, unreadable) = read::all(reader, "a trunk's numbers", |at| {
        Box::pin(client.numbers_page(sid, at))
    })
    .await?;
    let listed = all.into_iter().map(|it| {
        let mode = it.mode.unwrap_or(Mode::Pstn);
        Listed {
            wrong: (mode != wanted).then(|| format!("its mode is {mode}, not {wanted}")),
            ..Listed::plain(it.id.as_str(), "number", it.phone_number)
        }
    });
    Ok((listed.collect(), unreadable))
}

async fn addresses<R: Reader>(
    reader: &mut R,
    client: &Client,
    sid: &TrunkSid,
) -> Result<(Vec<Listed>, Vec<Unreadable>), Interrupt<R::Halt>> {
    let (all, unreadable) = read::all(reader, "a trunk's ACL entries", |at| {
        Box::pin(client.whitelisted_ips_page(sid, at))
    })
    .await?;
    let listed = all.into_iter().map(|it| Listed {
        wrong: (it.mask != SINGLE).then(|| format!("its mask is {}, not {SINGLE}", it.mask)),
        ..Listed::plain(it.id.as_str(), "ACL entry", it.ip)
    });
    Ok((listed.collect(), unreadable))
}

async fn caller_id<R: Reader>(
    reader: &mut R,
    client: &Client,
    sid: &TrunkSid,
) -> Result<Result<Vec<Listed>, String>, Interrupt<R::Halt>> {
    match reader.read(|| Box::pin(client.settings(sid))).await {
        Ok(settings) => {
            let ours = settings
                .into_iter()
                .filter(|it| it.name == Setting::CALLER_ID)
                .map(|it| Listed::plain(Setting::CALLER_ID, "caller id", it.value));
            Ok(Ok(ours.collect()))
        }
        Err(Interrupt::Refused(error)) if error.class() == Class::Unsupported => Ok(Err(
            "Exotel does not offer to read a trunk's settings here".into(),
        )),
        Err(interrupt) => Err(interrupt),
    }
}

impl Listed {
    fn plain(id: &str, noun: &str, value: String) -> Self {
        Self {
            id: id.to_owned(),
            what: format!("{noun} {value}"),
            value,
            wrong: None,
        }
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::CreateTrunk { name, .. } => format!("trunk {name}"),
        Step::MapNumber { number, .. } => format!("number {number}"),
        Step::WhitelistIp { ip } => format!("ACL entry {ip}"),
        Step::CreateCredentials { user_name, .. } => format!("credentials {user_name}"),
        Step::MapDestination { destination } => format!("destination {destination}"),
        Step::SetCallerId { caller_id } => format!("caller id {caller_id}"),
        Step::Verify => "everything".into(),
    }
}
