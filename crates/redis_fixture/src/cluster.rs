//! A cluster of three.

use std::time::Duration;

use crate::{Server, launch::until, port, program::Program};

/// Redis Cluster: keys are spread over so many slots.
const SLOTS: usize = 16_384;
const NODES: usize = 3;
/// Meeting and agreeing takes a few seconds of gossip.
const AGREE_MAX: Duration = Duration::from_secs(40);

/// Three servers that share the slots of one cluster; no replicas.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// Starts it and waits until every node finds it whole. `lines` are for every node's
    /// `redis.conf`.
    #[must_use]
    pub fn start(lines: &[&str]) -> Self {
        let (nodes, buses): (Vec<_>, Vec<_>) = (0..NODES).map(|_| node(lines)).unzip();
        let share = SLOTS.div_ceil(NODES);
        for (at, node) in nodes.iter().enumerate() {
            let first = (at * share).to_string();
            let last = (((at + 1) * share).min(SLOTS) - 1).to_string();
            done(node, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            done(
                node,
                &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()],
            );
        }
        for (other, bus) in nodes.iter().zip(&buses).skip(1) {
            let (port, bus) = (other.port().to_string(), bus.to_string());
            done(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let whole = until(AGREE_MAX, || nodes.iter().all(is_whole));
        assert!(whole, "the nodes do not agree: {}", nodes[0].log());
        Self { nodes }
    }

    /// Its nodes; kill, stop and restart them by themselves.
    pub fn nodes(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    /// Every node as `HOST:PORT`, with commas between.
    #[must_use]
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        addresses.join(",")
    }
}

/// A node and its bus port. Said, because by default it is the port and 10,000, which may be taken.
fn node(lines: &[&str]) -> (Server, u16) {
    let bus = port::free();
    let bus_line = format!("cluster-port {bus}");
    let mut all = vec![
        "cluster-enabled yes",
        "cluster-node-timeout 2000",
        &bus_line,
    ];
    all.extend(lines);
    (Server::launched(Program::usual(), false, &all), bus)
}

fn done(node: &Server, command: &[&str]) {
    if let Err(refused) = node.ask(command) {
        panic!("{}: {refused}", command.join(" "));
    }
}

fn is_whole(node: &Server) -> bool {
    let info = node.ask(&["CLUSTER", "INFO"]).unwrap_or_default();
    let nodes = format!("cluster_known_nodes:{NODES}");
    let size = format!("cluster_size:{NODES}");
    let slots = format!("cluster_slots_ok:{SLOTS}");
    ["cluster_state:ok", &nodes, &size, &slots]
        .iter()
        .all(|wanted| info.lines().any(|line| line.trim() == *wanted))
}
