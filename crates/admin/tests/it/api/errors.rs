//! Whatever goes wrong is a problem document, and nothing is answered without being asked by somebody known.

use axum::body::Body;
use http::Request;
use serde_json::json;

use super::Fixture;

#[tokio::test]
async fn nobody_and_nonsense_are_told_apart() {
    let api = Fixture::new().await;
    let send = |headers: Vec<(&'static str, String)>| {
        let mut request = Request::get("/api/v1/users");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        api.send(request.body(Body::empty()).unwrap())
    };
    let nobody = send(vec![]).await;
    nobody.problem(401, "token.missing");
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let bearer = |text: &str| ("authorization", format!("Bearer {text}"));
    send(vec![bearer("nx_unknown")]).await.problem(401, "api_key.unknown");
    send(vec![bearer("nonsense")]).await.problem(401, "token.signature");
    send(vec![bearer(&api.admin), bearer(&api.admin)])
        .await
        .problem(400, "token.multiple");
    send(vec![("authorization", "Bearer".to_owned())])
        .await
        .problem(401, "token.malformed");
    send(vec![("authorization", "Basic YTpi".to_owned())])
        .await
        .problem(401, "token.missing");
    // Neither a cookie nor a query parameter is looked at.
    send(vec![("cookie", format!("token={}", api.admin))])
        .await
        .problem(401, "token.missing");
    let query = Request::get(format!("/api/v1/users?access_token={}", api.admin))
        .body(Body::empty())
        .unwrap();
    api.send(query).await.problem(401, "token.missing");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let api = Fixture::new().await;
    api.call("GET", "/nothing", None)
        .await
        .problem(404, "request.path_unknown");
    api.call("GET", "", None).await.problem(404, "request.path_unknown");
    for elsewhere in ["/", "/nope", "/api/v1/", "/api/v2/users"] {
        let reply = api.send(Request::get(elsewhere).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header("content-type"), "application/problem+json", "{elsewhere}");
        reply.problem(404, "request.path_unknown");
    }
    let method = api.call("DELETE", "/users", None).await;
    method.problem(405, "request.method");
    let mut allowed: Vec<&str> = method.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    api.call("OPTIONS", "/users", None).await.problem(405, "request.method");
}

