//! OAuth and MCP clients that are not ours, with an authorization server that is not ours: npm `@modelcontextprotocol/sdk`,
//! `oauth4webapi`, `dpop` and `oidc-provider`.

use std::process::Command;

use narthex_testkit::{
    Narthex, TestKey, Upstream,
    keys::key_set,
    process::{Process, free_address},
    repository,
};
use serde_json::{Value, json};

const CLIENT_SECRET: &str = "secret of the tests";

/// An authorization server, and a gateway that trusts it. `routes` are made from the address of an application.
struct World {
    narthex: Narthex,
    provider: Process,
    issuer: String,
}

impl World {
    async fn start(routes: &str) -> Self {
        let address = free_address().unwrap();
        let issuer = format!("http://{address}");
        let config = format!(
            r#"
            [[issuer]]
            name = "corp"
            issuer = "{issuer}"
            jwks_file = "jwks.json"
            audiences = ["api"]
            dpop = "accept"
            introspection = {{ url = "{issuer}/token/introspection", client_id = "narthex", client_secret_file = "client-secret" }}

            [issuer.mapping.user]
            external_id = "{{{{ifempty(payload.sub; payload.client_id)}}}}"
            {routes}
            "#
        );
        let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
            .config(&config)
            .unwrap()
            .file("jwks.json", key_set(&[TestKey::Rsa1]).to_string())
            .file("client-secret", CLIENT_SECRET)
            .start()
            .await
            .unwrap();
        let settings = json!({
            "port": address.port(),
            "key": TestKey::Rsa1.pem(),
            "kid": TestKey::Rsa1.kid(),
            "clientSecret": CLIENT_SECRET,
            "audience": "api",
        });
        let path = narthex.folder().join("provider.json");
        std::fs::write(&path, settings.to_string()).unwrap();
        let mut provider = Process::start(script("access-token-provider.mjs").arg(path)).unwrap();
        provider.wait_for_port(address).unwrap();
        Self {
            narthex,
            provider,
            issuer,
        }
    }

    /// Runs a client to its end, and returns the line of JSON that it prints.
    async fn run(&self, mut client: Command) -> Value {
        let ended = tokio::task::spawn_blocking(move || client.output().unwrap())
            .await
            .unwrap();
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        serde_json::from_str(printed.trim()).unwrap_or_else(|_| {
            panic!(
                "{printed}\n{}\n{}\n{}",
                String::from_utf8_lossy(&ended.stderr),
                self.provider.output(),
                self.narthex.logs()
            )
        })
    }
}

fn script(name: &str) -> Command {
    let folder = repository().join("e2e/node");
    let needs = folder.join("node_modules/oauth4webapi");
    assert!(
        needs.exists(),
        "{} is missing: run `cargo xtask setup`",
        needs.display()
    );
    let mut command = Command::new("node");
    command.arg(folder.join(name));
    command
}

/// The client knows the address of the server and nothing else. The server has no line of auth code.
#[tokio::test]
async fn an_mcp_client_finds_the_issuer_through_the_gateway_and_signs_in() {
    let address = free_address().unwrap();
    let routes = format!(
        "[[route]]\npath = \"/mcp\"\nrequire = \"authenticated\"\nscopes = [\"tools\"]\nupstream = \"http://{address}\"\n"
    );
    let world = World::start(&routes).await;
    let mut server = Process::start(script("mcp-server.mjs").arg(address.port().to_string())).unwrap();
    server.wait_for_port(address).unwrap();
    let mut client = script("mcp-client.mjs");
    client.arg(format!("{}/mcp", world.narthex.url()));
    let told = world.run(client).await;
    assert_eq!(told["caller"], "ada", "{told}");
    assert_eq!(told["issuer"], world.issuer, "{told}");
    assert_eq!(told["resource"], format!("{}/mcp", world.narthex.url()), "{told}");
    assert_eq!(told["scope"], "tools", "{told}");
}

#[tokio::test]
async fn clients_of_others_get_through_with_each_kind_of_token() {
    let upstream = Upstream::start().unwrap();
    let route = |path: &str| {
        format!(
            "[[route]]\npath = \"{path}\"\nrequire = \"authenticated\"\nscopes = [\"read\"]\nupstream = \"{}\"\n",
            upstream.url()
        )
    };
    let world = World::start(&(route("/jwt") + &route("/opaque"))).await;
    let settings = json!({ "gateway": world.narthex.url(), "issuer": world.issuer, "clientSecret": CLIENT_SECRET });
    let path = world.narthex.folder().join("client.json");
    std::fs::write(&path, settings.to_string()).unwrap();
    let mut client = script("oauth-client.mjs");
    client.arg(path);
    let told = world.run(client).await;
    for (path, parts) in [("/jwt", 3), ("/opaque", 1)] {
        let told = &told[path];
        assert_eq!(told["form"], parts, "{told}");
        assert_eq!(
            told["metadata"]["authorization_servers"],
            json!([world.issuer]),
            "{told}"
        );
        for round in ["bearer", "again"] {
            assert_eq!(told[round]["status"], 200, "{round} {told}");
        }
        let dpop = &told["dpop"];
        assert_eq!(
            (&dpop["type"], &dpop["answers"]),
            (&json!("dpop"), &json!([200, 200, 200])),
            "{told}"
        );
        assert_eq!(dpop["first"]["status"], 200, "{told}");
        for (case, reason) in [
            ("bearer", "token.bound"),
            ("stolen", "token.proof"),
            ("replayed", "token.proof"),
        ] {
            assert_eq!(dpop[case], json!({ "status": 401, "reason": reason }), "{case} {told}");
        }
    }
}
