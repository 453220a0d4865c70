//! Recipes.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use onboarding::PartnerName;

use crate::{
    failure::{Failure, html},
    shell::{Section, Shell},
    site::Site,
    view::recipe::{RecipeRow, RecipeView},
    visitor::Visitor,
};

#[derive(Template)]
#[template(path = "recipes.html")]
struct Page {
    shell: Shell,
    recipes: Vec<RecipeRow>,
}

/// All of them.
pub(super) async fn page(State(site): State<Site>, visitor: Visitor) -> Response {
    let desk = site.app.directory().desk();
    html(&Page {
        shell: Shell::of(&visitor, Section::Recipes, "Recipes").still(),
        recipes: desk.book().iter().map(RecipeRow::of).collect(),
    })
}

#[derive(Template)]
#[template(path = "recipe.html")]
struct One {
    shell: Shell,
    own: RecipeView,
}

/// One of them.
pub(super) async fn one(
    State(site): State<Site>,
    visitor: Visitor,
    Path(partner): Path<String>,
) -> Result<Response, Failure> {
    let desk = site.app.directory().desk();
    let partner: Option<PartnerName> = partner.parse().ok();
    let recipe = partner.and_then(|partner| desk.book().get(&partner));
    let Some(recipe) = recipe else {
        return Err(Failure::not_found("There is no recipe of this partner.")
            .back_to("/recipes", "To all recipes"));
    };
    Ok(html(&One {
        shell: Shell::of(&visitor, Section::Recipes, recipe.title.clone()).still(),
        own: RecipeView::of(recipe),
    }))
}
