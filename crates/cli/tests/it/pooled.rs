//! Nodes behind PgBouncer in transaction mode, through the binary.

use std::time::Duration;

use narthex_testkit::{
    Answer, Client, IdentityProvider, Narthex, TestKey, Upstream,
    client::Call,
    postgres::{Cluster, Database, Pooler},
    process,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::commands::narthex_in;
use crate::world::{GUARDED, config, member};

const BINARY: &str = env!("CARGO_BIN_EXE_narthex");

struct Nodes {
    idp: IdentityProvider,
    upstream: Upstream,
    database: Database,
    pooler: Pooler,
    client: Client,
}

impl Nodes {
    fn new() -> Self {
        let database = Cluster::shared().unwrap().empty_database().unwrap();
        Self {
            idp: IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
            upstream: Upstream::start().unwrap(),
            pooler: Pooler::start(&database).unwrap(),
            database,
            client: Client::new(),
        }
    }

    /// A node behind the pooler, with more lines of its `[store]`.
    async fn start(&self, more: &str) -> Narthex {
        let url = self.pooler.url(&self.database);
        let store = format!("[store]\nurl = \"{url}\"\n{more}\n");
        Narthex::builder(BINARY)
            .config(&(store + &config(&self.idp, &self.upstream)))
            .unwrap()
            .file("listen-url", self.database.tcp_url())
            .start()
            .await
            .unwrap()
    }

    async fn call(&self, node: &Narthex, token: &str) -> Answer {
        let call = Call::post(&format!("{}{GUARDED}", node.url())).bearer(token);
        self.client.send(call).await.unwrap()
    }
}

/// 600 people come for the first time, 32 at a time, to two nodes: everybody is let in, and is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_first_uses_by_thirty_two_clients() {
    let nodes = Nodes::new();
    // One is told, and one finds out.
    let (told, untold) = (nodes.start("pooled = true").await, nodes.start("").await);
    let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
    told.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let mut clients = JoinSet::new();
    for first in 0..32 {
        let urls = [told.url(), untold.url()].map(|url| format!("{url}{GUARDED}"));
        clients.spawn(async move {
            let client = Client::new();
            let mut statuses = Vec::new();
            for number in (first..600).step_by(32) {
                let token = member(&format!("user-{number}")).sign();
                let answer = client.send(Call::post(&urls[number % 2]).bearer(&token)).await.unwrap();
                statuses.push(answer.status);
            }
            statuses
        });
    }
    let statuses = clients.join_all().await.concat();
    assert_eq!(statuses.len(), 600);
    let refused = statuses.iter().filter(|status| **status != 200).count();
    assert_eq!(refused, 0, "{}\n{}", told.logs(), untold.logs());
    assert_eq!(nodes.database.sql("SELECT count(*) FROM users").unwrap(), "600");
    for (node, words) in [
        (&told, "`[store] pooled` is set"),
        (&untold, "Set `[store] pooled = true`"),
    ] {
        node.logged(&["\"store_pooled\"", words]).await.unwrap();
        let logs = node.logs();
        assert_eq!(logs.matches("\"store_pooled\"").count(), 1, "{logs}");
    }
    let found = process::run(BINARY, &["doctor", "--config", &untold.config_file().to_string_lossy()]);
    let found = found.unwrap_or_else(|error| error.to_string());
    assert!(found.contains("connection pooler in transaction mode"), "{found}");
}

/// A status, a revocation and a policy that one node changes count at the other within two seconds, with a direct address and
/// without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_the_other_honours_within_two_seconds() {
    for listens in [false, true] {
        let more = if listens {
            "pooled = true\nlisten_url_file = \"listen-url\""
        } else {
            "pooled = true"
        };
        let nodes = Nodes::new();
        let (one, two) = (nodes.start(more).await, nodes.start(more).await);
        let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
        let acme = one.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
        let path = format!("/organizations/{}", acme["id"].as_str().unwrap());
        let tokens = ["ada", "bob", "eve"].map(|name| member(name).issued_in(-10).sign());
        for token in &tokens {
            for node in [&one, &two, &one, &two] {
                assert_eq!(nodes.call(node, token).await.status, 200);
            }
        }
        let id = async |name: &str| {
            let user = one.api().user(name).await.unwrap().unwrap();
            user["id"].as_str().unwrap().to_owned()
        };
        let disabled = json!({ "status": "disabled" });
        let ada = format!("/users/{}", id("ada").await);
        one.api().done("PATCH", &ada, Some(&disabled)).await.unwrap();
        let bob = format!("/users/{}/revoke-tokens", id("bob").await);
        one.api().done("POST", &bob, None).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let reasons = [Some("identity.disabled"), Some("token.revoked"), None];
        for (token, reason) in tokens.iter().zip(reasons) {
            assert_eq!(nodes.call(&two, token).await.reason().as_deref(), reason, "{listens}");
        }
        let edit = json!({ "external_member_groups": [] });
        one.api().done("PATCH", &path, Some(&edit)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(nodes.call(&two, &tokens[2]).await.status, 403, "{listens}");
    }
}

/// A direct address of another database would migrate and watch that one: nothing starts, and nothing is made there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_address_of_another_database_is_refused() {
    let nodes = Nodes::new();
    let other = Cluster::shared().unwrap().empty_database().unwrap();
    let text = format!(
        "[store]\nurl = \"{}\"\npooled = true\nlisten_url_file = \"listen-url\"\n{}",
        nodes.pooler.url(&nodes.database),
        config(&nodes.idp, &nodes.upstream)
    );
    let started = Narthex::builder(BINARY)
        .config(&text)
        .unwrap()
        .file("listen-url", other.tcp_url())
        .start()
        .await;
    let told = started.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("`listen_url` is another database than `url`"), "{told}");
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("narthex.toml"), text).unwrap();
    std::fs::write(folder.path().join("listen-url"), other.tcp_url()).unwrap();
    let exported = narthex_in(folder.path(), &["export", "--output", "all"], "");
    assert!(
        exported.code == 1 && exported.stderr.contains("`listen_url` is another database than `url`"),
        "{exported:?}"
    );
    assert_eq!(
        other
            .sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .unwrap(),
        "0"
    );
}
