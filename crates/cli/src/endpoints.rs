//! Who is told of onboardings, as `serve` delivers to them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use onboarding::Secret;
use telemetry::{DeliveryOutcome, Metrics};
use webhook::{Endpoint, Event, Observer, Outgoing, Pace};

use crate::{
    error::{Error, Result, refuse_if_any},
    problem::Problem,
    serving::keys,
    settings::{endpoints, tables::Tables},
};

/// The endpoints of the settings file.
///
/// # Errors
/// Every secret that is not where the file says or is none, and every URL that nothing may be sent
/// to, at once. No URL is in it.
pub(crate) fn outgoing(tables: &Tables) -> Result<Outgoing> {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for own in &tables.endpoints {
        all.extend(endpoint(own, &tables.file, &mut problems));
    }
    refuse_if_any(problems)?;
    Outgoing::new(all, Pace::default()).map_err(|error| {
        if matches!(error, webhook::Error::Settings(_)) {
            Error::refused("endpoints", error.to_string())
        } else {
            Error::failed("messages to endpoints", &error)
        }
    })
}

fn endpoint(
    own: &endpoints::Endpoint,
    file: &str,
    problems: &mut Vec<Problem>,
) -> Option<Endpoint> {
    let field = format!("endpoints.{}", own.name);
    let keys = keys(&own.secrets, &field, file, problems);
    let url = match &own.url {
        endpoints::Url::Plain(text) => Ok(Secret::new(text.clone())),
        endpoints::Url::Kept(placed) => placed.source.load(),
    };
    let url = url
        .map_err(|message| {
            let field = format!("{field}.url");
            problems.push(Problem::at(file, Some(own.url_line), field, message));
        })
        .ok();
    let events: BTreeSet<Event> = Event::ALL
        .into_iter()
        .filter(|event| own.events.contains(&event.as_str()))
        .collect();
    match Endpoint::new(&own.name, &url?, keys?, events, own.allow_private) {
        Ok(endpoint) => Some(endpoint.accepting_redirects(own.accept_redirects)),
        Err(webhook::Error::Settings(found)) => {
            problems.extend(found.into_iter().map(|problem| {
                let field = format!("{field}.{}", problem.field);
                Problem::at(file, Some(own.url_line), field, problem.message)
            }));
            None
        }
        Err(error) => {
            problems.push(Problem::at(file, None, field, error.to_string()));
            None
        }
    }
}

/// Counts what becomes of deliveries.
pub(crate) struct Counting(pub(crate) Arc<Metrics>);

impl Observer for Counting {
    fn delivered(&self, _endpoint: &str, took: Duration) {
        self.0.delivery(DeliveryOutcome::Delivered, took);
    }

    fn failed(&self, _endpoint: &str, took: Duration) {
        self.0.delivery(DeliveryOutcome::Again, took);
    }

    fn given_up(&self, _endpoint: &str, took: Duration) {
        self.0.delivery(DeliveryOutcome::GivenUp, took);
    }
}
