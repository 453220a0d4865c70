//! From signups at hand to a batch, in one pass: for requests, where a file's thread would cost
//! more than the work.

use onboarding::{Key, OnboardingId, RawSignup, TraceContext};
use serde_json::Value;
use store::{Candidate, Intake, Origin};

use crate::{
    About, Error,
    candidate::{CHUNK, Candidates},
    checked::Checked,
    desk::{Desk, KeptRecipe},
    intake::{Report, settle},
    names::Names,
    problem::Problems,
};

/// What came of signups at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// How many are new.
    pub report: Report,
    /// The onboarding of each, in the order of the input, the repeated ones too.
    pub ids: Vec<(OnboardingId, Key)>,
}

/// Accepts all of `items` (JSON objects with the fields of a signup), or none.
///
/// The same as [`enqueue`](crate::enqueue) of a JSON file, without a thread and without reading:
/// the caller has parsed them, best with [`read_json`](crate::read_json), and bounds how many there
/// are. Checking takes less than 100 microseconds of a processor each; after every thousand the task
/// yields. All of them are in memory twice until the store has them.
///
/// `name` is the `file` of problems, and their `line` is the place in `items`, from 1.
///
/// # Errors
/// [`Error::Input`] with the problems of all items. Clashes with other signups are the store's to
/// find, so they are reported once nothing else is wrong. [`Error::Store`] as it comes. In every
/// case nothing was accepted, but where the answer of a store behind a network was lost.
pub async fn accept(
    items: &[Value],
    name: &str,
    mut about: About,
    desk: &Desk,
    store: &dyn Intake,
) -> Result<Taken, Error> {
    let mut made = Made {
        desk,
        name,
        trace: about.trace,
        chunks: Vec::with_capacity(items.len().div_ceil(CHUNK)),
        recipes: Vec::new(),
        ids: Vec::with_capacity(items.len()),
        problems: Problems::default(),
    };
    for (at, chunk) in items.chunks(CHUNK).enumerate() {
        if at > 0 {
            tokio::task::yield_now().await;
        }
        made.check(at * CHUNK, chunk);
    }
    if !made.problems.is_empty() {
        return Err(made.problems.into());
    }
    if items.is_empty() {
        return Ok(Taken {
            report: Report::default(),
            ids: made.ids,
        });
    }
    let mut batch = store.begin().await?;
    if let Some(source) = about.described() {
        batch.describe(&source);
    }
    for recipe in made.recipes {
        batch.add_recipe(&recipe.digest, &recipe.text).await?;
    }
    for chunk in made.chunks {
        batch.add(chunk).await?;
    }
    Ok(Taken {
        report: settle(batch.commit().await?, Names::List(name))?,
        ids: made.ids,
    })
}

/// What was made of the items so far.
struct Made<'d> {
    desk: &'d Desk,
    name: &'d str,
    trace: Option<TraceContext>,
    chunks: Vec<Vec<Candidate>>,
    recipes: Vec<&'d KeptRecipe>,
    ids: Vec<(OnboardingId, Key)>,
    problems: Problems,
}

impl Made<'_> {
    /// Checks a chunk, of which the first stands after `before` others.
    fn check(&mut self, before: usize, items: &[Value]) {
        let mut candidates = Candidates::new(self.desk, self.trace);
        let mut chunk = Vec::with_capacity(items.len());
        for (line, item) in (before as u64 + 1..).zip(items) {
            let checked = Checked::new(&RawSignup::from_json(item), self.desk);
            let checked = match checked {
                Ok(checked) => checked,
                Err(found) => {
                    for problem in found {
                        self.problems.add(self.name, line, problem);
                    }
                    continue;
                }
            };
            if !self.problems.is_empty() {
                continue;
            }
            let (candidate, recipe) = candidates.make(Origin { file: 0, line }, checked);
            // Another chunk may have had it.
            let known = |new: &&KeptRecipe| self.recipes.iter().any(|own| own.digest == new.digest);
            self.recipes.extend(recipe.filter(|new| !known(new)));
            self.ids.push((candidate.new.id, candidate.new.key.clone()));
            chunk.push(candidate);
        }
        self.chunks.push(chunk);
    }
}
