//! The table of onboardings.

use askama::Template;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use onboarding::{AccountName, Key, OnboardingId, PartnerName, State as Stands};
use records::Parked;
use serde::Deserialize;
use store::{BatchNumber, Cursor, Filter};

use crate::{
    failure::{Failure, html},
    link::{self, Address},
    shell::{Section, Shell},
    site::Site,
    view::{onboarding::Row, parts::label},
    visitor::Visitor,
};

/// Rows of a page.
const ROWS: usize = 50;

/// Most accounts that are suggested.
const SUGGESTED: usize = 500;

/// What was asked for, as it was written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    state: String,
    partner: String,
    account: String,
    batch: String,
    after: String,
}

impl Asked {
    fn any(&self) -> bool {
        [
            &self.q,
            &self.state,
            &self.partner,
            &self.account,
            &self.batch,
        ]
        .iter()
        .any(|own| !own.is_empty())
    }

    /// The same page with another beginning.
    fn link(&self, after: &str) -> String {
        Address::of("/onboardings")
            .with("q", &self.q)
            .with("state", &self.state)
            .with("partner", &self.partner)
            .with("account", &self.account)
            .with("batch", &self.batch)
            .with("after", after)
            .end()
    }

    fn trim(&mut self) {
        for own in [
            &mut self.q,
            &mut self.state,
            &mut self.partner,
            &mut self.account,
            &mut self.batch,
        ] {
            let trimmed = own.trim();
            if trimmed.len() != own.len() {
                *own = trimmed.to_owned();
            }
        }
    }

    /// The filter, and what is wrong with it. What is wrong filters nothing.
    fn filter(&self) -> (Filter, Vec<String>) {
        let mut problems = Vec::new();
        let filter = Filter {
            state: read(&self.state, &mut problems),
            partner: read::<PartnerName, _>(&self.partner, &mut problems),
            account: read::<AccountName, _>(&self.account, &mut problems),
            batch: match self.batch.as_str() {
                "" => None,
                text => match text.parse() {
                    Ok(number) => Some(BatchNumber(number)),
                    Err(_) => {
                        problems.push(
                            "A batch is a number, as the page of batches shows it.".to_owned(),
                        );
                        None
                    }
                },
            },
        };
        (filter, problems)
    }
}

fn read<T, E>(text: &str, problems: &mut Vec<String>) -> Option<T>
where
    T: std::str::FromStr<Err = E>,
    E: std::fmt::Display,
{
    if text.is_empty() {
        return None;
    }
    text.parse()
        .map_err(|error: E| problems.push(error.to_string()))
        .ok()
}

/// One of a list to choose from.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "onboardings.html")]
struct Page {
    shell: Shell,
    filter: Asked,
    states: Vec<Choice>,
    partners: Vec<Choice>,
    accounts: Vec<String>,
    problems: Vec<String>,
    missing: Option<String>,
    rows: Vec<Row>,
    first_page: bool,
    first: String,
    next: Option<String>,
}

/// The page. An id or a key leads to its onboarding.
pub(super) async fn page(
    State(site): State<Site>,
    visitor: Visitor,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let mut asked = asked.map(|asked| asked.0).unwrap_or_default();
    asked.trim();
    let store = site.app.store();
    let missing = if asked.q.is_empty() {
        None
    } else {
        let found = match id_of(&asked.q) {
            Some(id) => store.get(id).await?,
            None => None,
        };
        if let Some(own) = found {
            return Ok(Redirect::to(&link::onboarding(own.id)).into_response());
        }
        Some(asked.q.clone())
    };
    let (filter, problems) = asked.filter();
    let after = Some(Cursor(asked.after.clone())).filter(|after| !after.0.is_empty());
    let page = if missing.is_some() || !problems.is_empty() {
        store::Page::default()
    } else {
        store.list(&filter, after.as_ref(), ROWS).await?
    };
    let now = Timestamp::now();
    let parked = Parked::read(store.as_ref()).await?;
    let desk = site.app.directory().desk();
    let known = store.accounts().await?;
    let choice = |value: &str, label: &str, chosen: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        chosen: value == chosen,
    };
    let states = Stands::ALL
        .iter()
        .map(|own| choice(own.as_str(), label(*own), &asked.state));
    let partners = desk
        .book()
        .iter()
        .map(|own| choice(own.name.as_str(), &own.title, &asked.partner));
    Ok(html(&Page {
        shell: Shell::of(&visitor, Section::Onboardings, "Onboardings"),
        states: states.collect(),
        partners: partners.collect(),
        accounts: known
            .iter()
            .take(SUGGESTED)
            .map(|own| own.name.to_string())
            .collect(),
        problems,
        missing,
        rows: page
            .items
            .iter()
            .map(|own| Row::of(own, &parked, now))
            .collect(),
        first_page: after.is_none(),
        first: asked.link(""),
        next: page.next.map(|next| asked.link(&next.0)),
        filter: asked,
    }))
}

/// The onboarding that an id or a key names.
fn id_of(text: &str) -> Option<OnboardingId> {
    if let Ok(id) = text.parse::<OnboardingId>() {
        return Some(id);
    }
    text.parse::<Key>().ok().map(|key| OnboardingId::of(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            state: "failed".into(),
            account: "acme".into(),
            ..Asked::default()
        }
    }

    #[test]
    fn links_to_other_pages_keep_the_filters() {
        assert_eq!(
            asked().link("x=1"),
            "/onboardings?state=failed&account=acme&after=x%3D1"
        );
        assert_eq!(asked().link(""), "/onboardings?state=failed&account=acme");
    }

    #[test]
    fn a_filter_that_is_wrong_is_told_and_filters_nothing() {
        let (filter, problems) = asked().filter();
        assert_eq!(filter.state, Some(Stands::Failed));
        assert!(problems.is_empty());
        let wrong = Asked {
            state: "done".into(),
            account: "<script>".into(),
            batch: "seven".into(),
            ..Asked::default()
        };
        let (filter, problems) = wrong.filter();
        assert_eq!(filter, Filter::default());
        assert_eq!(problems.len(), 3);
    }
}
