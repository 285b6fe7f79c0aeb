use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn takes_tags_as_an_array_or_as_text_and_answers_arrays() {
    let api = Fixture::new().await;
    let body = json!({
        "name": "acme", "label": "Acme, Inc.", "external_id": "ORG-1",
        "contact_name": "Grace", "contact_email": "grace@acme.example", "website": "https://acme.example/",
        "timezone": "Europe/Prague", "membership": "external_only",
        "external_admin_groups": ["boss", " boss ", "a,b"],
        "external_member_groups": "staff, \"CN=Ops,DC=corp\" ,, staff",
    });
    let reply = api.call("POST", "/organizations", Some(body)).await;
    let made = reply.expect(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), format!("/api/v1/organizations/{id}"));
    let expected = json!({
        "id": id, "name": "acme", "label": "Acme, Inc.", "realm": "main", "external_id": "ORG-1",
        "contact_name": "Grace", "contact_email": "grace@acme.example", "website": "https://acme.example/",
        "timezone": "Europe/Prague", "has_logo": false,
        "external_admin_groups": ["boss", "a,b"], "external_member_groups": ["staff", "CN=Ops,DC=corp"],
        "external_executor_groups": [], "tag_patterns": true, "membership": "external_only", "status": "active", "origin": "api",
        "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(made, expected);
}

#[tokio::test]
async fn the_label_defaults_to_the_name_which_is_unique() {
    let api = Fixture::new().await;
    assert_eq!(
        api.post("/organizations", json!({"name": "acme"})).await["label"],
        "acme"
    );
    api.call("POST", "/organizations", Some(json!({"name": "acme"})))
        .await
        .problem(409, "resource.exists");
}

#[tokio::test]
async fn says_which_value_breaks_which_rule() {
    let api = Fixture::new().await;
    for (body, field) in [
        (json!({"name": "Acme"}), "name"),
        (json!({"name": "acme", "label": " "}), "label"),
        (json!({"name": "acme", "external_id": "x "}), "external_id"),
        (json!({"name": "acme", "website": "javascript:alert(1)"}), "website"),
        (json!({"name": "acme", "website": "acme.example"}), "website"),
        (json!({"name": "acme", "timezone": "CET+1"}), "timezone"),
        (
            json!({"name": "acme", "external_admin_groups": "\"open"}),
            "external_admin_groups",
        ),
        (
            json!({"name": "acme", "external_member_groups": ["x".repeat(513)]}),
            "external_member_groups",
        ),
    ] {
        let detail = api
            .call("POST", "/organizations", Some(body))
            .await
            .problem(422, "resource.invalid");
        assert!(detail.starts_with(&format!("`{field}`: ")), "{detail}");
    }
    let wrong = json!({"name": "acme", "external_admin_groups": 5});
    let detail = api
        .call("POST", "/organizations", Some(wrong))
        .await
        .problem(400, "request.malformed");
    assert!(
        detail.contains("external_admin_groups") && detail.contains("commas"),
        "{detail}"
    );
}

#[tokio::test]
async fn an_id_is_no_name() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme"})).await;
    let body = json!({"name": "01hf7yat000000000000000019"});
    for (method, path) in [("POST", "/organizations"), ("PATCH", "/organizations/acme")] {
        let reply = api.call(method, path, Some(body.clone())).await;
        let detail = reply.problem(422, "resource.invalid");
        assert_eq!(detail, "`name`: it would be read as an id");
    }
}

/// A label in the place of a name is answered with the name that it suggests.
#[tokio::test]
async fn a_name_that_is_refused_comes_with_one_that_is_not() {
    let api = Fixture::new().await;
    let reply = api
        .call("POST", "/organizations", Some(json!({"name": "Acme Corp!"})))
        .await;
    assert_eq!(
        reply.problem(422, "resource.invalid"),
        "`name`: it must begin with a lower-case letter or a digit; use one such as `acme-corp`, and `label` for the name \
         that people read"
    );
    let reply = api.call("POST", "/organizations", Some(json!({"name": "名前"}))).await;
    assert!(!reply.problem(422, "resource.invalid").contains("such as"));
    let padded = json!({"external_id": " U-1 "});
    let reply = api.call("POST", "/users", Some(padded)).await;
    assert_eq!(
        reply.problem(422, "resource.invalid"),
        "`external_id`: it begins or ends with a blank; use one such as `U-1`"
    );
}

/// A platform admin learns which record has what is taken; an organization's own admin does not.
#[tokio::test]
async fn what_is_taken_is_named_to_those_who_may_see_it() {
    let api = Fixture::new().await;
    let acme = api
        .post("/organizations", json!({"name": "acme", "external_id": "A1"}))
        .await;
    let acme = acme["id"].as_str().unwrap();
    let umbrella = api
        .post(
            "/organizations",
            json!({"name": "umbrella", "external_admin_groups": "umbrella-admins"}),
        )
        .await;
    for (body, field) in [
        (json!({"name": "acme"}), "name"),
        (json!({"name": "acme-2", "external_id": "A1"}), "external_id"),
    ] {
        let reply = api.call("POST", "/organizations", Some(body)).await;
        assert_eq!(
            reply.problem(409, "resource.exists"),
            format!("another organization (`{acme}`) already has this `{field}`")
        );
    }
    let team = json!({"name": "Night shift", "external_id": "T1"});
    let made = api.post("/organizations/acme/teams", team.clone()).await;
    let reply = api
        .call("POST", "/organizations/umbrella/teams", Some(team.clone()))
        .await;
    let team_id = made["id"].as_str().unwrap();
    assert_eq!(
        reply.problem(409, "resource.exists"),
        format!("another team (`{team_id}`) already has this `external_id`")
    );
    let id = umbrella["id"].as_str().unwrap();
    api.sign_in("eve", &["umbrella-admins"]).await;
    let rename = api
        .call_as(
            "eve",
            "PATCH",
            &format!("/organizations/{id}"),
            Some(json!({"name": "acme"})),
        )
        .await;
    let other_team = api
        .call_as("eve", "POST", "/organizations/umbrella/teams", Some(team))
        .await;
    for reply in [rename, other_team] {
        assert!(
            !reply.text().contains(acme) && !reply.text().contains(team_id),
            "{}",
            reply.text()
        );
        assert!([403, 409].contains(&reply.status.as_u16()), "{}", reply.text());
    }
}
