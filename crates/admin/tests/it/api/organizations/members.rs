use narthex_directory::{OrganizationRole, ScopedRole};
use serde_json::{Value, json};

use crate::api::Fixture;

async fn acme(api: &Fixture) -> String {
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff"});
    api.post("/organizations", body).await;
    api.sign_in("ada", &["staff"]).await.user().id.to_string()
}

#[tokio::test]
async fn each_member_has_an_effective_role_and_the_grants_that_give_it() {
    let api = Fixture::new().await;
    let ada = acme(&api).await;
    api.sign_in("bob", &["unlisted"]).await;
    let page = api.get("/organizations/acme/members").await;
    let member = &page["items"][0];
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(member["user_id"], ada);
    assert_eq!(
        member["user"],
        json!({"realm": "main", "external_id": "ada", "username": "ada", "email": "ada@example.com", "name": null, "status": "active"})
    );
    assert_eq!([&member["role"], &member["grants"][0]["tag"]], ["member", "staff"]);
    assert_eq!(api.get(&format!("/organizations/acme/members/{ada}")).await, *member);
}

/// What is listed is what a decision would find, whatever is still open.
#[tokio::test]
async fn a_grant_that_gives_nothing_any_more_makes_no_member_and_says_why() {
    let api = Fixture::new().await;
    let ada = acme(&api).await;
    api.sign_in("ada", &["staff", "boss", "platform-admins"]).await;
    let (member, user) = (format!("/organizations/acme/members/{ada}"), format!("/users/{ada}"));
    let lists =
        |admins: &str, members: &str| json!({"external_admin_groups": admins, "external_member_groups": members});
    let gives = |grants: &Value| {
        let grants = grants["items"].as_array().unwrap().iter();
        let told = grants.map(|grant| {
            let tag = grant["tag"].as_str().unwrap().to_owned();
            (
                tag,
                (
                    grant["gives"].clone(),
                    grant["idle_why"].as_str().unwrap_or("-").to_owned(),
                ),
            )
        });
        told.collect::<std::collections::BTreeMap<_, _>>()
    };

    api.call("PATCH", "/organizations/acme", Some(lists("", "boss")))
        .await
        .expect(200);
    let shown = api.get(&member).await;
    assert_eq!(shown["role"], "member", "the tag is listed for less now");
    assert_eq!(api.get("/organizations/acme/members").await["items"][0], shown);
    let told = gives(&api.get(&format!("{user}/grants")).await);
    assert_eq!(told["boss"], (json!("member"), "-".to_owned()));
    assert_eq!(
        told["staff"],
        (Value::Null, "the organization no longer lists the tag".to_owned())
    );
    assert_eq!(told["platform-admins"].0, "admin");

    api.call("PATCH", "/organizations/acme", Some(lists("", "")))
        .await
        .expect(200);
    api.call("GET", &member, None).await.problem(404, "resource.unknown");
    assert_eq!(api.get("/organizations/acme/members").await["items"], json!([]));

    api.call("PATCH", "/organizations/acme", Some(lists("boss", "staff")))
        .await
        .expect(200);
    assert_eq!(api.get(&user).await["platform_role"], "admin");
    api.gateway.in_force("idp", "others");
    assert_eq!(api.get(&user).await["platform_role"], "user");
    assert_eq!(api.get("/users").await["items"][0]["platform_role"], "user");
    assert_eq!(api.get(&member).await["role"], "admin");
    api.gateway.in_force("another", "platform-admins");
    assert_eq!(api.get(&user).await["platform_role"], "user");
    api.call("GET", &member, None).await.problem(404, "resource.unknown");
    let told = gives(&api.get(&format!("{user}/grants?all=true")).await);
    for (tag, (gives, why)) in told {
        assert_eq!(gives, Value::Null, "{tag}");
        assert!(why.starts_with("its issuer is disabled"), "{tag}: {why}");
    }
}

