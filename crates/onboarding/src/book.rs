//! The recipes at hand, by partner.

use std::collections::BTreeMap;

use crate::{
    build::{Accepted, prepare, settle_inputs},
    builtin,
    id::PartnerName,
    nearest,
    problem::Problem,
    recipe::Recipe,
    signup::RawSignup,
};

/// The recipes at hand, by partner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipeBook(BTreeMap<PartnerName, Recipe>);

impl RecipeBook {
    /// No recipes.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The recipes that are compiled in.
    #[must_use]
    pub fn builtin() -> Self {
        let mut book = Self::default();
        for recipe in builtin::recipes() {
            book.add(recipe);
        }
        book
    }

    /// Adds a recipe; gives back the one of the same name that it replaces.
    pub fn add(&mut self, recipe: Recipe) -> Option<Recipe> {
        self.0.insert(recipe.name.clone(), recipe)
    }

    /// The recipe of `partner`.
    #[must_use]
    pub fn get(&self, partner: &PartnerName) -> Option<&Recipe> {
        self.0.get(partner)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Recipe> {
        self.0.values()
    }

    /// The recipe of `partner`.
    ///
    /// # Errors
    /// That there is none, naming those there are.
    pub fn find(&self, partner: &PartnerName) -> Result<&Recipe, Problem> {
        self.get(partner).ok_or_else(|| {
            Problem::new(
                "partner",
                format!(
                    "there is no recipe for \"{partner}\"{}; there are {}, and `trunkline recipes new {partner}` begins another",
                    self.meant(partner.as_str()),
                    self.names()
                ),
            )
        })
    }

    /// That `given` is no partner's name, with the partner that seems to be meant, and those there are.
    fn no_name(&self, given: &str) -> Problem {
        let shown: String = given.escape_debug().take(40).collect();
        let message = format!(
            "\"{shown}\" is not a partner's name{}; there are {}, in small letters",
            self.meant(given),
            self.names()
        );
        Problem::new("partner", message)
    }

    /// The partner that seems to be meant, by its name or a word of its title.
    fn meant(&self, given: &str) -> String {
        let word = given.trim().to_lowercase();
        let titled = |recipe: &&Recipe| {
            let title = recipe.title.to_lowercase();
            let mut words = title.split(|c: char| !c.is_alphanumeric());
            word.len() >= 4 && words.any(|part| part == word)
        };
        match self.0.values().find(titled) {
            Some(recipe) => format!(" (did you mean {}?)", recipe.name),
            None => nearest::hint(given, self.0.keys().map(PartnerName::as_str)),
        }
    }

    fn names(&self) -> String {
        let known: Vec<&str> = self.0.keys().map(PartnerName::as_str).collect();
        known.join(", ")
    }

    /// Checks a signup against the format and its recipe, and makes its plan.
    ///
    /// # Errors
    /// Every problem at once: those of the recipe's inputs also where other fields are wrong.
    pub fn accept(&self, raw: &RawSignup<'_>) -> Result<Accepted, Vec<Problem>> {
        let mut problems = match raw.check() {
            Ok(signup) => {
                let recipe = self
                    .find(&signup.partner)
                    .map_err(|problem| vec![problem])?;
                return prepare(recipe, signup);
            }
            Err(problems) => problems,
        };
        let (partner, direction) = raw.partner_and_direction();
        if let (None, Some(given)) = (&partner, raw.text("partner")) {
            for problem in problems.iter_mut().filter(|p| p.field == "partner") {
                *problem = self.no_name(given);
            }
        }
        if let Some(partner) = partner {
            match self.find(&partner) {
                Ok(recipe) => {
                    let direction = direction.unwrap_or(recipe.default_direction);
                    let mut inputs = raw.inputs(&mut Vec::new());
                    let told = problems.len();
                    settle_inputs(recipe, direction, &mut inputs, &mut problems);
                    // What could not be read is there all the same: it is not missing as well.
                    let (own, more) = problems.split_at(told);
                    let more = more
                        .iter()
                        .filter(|p| own.iter().all(|own| own.field != p.field));
                    problems = own.iter().chain(more).cloned().collect();
                }
                Err(problem) => problems.push(problem),
            }
        }
        Err(problems)
    }
}
