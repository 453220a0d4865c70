//! The recipes that are compiled in.

use crate::recipe::Recipe;

/// Name and text of every file of the `recipes/` folder, by name; `build.rs` lists them.
pub const RECIPES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/recipes.rs"));

/// All of them, read. A test sees to it that every one can be.
pub fn recipes() -> impl Iterator<Item = Recipe> {
    RECIPES
        .iter()
        .filter_map(|(_, text)| Recipe::parse(text).ok())
}
