use redis_fixture::Sentinel;

use super::*;

#[tokio::test]
async fn the_link_goes_on_with_the_primary_that_the_sentinel_chose() {
    let mut fleet = Sentinel::start(&[]);
    // At the first of the list no Sentinel listens.
    let url = format!("redis://127.0.0.1:1,{}?sentinel=main", fleet.address());
    let link = link(&url).await;
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(1));
    link.changed().await;
    // On the connection that wrote: it waits for that one's writes.
    let mut wait = redis::cmd("WAIT");
    wait.arg(1).arg(1_000);
    let copied = link.query(&wait).await.expect("answered");
    assert_eq!(copied, Value::Int(1));

    fleet.fail_over();
    assert_eq!(counted_at_last(&link).await, Value::Int(2));
    let there = fleet.primary().ask(&["GET", "{trunkline}:n"]);
    assert_eq!(there.as_deref(), Ok("2"));
    // The subscription moved too.
    link.changed().await;
    let heard = fleet.primary().ask(&["PUBLISH", "{trunkline}:wake", ""]);
    assert_eq!(heard.as_deref(), Ok("1"));
    link.changed().await;
}

#[tokio::test]
async fn a_primary_that_no_sentinel_knows_is_a_mistake_in_the_url() {
    let fleet = Sentinel::start(&[]);
    let url = format!("redis://{}?sentinel=maim", fleet.address());
    let said = Link::open(&place(&url)).await.map(drop);
    assert!(
        matches!(&said, Err(Error::Unusable { message, .. }) if message.contains("maim")),
        "{said:?}"
    );
}
