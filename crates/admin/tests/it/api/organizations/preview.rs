use narthex_directory::{OrganizationRole, PlatformRole, ScopedRole};
use serde_json::{Value, json};

use crate::api::Fixture;

#[tokio::test]
async fn says_who_would_gain_and_lose_what_and_writes_nothing() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff"});
    let before = api.post("/organizations", body).await;
    for (name, tags) in [
        ("ada", vec!["staff"]),
        ("bob", vec!["temps"]),
        ("cy", vec!["boss", "staff"]),
        ("di", vec!["staff", "temps"]),
    ] {
        api.sign_in(name, &tags).await;
    }
    let eve = api.sign_in("eve", &["staff"]).await.user().id;
    api.call(
        "PUT",
        &format!("/organizations/acme/members/{eve}"),
        Some(json!({"role": "member"})),
    )
    .await
    .expect(200);

    let change = json!({"external_member_groups": null, "external_executor_groups": "temps"});
    let page = api
        .call("POST", "/organizations/acme/preview", Some(change))
        .await
        .expect(200);
    let rows: Vec<[&Value; 4]> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| [&row["username"], &row["before"], &row["after"], &row["tags"]])
        .collect();
    let expected = [
        [json!("ada"), json!("member"), json!(null), json!(["staff"])],
        [json!("bob"), json!(null), json!("executor"), json!(["temps"])],
        [
            json!("di"),
            json!("member"),
            json!("executor"),
            json!(["staff", "temps"]),
        ],
    ];
    assert_eq!(rows, expected.each_ref().map(<[Value; 4]>::each_ref));
    assert_eq!(api.get("/organizations/acme").await, before);
}

#[tokio::test]
async fn no_change_changes_nobody() {
    let api = Fixture::new().await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_member_groups": "staff"}),
    )
    .await;
    api.sign_in("ada", &["staff"]).await;
    for change in [json!({}), json!({"external_member_groups": ["staff"]})] {
        let page = api
            .call("POST", "/organizations/acme/preview", Some(change))
            .await
            .expect(200);
        assert_eq!(
            page,
            json!({
                "items": [], "next_cursor": null, "others_gaining": null, "never_seen": [],
                "totals": {"gaining": 0, "losing": 0, "exact": true}, "loses_last_admin": false,
            })
        );
    }
}

/// An organization's admin asks about any tag: who else there is, and with which address, is not to be had by it.
#[tokio::test]
async fn sec_preview_names_members_only() {
    let api = Fixture::new().await;
    let acme = api
        .post(
            "/organizations",
            json!({"name": "acme", "external_member_groups": "staff"}),
        )
        .await;
    api.post(
        "/organizations",
        json!({"name": "other", "external_member_groups": "decl-m"}),
    )
    .await;
    for (name, tags) in [
        ("ann", vec!["decl-m"]),
        ("ada", vec!["staff", "decl-m"]),
        ("ben", vec!["decl-m"]),
        ("bob", vec!["staff"]),
        ("cy", vec!["decl-m", "temps"]),
    ] {
        api.sign_in(name, &tags).await;
    }
    let id = acme["id"].as_str().unwrap().parse().unwrap();
    let own = api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await;
    let viewer = api.key(ScopedRole::Platform(PlatformRole::Viewer)).await;
    let change = json!({"external_admin_groups": "decl-m", "external_member_groups": null});
    let page = async |bearer: &str, query: &str| {
        let path = format!("/organizations/acme/preview{query}");
        let reply = api.call_as(bearer, "POST", &path, Some(change.clone())).await;
        reply.expect(200)
    };
    let names = |page: &Value| -> Vec<String> {
        let rows = page["items"].as_array().unwrap().iter();
        rows.map(|row| row["username"].as_str().unwrap().to_owned()).collect()
    };
    let all = page(&viewer, "").await;
    assert_eq!(names(&all), ["ann", "ada", "ben", "bob", "cy"]);
    assert_eq!(all["others_gaining"], json!(null));
    let mine = page(&own, "").await;
    assert_eq!(names(&mine), ["ada", "bob"]);
    assert_eq!(mine["others_gaining"], json!(3));
    // Of their tags no other organization's are told.
    let tags: Vec<&Value> = mine["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["tags"])
        .collect();
    assert_eq!(tags, [&json!(["staff"]), &json!(["staff"])]);
    assert_eq!(all["items"][1]["tags"], json!(["decl-m", "staff"]));
    // What a cursor says is the id of somebody: it is one of theirs.
    let first = page(&own, "?limit=1").await;
    assert_eq!(first["next_cursor"], mine["items"][0]["user_id"]);
    let rest = page(
        &own,
        &format!("?limit=1&cursor={}", first["next_cursor"].as_str().unwrap()),
    )
    .await;
    assert_eq!(names(&rest), ["bob"]);
    assert_eq!(
        (&rest["next_cursor"], &rest["others_gaining"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn a_preview_has_totals_and_a_large_change_needs_to_be_confirmed() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "realm": "main", "external_admin_groups": "owners"});
    api.post("/organizations", body).await;
    api.sign_in("boss", &["owners"]).await;
    for number in 0..101 {
        api.sign_in(&format!("user-{number}"), &["staff"]).await;
    }
    let change = json!({"external_admin_groups": "", "external_member_groups": "staff"});
    let preview = api
        .call("POST", "/organizations/acme/preview", Some(change.clone()))
        .await
        .expect(200);
    assert_eq!(preview["totals"], json!({"gaining": 101, "losing": 1, "exact": true}));
    assert_eq!(preview["loses_last_admin"], true);
    api.call("PATCH", "/organizations/acme", Some(change.clone()))
        .await
        .problem(409, "resource.conflict");
    let mut confirmed = change;
    confirmed["confirm"] = true.into();
    api.call("PATCH", "/organizations/acme", Some(confirmed))
        .await
        .expect(200);
    let small = json!({"external_executor_groups": "nobody"});
    api.call("PATCH", "/organizations/acme", Some(small)).await.expect(200);
}
