//! `/sessions`

use http::HeaderMap;
use narthex_admin::ops::sessions::{BearerText, SignInCredential};
use narthex_directory::SessionClient;

use crate::api::{Fixture, seal_with};

/// A browser that signed in at the console with an API key, by the id of its session.
pub(super) async fn signed_in(api: &Fixture) -> String {
    let client = SessionClient {
        user_agent: Some("Browser/1".to_owned()),
        address: Some("192.0.2.1".to_owned()),
    };
    let credential = SignInCredential::Bearer(BearerText(&api.admin));
    api.operations
        .sign_in(credential, &HeaderMap::new(), client, None)
        .await
        .unwrap();
    let listed = api.get("/sessions").await;
    let ids = listed["items"].as_array().unwrap().iter();
    ids.last().unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_in_browser_is_listed_until_it_is_ended() {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    let id = signed_in(&api).await;
    for query in ["", "?kind=console"] {
        let listed = api.get(&format!("/sessions{query}")).await;
        let session = &listed["items"][0];
        assert_eq!(session["id"], id);
        assert_eq!(session["kind"], "console");
        assert_eq!(session["credential"], "api_key");
        assert_eq!(session["user_agent"], "Browser/1");
        assert_eq!(session["address"], "192.0.2.1");
        assert!(session["user_id"].is_null() && session["issuer"].is_null());
    }
    let text = api.get("/sessions").await.to_string();
    assert!(!text.contains("hash") && !text.contains("sealed"), "{text}");
    let other = api.get("/sessions?kind=door").await;
    assert_eq!(other["items"].as_array().unwrap().len(), 0);
    let ada = api.sign_in("ada", &[]).await.user().id;
    let of_ada = api.get(&format!("/sessions?user={ada}")).await;
    assert_eq!(of_ada["items"].as_array().unwrap().len(), 0);

    api.call("DELETE", &format!("/sessions/{id}"), None).await.expect(204);
    assert_eq!(api.get("/sessions").await["items"].as_array().unwrap().len(), 0);
    api.call("DELETE", &format!("/sessions/{id}"), None).await.expect(404);
}

/// The caller is told no more than that it may not, whether there is such a session or not.
#[tokio::test]
async fn sec_a_user_without_a_role_ends_no_session_of_another() {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    let id = signed_in(&api).await;
    api.sign_in("stranger", &[]).await;
    for session in [id.as_str(), "01hf7yat000000000000000019"] {
        let path = format!("/sessions/{session}");
        api.call_as("stranger", "DELETE", &path, None).await.expect(403);
    }
    api.call_as("stranger", "GET", "/sessions", None).await.expect(403);
    assert_eq!(api.get("/sessions").await["items"][0]["id"], id);
}
