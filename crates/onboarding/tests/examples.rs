//! The example files are good signups and show every partner in every direction.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::{collections::BTreeSet, fs, path::Path};

use onboarding::{Accepted, Columns, Direction, RawSignup, RecipeBook};

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    fs::read_to_string(path).expect("the example is there")
}

/// The file has no quotes and no commas in its cells, so that it reads without a CSV parser.
fn from_csv(text: &str) -> Vec<Accepted> {
    assert!(!text.contains('"'));
    let mut lines = text.lines();
    let columns =
        Columns::parse(lines.next().expect("a header").split(',')).expect("a good header");
    let book = RecipeBook::builtin();
    lines
        .enumerate()
        .map(|(at, line)| {
            assert_eq!(line.split(',').count(), columns.count(), "row {}", at + 2);
            let accepted = book.accept(&columns.row(line.split(',')));
            accepted.unwrap_or_else(|problems| panic!("row {}: {problems:?}", at + 2))
        })
        .collect()
}

#[test]
fn the_example_signups_cover_every_partner_direction_and_account() {
    let accepted = from_csv(&example("signups.csv"));
    assert!(accepted.len() >= 44, "{}", accepted.len());
    let shown: BTreeSet<_> = accepted
        .iter()
        .map(|a| (a.signup.partner.to_string(), a.direction))
        .collect();
    let supported: BTreeSet<_> = RecipeBook::builtin()
        .iter()
        .flat_map(|recipe| {
            let name = recipe.name.to_string();
            recipe
                .directions
                .iter()
                .map(move |d| (name.clone(), *d))
                .collect::<Vec<(String, Direction)>>()
        })
        .collect();
    assert_eq!(shown, supported);
    let accounts: BTreeSet<_> = accepted.iter().map(|a| a.signup.account.as_str()).collect();
    assert_eq!(
        accounts,
        BTreeSet::from(["acme", "globex", "initech", "umbrella"])
    );
    let numbers: BTreeSet<_> = accepted.iter().map(|a| &a.signup.number).collect();
    let ids: BTreeSet<_> = accepted.iter().map(|a| a.id).collect();
    assert_eq!((numbers.len(), ids.len()), (accepted.len(), accepted.len()));
    let keyed = accepted.iter().filter(|a| a.signup.key.is_some()).count();
    assert!(keyed > 10 && keyed < accepted.len() - 10, "{keyed}");
}

#[test]
fn the_example_json_lines_are_good_signups() {
    let book = RecipeBook::builtin();
    let text = example("signups.jsonl");
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let accepted = book.accept(&RawSignup::from_json(&value));
        assert!(accepted.is_ok(), "{line}: {accepted:?}");
    }
    assert!(text.lines().count() >= 3);
}
