//! What is said of a recipe that can be used and could be better, and of one that is no recipe.

use onboarding::Recipe;

/// The recipe that the tests take things out of.
const GOOD: &str = include_str!("data/good_recipe.toml");

#[test]
fn advice_names_what_is_unused_or_missing() {
    let text = GOOD
        .replace("docs = \"https://docs.acme.example/sip\"\n", "")
        .replace("{tenant}.{host}", "sip.acme.example")
        .replace("when = { region = [\"eu\"] }\n", "")
        .replace("example = \"tenant\"\n", "");
    let advice = Recipe::parse(&text).unwrap().lint().join("\n");
    for part in [
        "docs is missing",
        "inputs.tenant is asked for and never used",
        "inputs.region is asked for and never used",
        "tables.host is never used",
        "inputs.tenant has no example",
        "no todo applies to outbound",
    ] {
        assert!(advice.contains(part), "{part}\n{advice}");
    }
}

#[test]
fn a_file_of_unreasonable_size_is_refused_before_it_is_read() {
    let text = format!("{GOOD}# {}", "x".repeat(300_000));
    assert!(
        Recipe::parse(&text).unwrap_err()[0]
            .message
            .contains("bytes")
    );
    let nested = format!("schema = {}1", "[".repeat(100_000));
    assert!(Recipe::parse(&nested).is_err());
}
