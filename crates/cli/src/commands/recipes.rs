//! `trunkline recipes`.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use onboarding::{PartnerName, Recipe, builtin::RECIPES};
use serde::Serialize;

use crate::{
    args::{Recipes, RecipesCheck},
    error::{Error, Result},
    exit::Exit,
    output::{Output, counted, note},
    problem::Problem,
    recipe_files,
    settings::Settings,
};

/// Where `new` writes when no folder is named.
const DEFAULT_FOLDER: &str = "recipes";

/// Runs the command.
pub(crate) fn run(args: &Recipes, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let folder = settings.recipes.as_deref();
    match args {
        Recipes::List => list(folder, output),
        Recipes::Show(show) => self::show(&show.name, folder, output),
        Recipes::Check(check) => self::check(check, folder, output),
        Recipes::New(new) => write_new(&new.name, folder),
        Recipes::Schema => {
            let schema = Recipe::json_schema();
            if output.json() {
                output.json_line(&schema);
            } else {
                output.text(format_args!("{schema:#}\n"));
            }
            Ok(Exit::Done)
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "recipe")]
struct Listed<'r> {
    name: &'r PartnerName,
    title: &'r str,
    docs: Option<&'r str>,
    directions: Vec<&'static str>,
    default_direction: &'static str,
    inputs: Vec<ListedInput<'r>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "recipes_checked")]
struct RecipesChecked {
    total: u64,
}

#[derive(Serialize)]
struct ListedInput<'r> {
    name: &'r str,
    required: bool,
    description: &'r str,
}

fn list(folder: Option<&Path>, output: &mut Output) -> Result<Exit> {
    for recipe in recipe_files::book(folder)?.iter() {
        let directions: Vec<_> = recipe.directions.iter().map(|one| one.as_str()).collect();
        let inputs: Vec<ListedInput<'_>> = recipe
            .inputs
            .iter()
            .map(|(name, input)| ListedInput {
                name,
                required: input.required && input.default.is_none(),
                description: &input.description,
            })
            .collect();
        let asks: Vec<String> = inputs
            .iter()
            .map(|input| {
                let mark = if input.required { "" } else { "?" };
                format!("{}{mark}", input.name)
            })
            .collect();
        output.line(format_args!(
            "{:<12} {:<20} {:<22} {}",
            recipe.name.as_str(),
            recipe.title,
            directions.join(","),
            asks.join(" ")
        ));
        output.record(&Listed {
            name: &recipe.name,
            title: &recipe.title,
            docs: recipe.docs.as_deref(),
            directions,
            default_direction: recipe.default_direction.as_str(),
            inputs,
        });
    }
    Ok(Exit::Done)
}

fn show(name: &PartnerName, folder: Option<&Path>, output: &mut Output) -> Result<Exit> {
    let book = recipe_files::book(folder)?;
    let recipe = book
        .find(name)
        .map_err(|problem| Error::refused("NAME", problem.message))?;
    if output.json() {
        output.json_line(recipe);
        return Ok(Exit::Done);
    }
    let file = format!("{name}.toml");
    let own = folder
        .map(|folder| folder.join(&file))
        .filter(|path| path.is_file());
    let text = match own {
        Some(path) => crate::settings::read_text(&path)
            .map_err(|error| Error::failed(&path.display().to_string(), &error))?,
        None => RECIPES
            .iter()
            .find(|(known, _)| *known == file)
            .map(|(_, text)| (*text).to_owned())
            .unwrap_or_default(),
    };
    output.text(format_args!("{text}"));
    Ok(Exit::Done)
}

fn check(args: &RecipesCheck, folder: Option<&Path>, output: &mut Output) -> Result<Exit> {
    let mut problems = Vec::new();
    let mut checked = 0_u64;
    let mut take = |name: &str, read: Result<Recipe, Vec<Problem>>| {
        checked += 1;
        match read {
            Ok(recipe) => {
                for advice in recipe.lint() {
                    note(format_args!("{name}: advice: {advice}"));
                }
            }
            Err(found) => problems.extend(found),
        }
    };
    let mut files: Vec<PathBuf> = args.files.clone();
    if files.is_empty() {
        for (name, text) in RECIPES {
            let name = format!("built-in {name}");
            let read = Recipe::parse(text).map_err(|found| recipe_files::in_file(&name, found));
            take(&name, read);
        }
        if let Some(folder) = folder {
            files = recipe_files::files(folder)?;
        }
    }
    for file in &files {
        take(&file.display().to_string(), recipe_files::read(file));
    }
    if !problems.is_empty() {
        return Err(Error::Refused(problems));
    }
    output.line(format_args!(
        "{} checked, all usable",
        counted(checked, "recipe")
    ));
    output.record(&RecipesChecked { total: checked });
    Ok(Exit::Done)
}

fn write_new(name: &PartnerName, folder: Option<&Path>) -> Result<Exit> {
    let folder = folder.unwrap_or(Path::new(DEFAULT_FOLDER));
    let file = format!("{name}.toml");
    let path = folder.join(&file);
    if RECIPES.iter().any(|(known, _)| *known == file) {
        let message = format!(
            "there is a built-in recipe of that name; `trunkline recipes show {name} > {}` gives you its text to change",
            path.display()
        );
        return Err(Error::refused("NAME", message));
    }
    let refused = |error: std::io::Error| {
        let message = if error.kind() == ErrorKind::AlreadyExists {
            "the file is there already and is not overwritten; choose another name, or edit it"
                .to_owned()
        } else {
            format!("the recipe cannot be written ({error}); name another folder with --recipes")
        };
        Error::Refused(vec![Problem::at(
            path.display().to_string(),
            None,
            "",
            message,
        )])
    };
    std::fs::create_dir_all(folder).map_err(refused)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(Recipe::template(name).as_bytes()))
        .map_err(refused)?;
    note(format_args!(
        "wrote {0}; edit it, then: trunkline --recipes {1} recipes check {0}",
        path.display(),
        folder.display()
    ));
    Ok(Exit::Done)
}
