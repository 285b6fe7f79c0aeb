//! `strip_prefix`, and paths that reach the application as they were decided.

use narthex_testkit::{IdentityProvider, Upstream};

use super::{at, route};
use crate::world::{World, config, member};

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    config(idp, upstream)
        + &route(&url, "/grafana/{*path}", "authenticated", "strip_prefix = \"/grafana\"")
        + &route(&url, "/a/b/{name}", "authenticated", "strip_prefix = \"/a/b\"")
        + &route(
            &url,
            "/git/{project}",
            "authenticated",
            "strip_prefix = \"/git\"\nencoded_slash = \"allow\"\ntoken_from = [\"authorization\", \"query:jwt\"]",
        )
}

/// The application gets the rest of the path, byte for byte, and never another one than the route matched.
#[tokio::test]
async fn sec_a_prefix_is_stripped_at_the_end_of_a_segment() {
    let world = World::with_config(routes).await;
    let token = member("alice").sign();
    for (path, reaches) in [
        ("/grafana", "/"),
        ("/grafana/", "/"),
        ("/grafana?a=b", "/?a=b"),
        ("/grafana/d/1?a=%2F&b", "/d/1?a=%2F&b"),
        ("/grafana/grafana/x", "/grafana/x"),
        ("/grafana/caf%C3%A9", "/caf%C3%A9"),
        ("/a/b/c", "/c"),
        ("/git/team%2fshop", "/team%2fshop"),
        ("/git/x?", "/x?"),
    ] {
        let answer = world
            .send(at(&world, "proxy", ("GET", "app.test", path)).bearer(&token))
            .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(world.upstream.last().unwrap().target, reaches, "{path}");
    }
    for (path, reaches) in [("/git/x?jwt=", "/x"), ("/git/x?a=1&jwt=", "/x?a=1")] {
        let path = path.replace("jwt=", &format!("jwt={token}"));
        assert_eq!(
            world.send(at(&world, "proxy", ("GET", "app.test", &path))).await.status,
            200
        );
        assert_eq!(world.upstream.last().unwrap().target, reaches, "{path}");
    }
    for path in ["/grafanax", "/%67rafana/x"] {
        let answer = world
            .send(at(&world, "proxy", ("GET", "app.test", path)).bearer(&token))
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
}
