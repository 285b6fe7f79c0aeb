//! OAuth at the doors: scopes, the metadata of protected resources, and the challenges that name them.

use narthex_testkit::{Answer, IdentityProvider, Upstream, client::Call};
use serde_json::{Value, json};

use crate::world::{World, config, member};

/// The doors that a request comes through.
const DOORS: [&str; 5] = ["proxy", "nginx", "traefik", "caddy", "haproxy"];

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let issuers = format!(
        "\n[[issuer]]\nname = \"partner\"\nissuer = \"https://partner.test\"\njwks_url = \"{}\"\n\
         audiences = [\"https://api.test/tools\"]\n",
        idp.jwks_url()
    );
    let route = |path: &str, lines: &str| format!("\n[[route]]\npath = \"{path}\"\nupstream = \"{url}\"\n{lines}\n");
    config(idp, upstream)
        + &issuers
        + &route(
            "/mcp/{*rest}",
            "require = \"authenticated\"\nissuers = [\"corp\"]\nscopes = [\"read\", \"write\"]",
        )
        + &route(
            "/tools/{*rest}",
            "require = \"authenticated\"\nissuers = [\"corp\", \"partner\"]",
        )
        + &route(
            "/orgs/{organization}/mcp",
            "require = \"organization:member\"\nmethods = [\"POST\"]\nscopes = [\"org\"]",
        )
        + &route(
            "/orgs/{organization}/mcp/logo",
            "require = \"public\"\ntoken = \"ignore\"",
        )
}

/// A request at a door, as its proxy would ask about it.
fn at(world: &World, door: &str, (method, host, path): (&str, &str, &str)) -> Call {
    if door == "proxy" {
        return world
            .call(method, path)
            .header("host", host)
            .header("x-forwarded-proto", "https");
    }
    let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
    let call = world
        .call("GET", &format!("/.narthex/auth/{door}"))
        .header(&format!("{prefix}-method"), method)
        .header(&format!("{prefix}-uri"), path)
        .header("x-forwarded-proto", "https");
    match door {
        "nginx" => call.header("host", host),
        _ => call.header("x-forwarded-host", host),
    }
}

fn challenge(answer: &Answer) -> String {
    answer.header("www-authenticate").unwrap_or_default().to_owned()
}

/// Two tokens of one user with the same content but for their scopes are two answers, however often each was used before.
#[tokio::test]
async fn sec_a_route_with_scopes_takes_no_token_without_them() {
    let world = World::with_config(routes).await;
    let token = |jti: &str, scope: Value| member("alice").claim("jti", jti).claim("scope", scope).sign();
    let scp = |scp: Value| member("alice").claim("scp", scp).sign();
    let (all, some) = (token("1", json!("read write")), token("2", json!("read")));
    for door in DOORS {
        for _ in 0..3 {
            for (token, reason) in [(&all, None), (&some, Some("token.scope")), (&all, None)] {
                let call = at(&world, door, ("GET", "app.test", "/mcp")).bearer(token);
                let answer = world.send(call).await;
                assert_eq!(answer.reason().as_deref(), reason, "{door}: {}", answer.text());
                let call = at(&world, door, ("GET", "app.test", "/whoami")).bearer(token);
                assert!(world.send(call).await.reason().is_none(), "{door}");
            }
        }
    }
    for (token, reason) in [
        (scp(json!("write read x")), None),
        (scp(json!(["write", "read"])), None),
        (token("3", json!(["read", "write"])), None),
        (token("4", json!("read, write")), Some("token.scope")),
        (token("5", json!("Read write")), Some("token.scope")),
        (token("6", json!("readwrite")), Some("token.scope")),
        (token("7", json!(7)), Some("token.scope")),
        (member("alice").sign(), Some("token.scope")),
    ] {
        let answer = world
            .send(at(&world, "proxy", ("GET", "app.test", "/mcp/x")).bearer(&token))
            .await;
        assert_eq!(answer.reason().as_deref(), reason, "{}", answer.text());
    }
    let answer = world
        .send(at(&world, "traefik", ("GET", "app.test", "/mcp")).bearer(&some))
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        challenge(&answer),
        "Bearer error=\"insufficient_scope\", \
         resource_metadata=\"https://app.test/.well-known/oauth-protected-resource/mcp\", scope=\"read write\""
    );
    let body = json!({ "token": some, "request": { "method": "GET", "path": "/mcp" } });
    let told = world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap();
    assert_eq!(told["answer"]["reason"], "token.scope", "{told}");
    assert_eq!(told["answer"]["cure"]["setting"], "route.scopes", "{told}");
}