#[tokio::test]
async fn a_body_is_read_strictly() {
    let api = Fixture::new().await;
    let send = |media_type: Option<&'static str>, body: Vec<u8>| {
        let mut request = Request::post("/api/v1/users").header("authorization", format!("Bearer {}", api.admin));
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        api.send(request.body(Body::from(body)).unwrap())
    };
    let json = Some("application/json");
    send(None, b"{}".to_vec()).await.problem(415, "request.media_type");
    send(Some("text/plain"), b"{}".to_vec())
        .await
        .problem(415, "request.media_type");
    send(
        Some("application/json; charset=utf-8"),
        br#"{"external_id":"a"}"#.to_vec(),
    )
    .await
    .expect(201);
    for (body, says) in [
        ("", "EOF"),
        (r"{", "EOF"),
        (r#"{"external_id":"b"} x"#, "trailing"),
        (r#"{"external_id":"b","colour":"red"}"#, "unknown field `colour`"),
        (
            r#"{"external_id":"b","external_id":"c"}"#,
            "duplicate field `external_id`",
        ),
        (r#"{"external_id":7}"#, "external_id"),
        (r"{}", "missing field `external_id`"),
        (r#"["b"]"#, "JSON object"),
    ] {
        let detail = send(json, body.into()).await.problem(400, "request.malformed");
        assert!(detail.contains(says), "{body}: {detail}");
    }
    send(json, vec![0xff, 0xfe]).await.problem(400, "request.malformed");
    let large = json!({"external_id": "a", "name": "x".repeat(70_000)}).to_string();
    send(json, large.into_bytes()).await.problem(413, "request.too_large");
    let deep = format!("{{\"external_id\":{}", "[".repeat(60_000));
    send(json, deep.into_bytes()).await.problem(400, "request.malformed");
}

#[tokio::test]
async fn every_answer_forbids_keeping_and_sniffing_and_invites_no_other_origin() {
    let api = Fixture::new().await;
    for path in ["/users", "/nothing", "/users/x"] {
        let reply = api
            .call_with("GET", path, None, &[("origin", "https://evil.example")])
            .await;
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        let names: Vec<_> = reply.headers.keys().map(http::HeaderName::as_str).collect();
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("access-control") || *name == "set-cookie"),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_is_refused_for_its_sender_says_nothing_about_its_content() {
    let api = Fixture::new().await;
    api.call_as("nx_unknown", "GET", "/users/x", None)
        .await
        .problem(401, "api_key.unknown");
    api.call_as("nx_unknown", "POST", "/users", Some(json!({"colour": 1})))
        .await
        .problem(401, "api_key.unknown");
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named_in_plain_words() {
    let api = Fixture::new().await;
    for (query, says) in [
        ("limit=x", "`limit` must be a whole number"),
        ("limit=", "`limit` must be a whole number"),
        ("limit=-1", "`limit` must be a whole number"),
        ("limit=99999999999999999999", "`limit` is too large a number"),
        ("limit=0", "`limit` is between 1 and 200"),
        ("colour=red", "unknown field `colour`"),
    ] {
        let reply = api.call("GET", &format!("/users?{query}"), None).await;
        let detail = reply.problem(400, "request.malformed");
        assert!(detail.contains(says), "{query}: {detail}");
    }
}

/// No token would ever meet what is made in a realm that no issuer has.
#[tokio::test]
async fn a_realm_that_no_issuer_has_is_refused() {
    let api = Fixture::new().await;
    api.add_realm("second");
    let bodies = [
        ("/users", json!({"external_id": "a", "realm": "mian"})),
        ("/organizations", json!({"name": "acme", "realm": "mian"})),
    ];
    for (path, body) in &bodies {
        let reply = api.call("POST", path, Some(body.clone())).await;
        let detail = reply.problem(422, "resource.invalid");
        assert!(detail.contains("main, second"), "{path}: {detail}");
    }
    api.gateway.realms.lock().unwrap().clear();
    for (path, body) in &bodies {
        api.call("POST", path, Some(body.clone())).await.expect(201);
    }
}

#[tokio::test]
async fn a_cursor_that_the_list_did_not_give_is_refused() {
    let api = Fixture::new().await;
    for list in [
        "/users",
        "/organizations",
        "/connections",
        "/audit-events",
        "/api-keys",
        "/tags",
    ] {
        for cursor in ["zzz", ""] {
            let reply = api.call("GET", &format!("{list}?cursor={cursor}"), None).await;
            let detail = reply.problem(400, "request.malformed");
            assert!(detail.contains("cursor"), "{list}: {detail}");
        }
    }
}

/// `null` empties what can be empty. Where nothing can, a change that says it must not be answered as if it were made.
#[tokio::test]
async fn null_is_refused_for_what_is_never_empty() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme", "label": "Acme"}))
        .await;
    let team = api.post("/organizations/acme/teams", json!({"name": "ops"})).await;
    let ada = api.sign_in("ada", &[]).await.user().id;
    let team = format!("/teams/{}", team["id"].as_str().unwrap());
    let user = format!("/users/{ada}");
    let organization = "/organizations/acme".to_owned();
    for (path, fields) in [
        (&user, &["username", "status"][..]),
        (&organization, &["name", "label", "membership", "status"]),
        (&team, &["name"]),
    ] {
        let before = api.get(path).await;
        for field in fields {
            let reply = api.call("PATCH", path, Some(json!({*field: null}))).await;
            let detail = reply.problem(422, "resource.invalid");
            assert!(detail.starts_with(&format!("`{field}`: ")), "{detail}");
        }
        assert_eq!(api.get(path).await, before);
    }
    for (path, fields) in [
        (
            &user,
            &["email", "name", "country", "timezone", "locale", "language"][..],
        ),
        (
            &organization,
            &["external_id", "contact_name", "contact_email", "website", "timezone"],
        ),
        (&team, &["organization", "external_id"]),
    ] {
        for field in fields {
            api.call("PATCH", path, Some(json!({*field: null}))).await.expect(200);
        }
    }
}
