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

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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

/// How long, beside the timeout of a request, what came of it may take to be recorded after the shutdown:
/// as long as a store repeats an operation whose answer was lost.
const FAREWELL: Duration = Duration::from_secs(5);

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
/// What happens is laid out once, by whoever comes first, for the endpoints of that process, and each
/// message is then tried until it arrives or is given up ([`Pace::keep_trying`], or an answer of 410). A
/// crash of anything leaves nothing out, because the store keeps what is to be told together with how
/// far that is done. A message is sent twice only where a crash, a lost answer or a store that is away
/// leaves in doubt whether it arrived; its id is the same then. What is damaged in the store is told
/// to nobody, and an error in the log says so.
///
/// Nobody may be away for longer than the store keeps what happens ([`store::feed::KEPT`], three days):
/// what has left it since is told to nobody. A warning says once from when to when that may be.
///
/// The first time, only what happens from then on counts. A process without endpoints skips nothing
/// that others are to tell; where endpoints were removed and some are there again, these are told of what
/// happened meanwhile, within those three days. Where how far it is done cannot be read, because another
/// version wrote it, a process with endpoints warns and goes on with what happens from then on.
///
/// Any number of processes may do this with the same store. After the shutdown it ends within
/// [`Pace::timeout`] and 5 s, whatever the store does; what was not recorded by then, or is cut by dropping the
/// future, is delivered again after [`Pace::hold`]. Until then a store that does not answer is waited
/// for.
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
    let working = async {
        tokio::join!(
            sending.run(&laid_out, stopped.clone()),
            lay_out(layout, &pace, &laid_out, stopped),
        )
    };
    let leaving = async {
        shutdown.await;
        stop.send_replace(true);
        tokio::time::sleep(pace.timeout + FAREWELL).await;
    };
    tokio::select! {
        _ = working => {}
        () = leaving => {}
    }
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
