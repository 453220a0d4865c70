//! Which onboardings are meant: by id or by key, or all of a kind.

use onboarding::{Key, OnboardingId, visible};
use store::{Cursor, Filter, Inspect, Onboarding};

use crate::{
    error::{Result, refuse_if_any},
    problem::Problem,
};

/// How many are read at once while going through all.
const PAGE: usize = 500;

/// The id that a person means: an id, or the key that it follows from.
pub(crate) fn id_of(text: &str) -> Result<OnboardingId, Problem> {
    if let Ok(id) = text.parse::<OnboardingId>() {
        return Ok(id);
    }
    if text.is_empty() {
        let message = "this is empty; write the id or the key of an onboarding, as `trunkline list` shows them";
        return Err(Problem::new("ID", message));
    }
    match visible::trim(text).parse::<Key>() {
        Ok(key) => Ok(OnboardingId::of(&key)),
        Err(error) => Err(Problem::new("ID", error.to_string())),
    }
}

/// The onboardings that `ids` name, each once.
///
/// # Errors
/// Every one that is not there, at once.
pub(crate) async fn all(store: &dyn Inspect, ids: &[String]) -> Result<Vec<Onboarding>> {
    let mut found: Vec<Onboarding> = Vec::with_capacity(ids.len());
    let mut problems = Vec::new();
    for text in ids {
        let id = match id_of(text) {
            Ok(id) => id,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if found.iter().any(|known| known.id == id) {
            continue;
        }
        match store.get(id).await? {
            Some(own) => found.push(own),
            None => problems.push(unknown(text)),
        }
    }
    refuse_if_any(problems)?;
    Ok(found)
}

fn unknown(text: &str) -> Problem {
    let shown: String = text.escape_debug().take(240).collect();
    Problem::new(
        "ID",
        format!(
            "there is no onboarding with the id or key \"{shown}\"; `trunkline list` shows those there are"
        ),
    )
}

/// Goes through all that a filter lets through, page by page.
pub(crate) struct Pages<'s> {
    store: &'s dyn Inspect,
    filter: Filter,
    after: Option<Cursor>,
    done: bool,
}

impl<'s> Pages<'s> {
    /// From the beginning.
    pub(crate) fn of(store: &'s dyn Inspect, filter: Filter) -> Self {
        Self {
            store,
            filter,
            after: None,
            done: false,
        }
    }

    /// The next page; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Onboarding>>> {
        if self.done {
            return Ok(None);
        }
        let page = self
            .store
            .list(&self.filter, self.after.as_ref(), PAGE)
            .await?;
        self.done = page.next.is_none();
        self.after = page.next;
        Ok(Some(page.items))
    }
}
