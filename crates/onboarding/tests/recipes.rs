//! Every built-in recipe reads, lints clean, and plans in every direction it supports.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use onboarding::{
    Direction, InputValue, Recipe, RecipeBook, Signup, builtin::RECIPES, input::InputKind, prepare,
};

fn read(name: &str, text: &str) -> Recipe {
    match Recipe::parse(text) {
        Ok(recipe) => recipe,
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{name}:\n{}", all.join("\n"));
        }
    }
}

/// A signup that gives every input that `direction` uses its example.
fn signup(recipe: &Recipe, direction: Direction) -> Signup {
    let inputs: BTreeMap<_, _> = recipe
        .inputs
        .iter()
        .filter(|(_, input)| input.used_in(direction))
        .filter_map(|(name, input)| Some((name.clone(), input.example.clone()?)))
        .map(|(name, example)| (name, InputValue::Text(example)))
        .collect();
    Signup {
        account: "acme".parse().expect("a name"),
        partner: recipe.name.clone(),
        number: "+918000000001".parse().expect("a number"),
        key: None,
        direction: Some(direction),
        mode: None,
        trunk_name: None,
        user_name: None,
        caller_id: None,
        inputs,
    }
}

#[test]
fn every_recipe_file_is_compiled_in_under_its_own_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    files.sort();
    let compiled: Vec<&str> = RECIPES.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, compiled);
    for (file, text) in RECIPES {
        let recipe = read(file, text);
        assert_eq!(format!("{}.toml", recipe.name), *file);
    }
    let book = RecipeBook::builtin();
    assert_eq!(book.iter().count(), RECIPES.len());
}

#[test]
fn every_recipe_lints_clean_and_its_prefix_is_its_own() {
    let mut prefixes = BTreeMap::new();
    for (file, text) in RECIPES {
        let recipe = read(file, text);
        assert_eq!(recipe.lint(), Vec::<String>::new(), "{file}");
        let other = prefixes.insert(recipe.prefix.to_string(), *file);
        assert_eq!(other, None, "{file}");
    }
}

#[test]
fn every_recipe_plans_in_every_direction_as_on_record() {
    let mut text = String::new();
    for (file, source) in RECIPES {
        let recipe = read(file, source);
        for direction in &recipe.directions {
            let accepted = prepare(&recipe, signup(&recipe, *direction))
                .unwrap_or_else(|problems| panic!("{file} {direction}: {problems:?}"));
            writeln!(text, "{} {direction}", recipe.name).unwrap();
            for step in &accepted.plan.steps {
                writeln!(text, "  {}", serde_json::to_string(step).unwrap()).unwrap();
            }
            for warning in &accepted.plan.warnings {
                writeln!(text, "  warning: {warning}").unwrap();
            }
        }
    }
    golden("plans.txt", &text);
}

/// Compares with the file on record; `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("the golden file is writable");
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == text,
        "{} differs; if that is meant, run with UPDATE_GOLDEN=1\n{text}",
        path.display()
    );
}

#[test]
fn a_stored_recipe_reads_back_with_the_same_content_and_digest() {
    for (file, text) in RECIPES {
        let recipe = read(file, text);
        let json = recipe.to_canonical_json();
        let back = Recipe::from_canonical_json(&json).unwrap();
        assert_eq!(back, recipe, "{file}");
        assert_eq!(back.to_canonical_json(), json, "{file}");
        assert_eq!(back.digest(), recipe.digest(), "{file}");
        let digest = recipe.digest().to_string();
        assert_eq!(
            digest.parse::<onboarding::RecipeDigest>().unwrap(),
            recipe.digest()
        );
    }
    assert!(Recipe::from_canonical_json("{}").is_err());
}

#[test]
fn the_file_for_a_new_recipe_reads_and_lints_clean() {
    for name in ["acme", "a", "x-1", "my_partner"] {
        let text = Recipe::template(&name.parse().unwrap());
        let recipe = read(name, &text);
        assert_eq!(recipe.name.as_str(), name);
        assert_eq!(recipe.lint(), Vec::<String>::new());
    }
}

#[test]
fn no_beginning_of_a_recipe_makes_the_reader_panic() {
    for (_, text) in RECIPES {
        for end in (0..text.len())
            .filter(|end| text.is_char_boundary(*end))
            .step_by(3)
        {
            if let Err(problems) = Recipe::parse(&text[..end]) {
                assert!(!problems.is_empty());
                let lines = text[..end].lines().count() + 1;
                assert!(problems.iter().all(|p| (1..=lines).contains(&p.line)));
            }
        }
    }
}

#[test]
fn every_input_is_named_described_and_shown() {
    for (file, text) in RECIPES {
        for (name, input) in &read(file, text).inputs {
            assert!(input.description.len() > 20, "{file} {name}");
            assert!(
                input.example.is_some() || input.kind == InputKind::Choice,
                "{file} {name}"
            );
        }
    }
}