#[tokio::test]
async fn a_refusal_names_the_metadata_of_its_resource() {
    let world = World::with_config(routes).await;
    let metadata = "https://app.test/.well-known/oauth-protected-resource";
    for door in DOORS {
        let answer = world.send(at(&world, door, ("POST", "app.test", "/mcp/a/b?c=d"))).await;
        assert_eq!(
            challenge(&answer),
            format!("Bearer resource_metadata=\"{metadata}/mcp\", scope=\"read write\""),
            "{door}"
        );
        let answer = world
            .send(at(&world, door, ("POST", "app.test", "/orgs/acme/mcp")))
            .await;
        assert_eq!(
            challenge(&answer),
            format!("Bearer resource_metadata=\"{metadata}/orgs/acme/mcp\", scope=\"org\""),
            "{door}"
        );
        let bad = at(&world, door, ("GET", "app.test", "/whoami")).bearer("a.b.c");
        assert_eq!(
            challenge(&world.send(bad).await),
            format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}/whoami\""),
            "{door}"
        );
    }
    // An audience that is an address on this host is the resource.
    let answer = world.send(at(&world, "proxy", ("GET", "api.test", "/tools/a/b"))).await;
    assert_eq!(
        challenge(&answer),
        "Bearer resource_metadata=\"https://api.test/.well-known/oauth-protected-resource/tools\""
    );
    // A role that is missing is no scope.
    let outsider = member("eve").tags(["nothing"]).claim("scope", "org").sign();
    let answer = world
        .send(at(&world, "proxy", ("POST", "app.test", "/orgs/acme/mcp")).bearer(&outsider))
        .await;
    assert_eq!(answer.reason().as_deref(), Some("organization.role"));
    assert_eq!(
        challenge(&answer),
        format!("Bearer error=\"insufficient_scope\", resource_metadata=\"{metadata}/orgs/acme/mcp\"")
    );
}

#[tokio::test]
async fn each_route_has_metadata_that_name_its_issuers_and_scopes() {
    let world = World::with_config(routes).await;
    let get = async |method: &str, host: &str, path: &str| {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let call = world
            .call(method, &path)
            .header("host", host)
            .header("x-forwarded-proto", "https");
        world.send(call).await
    };
    let answer = get("GET", "app.test", "/mcp").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.json().unwrap(),
        json!({
            "resource": "https://app.test/mcp",
            "authorization_servers": ["https://idp.test"],
            "scopes_supported": ["read", "write"],
            "bearer_methods_supported": ["header"],
        })
    );
    let both = get("GET", "api.test", "/tools").await.json().unwrap();
    assert_eq!(both["resource"], "https://api.test/tools");
    assert_eq!(
        both["authorization_servers"],
        json!(["https://idp.test", "https://partner.test"])
    );
    // The route takes only POST, and its metadata are read all the same.
    let of_acme = get("GET", "app.test", "/orgs/acme/mcp").await.json().unwrap();
    assert_eq!(of_acme["resource"], "https://app.test/orgs/acme/mcp");
    assert_eq!(get("OPTIONS", "app.test", "/mcp").await.status, 204);
    for (method, path) in [
        ("GET", "/nothing"),
        ("GET", ""),
        ("GET", "/orgs/acme/mcp/logo"),
        ("POST", "/mcp"),
        ("GET", "/mcp/../admin"),
    ] {
        let answer = get(method, "app.test", path).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
    // Without a proxy that states the scheme there is none.
    let plain = world.narthex.url();
    let answer = world
        .send(world.call("GET", "/.well-known/oauth-protected-resource/mcp"))
        .await;
    let resource = answer.json().unwrap()["resource"].as_str().unwrap().to_owned();
    assert!(
        resource == format!("{plain}/mcp") || resource.starts_with("https://127.0.0.1"),
        "{resource}"
    );
}

/// The issuers of several realms are a list of customers, which only the configuration of a route makes public.
#[tokio::test]
async fn sec_metadata_tell_no_issuers_of_other_realms() {
    let issuer = |idp: &IdentityProvider, name: &str, realm: &str| {
        format!(
            "\n[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.test\"\nrealm = \"{realm}\"\n\
             jwks_url = \"{}\"\naudiences = [\"narthex\"]\n",
            idp.jwks_url()
        )
    };
    let asked = async |world: &World| {
        let path = "/.well-known/oauth-protected-resource/whoami";
        let answer = world.send(world.call("GET", path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().unwrap()["authorization_servers"].clone()
    };
    let one_realm =
        |idp: &IdentityProvider, upstream: &Upstream| config(idp, upstream) + &issuer(idp, "second", "corp");
    let world = World::with_config(one_realm).await;
    assert_eq!(asked(&world).await, json!(["https://idp.test", "https://second.test"]));

    let two_realms =
        |idp: &IdentityProvider, upstream: &Upstream| config(idp, upstream) + &issuer(idp, "customer", "customer");
    let world = World::with_config(two_realms).await;
    assert_eq!(asked(&world).await, Value::Null);
    // Its tokens are accepted there all the same.
    let token = narthex_testkit::TestIssuer::new("https://customer.test")
        .token()
        .subject("ada")
        .sign();
    let answer = world.send(world.call("GET", "/whoami").bearer(&token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
