//! Recipes: what a partner needs.

use onboarding::{
    Direction, Recipe,
    builtin::RECIPES,
    input::{Input, InputKind},
    recipe::{Auth, Todo},
};

use crate::view::parts::{Fact, Prose, Value, is_web_address};

/// A recipe in the table of all.
#[derive(Debug)]
pub(crate) struct RecipeRow {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) directions: String,
    pub(crate) inputs: Vec<InputName>,
    pub(crate) auth: &'static str,
}

/// An input in a word.
#[derive(Debug)]
pub(crate) struct InputName {
    pub(crate) name: String,
    pub(crate) required: bool,
}

/// A recipe, whole.
#[derive(Debug)]
pub(crate) struct RecipeView {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) docs: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) steps: Vec<StepText>,
    pub(crate) inputs: Vec<InputView>,
    pub(crate) todo: Vec<TodoText>,
    /// The file, with the sources of its values as comments, where it is compiled in.
    pub(crate) text: Option<&'static str>,
}

/// A step that onboardings of this recipe have.
#[derive(Debug)]
pub(crate) struct StepText {
    pub(crate) title: &'static str,
    pub(crate) when: &'static str,
    pub(crate) detail: String,
}

/// An input.
#[derive(Debug)]
pub(crate) struct InputView {
    pub(crate) column: String,
    pub(crate) required: bool,
    pub(crate) only: Option<String>,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) example: Option<String>,
    pub(crate) default: Option<String>,
}

/// One thing for a person to do, before it is filled in.
#[derive(Debug)]
pub(crate) struct TodoText {
    pub(crate) title: String,
    pub(crate) detail: Prose,
    pub(crate) url: Option<String>,
    pub(crate) only: Option<String>,
}

fn list(directions: &[Direction]) -> String {
    let names: Vec<&str> = directions.iter().map(|own| own.as_str()).collect();
    names.join(", ")
}

fn is_required(input: &Input) -> bool {
    input.required && input.default.is_none()
}

fn auth(recipe: &Recipe) -> &'static str {
    match recipe.outbound.as_ref().map(|outbound| outbound.auth) {
        Some(Auth::Digest) => "user name and password",
        Some(Auth::Acl) => "its addresses",
        None => "nothing: it does not call out",
    }
}

impl RecipeRow {
    /// Of a recipe.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        let inputs = recipe.inputs.iter().map(|(name, input)| InputName {
            name: name.clone(),
            required: is_required(input),
        });
        Self {
            name: recipe.name.to_string(),
            title: recipe.title.clone(),
            directions: list(&recipe.directions),
            inputs: inputs.collect(),
            auth: auth(recipe),
        }
    }
}

impl RecipeView {
    /// Of a recipe.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        let inputs = recipe.inputs.iter();
        Self {
            name: recipe.name.to_string(),
            title: recipe.title.clone(),
            docs: recipe.docs.clone().filter(|docs| is_web_address(docs)),
            facts: facts(recipe),
            steps: steps(recipe),
            inputs: inputs.map(|(name, input)| view(name, input)).collect(),
            todo: recipe.todo.iter().map(todo).collect(),
            text: text(recipe),
        }
    }
}

fn facts(recipe: &Recipe) -> Vec<Fact> {
    let mode = recipe.mode.map(|mode| Fact::text("Mode", mode));
    let mut facts = vec![
        Fact::text("Directions", list(&recipe.directions)),
        Fact::text("Unless a signup says", recipe.default_direction),
        Fact::text("Signs in with", auth(recipe)),
        Fact {
            name: "Names begin with".to_owned(),
            value: Value::Text(format!("{}_", recipe.prefix)),
        },
    ];
    facts.extend(mode);
    facts
}

