//! Requests whose token came in a cookie come from the application's own pages.

use narthex_testkit::{IdentityProvider, Upstream, client::Call, websocket::WebSocket};

use crate::world::{World, config, member};

const DOORS: [&str; 5] = ["proxy", "nginx", "traefik", "caddy", "haproxy"];

fn with_cookie(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let text = config(idp, upstream).replace(
        "audiences = ",
        "token_from = [\"authorization\", \"cookie:session\"]\naudiences = ",
    );
    let upstream = upstream.url();
    format!(
        "{text}\n[[route]]\npath = \"/shared\"\nrequire = \"authenticated\"\nupstream = \"{upstream}\"\n\
         cors_origins = [\"https://spa.test\"]\n"
    )
}

/// A request to `http://app.test`, or the question that a proxy asks about it.
fn at(world: &World, door: &str, method: &str, path: &str) -> Call {
    let host = "app.test";
    if door == "proxy" {
        return world
            .call(method, path)
            .header("host", host)
            .header("x-forwarded-proto", "http");
    }
    let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
    let call = world
        .call("GET", &format!("/.narthex/auth/{door}"))
        .header(&format!("{prefix}-method"), method)
        .header(&format!("{prefix}-uri"), path)
        .header("x-forwarded-proto", "http");
    match door {
        "nginx" => call.header("host", host),
        _ => call.header("x-forwarded-host", host),
    }
}

#[tokio::test]
async fn sec_origin_of_cookie_tokens() {
    const OWN: (&str, &str) = ("origin", "http://app.test");
    const OTHER: (&str, &str) = ("origin", "https://evil.test");
    const SPA: (&str, &str) = ("origin", "https://spa.test");
    const SOCKET: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let world = World::with_config(with_cookie).await;
    let token = member("alice").sign();
    let cookie = format!("a=b; session={token}");
    for door in DOORS {
        for (method, path, headers, passes) in [
            ("GET", "/whoami", &[OTHER][..], true),
            ("POST", "/whoami", &[], false),
            ("POST", "/whoami", &[OTHER], false),
            ("POST", "/whoami", &[("origin", "https://app.test")], false),
            ("POST", "/whoami", &[("origin", "null")], false),
            ("POST", "/whoami", &[("sec-fetch-site", "cross-site")], false),
            ("DELETE", "/whoami", &[OTHER], false),
            ("POST", "/whoami", &[OWN], true),
            ("POST", "/whoami", &[("sec-fetch-site", "same-origin")], true),
            ("POST", "/whoami", &[SPA], false),
            ("POST", "/shared", &[SPA], true),
            ("POST", "/shared", &[OTHER], false),
            ("POST", "/public/page", &[OTHER], false),
            ("GET", "/whoami", &[SOCKET, OTHER], false),
            ("GET", "/whoami", &[SOCKET, OWN], true),
        ] {
            let call = headers
                .iter()
                .fold(at(&world, door, method, path), |call, (name, value)| {
                    call.header(name, value)
                });
            let answer = world.send(call.clone().header("cookie", &cookie)).await;
            if passes {
                assert_eq!(
                    answer.status,
                    200,
                    "{door}: {method} {path} {headers:?}: {}",
                    answer.text()
                );
            } else {
                assert_eq!(
                    answer.reason().as_deref(),
                    Some("request.origin"),
                    "{door}: {method} {path} {headers:?}"
                );
                assert_eq!(answer.status, 403);
            }
            // What a page has to add itself, no other page adds.
            let answer = world.send(call.bearer(&token)).await;
            assert_eq!(
                answer.status,
                200,
                "{door}: {method} {path} {headers:?}: {}",
                answer.text()
            );
        }
    }
    let address = world.narthex.address();
    let own = format!("http://{address}");
    let open = async |origin: &str| {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        WebSocket::open(&address, "/whoami", &headers).await
    };
    open(&own).await.unwrap();
    let refused = open("http://evil.test").await.unwrap_err().to_string();
    assert!(refused.contains("403"), "{refused}");
}
