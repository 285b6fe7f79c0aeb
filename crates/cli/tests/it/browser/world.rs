//! Nodes with their provider and their application, and the addresses that browsers know them by.

use narthex_testkit::{
    Browser, Client, Narthex, Recorded, TestIssuer, TestKey, Upstream,
    client::Call,
    keys::key_set,
    oidc_provider::{CLIENT_SECRET, OidcProvider, Settings},
    postgres::{Cluster, Database},
    tls_front::TlsFront,
};
use serde_json::Value;

/// Cookie of a session at the doors.
pub(super) const COOKIE: &str = "__Host-narthex";
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Nodes on one store, with one public address and one address of the console, both with TLS.
pub(super) struct World {
    pub(super) nodes: Vec<Narthex>,
    pub(super) upstream: Upstream,
    pub(super) provider: OidcProvider,
    front: TlsFront,
    /// Node that the addresses lead to.
    node: usize,
    _database: Option<Database>,
}

impl World {
    /// The last request that reached the application and is not for an icon, which browsers ask for when they like.
    pub(super) fn last_request(&self) -> Recorded {
        let mut seen = self.upstream.seen();
        seen.retain(|request| request.target != "/favicon.ico");
        seen.pop().unwrap()
    }

    /// Starts one node on SQLite. ID tokens last for so many seconds.
    pub(super) async fn start(id_token_seconds: u32) -> Self {
        Self::start_nodes(&["app.test", "console.test"], id_token_seconds, None, 1).await
    }

    /// The same, with the application and the console on two ports of one host.
    pub(super) async fn start_on_one_host() -> Self {
        Self::start_nodes(&["app.test", "app.test"], 600, None, 1).await
    }

    /// Starts two nodes on one database of PostgreSQL. The addresses lead to the first.
    pub(super) async fn start_two_nodes() -> Self {
        let database = Cluster::shared().unwrap().empty_database().unwrap();
        Self::start_nodes(&["app.test", "console.test"], 600, Some(database), 2).await
    }

    async fn start_nodes(hosts: &[&str], id_token_seconds: u32, database: Option<Database>, count: usize) -> Self {
        let front = TlsFront::reserve(hosts).unwrap();
        let mut provider = OidcProvider::reserve().unwrap();
        let upstream = Upstream::start().unwrap();
        let mut nodes = Vec::new();
        for _ in 0..count {
            let mut config = config(&front, &provider.issuer(), &upstream.url());
            if database.is_some() {
                config.push_str("\n[store]\nurl_file = \"store-url\"\nconnections = 4\n");
            }
            let mut builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
                .config(&config)
                .unwrap()
                .file("jwks.json", key_set(&[TestKey::Rsa1]).to_string())
                .file("client-secret", format!("{CLIENT_SECRET}\n"))
                .file("secret.key", SECRET_KEY);
            if let Some(database) = &database {
                builder = builder.file("store-url", database.tcp_url() + "\n");
            }
            nodes.push(builder.start().await.unwrap());
        }
        let settings = Settings {
            redirect_uris: vec![
                format!("{}/.narthex/callback/corp", front.origin(0)),
                format!("{}/sign-in/callback/corp", front.origin(1)),
            ],
            backchannel_logout_uri: format!("{}/.narthex/backchannel-logout/corp", nodes[0].url()),
            id_token_seconds,
            asks: true,
        };
        provider.start(&settings).unwrap();
        let mut world = Self {
            nodes,
            upstream,
            provider,
            front,
            node: 0,
            _database: database,
        };
        world.lead_to(0);
        world
    }

    /// Has the addresses lead to this node, as a load balancer that changes its mind does.
    pub(super) fn lead_to(&mut self, node: usize) {
        self.node = node;
        let admin = self.nodes[node].admin_url().replace("http://", "");
        self.front.serve(&[self.nodes[node].address(), admin]).unwrap();
    }

    /// Address of a page of the application.
    pub(super) fn app(&self, path: &str) -> String {
        format!("{}{path}", self.front.origin(0))
    }

    /// Address of a page of the console.
    pub(super) fn console(&self, path: &str) -> String {
        format!("{}{path}", self.front.origin(1))
    }

    /// A one-time sign-in link, as the command line prints it.
    pub(super) fn sign_in_link(&self) -> String {
        let printed = self.nodes[0].command(&["console", "link", "--json"]).unwrap();
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let link = printed["link"].as_str().unwrap().to_owned();
        assert!(link.starts_with(&self.console("/")), "{link}");
        link
    }

