//! The recipes at hand: those that are compiled in, and those of a folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use onboarding::{Recipe, RecipeBook, RecipeProblem};

use crate::{
    error::{Result, refuse_if_any},
    problem::Problem,
    settings::read_text,
    unreadable::cannot_be_read,
};

/// Most recipes in a folder; a mistaken path may hold anything.
const FILES_MAX: usize = 1000;

/// Built-in recipes and those of `folder`, which win.
///
/// # Errors
/// Every problem of every file of the folder at once.
pub(crate) fn book(folder: Option<&Path>) -> Result<RecipeBook> {
    let mut book = RecipeBook::builtin();
    let Some(folder) = folder else {
        return Ok(book);
    };
    let mut problems = Vec::new();
    for file in files(folder)? {
        match read(&file) {
            Ok(recipe) => drop(book.add(recipe)),
            Err(found) => problems.extend(found),
        }
    }
    refuse_if_any(problems)?;
    Ok(book)
}

/// The recipe files of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    let name = folder.display().to_string();
    match list() {
        Ok(files) if files.len() <= FILES_MAX => Ok(files),
        Ok(files) => {
            let message = format!(
                "the folder has {} recipes, more than {FILES_MAX}; name the right folder",
                files.len()
            );
            refuse_if_any(vec![Problem::at(name, None, "--recipes", message)]).map(|()| files)
        }
        Err(error) => {
            let why = cannot_be_read(folder, &error, "correct the path");
            let message = format!("the folder of recipes {why}");
            refuse_if_any(vec![Problem::at(name, None, "--recipes", message)]).map(|()| Vec::new())
        }
    }
}

/// The recipe in a file.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(file: &Path) -> Result<Recipe, Vec<Problem>> {
    let name = file.display().to_string();
    let text = read_text(file).map_err(|error| {
        let why = cannot_be_read(file, &error, "correct the path");
        let message = format!("the recipe {why}");
        vec![Problem::at(&name, None, "", message)]
    })?;
    let recipe = Recipe::parse(&text).map_err(|found| in_file(&name, found))?;
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if stem != recipe.name.as_str() {
        let message = format!(
            "the file of the recipe \"{0}\" is called {0}.toml; rename one of the two",
            recipe.name
        );
        return Err(vec![Problem::at(&name, None, "name", message)]);
    }
    Ok(recipe)
}

/// A recipe's problems with the file they are in.
pub(crate) fn in_file(name: &str, found: Vec<RecipeProblem>) -> Vec<Problem> {
    found
        .into_iter()
        .map(|problem| {
            let line = u64::try_from(problem.line).ok().filter(|line| *line > 0);
            Problem::at(name, line, problem.field, problem.message)
        })
        .collect()
}
