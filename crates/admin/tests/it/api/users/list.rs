use serde_json::{Value, json};

use crate::api::Fixture;

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    let mut names: Vec<&str> = items.map(|user| user["username"].as_str().unwrap()).collect();
    // Ids of one millisecond are in no particular order.
    names.sort_unstable();
    names
}

#[tokio::test]
async fn finds_by_every_filter_and_compares_exactly() {
    let api = Fixture::new().await;
    api.add_realm("two");
    for (external_id, email, realm) in [
        ("Ada", "ada@x", "main"),
        ("ada", "ada@x", "main"),
        ("bob", "bob@x", "two"),
    ] {
        api.post(
            "/users",
            json!({"external_id": external_id, "email": email, "realm": realm}),
        )
        .await;
    }
    for (query, expected) in [
        ("", vec!["Ada", "ada", "bob"]),
        ("?realm=main", vec!["Ada", "ada"]),
        ("?external_id=ada", vec!["ada"]),
        ("?username=Ada", vec!["Ada"]),
        ("?email=ada%40x", vec!["Ada", "ada"]),
        ("?q=AD", vec!["Ada", "ada"]),
        ("?q=bob&realm=main", vec![]),
        ("?external_id=AD", vec![]),
    ] {
        let page = api.get(&format!("/users{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
        assert_eq!(page["next_cursor"], Value::Null);
    }
}

#[tokio::test]
async fn reads_on_by_cursor_until_the_end() {
    let api = Fixture::new().await;
    for number in 0..5 {
        api.post("/users", json!({"external_id": format!("u{number}")})).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/users?limit=2{cursor}")).await;
        found.extend(names(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.sort();
    assert_eq!(found, ["u0", "u1", "u2", "u3", "u4"]);
}

#[tokio::test]
async fn names_an_unknown_parameter_and_a_limit_out_of_bounds() {
    let api = Fixture::new().await;
    for (query, named) in [
        ("?relam=main", "relam"),
        ("?limit=201", "limit"),
        ("?limit=0", "limit"),
        ("?limit=x", "limit"),
    ] {
        let detail = api
            .call("GET", &format!("/users{query}"), None)
            .await
            .problem(400, "request.malformed");
        assert!(detail.contains(named), "{detail}");
    }
    api.call("GET", "/users?realm=a&realm=b", None)
        .await
        .problem(400, "request.malformed");
}
