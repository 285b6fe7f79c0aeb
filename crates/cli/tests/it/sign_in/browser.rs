//! A browser, as far as cookies and redirects go, between the gateway at `https://app.example` and a real provider.

use std::collections::BTreeMap;

use narthex_testkit::{
    Answer, Client, Narthex, TestKey, Upstream,
    client::Call,
    keys::key_set,
    narthex::Builder,
    oidc_provider::{CLIENT_SECRET, OidcProvider, Settings},
};
use serde_json::Value;

use super::config;

/// The application, as browsers know it. A proxy that terminates TLS is in front of it.
pub(super) const APP: &str = "https://app.example";
/// Cookie of a session.
pub(super) const COOKIE: &str = "__Host-narthex";
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A gateway with sign-in, its provider and an application.
pub(super) struct World {
    pub(super) narthex: Narthex,
    pub(super) upstream: Upstream,
    pub(super) provider: OidcProvider,
    settings: Settings,
    pub(super) issuer: String,
    pub(super) client: Client,
}

impl World {
    /// Starts everything. ID tokens last for so many seconds.
    pub(super) async fn start(id_token_seconds: u32) -> Self {
        Self::start_with(id_token_seconds, config).await
    }

    /// The same with another configuration, made from the provider's `iss` and the application.
    pub(super) async fn start_with(id_token_seconds: u32, config: impl Fn(&str, &Upstream) -> String) -> Self {
        Self::start_at(id_token_seconds, config, "").await
    }

    /// The same with the URL of a database in the file `store-url`.
    pub(super) async fn start_at(
        id_token_seconds: u32,
        config: impl Fn(&str, &Upstream) -> String,
        store_url: &str,
    ) -> Self {
        Self::start_in(id_token_seconds, config, store_url, &[]).await
    }

    /// The same with variables of the gateway's process.
    pub(super) async fn start_in(
        id_token_seconds: u32,
        config: impl Fn(&str, &Upstream) -> String,
        store_url: &str,
        environment: &[(&str, String)],
    ) -> Self {
        let mut provider = OidcProvider::reserve().unwrap();
        let issuer = provider.issuer();
        let upstream = Upstream::start().unwrap();
        let config = config(&issuer, &upstream);
        let narthex = node_in(&config, store_url, environment).await;
        let settings = Settings {
            redirect_uris: vec![
                format!("{APP}/.narthex/callback/corp"),
                "https://console.example/sign-in/callback/corp".to_owned(),
            ],
            backchannel_logout_uri: format!("{}/.narthex/backchannel-logout/corp", narthex.url()),
            id_token_seconds,
            asks: false,
        };
        provider.start(&settings).unwrap();
        Self {
            narthex,
            upstream,
            provider,
            settings,
            issuer,
            client: Client::new(),
        }
    }

    /// Starts the provider again, which has forgotten everything.
    pub(super) fn restart_provider(&mut self) {
        self.provider.start(&self.settings).unwrap();
    }

    /// A request that the browser sends to the application.
    pub(super) fn call(&self, method: &str, path: &str) -> Call {
        self.call_at(("https", "app.example"), method, path)
    }

    /// A request that a browser sends to another origin, by scheme and host.
    pub(super) fn call_at(&self, (scheme, host): (&str, &str), method: &str, path: &str) -> Call {
        Call::new(method, &format!("{}{path}", self.narthex.url()))
            .header("host", host)
            .header("x-forwarded-proto", scheme)
    }

    /// Numbers of codes and refresh tokens that the provider has exchanged.
    pub(super) async fn counts(&self) -> Value {
        self.provider.counts().await.unwrap()
    }
}

/// A node of the gateway, with the URL of a database in the file `store-url`.
pub(super) async fn node(config: &str, store_url: &str) -> Narthex {
    node_in(config, store_url, &[]).await
}

async fn node_in(config: &str, store_url: &str, environment: &[(&str, String)]) -> Narthex {
    let builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(config)
        .unwrap()
        .file("jwks.json", key_set(&[TestKey::Rsa1]).to_string())
        .file("client-secret", format!("{CLIENT_SECRET}\n"))
        .file("secret.key", SECRET_KEY)
        .file("store-url", store_url);
    let with = |builder: Builder, (name, value): &(&str, String)| builder.environment(name, value);
    environment.iter().fold(builder, with).start().await.unwrap()
}

