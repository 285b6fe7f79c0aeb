use narthex_directory::{NewOrganization, OrganizationRole, People, ScopedRole, TokenSync};
use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn changes_what_is_given_and_only_that() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff", "website": "https://a.example"});
    api.post("/organizations", body).await;
    let change = json!({"external_member_groups": "staff, temps", "website": null, "label": "Acme"});
    let reply = api.call("PATCH", "/organizations/acme", Some(change)).await;
    let now = reply.expect(200);
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!(now["external_admin_groups"], json!(["boss"]));
    assert_eq!(now["external_member_groups"], json!(["staff", "temps"]));
    assert_eq!([&now["website"], &now["label"]], [&json!(null), &json!("Acme")]);
    let emptied = api
        .call(
            "PATCH",
            "/organizations/acme",
            Some(json!({"external_admin_groups": null})),
        )
        .await;
    assert_eq!(emptied.expect(200)["external_admin_groups"], json!([]));
}

#[tokio::test]
async fn if_match_is_honoured_and_the_realm_is_fixed() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme"})).await;
    let change = Some(json!({"label": "x"}));
    api.call_with("PATCH", "/organizations/acme", change.clone(), &[("if-match", "\"1\"")])
        .await
        .expect(200);
    let late = api
        .call_with("PATCH", "/organizations/acme", change, &[("if-match", "\"1\"")])
        .await;
    late.problem(412, "resource.changed");
    let realm = api
        .call("PATCH", "/organizations/acme", Some(json!({"realm": "two"})))
        .await;
    assert!(realm.problem(400, "request.malformed").contains("realm"));
}

#[tokio::test]
async fn what_the_configuration_declares_is_changed_there() {
    let api = Fixture::new().await;
    let made = api.post("/organizations", json!({"name": "acme"})).await;
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let found = api.directory.organization(id).await.unwrap().unwrap();
    let declared = NewOrganization {
        id: found.id,
        name: found.name,
        label: found.label,
        realm: found.realm,
        external_id: None,
        details: found.details,
        tags: found.tags,
        tag_patterns: true,
        membership: found.membership,
        status: found.status,
    };
    api.directory
        .declare_organizations(vec![declared], api.by())
        .await
        .unwrap();
    assert_eq!(api.get("/organizations/acme").await["origin"], "config");
    let reply = api
        .call("PATCH", "/organizations/acme", Some(json!({"label": "x"})))
        .await;
    assert!(reply.problem(409, "resource.declared").contains("configuration"));
}

/// What decides who an organization is belongs to platform admins; the rest is its own.
#[tokio::test]
async fn an_organizations_admin_changes_what_is_its_own() {
    let api = Fixture::new().await;
    let made = api.post("/organizations", json!({"name": "acme"})).await;
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let key = api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await;
    for change in [
        json!({"label": "x"}),
        json!({"external_admin_groups": "boss"}),
        json!({"contact_name": "Grace"}),
    ] {
        api.call_as(&key, "PATCH", "/organizations/acme", Some(change))
            .await
            .expect(200);
    }
    for change in [
        json!({"name": "other"}),
        json!({"external_id": "x"}),
        json!({"external_id": null}),
        json!({"membership": "external_only"}),
        json!({"status": "suspended"}),
        json!({"label": "y", "status": "active"}),
    ] {
        let reply = api.call_as(&key, "PATCH", "/organizations/acme", Some(change)).await;
        assert_eq!(
            reply.problem(403, "organization.role"),
            "only platform admins may do this"
        );
    }
    assert_eq!(api.get("/organizations/acme").await["label"], "x");
}

#[tokio::test]
async fn a_suspended_organizations_admin_reaches_nothing() {
    let api = Fixture::new().await;
    let made = api
        .post(
            "/organizations",
            json!({"name": "acme", "external_admin_groups": "boss"}),
        )
        .await;
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let key = api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await;
    api.call("PATCH", "/organizations/acme", Some(json!({"status": "suspended"})))
        .await
        .expect(200);
    api.sign_in("ada", &["boss"]).await;
    api.call_as(&key, "GET", "/organizations/acme", None)
        .await
        .problem(403, "organization.suspended");
    api.call_as("ada", "GET", "/organizations/acme", None)
        .await
        .problem(403, "organization.role");
}