/// Every step that there may be, in the order of plans.
fn steps(recipe: &Recipe) -> Vec<StepText> {
    let mut steps = vec![
        StepText {
            title: "Create the trunk",
            when: "always",
            detail: "Under the signup's name for it, or one derived from its key.".to_owned(),
        },
        StepText {
            title: "Map the number",
            when: "always",
            detail: "The signup's number goes to the trunk.".to_owned(),
        },
    ];
    let addresses = |list: &[onboarding::template::Template]| {
        let own: Vec<&str> = list.iter().map(|own| own.source()).collect();
        own.join(", ")
    };
    let mut allow = |list: &[onboarding::template::Template], when| {
        if !list.is_empty() {
            steps.push(StepText {
                title: "Allow addresses",
                when,
                detail: format!("{}; one request each.", addresses(list)),
            });
        }
    };
    if let Some(outbound) = &recipe.outbound {
        allow(&outbound.whitelist, "outbound");
    }
    if let Some(inbound) = &recipe.inbound {
        allow(&inbound.whitelist, "inbound");
    }
    let digest = recipe
        .outbound
        .as_ref()
        .filter(|own| own.auth == Auth::Digest);
    if digest.is_some() {
        steps.push(StepText {
            title: "Create credentials",
            when: "outbound",
            detail: "A user name, and a password that is made once and kept sealed.".to_owned(),
        });
    }
    if let Some(inbound) = &recipe.inbound {
        steps.push(StepText {
            title: "Map the destination",
            when: if inbound.optional {
                "inbound, where its inputs are given"
            } else {
                "inbound"
            },
            detail: inbound.destination.source().to_owned(),
        });
    }
    steps.push(StepText {
        title: "Set the caller id",
        when: "where the signup names one",
        detail: "The number that called people see.".to_owned(),
    });
    if recipe.verify {
        steps.push(StepText {
            title: "Compare with Exotel",
            when: "always",
            detail: "Reads back all of the above.".to_owned(),
        });
    }
    steps
}

fn view(name: &str, input: &Input) -> InputView {
    let kind = match input.kind {
        InputKind::Choice => format!("one of {}", input.values.join(", ")),
        InputKind::Text => "text".to_owned(),
        InputKind::HostName => "host name".to_owned(),
        InputKind::SipDestination => "host:port;transport=tls or tcp".to_owned(),
        InputKind::Ipv4 => "public IPv4 address".to_owned(),
        InputKind::Ipv4List => "public IPv4 addresses".to_owned(),
    };
    InputView {
        // As a column of a CSV names it; the addresses have a field of their own in signups.
        column: format!("inputs.{name}"),
        required: is_required(input),
        only: only(&input.directions),
        kind,
        description: input.description.clone(),
        example: input.example.clone(),
        default: input.default.clone(),
    }
}

fn only(directions: &[Direction]) -> Option<String> {
    (!directions.is_empty()).then(|| format!("only {}", list(directions)))
}

fn todo(todo: &Todo) -> TodoText {
    let url = todo.url.as_ref().map(|url| url.source().to_owned());
    TodoText {
        title: todo.title.source().to_owned(),
        detail: Prose(todo.detail.source().trim().to_owned()),
        url: url.filter(|url| is_web_address(url) && !url.contains('{')),
        only: only(&todo.directions),
    }
}

/// The file of a recipe that is compiled in and not overridden.
fn text(recipe: &Recipe) -> Option<&'static str> {
    let file = format!("{}.toml", recipe.name);
    let (_, text) = RECIPES.iter().find(|(name, _)| *name == file)?;
    let same = Recipe::parse(text).is_ok_and(|own| own == *recipe);
    same.then_some(text)
}

#[cfg(test)]
mod tests {
    use onboarding::RecipeBook;

    use super::*;

    #[test]
    fn every_built_in_recipe_is_shown_with_its_sources() {
        for recipe in RecipeBook::builtin().iter() {
            let view = RecipeView::of(recipe);
            assert!(
                view.text.is_some_and(|text| text.contains('#')),
                "{}",
                view.name
            );
            assert!(view.steps.len() >= 3, "{}", view.name);
        }
    }

    #[test]
    fn a_recipe_that_overrides_a_built_in_one_does_not_show_the_other_ones_file() {
        let book = RecipeBook::builtin();
        let mut own = book.get(&"livekit".parse().unwrap()).unwrap().clone();
        own.title = "Another".to_owned();
        assert_eq!(RecipeView::of(&own).text, None);
    }
}
