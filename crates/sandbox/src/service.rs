//! The way of one request: arrive, be let in, meet the rules, be processed, be answered.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::api::{self, Call};
use crate::clock::{Clock, Moment};
use crate::control;
use crate::envelope::{self, Head, Refusal, Reply};
use crate::faults::{Decision, Faults};
use crate::gate::{Arrival, Connection, Gate, Verdict};
use crate::ids::{PhoneNumber, RequestId, mix, unit_interval};
use crate::journal::Journal;
use crate::keys::{self, Keys};
use crate::late::{Late, Waiting};
use crate::leak::{self, Leak};
use crate::options::Options;
use crate::payload::{Cut, Payload};
use crate::reply::{edit, http_date, inject, response};
use crate::request_log::{Outcome, Stage};
use crate::route::{self, Query, Route};
use crate::rule::{Action, Edit, SentDate};
use crate::world::World;

/// Longest request body, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A client may close one connection and open the next before this side has read of the close.
/// So a connection too many waits this long and is counted then.
const CLOSE_GRACE: Duration = Duration::from_millis(5);

/// All that one simulator is.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) gate: Mutex<Gate>,
    pub(crate) faults: Faults,
    pub(crate) world: Mutex<World>,
    pub(crate) journal: Option<Journal>,
    /// `None`: any account and any key.
    pub(crate) keys: RwLock<Option<Arc<Keys>>>,
    /// Ends the wait of what is pending.
    pub(crate) process_now: watch::Sender<u64>,
    requests: AtomicU64,
    /// Makes SIDs and request ids differ from those of another run.
    salt: u64,
}

/// A request that has been read whole.
#[derive(Clone)]
pub(crate) struct Whole {
    parts: Parts,
    /// `None`: it was longer than it may be.
    body: Option<Bytes>,
}

/// How a request ends for its client.
enum End {
    Answer(Reply),
    HalfAnswer(Reply),
    Reset,
}

/// An end, and how long to wait for it.
struct Decided {
    delay: Duration,
    end: End,
    stage: Stage,
    fault: Option<&'static str>,
    date: Option<SentDate>,
    /// Dropped with this, when the answer leaves or its client has left.
    late: Option<Waiting>,
}

/// What a request's key opens.
struct Access {
    granted: bool,
    numbers: Option<Arc<[PhoneNumber]>>,
}

/// A request that is held. When it is let go of before its time, for its client is gone, the log
/// shows that it is held no more.
struct Held<'a> {
    core: &'a Core,
    entry: u64,
    over: bool,
    /// What it becomes then.
    gone: Stage,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.core.note(self.entry, self.gone, Some(HOLD));
        }
    }
}

/// The name of a hold in the log.
const HOLD: &str = "hold_ms";

impl Decided {
    fn refused(reply: Reply) -> Self {
        Self {
            delay: Duration::ZERO,
            end: End::Answer(reply),
            stage: Stage::Unprocessed,
            fault: None,
            date: None,
            late: None,
        }
    }