#[tokio::test]
async fn a_role_by_hand_stands_beside_what_tokens_give_and_the_highest_counts() {
    let api = Fixture::new().await;
    let ada = acme(&api).await;
    let path = format!("/organizations/acme/members/{ada}");
    let member = api
        .call("PUT", &path, Some(json!({"role": "admin", "why": "holiday cover"})))
        .await
        .expect(200);
    assert_eq!(member["role"], "admin");
    let sources: Vec<&Value> = member["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| &grant["source"])
        .collect();
    assert_eq!(sources, ["tag", "manual"]);
    // Lower by hand than by tag changes nothing about who counts.
    assert_eq!(
        api.call("PUT", &path, Some(json!({"role": "executor"})))
            .await
            .expect(200)["role"],
        "member"
    );
    api.call("DELETE", &path, None).await.expect(204);
    assert_eq!(api.get(&path).await["role"], "member");
    // What a tag gives is not taken away by hand.
    let detail = api.call("DELETE", &path, None).await.problem(409, "resource.conflict");
    assert!(
        detail.contains("`staff` of the issuer `idp`") && detail.contains("the organization's lists"),
        "{detail}"
    );
}

#[tokio::test]
async fn somebody_who_is_no_member_is_unknown_here() {
    let api = Fixture::new().await;
    acme(&api).await;
    let bob = api.sign_in("bob", &[]).await.user().id;
    api.call("GET", &format!("/organizations/acme/members/{bob}"), None)
        .await
        .problem(404, "resource.unknown");
    for id in ["01hf7yat000000000000000019", "bob"] {
        let path = format!("/organizations/acme/members/{id}");
        api.call("PUT", &path, Some(json!({"role": "member"})))
            .await
            .problem(404, "resource.unknown");
        api.call("DELETE", &path, None).await.problem(404, "resource.unknown");
    }
    let wrong = api
        .call(
            "PUT",
            &format!("/organizations/acme/members/{bob}"),
            Some(json!({"role": "owner"})),
        )
        .await;
    assert!(wrong.problem(400, "request.malformed").contains("role"));
}

#[tokio::test]
async fn an_external_only_organization_takes_no_role_by_hand() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme", "membership": "external_only"}))
        .await;
    let bob = api.sign_in("bob", &[]).await.user().id;
    let reply = api
        .call(
            "PUT",
            &format!("/organizations/acme/members/{bob}"),
            Some(json!({"role": "member"})),
        )
        .await;
    reply.problem(409, "organization.external_only");
}

/// Ids are no secret. Whom the organization has not met is nobody to its own admins: to give a role tells nothing about them.
#[tokio::test]
async fn sec_member_put_reveals_nobody() {
    let api = Fixture::new().await;
    let ada = acme(&api).await;
    let other = json!({"name": "other", "external_member_groups": "beta"});
    api.post("/organizations", other).await;
    let bob = api.sign_in("bob", &["beta"]).await.user().id.to_string();
    let cyd = api.sign_in("cyd", &[]).await.user().id.to_string();
    let id = |organization: &Value| organization["id"].as_str().unwrap().to_owned();
    let own = api.get("/organizations/acme").await;
    let crew = api.post("/organizations/acme/teams", json!({"name": "crew"})).await;
    let key = api
        .key(ScopedRole::Organization(
            id(&own).parse().unwrap(),
            OrganizationRole::Admin,
        ))
        .await;
    let nobody = "01hf7yat000000000000000019".to_owned();
    let paths = |user: &str| {
        [
            format!("/organizations/acme/members/{user}"),
            format!("/teams/{}/members/{user}", id(&crew)),
        ]
    };
    let told = async |method: &str, path: &str, body: Option<Value>| {
        let reply = api.call_as(&key, method, path, body).await;
        let mut problem = reply.json();
        problem.as_object_mut().unwrap().remove("request_id");
        (reply.status.as_u16(), problem)
    };
    let bodies = [
        ("PUT", Some(json!({"role": "member"}))),
        ("PUT", Some(json!({"role": "member", "why": "\u{7}"}))),
        ("PUT", Some(json!({"role": "owner"}))),
        ("GET", None),
        ("DELETE", None),
    ];
    for (method, body) in bodies {
        for (place, unknown) in paths(&nobody).into_iter().enumerate() {
            let expected = told(method, &unknown, body.clone()).await;
            assert!(expected.0 >= 400, "{expected:?}");
            for stranger in [&bob, &cyd] {
                let answer = told(method, &paths(stranger)[place], body.clone()).await;
                assert_eq!(answer, expected, "{method} {body:?} of {stranger}");
            }
        }
    }
    for user in [&bob, &cyd] {
        let grants = api.get(&format!("/users/{user}/grants?all=true")).await;
        assert!(!grants.to_string().contains("manual"), "{grants}");
    }
    // A member goes on being one, in the organization's teams too, and somebody whom a token named there once.
    api.clock.advance(1_000);
    let gone = api.sign_in("ada", &["none"]).await.user().id.to_string();
    assert_eq!(gone, ada);
    for path in paths(&ada) {
        let member = api.call_as(&key, "PUT", &path, Some(json!({"role": "member"}))).await;
        assert_eq!(member.expect(200)["user"]["username"], "ada");
    }
    // A platform admin adds whom they like, and then the organization's admin sees them.
    let path = &paths(&cyd)[0];
    api.call("PUT", path, Some(json!({"role": "member"}))).await.expect(200);
    api.call_as(&key, "PUT", path, Some(json!({"role": "admin"})))
        .await
        .expect(200);
}
