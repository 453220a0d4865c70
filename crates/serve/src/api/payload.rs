//! Bodies of requests: bounded in size, in time and in number.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    App,
    problem::{Code, Problem},
};

/// Most bytes of a body: a thousand signups of 2 KiB.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bodies up to this cost so little that any number of connections may send one.
const SMALL_BYTES: usize = 16 * 1024;

/// Bodies beyond that are taken so many at a time: read and parsed each may take 50 MB.
const LARGE_AT_ONCE: usize = 24;

/// The same for webhooks. Anybody may send one and find its signature refused, and must not take the
/// turns of those who have a token.
const LARGE_WEBHOOKS_AT_ONCE: usize = 8;

/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// How long a client may send nothing of its body.
const STALL: Duration = Duration::from_secs(30);

/// How long all of the body may take.
const WHOLE: Duration = Duration::from_secs(60);

/// The same for a webhook: senders are servers, and whoever has no secret holds a turn no longer than
/// others wait for one.
const WHOLE_WEBHOOK: Duration = TURN;

/// Whether a request is a webhook, which anybody may send.
fn is_webhook(path: &str) -> bool {
    path.starts_with("/v1/webhooks/")
}

/// The turns for large bodies.
#[derive(Debug)]
pub(crate) struct Turns {
    requests: Arc<Semaphore>,
    webhooks: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            webhooks: Arc::new(Semaphore::new(LARGE_WEBHOOKS_AT_ONCE)),
        }
    }
}

impl Turns {
    async fn take(&self, path: &str) -> Result<OwnedSemaphorePermit, Problem> {
        let own = if is_webhook(path) {
            &self.webhooks
        } else {
            &self.requests
        };
        let overloaded = || {
            Problem::new(
                Code::Overloaded,
                "too many large bodies are being worked on; send it again soon",
            )
            .retry_after(TURN)
            .closing()
        };
        let turn = timeout(TURN, Arc::clone(own).acquire_owned()).await;
        turn.map_err(|_| overloaded())?.map_err(|_| overloaded())
    }
}

/// A body as it arrived.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// Its turn, which lasts for as long as it is worked on.
    _turn: Option<OwnedSemaphorePermit>,
}

impl FromRequest<App> for Payload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let announced = announced(request.headers());
        if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        let empty = http_body::Body::is_end_stream(request.body());
        let small = empty || announced.is_some_and(|bytes| bytes <= SMALL_BYTES as u64);
        let turn = if small {
            None
        } else {
            Some(app.turns().take(request.uri().path()).await?)
        };
        let within = if is_webhook(request.uri().path()) {
            WHOLE_WEBHOOK
        } else {
            WHOLE
        };
        let bytes = whole(request.into_body(), within).await?;
        Ok(Self { bytes, _turn: turn })
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn whole(body: Body, within: Duration) -> Result<Bytes, Problem> {
    timeout(within, read(body)).await.map_err(|_| too_slow())?
}

async fn read(mut body: Body) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    loop {
        let frame = match timeout_at(Instant::now() + STALL, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                let detail = format!("the body ended early: {error}; send all of it");
                return Err(Problem::new(Code::InvalidBody, detail).closing());
            }
            Ok(None) => return Ok(whole.into()),
            Err(_) => return Err(too_slow()),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if whole.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if whole.is_empty() && http_body::Body::is_end_stream(&body) {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
}

fn too_large() -> Problem {
    let detail = format!(
        "a body has at most {BODY_BYTES_MAX} bytes; send fewer signups at once, or enqueue a file"
    );
    Problem::new(Code::TooLarge, detail).closing()
}

fn too_slow() -> Problem {
    Problem::new(
        Code::RequestTimeout,
        "the body did not come in time; send all of it within a minute, a webhook within 10 seconds",
    )
    .closing()
}

/// The JSON of a body. A name that is there twice in one object is refused: who looked at it before,
/// as a proxy or the sender, may have taken the other value. It is read to a depth of 128.
pub(super) fn json(body: &[u8]) -> Result<Value, Problem> {
    producer::read_json(body).map_err(|error| {
        let detail = format!("the body cannot be read as JSON: {error}; nothing was taken from it");
        Problem::new(Code::InvalidBody, detail)
    })
}

/// That the body is said to be JSON, as it is.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut coded = headers.get_all(CONTENT_ENCODING).into_iter();
    if coded.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "the body is compressed; send it as it is, without Content-Encoding",
        ));
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let media = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "the body has to be JSON; send it with Content-Type: application/json",
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;

    /// A body that sends so many bytes, one every so often, and never ends.
    fn trickle(every: Duration) -> Body {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(every).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_or_trickles_is_given_up() {
        let second = Duration::from_secs(1);
        for (every, within, given_up_after) in [
            (STALL * 2, WHOLE, STALL),
            (second, WHOLE, WHOLE),
            (second, WHOLE_WEBHOOK, TURN),
        ] {
            let began = Instant::now();
            let refused = whole(trickle(every), within).await.unwrap_err();
            assert_eq!(refused.code(), Code::RequestTimeout, "{every:?}");
            assert!(began.elapsed() < given_up_after + Duration::from_secs(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_their_turn_and_not_for_ever() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for _ in 0..LARGE_AT_ONCE {
            held.push(turns.take("/v1/onboardings").await.unwrap());
        }
        let refused = turns.take("/v1/onboardings").await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert!(
            turns.take("/v1/webhooks/signups").await.is_ok(),
            "others have their own"
        );
        held.pop();
        assert!(turns.take("/v1/onboardings").await.is_ok());
    }

    #[test]
    fn what_is_no_json_or_has_a_name_twice_is_refused_in_few_words() {
        let deep = "[".repeat(100_000);
        for body in ["", "{", "signup=acme", &deep, "\u{0}", "{\"a\":1,\"a\":1}"] {
            let refused = json(body.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidBody);
            assert!(refused.detail().len() < 250, "{}", refused.detail());
        }
        assert!(json(b"[{\"a\":1},{\"a\":1}]").is_ok());
    }

    #[test]
    fn json_is_json_whatever_its_parameters() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/json", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(check_json(&headers).is_ok(), expected, "{kind}");
        }
    }
}
