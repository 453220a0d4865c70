//! Recipes: what signups may ask for.

use axum::{extract::State, response::Response};
use http::Uri;
use onboarding::{Direction, PartnerName, Recipe, input::Input};
use serde::Serialize;

use super::{
    answer::{self, All},
    params::Params,
    schema,
};
use crate::{App, Problem};

#[derive(Serialize)]
#[serde(tag = "type", rename = "recipe")]
struct Listed<'r> {
    name: &'r PartnerName,
    title: &'r str,
    docs: Option<&'r str>,
    directions: &'r [Direction],
    default_direction: Direction,
    inputs: Vec<ListedInput<'r>>,
}

#[derive(Serialize)]
struct ListedInput<'r> {
    name: &'r str,
    required: bool,
    description: &'r str,
}

impl<'r> Listed<'r> {
    fn of(recipe: &'r Recipe) -> Self {
        let input = |(name, input): (&'r String, &'r Input)| ListedInput {
            name,
            required: input.required && input.default.is_none(),
            description: &input.description,
        };
        Self {
            name: &recipe.name,
            title: &recipe.title,
            docs: recipe.docs.as_deref(),
            directions: &recipe.directions,
            default_direction: recipe.default_direction,
            inputs: recipe.inputs.iter().map(input).collect(),
        }
    }
}

/// Lists the recipes, and what each asks of a signup.
#[utoipa::path(
    get, path = "/v1/recipes", operation_id = "list_recipes", tag = "recipes",
    responses((status = 200, description = "All of them, by name", body = schema::RecipeList)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let desk = app.directory().desk();
    Ok(answer::ok(&All {
        items: desk.book().iter().map(Listed::of).collect(),
    }))
}
