//! The servers and the nodes, and the way from one to the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use narthex_testkit::{
    Client, IdentityProvider, Narthex, TestKey, Upstream,
    postgres::OwnServer,
    relay::{Link, Relay},
};
use tokio::time::sleep;

use super::CONNECTIONS;
use super::load::Recorder;
use crate::world::config;

pub(super) const NODES: usize = 3;

/// Three nodes, each with its own way to each of two servers.
pub(super) struct Cluster {
    pub(super) primary: OwnServer,
    pub(super) standby: OwnServer,
    pub(super) nodes: Vec<Node>,
    _idp: IdentityProvider,
    _upstream: Upstream,
    client: Client,
}

pub(super) struct Node {
    pub(super) narthex: Narthex,
    relays: Vec<Relay>,
}

impl Cluster {
    pub(super) async fn start(offline_max: Duration) -> Self {
        let primary = OwnServer::start_open().unwrap();
        primary.create_database("directory").unwrap();
        let standby = primary.standby("standby").unwrap();
        primary.wait_for_standbys(&["standby"]).unwrap();
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        let upstream = Upstream::start().unwrap();
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let to = |server: &OwnServer| SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
            let relays = vec![Relay::start(to(&primary)).unwrap(), Relay::start(to(&standby)).unwrap()];
            let hosts: Vec<String> = relays
                .iter()
                .map(|relay| format!("127.0.0.1:{}", relay.port()))
                .collect();
            let url = format!(
                "postgres://narthex@{}/directory?target_session_attrs=read-write\n",
                hosts.join(",")
            );
            let store = format!(
                "[store]\nurl_file = \"store-url\"\nconnections = {}\noffline_max = \"{}s\"\n",
                CONNECTIONS - 1,
                offline_max.as_secs()
            );
            let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
                .config(&(store + &config(&idp, &upstream)))
                .unwrap()
                .file("store-url", url)
                .start()
                .await
                .unwrap();
            nodes.push(Node { narthex, relays });
        }
        Self {
            primary,
            standby,
            nodes,
            _idp: idp,
            _upstream: upstream,
            client: Client::new(),
        }
    }

    /// How often each node has connected to a server, or tried to.
    pub(super) fn attempts(&self) -> Vec<usize> {
        let of = |node: &Node| node.relays.iter().map(|relay| relay.attempts().len()).sum();
        self.nodes.iter().map(of).collect()
    }

    /// Waits until a node reaches the database, and says when that was seen.
    pub(super) async fn reached(&self, node: usize, recorder: &Recorder) -> u64 {
        let url = format!("{}/readyz", self.nodes[node].narthex.admin_url());
        for _ in 0..600 {
            if self
                .client
                .get(&url)
                .await
                .is_ok_and(|answer| answer.text() == "ready\n")
            {
                return recorder.now_us();
            }
            sleep(Duration::from_millis(25)).await;
        }
        panic!(
            "node {node} does not reach the database:\n{}",
            self.nodes[node].narthex.logs()
        );
    }
}

impl Node {
    /// What the network between this node and the servers does.
    pub(super) fn set(&self, link: Link) {
        for relay in &self.relays {
            relay.set(link);
        }
    }
}
