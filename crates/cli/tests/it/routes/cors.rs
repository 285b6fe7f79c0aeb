//! `cors_origins`: scripts of these origins may read refusals.

use narthex_testkit::{Answer, IdentityProvider, Upstream};

use super::{DOORS, at, route};
use crate::world::{World, config, member};

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let origins = "cors_origins = [\"https://spa.test\", \"https://other.test:8443\"]";
    config(idp, upstream)
        + &route(&url, "/api", "authenticated", origins)
        + &route("http://127.0.0.1:1", "/away", "public", origins)
}

/// Origin that may read the answer, and the header for caches.
fn readable(answer: &Answer) -> (Option<&str>, Option<&str>) {
    // A refusal varies with other headers too, in a line of its own.
    let by_origin = answer.headers.get_all("vary").iter().any(|line| line == "Origin");
    (
        answer.header("access-control-allow-origin"),
        by_origin.then_some("Origin"),
    )
}

/// Only scripts of listed origins may read a refusal, and no other answer changes.
#[tokio::test]
async fn sec_refusals_are_read_by_listed_origins_only() {
    let world = World::with_config(routes).await;
    for door in DOORS {
        for (path, origin, allowed, vary) in [
            ("/api", "https://spa.test", Some("https://spa.test"), Some("Origin")),
            (
                "/api",
                "https://other.test:8443",
                Some("https://other.test:8443"),
                Some("Origin"),
            ),
            ("/api", "https://evil.test", None, Some("Origin")),
            ("/api", "https://spa.test.evil.test", None, Some("Origin")),
            ("/api", "http://spa.test", None, Some("Origin")),
            ("/api", "null", None, Some("Origin")),
            ("/whoami", "https://spa.test", None, None),
        ] {
            let call = at(&world, door, ("GET", "app.test", path)).header("origin", origin);
            let answer = world.send(call).await;
            assert_eq!(answer.status, 401, "{door} {path} {origin}");
            assert_eq!(readable(&answer), (allowed, vary), "{door} {path} {origin}");
            let credentials = allowed.map(|_| "true");
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                credentials,
                "{door} {origin}"
            );
        }
    }
    let twice = at(&world, "proxy", ("GET", "app.test", "/api"))
        .header("origin", "https://spa.test")
        .header("origin", "https://evil.test");
    assert_eq!(readable(&world.send(twice).await), (None, Some("Origin")));
    let passes = at(&world, "proxy", ("GET", "app.test", "/api"))
        .header("origin", "https://spa.test")
        .bearer(&member("alice").sign());
    let answer = world.send(passes).await;
    assert_eq!((answer.status, readable(&answer)), (200, (None, None)));
    // An upstream that is away is Narthex's answer too.
    let away = at(&world, "proxy", ("GET", "app.test", "/away")).header("origin", "https://spa.test");
    let answer = world.send(away).await;
    assert_eq!((answer.status, readable(&answer).0), (502, Some("https://spa.test")));
}
