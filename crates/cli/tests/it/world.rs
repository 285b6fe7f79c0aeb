//! The usual surroundings: one issuer, one organization `acme` with tags, one upstream behind every route.

use narthex_testkit::{
    Answer, Client, IdentityProvider, Narthex, TestIssuer, TestKey, TokenBuilder, Upstream, client::Call,
};
use serde_json::json;

/// A path that members of `acme` may call.
pub(crate) const GUARDED: &str = "/v1/algo/acme/echo/1.0";

pub(crate) struct World {
    pub(crate) idp: IdentityProvider,
    pub(crate) upstream: Upstream,
    pub(crate) narthex: Narthex,
    pub(crate) client: Client,
}

/// The configuration of the usual surroundings.
pub(crate) fn config(idp: &IdentityProvider, upstream: &Upstream) -> String {
    format!(
        r#"
        [listen]
        trusted_proxies = ["127.0.0.1"]

        [[issuer]]
        name = "corp"
        issuer = "https://idp.test"
        jwks_url = "{jwks_url}"
        audiences = ["narthex"]
        tags = {{ claim = "groups", platform_admin = ["root"] }}

        [[route]]
        path = "/v1/algo/{{organization}}/{{algorithm}}/{{*version}}"
        require = "organization:member"
        upstream = "{upstream}"

        [[route]]
        path = "/whoami"
        require = "authenticated"
        upstream = "{upstream}"

        [[route]]
        path = "/public/{{*rest}}"
        require = "public"
        upstream = "{upstream}"
        "#,
        jwks_url = idp.jwks_url(),
        upstream = upstream.url(),
    )
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with_config(config).await
    }

    /// With another configuration; it still has the issuer `corp`.
    pub(crate) async fn with_config(config: impl Fn(&IdentityProvider, &Upstream) -> String) -> Self {
        Self::with_files(config, &[]).await
    }

    /// With another configuration, and files beside it.
    pub(crate) async fn with_files(
        config: impl Fn(&IdentityProvider, &Upstream) -> String,
        files: &[(&str, &str)],
    ) -> Self {
        Self::with_environment(config, files, &[]).await
    }

    /// The same with variables of its process.
    pub(crate) async fn with_environment(
        config: impl Fn(&IdentityProvider, &Upstream) -> String,
        files: &[(&str, &str)],
        environment: &[(&str, String)],
    ) -> Self {
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        let upstream = Upstream::start().unwrap();
        let mut builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
            .config(&config(&idp, &upstream))
            .unwrap();
        for (name, content) in files {
            builder = builder.file(name, *content);
        }
        for (name, value) in environment {
            builder = builder.environment(name, value);
        }
        let narthex = builder.start().await.unwrap();
        let acme = json!({ "name": "acme", "realm": "corp", "external_member_groups": ["staff"], "external_admin_groups": ["owners"] });
        narthex.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
        Self {
            idp,
            upstream,
            narthex,
            client: Client::new(),
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, &format!("{}{path}", self.narthex.url()))
    }

    pub(crate) async fn send(&self, call: Call) -> Answer {
        self.client.send(call).await.unwrap()
    }
}

/// A token of a member of `acme`.
pub(crate) fn member(subject: &str) -> TokenBuilder {
    TestIssuer::new("https://idp.test")
        .token()
        .subject(subject)
        .tags(["staff"])
}
