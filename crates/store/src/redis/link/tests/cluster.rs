use redis_fixture::Cluster;

use super::*;

#[tokio::test]
async fn a_store_in_a_cluster_is_found_from_any_node_and_followed_when_its_slot_moves() {
    let mut cluster = Cluster::start(&[]);
    let nodes = cluster.nodes();
    for node in &*nodes {
        let url = node.url();
        let alone = Link::open(&place(&url)).await.map(drop);
        assert!(
            matches!(&alone, Err(Error::Unusable { message, .. }) if message.contains("cluster=true")),
            "{alone:?}"
        );
        let link = link(&format!("{url}?cluster=true")).await;
        counted(&link).await.expect("it runs");
        link.changed().await;
    }
    let link = link(&format!("{}?cluster=true", nodes[0].url())).await;
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(4));

    // The slot moves, empty, to another node, as after a resharding.
    let slot = nodes[0]
        .ask(&["CLUSTER", "KEYSLOT", "{trunkline}:n"])
        .expect("told");
    let owner = nodes
        .iter()
        .position(|node| {
            node.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot])
                .is_ok_and(|n| n != "0")
        })
        .expect("one has it");
    let next = (owner + 1) % nodes.len();
    let id = nodes[next].ask(&["CLUSTER", "MYID"]).expect("told");
    nodes[owner].ask(&["FLUSHALL"]).expect("emptied");
    for at in [next, owner, (owner + 2) % nodes.len()] {
        nodes[at]
            .ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &id])
            .expect("moved");
    }
    assert_eq!(counted_at_last(&link).await, Value::Int(1));
    let there = nodes[next]
        .ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot])
        .expect("told");
    assert_eq!(there, "1");
}