/// The cookies of a browser, by site.
#[derive(Clone, Default, Debug)]
pub(super) struct Browser {
    pub(super) app: BTreeMap<String, String>,
    provider: BTreeMap<String, String>,
    user: Option<String>,
}

impl Browser {
    /// A browser whose user the provider knows by this name.
    pub(super) fn of(user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            ..Self::default()
        }
    }

    /// Opens an address in the application, as a navigation, and follows no redirect.
    pub(super) async fn open(&mut self, world: &World, path: &str) -> Answer {
        let call = world
            .call("GET", path)
            .header("accept", "text/html,*/*;q=0.8")
            .header("sec-fetch-mode", "navigate");
        self.send(world, call).await
    }

    /// Sends a request to the application with its cookies.
    pub(super) async fn send(&mut self, world: &World, call: Call) -> Answer {
        let answer = world.client.send(with(call, &self.app)).await.unwrap();
        keep(&mut self.app, &answer);
        answer
    }

    /// Follows redirects from a first answer until there is none, or until the callback of the application; returns the last
    /// answer, or the address of the callback.
    pub(super) async fn follow(&mut self, world: &World, first: Answer, stop_at_callback: bool) -> (Answer, String) {
        let (mut answer, mut base) = (first, APP.to_owned());
        for _ in 0..12 {
            let Some(location) = answer.header("location").map(str::to_owned) else {
                return (answer, base);
            };
            let target = if location.starts_with('/') {
                format!("{base}{location}")
            } else {
                location
            };
            if stop_at_callback && target.starts_with(&format!("{APP}/.narthex/callback/")) {
                return (answer, target);
            }
            answer = if let Some(path) = target.strip_prefix(APP) {
                APP.clone_into(&mut base);
                self.open(world, path).await
            } else {
                assert!(target.starts_with(&world.issuer), "{target}");
                base.clone_from(&world.issuer);
                self.at_provider(world, Call::get(&target)).await
            };
        }
        panic!("there is no end of redirects");
    }

    /// Sends a request to the provider with its cookies.
    pub(super) async fn at_provider(&mut self, world: &World, call: Call) -> Answer {
        let user = self.user.as_deref().unwrap_or("ada");
        let call = with(call.header("x-test-user", user), &self.provider);
        let answer = world.client.send(call).await.unwrap();
        keep(&mut self.provider, &answer);
        answer
    }

    /// Opens a page and signs in on the way to it.
    pub(super) async fn sign_in(&mut self, world: &World, path: &str) -> Answer {
        let first = self.open(world, path).await;
        let (answer, _) = self.follow(world, first, false).await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
        answer
    }

    /// Begins to sign in, and returns the address that the provider sends the browser back to.
    pub(super) async fn callback(&mut self, world: &World) -> String {
        let first = self.open(world, "/whoami").await;
        let (_, address) = self.follow(world, first, true).await;
        address.strip_prefix(APP).unwrap().to_owned()
    }

    /// Signs out at the provider, which tells the gateway.
    pub(super) async fn sign_out_at_provider(&mut self, world: &World) {
        let url = format!("{}/session/end?client_id=narthex", world.issuer);
        let page = self.at_provider(world, Call::get(&url)).await.text();
        let xsrf = page.split("name=\"xsrf\" value=\"").nth(1).unwrap();
        let xsrf = xsrf.split('"').next().unwrap();
        let confirm = Call::post(&format!("{}/session/end/confirm", world.issuer))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("xsrf={xsrf}&logout=yes"));
        self.at_provider(world, confirm).await;
        world.provider.says("backchannel ok").await.unwrap();
    }
}

pub(super) fn with(call: Call, cookies: &BTreeMap<String, String>) -> Call {
    if cookies.is_empty() {
        return call;
    }
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    call.header("cookie", &pairs.join("; "))
}

pub(super) fn keep(cookies: &mut BTreeMap<String, String>, answer: &Answer) {
    for set in answer.headers.get_all("set-cookie") {
        let set = set.to_str().unwrap();
        let pair = set.split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if value.is_empty() || set.contains("Max-Age=0") || set.contains("expires=Thu, 01 Jan 1970") {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
