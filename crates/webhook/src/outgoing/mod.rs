//! News that go out: from what happened in the store to what endpoints were told.
//!
//! ```text
//! feed ──layout──▶ outbox ──sending──▶ a line per endpoint ──attempt──▶ receiver
//!        the mark          held for a while, so that a crash loses none
//! ```

mod attempt;
mod client;
mod endpoint;
mod event;
mod layout;
mod line;
mod mark;
mod message;
mod observer;
mod outage;
mod pace;
mod public;
mod sending;

use std::{collections::BTreeSet, sync::Arc};

use onboarding::Problem;
use store::Store;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use self::{
    client::Clients,
    layout::{Layout, Round},
    line::Line,
    outage::Outage,
    sending::Sending,
};
pub use self::{
    endpoint::Endpoint, event::Event, line::ENDPOINTS_MAX, observer::Observer, pace::Pace,
};
use crate::Error;

/// What is delivered where, and how.
#[derive(Debug, Clone)]
pub struct Outgoing {
    endpoints: Vec<Arc<Endpoint>>,
    pace: Pace,
    clients: Clients,
}

impl Outgoing {
    /// To at most 32 endpoints of different names; to none is a setting, too.
    ///
    /// # Errors
    /// [`Error::Settings`]; [`Error::Tls`] where no HTTP client can be made.
    pub fn new(endpoints: Vec<Endpoint>, pace: Pace) -> Result<Self, Error> {
        pace.check()?;
        let mut problems = Vec::new();
        if endpoints.len() > ENDPOINTS_MAX {
            problems.push(Problem::new(
                "endpoints",
                format!(
                    "there are {}; name at most {ENDPOINTS_MAX}",
                    endpoints.len()
                ),
            ));
        }
        let mut names = BTreeSet::new();
        for endpoint in &endpoints {
            if !names.insert(endpoint.name()) {
                problems.push(Problem::new(
                    endpoint.name(),
                    "this name is there twice; remove one",
                ));
            }
        }
        if !problems.is_empty() {
            return Err(Error::Settings(problems));
        }
        let speaks_tls = endpoints
            .iter()
            .any(|endpoint| endpoint.origin().starts_with("https:"));
        Ok(Self {
            endpoints: endpoints.into_iter().map(Arc::new).collect(),
            pace,
            clients: Clients::new(&pace, speaks_tls)?,
        })
    }
}

/// Tells the endpoints what happens, until `shutdown` is ready.
///
/// Everything that happens while there is an endpoint for it is delivered at least once, whatever
/// crashes: what is to be told is kept in the store, together with how far that is done. A message is sent
/// twice only where a crash or a lost answer leaves in doubt whether it arrived; its id is the same
/// then. The first time, and while there are no endpoints, only what happens from then on counts.
///
/// Any number of processes may do this with the same store. After the shutdown what is under way ends
/// within [`Pace::timeout`]; dropping the future cuts it, and what was under way is delivered again after
/// [`Pace::hold`]. A store that does not answer is waited for.
pub async fn deliver(
    outgoing: Outgoing,
    store: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let Outgoing {
        endpoints,
        pace,
        clients,
    } = outgoing;
    let (stop, stopped) = watch::channel(false);
    let laid_out = Notify::new();
    let sending = Sending {
        store: Arc::clone(&store),
        clients,
        pace,
        observer,
        lines: Line::all(&endpoints),
        overtaken: false,
    };
    let layout = Layout::new(store, endpoints);
    tokio::join!(
        sending.run(&laid_out, stopped.clone()),
        lay_out(layout, &pace, &laid_out, stopped),
        async {
            shutdown.await;
            stop.send_replace(true);
        }
    );
}

async fn lay_out(
    mut layout: Layout,
    pace: &Pace,
    laid_out: &Notify,
    mut stopped: watch::Receiver<bool>,
) {
    let mut outage = Outage::new("laying out webhooks");
    loop {
        let next = match outage.told(layout.round().await) {
            Ok(Round::Moved {
                laid_out: something,
            }) => {
                if something {
                    laid_out.notify_one();
                }
                Instant::now()
            }
            Ok(Round::Done) => Instant::now() + pace.look,
            Err(delay) => Instant::now() + delay,
        };
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
