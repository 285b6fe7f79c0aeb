//! `/audit-events`

use serde_json::{Value, json};

use crate::api::Fixture;

#[tokio::test]
async fn says_who_did_what_newest_first_by_default() {
    let api = Fixture::new().await;
    let made = api
        .post(
            "/organizations",
            json!({"name": "acme", "external_member_groups": "staff"}),
        )
        .await;
    api.clock.advance(1_000);
    let ada = api.sign_in("ada", &["staff"]).await.user().id;
    let by_user = api.get(&format!("/audit-events?user={ada}")).await;
    let actor = &by_user["items"][0]["actor"];
    assert_eq!(
        [&actor["kind"], &actor["name"], &actor["token"]["jti"]],
        ["token", "idp", "jti-1"]
    );
    let about = format!(
        "/audit-events?organization={}&until=2023-11-14T22:13:21Z",
        made["id"].as_str().unwrap()
    );
    let by_organization = api.get(&about).await;
    assert_eq!(by_organization["items"][0]["actor"]["kind"], "api_key");
    assert_eq!(by_organization["items"].as_array().unwrap().len(), 1);
    let by_name = api
        .get("/audit-events?organization=acme&until=2023-11-14T22:13:21Z")
        .await;
    assert_eq!(by_name, by_organization);

    let order = |page: Value| -> Vec<u64> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence"].as_u64().unwrap())
            .collect()
    };
    let newest = order(api.get("/audit-events").await);
    let oldest = order(api.get("/audit-events?order=oldest_first").await);
    assert_eq!(newest, oldest.iter().rev().copied().collect::<Vec<_>>());
    assert!(oldest.len() > 2 && oldest.is_sorted());
    let action = by_organization["items"][0]["action"].as_str().unwrap();
    assert_eq!(order(api.get(&format!("/audit-events?action={action}")).await).len(), 1);
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let api = Fixture::new().await;
    let reply = api.call("GET", "/audit-events?organization=acme", None).await;
    reply.problem(404, "resource.unknown");
    for query in ["user=ada", "from=now", "order=sideways"] {
        let reply = api.call("GET", &format!("/audit-events?{query}"), None).await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{query}: {}", reply.text());
    }
}

/// An action that does not exist would match nothing for ever.
#[tokio::test]
async fn an_unknown_action_is_refused_with_the_nearest() {
    let api = Fixture::new().await;
    let detail = api
        .call("GET", "/audit-events?action=grant.opend", None)
        .await
        .problem(422, "resource.invalid");
    assert_eq!(
        detail,
        "`action`: there is no such action; did you mean `grant.opened`? `docs/reference/audit-events.md` lists all"
    );
    let detail = api
        .call("GET", "/audit-events?action=zzz", None)
        .await
        .problem(422, "resource.invalid");
    assert_eq!(
        detail,
        "`action`: there is no such action; `docs/reference/audit-events.md` lists all"
    );
    for action in ["user.created", "api_key.revoked", "connection.minted"] {
        api.get(&format!("/audit-events?action={action}")).await;
    }
}
