use redis_fixture::Server;

use super::*;

fn publish(server: &Server) {
    let heard = server.ask(&["PUBLISH", "{trunkline}:wake", ""]);
    assert_eq!(heard.as_deref(), Ok("1"), "one connection listens");
}

async fn soon(link: &Link) {
    tokio::time::timeout(SOON, link.changed())
        .await
        .expect("woken");
}

async fn is_quiet(link: &Link) -> bool {
    tokio::time::timeout(Duration::from_millis(200), link.changed())
        .await
        .is_err()
}

#[tokio::test]
async fn a_message_wakes_is_remembered_between_calls_and_wakes_once() {
    let server = Server::start(&[]);
    let link = link(&server.url()).await;
    // What came before anybody listened is not known.
    soon(&link).await;
    assert!(is_quiet(&link).await);

    publish(&server);
    publish(&server);
    soon(&link).await;
    // Both may have come as one or as two.
    while !is_quiet(&link).await {}

    let waiting = {
        let link = Arc::clone(&link);
        tokio::spawn(async move { soon(&link).await })
    };
    let another = {
        let link = Arc::clone(&link);
        tokio::spawn(async move { soon(&link).await })
    };
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    publish(&server);
    waiting.await.expect("woken");
    another.await.expect("woken");
    assert!(is_quiet(&link).await);
}

#[tokio::test]
async fn what_may_have_been_missed_while_the_server_was_away_counts_as_a_message() {
    let mut server = Server::start(&[]);
    let link = link(&server.url()).await;
    soon(&link).await;
    server.kill();
    assert!(is_quiet(&link).await);
    server.restart();
    soon(&link).await;
    publish(&server);
    soon(&link).await;
}

#[tokio::test]
async fn a_partition_that_closes_nothing_is_noticed_and_counts_as_a_message() {
    let server = Server::start(&[]);
    let link = link(&server.url()).await;
    soon(&link).await;
    server.pause();
    // Longer than a ping and the time for its answer.
    let quiet = tokio::time::timeout(Duration::from_millis(4_500), link.changed()).await;
    server.resume();
    assert!(quiet.is_err());
    soon(&link).await;
}
