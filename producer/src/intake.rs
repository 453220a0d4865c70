//! From sources to a batch: all of it, or nothing.

use std::thread;

use onboarding::{OnboardingId, TraceContext};
use store::{Batch, BatchNumber, Candidate, Committed, Intake, Origin};
use tokio::sync::{mpsc, oneshot};

use crate::{
    About, Error,
    candidate::{CHUNK, Candidates},
    checked::Checked,
    clash,
    desk::Desk,
    names::Names,
    problem::{Located, Problems},
    source::Source,
    walk::{Visitor, walk},
};

/// How many chunks are read ahead of the store: one that is being made, one that waits.
const CHUNKS_AHEAD: usize = 2;

/// What came of an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// New onboardings.
    pub accepted: u64,
    /// Signups that were there before with the same content, in the store or in the input.
    pub duplicates: u64,
    /// Both together: the signups of the input.
    pub total: u64,
    /// The batch that the store keeps count of, where something was new.
    pub batch: Option<BatchNumber>,
    /// Accepted signups that will fail unless something is done about it: their number is another
    /// onboarding's. At most [`Batch::CLASHES_MAX`](store::Batch).
    pub warnings: Vec<Located>,
}

/// Accepts all signups of all sources, or none.
///
/// Reading and checking run on a thread of their own while the store takes what was checked; the
/// memory used does not depend on the input's length. `on_id` hears of each signup's onboarding in
/// the order of the input, the repeated ones too, before the batch is committed: what it heard
/// counts once `enqueue` returned `Ok`.
///
/// # Errors
/// [`Error::Input`] with the problems of the whole input. Clashes with other signups are the
/// store's to find, so they are reported once nothing else is wrong, the first
/// [`Batch::CLASHES_MAX`](store::Batch) of them. [`Error::Read`] and
/// [`Error::Store`] as they come. In every case nothing was accepted.
pub async fn enqueue(
    sources: Vec<Source>,
    desk: &Desk,
    mut about: About,
    store: &dyn Intake,
    mut on_id: impl FnMut(OnboardingId) + Send,
) -> Result<Report, Error> {
    let files: Vec<String> = sources
        .iter()
        .map(|source| source.name().to_owned())
        .collect();
    let mut reading = Reading::start(sources, desk.clone(), about.trace)?;
    let mut batch: Option<Box<dyn Batch>> = None;
    while let Some(part) = reading.parts.recv().await {
        let batch = match &mut batch {
            Some(batch) => batch,
            None => {
                let begun = batch.insert(store.begin().await?);
                if let Some(source) = about.described() {
                    begun.describe(&source);
                }
                begun
            }
        };
        match part {
            Part::Recipe { digest, text } => batch.add_recipe(&digest, &text).await?,
            Part::Signups(chunk) => {
                chunk.iter().for_each(|candidate| on_id(candidate.new.id));
                batch.add(chunk).await?;
                // The next chunk is mostly there already and a store may add without waiting; a
                // caller that selects between this and a signal is to hear the signal.
                tokio::task::yield_now().await;
            }
        }
    }
    reading.end().await?;
    match batch {
        Some(batch) => settle(batch.commit().await?, Names::Files(&files)),
        None => Ok(Report::default()),
    }
}

/// How the batch ended, told.
pub(crate) fn settle(committed: Committed, names: Names<'_>) -> Result<Report, Error> {
    match committed {
        Committed::Accepted {
            accepted,
            duplicates,
            batch,
            numbers_in_use,
        } => Ok(Report {
            accepted,
            duplicates,
            batch,
            total: accepted + duplicates,
            warnings: numbers_in_use
                .iter()
                .map(|one| {
                    let problem = clash::number_in_use(&one.number, &one.holder);
                    Located::new(names.file(one.origin), one.origin.line, problem)
                })
                .collect(),
        }),
        Committed::Refused { mut clashes } => {
            clashes.sort_by_key(|clash| clash.origin);
            let located = clashes.iter().map(|clash| {
                let problem = clash::problem(clash, names);
                Located::new(names.file(clash.origin), clash.origin.line, problem)
            });
            Err(Error::Input {
                problems: located.collect(),
                more: 0,
            })
        }
    }
}

/// What the reading thread hands over.
enum Part {
    /// A recipe, before the first signup that was made with it.
    Recipe {
        digest: String,
        text: String,
    },
    Signups(Vec<Candidate>),
}

/// The reading thread.
struct Reading {
    /// Ends with the input, or at its first problem.
    parts: mpsc::Receiver<Part>,
    outcome: oneshot::Receiver<Result<(), Error>>,
    thread: thread::JoinHandle<()>,
}

impl Reading {
    /// A thread of its own and not one of the runtime's, which would wait for it at its end, and
    /// standard input may never end.
    fn start(sources: Vec<Source>, desk: Desk, trace: Option<TraceContext>) -> Result<Self, Error> {
        let (sender, parts) = mpsc::channel(CHUNKS_AHEAD);
        let (done, outcome) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("signups".into())
            .spawn(move || {
                let mut reader = Reader::new(Candidates::new(&desk, trace), sender, done);
                let walked = walk(sources, &desk, &mut reader);
                reader.end(walked);
            })
            .map_err(|source| Error::Read {
                file: "the input".into(),
                source,
            })?;
        Ok(Self {
            parts,
            outcome,
            thread,
        })
    }

    async fn end(self) -> Result<(), Error> {
        if let Ok(outcome) = self.outcome.await {
            return outcome;
        }
        match self.thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => Err(Error::Read {
                file: "the input".into(),
                source: std::io::Error::other("its reader stopped early"),
            }),
        }
    }
}

/// Makes candidates of signups and hands them over in chunks.
struct Reader<'d> {
    candidates: Candidates<'d>,
    /// None once a problem was found, or the receiver is gone.
    sender: Option<mpsc::Sender<Part>>,
    done: oneshot::Sender<Result<(), Error>>,
    chunk: Vec<Candidate>,
}

impl<'d> Reader<'d> {
    fn new(
        candidates: Candidates<'d>,
        sender: mpsc::Sender<Part>,
        done: oneshot::Sender<Result<(), Error>>,
    ) -> Self {
        Self {
            candidates,
            sender: Some(sender),
            done,
            chunk: Vec::with_capacity(CHUNK),
        }
    }

    fn send(&mut self, part: Part) {
        if let Some(sender) = &self.sender
            && sender.blocking_send(part).is_err()
        {
            self.sender = None;
        }
    }

    fn hand_over(&mut self) {
        if !self.chunk.is_empty() {
            let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
            self.send(Part::Signups(chunk));
        }
    }

    fn end(mut self, walked: Result<(), Error>) {
        self.hand_over();
        self.sender = None;
        // Nobody listens where the caller gave up; that is no failure.
        let _ = self.done.send(walked);
    }
}

impl Visitor for Reader<'_> {
    fn signup(&mut self, origin: Origin, checked: Checked, _problems: &mut Problems) {
        if self.sender.is_none() {
            return;
        }
        let (candidate, recipe) = self.candidates.make(origin, checked);
        if let Some(recipe) = recipe {
            self.send(Part::Recipe {
                digest: recipe.digest.clone(),
                text: recipe.text.clone(),
            });
        }
        self.chunk.push(candidate);
        if self.chunk.len() == CHUNK {
            self.hand_over();
        }
    }

    fn refused(&mut self) {
        self.sender = None;
        self.chunk = Vec::new();
    }

    fn go_on(&self) -> bool {
        !self.done.is_closed()
    }
}