    /// A token of the provider for this user, with these tags.
    pub(super) fn token(&self, subject: &str, tags: &[&str]) -> String {
        let issuer = TestIssuer::new(&self.provider.issuer()).audience("api");
        issuer.token().subject(subject).tags(tags.iter().copied()).sign()
    }

    /// Status of the answer to a program that uses a token at this path of the application.
    pub(super) async fn use_token(&self, path: &str, token: &str) -> u16 {
        let call = Call::get(&format!("{}{path}", self.nodes[0].url())).bearer(token);
        Client::new().send(call).await.unwrap().status
    }

    /// Logs of all nodes.
    pub(super) fn logs(&self) -> String {
        self.nodes.iter().map(Narthex::logs).collect()
    }

    /// Number of codes or of refresh tokens that the provider has exchanged.
    pub(super) async fn exchanged(&self, kind: &str) -> Value {
        self.provider.counts().await.unwrap()[kind].clone()
    }

    /// Opens a page of the application in a browser without a session, and signs in on the way to it.
    pub(super) async fn sign_in(&self, browser: &Browser, user: &str, path: &str) {
        browser.open(&self.app(path)).await.unwrap();
        self.sign_in_at_provider(browser, user).await;
        let arrived = browser.arrives(&self.app(path)).await;
        assert!(arrived.is_ok(), "{arrived:?}\n{}", self.logs());
    }

    /// Signs in on the page of the provider, where the browser is.
    pub(super) async fn sign_in_at_provider(&self, browser: &Browser, user: &str) {
        browser.arrives(&self.provider.issuer()).await.unwrap();
        browser.fill("user", user).await.unwrap();
        browser.press("Continue").await.unwrap();
    }

    /// Begins to sign in, and returns the address that the provider sends the browser back to, which the browser does not
    /// reach: no server listens there meanwhile.
    pub(super) async fn callback(&mut self, browser: &Browser, user: &str) -> String {
        browser.open(&self.app("/whoami")).await.unwrap();
        browser.arrives(&self.provider.issuer()).await.unwrap();
        self.front.down();
        self.sign_in_at_provider(browser, user).await;
        let address = browser.arrives(&self.app("/.narthex/callback/corp?")).await.unwrap();
        self.lead_to(self.node);
        address
    }

    /// Signs out at the provider, which tells the first node.
    pub(super) async fn sign_out_at_provider(&self, browser: &Browser) {
        let address = format!("{}/session/end?client_id=narthex", self.provider.issuer());
        browser.open(&address).await.unwrap();
        browser.press("Yes, sign me out").await.unwrap();
        self.provider.says("backchannel ok").await.unwrap();
    }

    /// Asserts that a program in a page of the application gets this answer: a reason of a refusal, or none.
    pub(super) async fn assert_answers(&self, browser: &Browser, reason: Option<&str>) {
        browser.open(&self.app("/public/page")).await.unwrap();
        let answer = browser.fetch("GET", "/whoami").await.unwrap();
        let status = match reason {
            None => 200,
            Some("keys.unavailable") => 503,
            Some(_) => 401,
        };
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (status, reason),
            "{}\n{}",
            answer.body,
            self.logs()
        );
    }
}

fn config(front: &TlsFront, issuer: &str, upstream: &str) -> String {
    let (app, console) = (front.origin(0), front.origin(1));
    format!(
        r#"
        [listen]
        trusted_proxies = ["127.0.0.1"]

        [secrets]
        key_file = "secret.key"

        [console]
        origin = "{console}"

        [login]
        issuer = "corp"
        origins = ["{app}"]

        [session]
        idle = "30m"
        max = "8h"

        [[issuer]]
        name = "corp"
        issuer = "{issuer}"
        jwks_file = "jwks.json"
        audiences = ["api"]
        client_id = "narthex"
        client_secret_file = "client-secret"
        scopes = ["profile", "email", "groups"]
        tags = {{ claim = "groups", on_missing = "keep", platform_admin = ["staff"] }}

        [[route]]
        path = "/whoami"
        require = "authenticated"
        upstream = "{upstream}"

        [[route]]
        path = "/v1/{{organization}}/{{*rest}}"
        require = "organization:member"
        upstream = "{upstream}"

        [[route]]
        path = "/"
        require = "authenticated"
        upstream = "{upstream}"

        # Browsers ask for it unasked.
        [[route]]
        path = "/favicon.ico"
        require = "public"
        upstream = "{upstream}"

        [[route]]
        path = "/public/{{*rest}}"
        require = "public"
        upstream = "{upstream}"
        "#
    )
}
