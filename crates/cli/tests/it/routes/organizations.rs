//! `organization`, `organization_header`, `organization_by` and `{organization}` in `hosts`.

use narthex_testkit::{IdentityProvider, Upstream, client::Call};
use serde_json::json;

use super::{DOORS, at, route};
use crate::world::{World, config, member};

/// Place in which a request names its organization.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// `/by-id/{organization}`, by the external id.
    ExternalId,
    /// `{organization}.org.test`.
    Host,
    /// `X-Scope-OrgID`.
    Header,
    /// `X-Tenant`, by the external id.
    HeaderId,
}

const ALL: [By; 4] = [By::ExternalId, By::Host, By::Header, By::HeaderId];

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let member = "organization:member";
    config(idp, upstream)
        + &route(
            &url,
            "/by-id/{organization}",
            member,
            "organization_by = \"external_id\"",
        )
        + &route(&url, "/tenant", member, "hosts = \"{organization}.org.test\"")
        + &route(&url, "/scoped", member, "organization_header = \"X-Scope-OrgID\"")
        + &route(
            &url,
            "/scoped-id",
            member,
            "organization_header = \"X-Tenant\"\norganization_by = \"external_id\"",
        )
        + &route(&url, "/of-acme", member, "organization = \"acme\"")
        + &route(&url, "/of-susp", member, "organization = \"susp\"")
        + &route(&url, "/of-nowhere", member, "organization = \"nowhere\"")
        + &route(&url, "/of-susp-any", "authenticated", "organization = \"susp\"")
}

/// Organizations `acme` (external id `XYZ`), `susp` (`SUSP`, suspended) and `XYZ` of another realm by another name.
async fn world() -> World {
    let world = World::with_config(routes).await;
    let api = world.narthex.api();
    let acme = api.organization("acme").await.unwrap().unwrap();
    let path = format!("/organizations/{}", acme["id"].as_str().unwrap());
    api.done("PATCH", &path, Some(&json!({ "external_id": "XYZ" })))
        .await
        .unwrap();
    let susp =
        json!({ "name": "susp", "realm": "corp", "external_id": "SUSP", "external_member_groups": ["susp-staff"] });
    let made = api.done("POST", "/organizations", Some(&susp)).await.unwrap();
    let path = format!("/organizations/{}", made["id"].as_str().unwrap());
    api.done("PATCH", &path, Some(&json!({ "status": "suspended" })))
        .await
        .unwrap();
    // What one organization is called may be the external id of another.
    let other = json!({ "name": "xyz", "realm": "corp", "external_id": "acme", "external_member_groups": ["others"] });
    api.done("POST", "/organizations", Some(&other)).await.unwrap();
    world
}

/// A request that names an organization.
fn naming(world: &World, door: &str, by: By, (name, id): (&str, &str)) -> Call {
    match by {
        By::ExternalId => at(world, door, ("GET", "app.test", &format!("/by-id/{id}"))),
        By::Host => at(world, door, ("GET", &format!("{name}.org.test"), "/tenant")),
        By::Header => at(world, door, ("GET", "app.test", "/scoped")).header("x-scope-orgid", name),
        By::HeaderId => at(world, door, ("GET", "app.test", "/scoped-id")).header("x-tenant", id),
    }
}

#[tokio::test]
async fn a_member_is_let_in_wherever_the_request_names_the_organization() {
    let world = world().await;
    for door in DOORS {
        for by in ALL {
            let call = naming(&world, door, by, ("acme", "XYZ")).bearer(&member("alice").sign());
            let answer = world.send(call).await;
            assert_eq!(answer.status, 200, "{door} {by:?}: {}", answer.text());
            let named = match door {
                "proxy" => world.upstream.last().unwrap().header("x-narthex-organization"),
                _ => answer.header("x-narthex-organization").map(str::to_owned),
            };
            assert_eq!(named.as_deref(), Some("acme"), "{door} {by:?}");
        }
        for (path, status) in [("/of-acme", 200), ("/of-nowhere", 403)] {
            let call = at(&world, door, ("GET", "app.test", path)).bearer(&member("alice").sign());
            assert_eq!(world.send(call).await.status, status, "{door} {path}");
        }
    }
    let upper = at(&world, "proxy", ("GET", "ACME.Org.test", "/tenant")).bearer(&member("alice").sign());
    assert_eq!(world.send(upper).await.status, 200);
}

/// A caller who holds nothing in an organization cannot tell an unknown one, a suspended one and another one apart.
#[tokio::test]
async fn sec_organizations_from_every_source_look_alike_to_others() {
    let world = world().await;
    let token = member("mallory").tags(["other"]).sign();
    for door in DOORS {
        for by in ALL {
            for named in [
                ("acme", "XYZ"),
                ("susp", "SUSP"),
                ("nowhere", "NOWHERE"),
                ("xyz", "acme"),
            ] {
                let answer = world.send(naming(&world, door, by, named).bearer(&token)).await;
                let told = (answer.status, answer.reason());
                assert_eq!(
                    told,
                    (403, Some("organization.role".to_owned())),
                    "{door} {by:?} {named:?}"
                );
            }
        }
        for path in ["/of-acme", "/of-susp", "/of-nowhere", "/of-susp-any"] {
            let answer = world
                .send(at(&world, door, ("GET", "app.test", path)).bearer(&token))
                .await;
            assert_eq!(answer.reason().as_deref(), Some("organization.role"), "{door} {path}");
        }
    }
}

/// An external id is not a name, nor a name an external id, and neither is read in another spelling.
#[tokio::test]
async fn sec_an_external_id_is_no_name() {
    let world = world().await;
    let token = member("alice").sign();
    for (by, named, status) in [
        // The external id `acme` is that of `xyz`, where alice has no role.
        (By::ExternalId, ("", "acme"), 403),
        (By::HeaderId, ("", "acme"), 403),
        (By::ExternalId, ("", "xyz"), 403),
        (By::ExternalId, ("", "X%59Z"), 400),
        (By::Header, ("XYZ", ""), 400),
        (By::Header, ("acme,other", ""), 400),
        (By::HeaderId, ("", "XYZ|ABC"), 400),
        (By::Host, ("xyz", ""), 403),
    ] {
        let answer = world.send(naming(&world, "proxy", by, named).bearer(&token)).await;
        assert_eq!(answer.status, status, "{by:?} {named:?}: {}", answer.text());
    }
}

/// The application gets the organization that the request was decided for, once, and from nowhere else.
#[tokio::test]
async fn sec_organization_header_is_forwarded_as_decided() {
    let world = world().await;
    let token = member("alice").sign();
    let scoped = || at(&world, "proxy", ("GET", "app.test", "/scoped")).bearer(&token);
    let answer = world
        .send(
            scoped()
                .header("x-scope-orgid", "acme")
                .header("x_scope_orgid", "xyz")
                .header("x.scope.orgid", "xyz")
                .header("connection", "x-scope-orgid"),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-scope-orgid").as_deref(), Some("acme"));
    assert!(
        !seen
            .header_names()
            .iter()
            .any(|name| name == "x_scope_orgid" || name == "x.scope.orgid")
    );
    for call in [
        scoped(),
        scoped().header("x_scope_orgid", "acme"),
        scoped().header("x-scope-orgid", "acme").header("x-scope-orgid", "acme"),
        scoped().header("x-scope-orgid", ""),
    ] {
        let answer = world.send(call).await;
        let told = (answer.status, answer.reason());
        assert_eq!(told, (400, Some("organization.missing".to_owned())));
    }
}
