//! Recipes: listed, shown, checked, begun.

use crate::home::{Home, mode};

#[test]
fn the_built_in_recipes_are_listed_shown_and_usable() {
    let home = Home::new();
    let list = home
        .run(&["--json", "recipes", "list"])
        .ends(0)
        .of_type("recipe");
    assert!(list.len() >= 11, "{}", list.len());
    for recipe in &list {
        let name = recipe["name"].as_str().unwrap();
        let text = home.run(&["recipes", "show", name]).ends(0).stdout;
        assert!(text.contains(&format!("name = \"{name}\"")), "{name}");
    }
    home.run(&["recipes", "check"]).ends(0);
    let ran = home.run(&["recipes", "show", "livekid"]).ends(2);
    assert!(ran.stderr.contains("livekit"), "{}", ran.stderr);
}

#[test]
fn a_new_recipe_passes_the_check_and_is_never_overwritten() {
    let home = Home::new();
    home.run(&["recipes", "new", "umbrella"]).ends(0);
    let text = home.read("recipes/umbrella.toml");
    assert_eq!(mode(&home.path("recipes/umbrella.toml")) & 0o600, 0o600);
    home.run(&["recipes", "check", "recipes/umbrella.toml"])
        .ends(0);
    let ran = home.run(&["recipes", "new", "umbrella"]).ends(2);
    assert!(ran.stderr.contains("not overwritten"), "{}", ran.stderr);
    assert_eq!(home.read("recipes/umbrella.toml"), text);
    let ran = home
        .run(&["--recipes", "recipes", "--json", "recipes", "list"])
        .ends(0);
    assert!(ran.records().iter().any(|it| it["name"] == "umbrella"));
    home.run(&["--recipes", "own", "recipes", "new", "initech"])
        .ends(0);
    assert!(home.path("own/initech.toml").exists());
    home.run(&["recipes", "new", "Not A Name"]).ends(2);
}

#[test]
fn every_problem_of_every_recipe_is_told_with_file_and_line() {
    let home = Home::new();
    std::fs::create_dir(home.path("recipes")).unwrap();
    home.run(&["recipes", "new", "good"]).ends(0);
    let good = home.read("recipes/good.toml");
    home.write("recipes/other.toml", &good).write(
        "recipes/bad.toml",
        "schema = 1\nname = \"bad\"\ncolour = 1\ntitle = 7\n",
    );
    let ran = home
        .run(&["--recipes", "recipes", "--json", "recipes", "check"])
        .ends(2);
    let problems = ran.of_type("problem");
    let of = |file: &str| problems.iter().filter(|it| it["file"] == file).count();
    assert!(of("recipes/bad.toml") >= 2, "{}", ran.stdout);
    assert_eq!(of("recipes/other.toml"), 1, "its name is another");
    assert!(
        ran.stderr.contains("recipes/bad.toml:3: colour"),
        "{}",
        ran.stderr
    );
    home.run(&["--recipes", "nowhere", "recipes", "list"])
        .ends(2);
}

#[test]
fn the_schema_is_one_of_json_schema() {
    let home = Home::new();
    for args in [&["recipes", "schema"][..], &["--json", "recipes", "schema"]] {
        let schema: serde_json::Value =
            serde_json::from_str(&home.run(args).ends(0).stdout).unwrap();
        assert!(schema["$schema"].is_string());
        assert!(schema["properties"]["directions"].is_object());
    }
}

#[test]
fn a_new_recipe_does_not_take_the_name_of_a_built_in_one() {
    let home = Home::new();
    let ran = home.run(&["recipes", "new", "livekit"]).ends(2);
    let remedy = "`trunkline recipes show livekit > recipes/livekit.toml`";
    assert!(ran.stderr.contains(remedy), "{}", ran.stderr);
    assert_eq!(home.files(), Vec::<String>::new());
}