    fn outcome(&self) -> Outcome {
        let (status, inner) = match &self.end {
            End::Answer(reply) | End::HalfAnswer(reply) => (Some(reply.status), reply.inner),
            End::Reset => (None, None),
        };
        Outcome {
            status,
            inner,
            stage: self.stage,
            fault: self.fault,
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(crate) fn new(options: Options) -> Self {
        let clock = Clock::start();
        let salt = salt(&clock);
        let gate = Gate::new(options.limits, options.request_log);
        Self::with(options, clock, gate, World::new(salt), None)
    }

    /// Starts with what the journal holds, if there is one.
    pub(crate) fn open(options: Options) -> io::Result<Self> {
        let Some(path) = &options.journal else {
            return Ok(Self::new(options));
        };
        let clock = Clock::start();
        let now = clock.now();
        let window_us = options.limits.window_ms.saturating_mul(1000);
        let since_us = now.0.saturating_sub(window_us);
        let (journal, loaded) = Journal::open(path, salt(&clock), since_us)?;
        let mut gate = Gate::new(options.limits, options.request_log);
        for (account, at_us) in &loaded.arrivals {
            // The wall clock may have been set back in between.
            gate.remember(account, Moment(*at_us).min(now));
        }
        Ok(Self::with(
            options,
            clock,
            gate,
            loaded.world,
            Some(journal),
        ))
    }

    fn with(
        options: Options,
        clock: Clock,
        gate: Gate,
        world: World,
        journal: Option<Journal>,
    ) -> Self {
        let salt = salt(&clock);
        Self {
            gate: Mutex::new(gate),
            faults: Faults::default(),
            world: Mutex::new(world),
            journal,
            keys: RwLock::new(None),
            process_now: watch::Sender::default(),
            requests: AtomicU64::new(0),
            clock,
            salt,
            options,
        }
    }

    /// Answers one request of a connection; an error cuts it.
    pub(crate) async fn respond(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<Payload>, Cut> {
        let whole = Whole::read(request).await?;
        if let Some(path) = whole.parts.uri.path().strip_prefix("/_sandbox/") {
            let query = Query(whole.parts.uri.query().unwrap_or_default());
            let body = whole.body.as_deref().unwrap_or_default();
            let reply = control::answer(&self, whole.parts.method.as_str(), path, query, body);
            return Ok(response(reply, false, self.date(None)));
        }
        let sequence = self.requests.fetch_add(1, Ordering::Relaxed);
        let trip = self.draw_latency(sequence);
        let (entry, decided) = if trip.is_zero() {
            self.process(&connection, &whole, sequence).await
        } else {
            // On its own task: what a client has sent arrives, whether or not it still waits.
            let (core, connection) = (Arc::clone(&self), Arc::clone(&connection));
            let arrived = tokio::spawn(async move {
                tokio::time::sleep(trip / 2).await;
                let (entry, decided) = core.process(&connection, &whole, sequence).await;
                core.note(entry, decided.stage, decided.fault);
                (entry, decided)
            });
            arrived.await.map_err(|_| Cut)?
        };
        let wait = trip / 2 + decided.delay;
        if !wait.is_zero() {
            // Its client may be gone before the wait is over, and then nothing below is reached.
            self.note(entry, decided.stage, decided.fault);
            tokio::time::sleep(wait).await;
        }
        lock(&self.gate).settle(entry, decided.outcome());
        // From the end of this on, its client has been answered.
        let Decided {
            end,
            date,
            late: _waiting,
            ..
        } = decided;
        let date = self.date(date);
        match end {
            End::Answer(reply) => Ok(response(reply, false, date)),
            End::HalfAnswer(reply) => Ok(response(reply, true, date)),
            End::Reset => {
                connection.reset();
                Err(Cut)
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of a latency are far below 2^52"
    )]
    fn draw_latency(&self, sequence: u64) -> Duration {
        let Some((least, most)) = self.options.latency else {
            return Duration::ZERO;
        };
        let draw = mix(self.options.seed).wrapping_add(sequence);
        let spread_us = most.saturating_sub(least) as f64 * 1000.0;
        Duration::from_millis(least)
            + Duration::from_micros((unit_interval(draw) * spread_us) as u64)
    }

    /// Processes a request, and gives its number in the log.
    async fn process(
        self: &Arc<Self>,
        connection: &Connection,
        whole: &Whole,
        sequence: u64,
    ) -> (u64, Decided) {
        let Parts {
            uri,
            method,
            headers,
            ..
        } = &whole.parts;
        let head = self.head(&whole.parts, sequence);
        let account = route::parse(uri.path()).map(|(account, _)| account);
        let access = self.authorise(account, headers);
        let (entry, verdict) = self
            .admit(connection, &whole.parts, account, access.granted)
            .await;
        if let Some((refusal, headers)) = self.refusal(verdict, access.granted, account) {
            let reply = Reply {
                headers,
                ..refusal.reply(head)
            };
            return (entry, Decided::refused(reply));
        }
        let mut decision = self.faults.decide(method.as_str(), uri.path(), account);
        let late = decision.late.take().map(|wait| {
            let late = Late {
                whole: whole.clone(),
                sequence,
                entry,
                forgotten: lock(&self.world).forgotten,
            };
            self.process_later(late, wait)
        });
        let gone = if late.is_some() {
            Stage::Pending
        } else {
            Stage::Unprocessed
        };
        if !decision.hold.is_zero() && !self.hold(entry, connection, decision.hold, gone).await {
            let left = Decided {
                delay: Duration::ZERO,
                end: End::Reset,
                stage: gone,
                fault: Some(HOLD),
                date: None,
                late,
            };
            return (entry, left);
        }
        let call = whole.call(self, sequence, access.numbers.as_deref());
        let leaks = std::mem::take(&mut decision.leaks);
        let mut decided = self.meet(decision, head, call, late);
        self.leak(&leaks, account, whole, &mut decided.end);
        if let Err(error) = self.flush() {
            decided.end = End::Answer(Refusal::unkept(error.to_string()).reply(head));
        }
        (entry, decided)
    }

    /// Keeps a request back; says whether its client is still there when the time is over.
    async fn hold(&self, entry: u64, connection: &Connection, time: Duration, gone: Stage) -> bool {
        if let Err(error) = self.flush() {
            tracing::error!(%error, "an arrival was not kept");
        }
        // Before it shows as held: whoever sees it held may end the client at once.
        let mut held = Held {
            core: self,
            entry,
            over: false,
            gone,
        };
        self.note(entry, Stage::Held, Some(HOLD));
        // Without a latency, a client that goes away drops this future as well.
        tokio::select! {
            () = tokio::time::sleep(time) => held.over = true,
            () = connection.closed() => {}
        }
        held.over
    }

    /// Logs how far a request has come, without an answer.
    fn note(&self, entry: u64, stage: Stage, fault: Option<&'static str>) {
        let outcome = Outcome {
            stage,
            fault,
            ..Outcome::default()
        };
        lock(&self.gate).settle(entry, outcome);
    }

    /// Hands what was noted for the journal to the operating system.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.journal.as_ref().map_or(Ok(()), Journal::flush)
    }

    fn authorise(&self, account: Option<&str>, headers: &HeaderMap) -> Access {
        let authorization = header(headers, &AUTHORIZATION);
        let keys = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(keys) = keys else {
            return Access {
                granted: keys::is_basic(authorization),
                numbers: None,
            };
        };
        let key = account.and_then(|account| keys.check(account, authorization));
        Access {
            granted: key.is_some(),
            numbers: key.and_then(|key| key.numbers.clone()),
        }
    }

    /// Takes a request in at the gate; gives its number in the log.
    async fn admit(
        &self,
        connection: &Connection,
        parts: &Parts,
        account: Option<&str>,
        authorised: bool,
    ) -> (u64, Verdict) {
        if account.is_some_and(|account| lock(&self.gate).would_exceed(account, connection)) {
            tokio::time::sleep(CLOSE_GRACE).await;
        }
        let uri = &parts.uri;
        let path = uri
            .path_and_query()
            .map_or(uri.path(), |path| path.as_str());
        let method = parts.method.as_str();
        let (at, (entry, verdict)) = {
            let mut gate = lock(&self.gate);
            // Read under the lock, so that arrivals are in the order of their times.
            let at = self.clock.now();
            let arrival = Arrival {
                account,
                method,
                path,
                authorised,
                at,
            };
            (at, gate.arrive(&arrival, connection))
        };
        if let (Some(journal), Some(account)) = (&self.journal, account)
            && authorised
            && verdict == Verdict::Welcome
        {
            journal.note_arrival(account, at.0);
        }
        (entry, verdict)
    }

    /// What the gate does not let in. A path without an account goes on, to be not found.
    fn refusal(
        &self,
        verdict: Verdict,
        authorised: bool,
        account: Option<&str>,
    ) -> Option<(Refusal, Vec<(HeaderName, HeaderValue)>)> {
        if !authorised && account.is_some() {
            return Some((Refusal::unauthorised(), Vec::new()));
        }
        let (text, limit, wait_us) = match verdict {
            Verdict::Welcome => return None,
            Verdict::WindowFull { wait_us, limit } => ("Rate limit exceeded", limit, wait_us),
            Verdict::TooManyConnections { limit } => ("Too many connections", limit, 1),
        };
        // Rounded up: a client that waits as long as it is told is let in.
        let seconds = wait_us.div_ceil(1_000_000).max(1);
        let reset = self.clock.now().unix_ms() / 1000 + seconds;
        let headers = vec![
            (RETRY_AFTER, seconds.into()),
            (HeaderName::from_static("x-ratelimit-limit"), limit.into()),
            (HeaderName::from_static("x-ratelimit-remaining"), 0.into()),
            (HeaderName::from_static("x-ratelimit-reset"), reset.into()),
        ];
        Some((Refusal::limited(text), headers))
    }

    /// Lets the rules have their way with a call. `None` is one whose body was too long.
    fn meet(
        &self,
        decision: Decision,
        head: Head<'_>,
        call: Option<Call<'_>>,
        mut late: Option<Waiting>,
    ) -> Decided {
        let mut stage = Stage::Unprocessed;
        let mut process = || match &call {
            Some(call) => {
                stage = Stage::Processed;
                let mut reply = self.call(call, &mut lock(&self.world));
                edit(&decision.edits, &mut reply);
                reply
            }
            None => Refusal::too_large().reply(head),
        };
        let fault = decision.action.as_ref().map(Action::name);
        let edited = decision.edits.first().and_then(Edit::name);
        let end = match decision.action {
            None => End::Answer(process()),
            Some(Action::ResetBefore) => End::Reset,
            Some(Action::ResetAfter) => {
                process();
                End::Reset
            }
            Some(Action::Truncate) => End::HalfAnswer(process()),
            Some(Action::Answer(injected)) => {
                if injected.after {
                    process();
                }
                End::Answer(inject(head, injected))
            }
        };
        let held = (!decision.hold.is_zero()).then_some(HOLD);
        let delayed = (!decision.delay.is_zero()).then_some("delay_ms");
        if stage == Stage::Processed {
            if let Some(waiting) = late.take() {
                waiting.cancel();
            }
        } else if late.is_some() {
            stage = Stage::Pending;
        }
        Decided {
            delay: decision.delay,
            end,
            stage,
            fault: fault.or(edited).or(delayed).or(held),
            date: decision.date,
            late,
        }
    }

    /// Has an answer repeat the secrets of its request, and the passwords of earlier ones.
    fn leak(&self, leaks: &[Leak], account: Option<&str>, whole: &Whole, end: &mut End) {
        let (End::Answer(reply) | End::HalfAnswer(reply), [_, ..]) = (end, leaks) else {
            return;
        };
        let authorization = header(&whole.parts.headers, &AUTHORIZATION);
        let mut secrets = leak::told(authorization, whole.body.as_deref());
        secrets.extend(account.map(|account| lock(&self.world).passwords(account)));
        let secrets = secrets.join(" ");
        leaks.iter().for_each(|leak| leak.repeat(&secrets, reply));
    }

    pub(crate) fn call(&self, call: &Call<'_>, world: &mut World) -> Reply {
        let reply = api::answer(call, world);
        if let Some(journal) = &self.journal {
            journal.note_changes(world);
        }
        reply
    }

    fn head<'a>(&self, parts: &'a Parts, sequence: u64) -> Head<'a> {
        Head {
            request_id: RequestId(self.salt.wrapping_add(sequence)),
            method: parts.method.as_str(),
        }
    }

    /// The `Date` header of an answer.
    fn date(&self, instead: Option<SentDate>) -> Option<HeaderValue> {
        match instead {
            None => http_date(self.clock.date()),
            Some(SentDate::Text(text)) => Some(text),
            Some(SentDate::None) => None,
        }
    }
}

/// Makes the SIDs and ids of one run differ from those of another.
fn salt(clock: &Clock) -> u64 {
    mix(clock.now().0 ^ (u64::from(std::process::id()) << 40))
}

impl Whole {
    async fn read(request: Request<Incoming>) -> Result<Self, Cut> {
        let (parts, body) = request.into_parts();
        let read = Limited::new(body, LONGEST_BODY).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, read).await {
            Ok(Ok(collected)) => Some(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => None,
            Ok(Err(_)) | Err(_) => return Err(Cut),
        };
        Ok(Self { parts, body })
    }

    /// What it asks for, now. `None`: it was too long to be read.
    pub(crate) fn call<'a>(
        &'a self,
        core: &Core,
        sequence: u64,
        owned_numbers: Option<&'a [PhoneNumber]>,
    ) -> Option<Call<'a>> {
        let uri = &self.parts.uri;
        let (account, route) = route::parse(uri.path()).unwrap_or(("", Route::Unknown));
        Some(Call {
            head: core.head(&self.parts, sequence),
            account,
            route,
            path: uri.path(),
            query: Query(uri.query().unwrap_or_default()),
            json: is_json(&self.parts.headers),
            body: self.body.as_deref()?,
            now: core.clock.date(),
            profile: core.options.profile,
            owned_numbers,
        })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = header(headers, &CONTENT_TYPE).and_then(|text| text.split(';').next());
    media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case(envelope::JSON))
}
