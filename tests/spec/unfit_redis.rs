//! The promise: a Redis that is changed under running processes, so that it could lose what was accepted or
//! takes no writes, is noticed within seconds: `serve` accepts nothing and says why, workers hand nothing out,
//! and both go on by themselves when it is set back.
//!
//! The method: `CONFIG SET` and `REPLICAOF` on a Redis of the test's own, under `serve` and `work`.

use tests::{Place, Server, Serving, Signup, Simulator, TOKENS, lines_of, until};

fn signup(n: usize) -> String {
    lines_of(&[Signup::new("acme", "five_steps", n)])
}

fn succeeded(place: &Place) -> u64 {
    place.tally()["succeeded"].as_u64().unwrap()
}

#[test]
fn a_redis_that_is_made_unfit_accepts_and_hands_out_nothing_until_it_is_set_back() {
    for (n, (spoil, mend, words)) in [
        (
            &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"][..],
            &["CONFIG", "SET", "maxmemory-policy", "noeviction"][..],
            "maxmemory-policy allkeys-lru",
        ),
        (
            // Of nobody, so that it keeps its data.
            &["REPLICAOF", "127.0.0.1", "1"],
            &["REPLICAOF", "NO", "ONE"],
            "is a replica now",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (simulator, redis) = (Simulator::start(), Server::with_aof());
        let place = Place::new(&simulator, &["acme"])
            .on_redis(&redis.url())
            .with_tables(TOKENS);
        let serving = Serving::start(&place);
        let worker = place.start(&["work"]);
        let post = |n: usize| serving.ask("POST", "/v1/onboardings", &signup(n));
        assert_eq!(post(10 * n).status, 202);
        until("it is done", || (succeeded(&place) == 1).then_some(()));

        redis.ask(spoil).unwrap();
        let ready = || serving.ask_with("GET", "/readyz", &[], "");
        until("it is not ready, and says why", || {
            let answer = ready();
            (answer.status == 503 && answer.text().contains(words)).then_some(())
        });
        let refused = post(10 * n + 1);
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(refused.json()["code"], "store_unavailable");
        let detail = refused.json()["detail"].to_string();
        assert!(detail.contains(words), "{detail}");
        assert!(!detail.contains("127.0.0.1"), "where it is: {detail}");
        until("the worker logs why it waits", || {
            (worker.said(words) > 0).then_some(())
        });

        redis.ask(mend).unwrap();
        until("it is ready again", || {
            (ready().status == 200).then_some(())
        });
        assert_eq!(post(10 * n + 2).status, 202);
        until("the worker goes on by itself", || {
            (succeeded(&place) == 2).then_some(())
        });
        let told = "nothing is accepted or handed out";
        for program in [serving.program(), &worker] {
            assert_eq!(program.said(told), 1, "{}", program.stderr());
        }
    }
}
