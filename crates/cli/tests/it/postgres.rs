//! Several nodes on one PostgreSQL database, through the binary.

use std::time::Duration;

use narthex_testkit::{
    Answer, Client, IdentityProvider, Narthex, TestKey, Upstream,
    client::Call,
    postgres::{Cluster, Database, OwnServer},
    process,
};
use serde_json::json;

use crate::world::{GUARDED, config, member};

const BINARY: &str = env!("CARGO_BIN_EXE_narthex");

struct Nodes {
    idp: IdentityProvider,
    upstream: Upstream,
    database: Database,
    client: Client,
}

impl Nodes {
    fn new() -> Self {
        Self {
            idp: IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
            upstream: Upstream::start().unwrap(),
            database: Cluster::shared().unwrap().empty_database().unwrap(),
            client: Client::new(),
        }
    }

    /// A node. The URL, which holds a password, is in a file of its own.
    async fn start(&self) -> Narthex {
        let store = "[store]\nurl_file = \"store-url\"\nconnections = 4\n";
        Narthex::builder(BINARY)
            .config(&(store.to_owned() + &config(&self.idp, &self.upstream)))
            .unwrap()
            .file("store-url", self.database.tcp_url() + "\n")
            .start()
            .await
            .unwrap()
    }

    async fn call(&self, node: &Narthex, token: &str) -> Answer {
        let call = Call::post(&format!("{}{GUARDED}", node.url())).bearer(token);
        self.client.send(call).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_the_other_honours_within_a_second() {
    let nodes = Nodes::new();
    let (one, two) = (nodes.start().await, nodes.start().await);
    let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
    let acme = one.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let path = format!("/organizations/{}", acme["id"].as_str().unwrap());

    // A first use on one node makes the user for both.
    let token = member("ada").sign();
    let first = nodes.call(&one, &token).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(nodes.call(&two, &token).await.status, 200);
    let user = one.api().user("ada").await.unwrap().unwrap();
    assert_eq!(two.api().user("ada").await.unwrap().unwrap()["id"], user["id"]);
    assert_eq!(nodes.database.sql("SELECT count(*) FROM users").unwrap(), "1");

    // The tag that let the user in is taken off, and the token is the one that both have answers for.
    for _ in 0..3 {
        assert_eq!(nodes.call(&one, &token).await.status, 200);
        assert_eq!(nodes.call(&two, &token).await.status, 200);
    }
    let edit = json!({ "external_member_groups": [] });
    two.api().done("PATCH", &path, Some(&edit)).await.unwrap();
    assert_eq!(
        nodes.call(&two, &token).await.status,
        403,
        "at once where it was acknowledged"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        nodes.call(&one, &token).await.status,
        403,
        "within a second everywhere else"
    );

    // What the command line does is heard of in the same way.
    one.command(&["user", "disable", user["id"].as_str().unwrap()]).unwrap();
    two.api()
        .done("PATCH", &path, Some(&json!({ "external_member_groups": ["staff"] })))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in [&one, &two] {
        let refused = nodes.call(node, &token).await;
        assert_eq!(
            (refused.status, refused.reason().as_deref()),
            (403, Some("identity.disabled"))
        );
    }
}

/// A token that was never shown and is older than the newest one undoes nothing at another node, although the newest one
/// changed nothing and so was never written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_an_old_token_undoes_nothing_at_another_node() {
    let nodes = Nodes::new();
    let (one, two) = (nodes.start().await, nodes.start().await);
    let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
    one.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let issued = |seconds_ago: i64, tag: &str| member("ada").tags([tag]).issued_in(-seconds_ago).sign();
    for seconds_ago in [300, 100] {
        assert_eq!(nodes.call(&one, &issued(seconds_ago, "other")).await.status, 403);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(nodes.call(&two, &issued(200, "staff")).await.status, 403);
    assert_eq!(nodes.call(&two, &issued(50, "staff")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_work_on_it_and_show_no_password() {
    let nodes = Nodes::new();
    let node = nodes.start().await;
    node.command(&["organization", "create", "tools"]).unwrap();
    assert!(node.command(&["organization", "list"]).unwrap().contains("tools"));
    let found = process::run(BINARY, &["doctor", "--config", &node.config_file().to_string_lossy()]);
    let found = found.unwrap_or_else(|error| error.to_string());
    assert!(found.contains("takes writes, and the schema is current"), "{found}");
    let token = member("ada").sign();
    let told = node.command(&["explain", &token]).unwrap();
    assert!(told.contains("ada"), "{told}");
    for said in [found, told, node.logs()] {
        assert!(
            !said.contains("test password") && !said.contains("p@ss") && !said.contains("p%40ss"),
            "{said}"
        );
    }
}

/// Without the database known users are answered for a while by what was known of them, and nobody else; then nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_what_is_known_serves_on_for_a_while() {
    let (idp, upstream) = (
        IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
        Upstream::start().unwrap(),
    );
    let mut server = OwnServer::start().unwrap();
    server.create_database("offline").unwrap();
    let store = "[store]\nurl_file = \"store-url\"\noffline_max = \"8s\"\n";
    let node = Narthex::builder(BINARY)
        .config(&(store.to_owned() + &config(&idp, &upstream)))
        .unwrap()
        .file("store-url", server.url("offline") + "\n")
        .start()
        .await
        .unwrap();
    let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
    node.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let client = Client::new();
    let send = async |token: &str| {
        let call = Call::post(&format!("{}{GUARDED}", node.url())).bearer(token);
        let answer = client.send(call).await.unwrap();
        (answer.status, answer.reason())
    };
    let ready = async || {
        let answer = client
            .send(Call::get(&format!("{}/readyz", node.admin_url())))
            .await
            .unwrap();
        (answer.status, answer.text())
    };
    let token = member("ada").sign();
    assert_eq!(send(&token).await.0, 200);
    assert_eq!(ready().await.0, 200);

    server.kill();
    let gone = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(send(&token).await.0, 200, "the token that was seen");
    assert_eq!(
        send(&member("ada").sign()).await.0,
        200,
        "another token that says the same"
    );
    let unavailable = (503, Some("store.unavailable".to_owned()));
    assert_eq!(send(&member("bob").sign()).await, unavailable, "nobody new");
    let (status, text) = ready().await;
    assert!(
        status == 200 && text.contains("without the directory"),
        "{status} {text}"
    );

    tokio::time::sleep(Duration::from_secs(10).saturating_sub(gone.elapsed())).await;
    assert_eq!(send(&token).await, unavailable);
    assert_eq!(ready().await.0, 503);

    server.start_again().unwrap();
    for _ in 0..100 {
        if send(&token).await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(send(&token).await.0, 200, "without a restart");
    assert_eq!(send(&member("bob").sign()).await.0, 200);
}

/// A node that was stopped while a role was taken away asks before it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_stopped_asks_before_it_answers() {
    let nodes = Nodes::new();
    let (one, two) = (nodes.start().await, nodes.start().await);
    let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"] });
    let acme = one.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let token = member("ada").sign();
    assert_eq!(nodes.call(&one, &token).await.status, 200);
    let signal = |name: &str| process::run("kill", &[format!("-{name}"), one.process_id().to_string()]).unwrap();
    signal("STOP");
    let path = format!("/organizations/{}", acme["id"].as_str().unwrap());
    let edit = json!({ "external_member_groups": [] });
    two.api().done("PATCH", &path, Some(&edit)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    signal("CONT");
    assert_eq!(nodes.call(&one, &token).await.status, 403);
}
