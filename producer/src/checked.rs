//! One signup, checked against everything but the store.

use onboarding::{Accepted, Problem, RawSignup, RecipeBook, Signup, prepare};

use crate::desk::Desk;

/// A signup that its recipe takes.
pub(crate) struct Checked {
    /// As the recipe makes it.
    pub(crate) accepted: Accepted,
    /// As it was given, in canonical JSON; see [`canonical`].
    pub(crate) content: String,
}

impl Checked {
    /// Checks `raw`.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn new(raw: &RawSignup<'_>, desk: &Desk) -> Result<Self, Vec<Problem>> {
        let book = desk.book();
        let account = raw
            .account()
            .map_or(Ok(()), |account| desk.accounts().check(&account));
        let made = match raw.check() {
            Ok(given) => Self::prepared(given, book),
            Err(own) => Err(book.accept(raw).err().unwrap_or(own)),
        };
        match (account, made) {
            (Ok(()), made) => made.map_err(|mut problems| {
                desk.accounts().hint(raw.text("account"), &mut problems);
                problems
            }),
            (Err(problem), Ok(_)) => Err(vec![problem]),
            (Err(problem), Err(mut problems)) => {
                problems.insert(0, problem);
                Err(problems)
            }
        }
    }

    fn prepared(given: Signup, book: &RecipeBook) -> Result<Self, Vec<Problem>> {
        let recipe = book.find(&given.partner).map_err(|problem| vec![problem])?;
        let accepted = prepare(recipe, given.clone())?;
        let content = canonical(given, &accepted);
        Ok(Self { accepted, content })
    }
}

/// What two signups with the same key have to agree in, as text.
///
/// Without the key, which may be written down or follow from the rest. Without the recipe's
/// defaults, so that the same row stays the same when they change. Inputs in their normal form,
/// so that a list is the same in CSV and JSON.
fn canonical(mut given: Signup, accepted: &Accepted) -> String {
    given.key = None;
    for (name, value) in &mut given.inputs {
        if let Some(normal) = accepted.signup.inputs.get(name) {
            value.clone_from(normal);
        }
    }
    // Plain data with text keys: there is nothing in it that could fail.
    serde_json::to_string(&given).unwrap_or_default()
}
