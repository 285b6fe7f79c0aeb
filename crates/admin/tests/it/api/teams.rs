//! `/teams` and `/organizations/{organization}/teams`

use narthex_directory::{OrganizationRole, ScopedRole};
use serde_json::json;

use crate::api::Fixture;

async fn acme(api: &Fixture) -> String {
    let made = api.post("/organizations", json!({"name": "acme"})).await;
    let id = made["id"].as_str().unwrap().parse().unwrap();
    api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await
}

#[tokio::test]
async fn a_team_is_made_found_and_changed() {
    let api = Fixture::new().await;
    acme(&api).await;
    let body = json!({"name": "Night shift", "external_id": "T-1"});
    let team = api.post("/organizations/acme/teams", body).await;
    let organization = api.get("/organizations/acme").await;
    assert_eq!(
        team,
        json!({
            "id": team["id"], "realm": "main", "organization_id": organization["id"], "external_id": "T-1",
            "name": "Night shift", "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
        })
    );
    let path = format!("/teams/{}", team["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await, team);
    for list in [
        "/teams",
        "/teams?external_id=T-1&realm=main",
        "/organizations/acme/teams",
        "/organizations/acme/teams?external_id=T-1",
    ] {
        assert_eq!(api.get(list).await["items"], json!([team]), "{list}");
    }
    for list in ["/teams?realm=two", "/organizations/acme/teams?external_id=t-1"] {
        assert_eq!(api.get(list).await["items"], json!([]), "{list}");
    }
    let changed = api.call_with(
        "PATCH",
        &path,
        Some(json!({"name": "Day shift", "external_id": null})),
        &[("if-match", "\"1\"")],
    );
    let changed = changed.await.expect(200);
    assert_eq!(
        [&changed["name"], &changed["external_id"]],
        [&json!("Day shift"), &json!(null)]
    );
    let late = api
        .call_with("PATCH", &path, Some(json!({"name": "x"})), &[("if-match", "\"1\"")])
        .await;
    late.problem(412, "resource.changed");
    api.call("PATCH", &path, Some(json!({"name": " "})))
        .await
        .problem(422, "resource.invalid");
}

#[tokio::test]
async fn roles_in_a_team_are_given_and_taken_by_hand() {
    let api = Fixture::new().await;
    acme(&api).await;
    let team = api
        .post("/organizations/acme/teams", json!({"name": "Night shift"}))
        .await;
    let ada = api.sign_in("ada", &[]).await.user().id;
    let members = format!("/teams/{}/members", team["id"].as_str().unwrap());
    let path = format!("{members}/{ada}");
    let member = api
        .call("PUT", &path, Some(json!({"role": "admin", "why": "lead"})))
        .await
        .expect(200);
    assert_eq!(
        [&member["role"], &member["grants"][0]["scope"]["name"]],
        ["admin", "Night shift"]
    );
    assert_eq!(api.get(&members).await["items"], json!([member]));
    assert_eq!(api.get(&path).await, member);
    api.call("DELETE", &path, None).await.expect(204);
    api.call("GET", &path, None).await.problem(404, "resource.unknown");
    api.call("PUT", &path, Some(json!({"role": "executor"})))
        .await
        .problem(400, "request.malformed");
}

/// An external id is what tokens find a team by; an organization's admin could take one that is meant for another's.
#[tokio::test]
async fn an_organizations_admin_makes_teams_but_names_no_external_id_and_moves_none() {
    let api = Fixture::new().await;
    let key = acme(&api).await;
    api.post("/organizations", json!({"name": "umbrella"})).await;
    let made = api
        .call_as(
            &key,
            "POST",
            "/organizations/acme/teams",
            Some(json!({"name": "Night shift"})),
        )
        .await
        .expect(201);
    let path = format!("/teams/{}", made["id"].as_str().unwrap());
    api.call_as(&key, "PATCH", &path, Some(json!({"name": "Day shift"})))
        .await
        .expect(200);
    let with_id = api
        .call_as(
            &key,
            "POST",
            "/organizations/acme/teams",
            Some(json!({"name": "x", "external_id": "T"})),
        )
        .await;
    with_id.problem(403, "organization.role");
    for change in [
        json!({"external_id": "T"}),
        json!({"external_id": null}),
        json!({"organization": "umbrella"}),
        json!({"organization": null}),
    ] {
        api.call_as(&key, "PATCH", &path, Some(change))
            .await
            .problem(403, "organization.role");
    }
    let moved = api
        .call("PATCH", &path, Some(json!({"organization": "umbrella"})))
        .await
        .expect(200);
    assert_eq!(moved["organization_id"], api.get("/organizations/umbrella").await["id"]);
    api.call_as(&key, "GET", &path, None)
        .await
        .problem(403, "organization.role");
}
