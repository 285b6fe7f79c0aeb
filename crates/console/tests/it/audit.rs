//! The pages below `/audit`.

use narthex_directory::{DenialRecord, Trail as _};
use serde_json::json;

use crate::fixture::Fixture;

/// 2023-11-14T22:13:20Z, at which the clock of the fixture begins.
const START_MS: i64 = 1_700_000_000_000;

#[tokio::test]
async fn events_are_shown_with_their_actor_and_filtered() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("ada", Some("Ada"), &["staff"]).await;
    let page = console.get(&console.admin, "/audit").await;
    page.shows(
        200,
        &[
            "Ada: became member of Acme",
            "<code>grant.opened</code>",
            "a token of idp",
        ],
    );
    let page = console.get(&console.admin, "/audit?action=organization.created").await;
    page.shows(
        200,
        &[
            "<code>organization.created</code>",
            "<option selected>organization.created</option>",
        ],
    );
    assert!(!page.text.contains("<code>grant.opened</code>"));
    let export = r#"href="/audit/export?format=csv&#38;action=organization.created""#;
    assert!(page.text.contains(export), "{}", page.text);
    console
        .get(&console.admin, "/audit?text=nothing-like-it")
        .await
        .shows(200, &["No such event"]);
    console.get(&console.viewer, "/audit").await.shows(200, &["Read-only"]);
}

#[tokio::test]
async fn roles_at_a_past_time_are_shown_with_their_origin() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("ada", Some("Ada"), &["staff"]).await;
    console.advance(3 * 86_400_000);
    console.token("ada", Some("Ada"), &["none"]).await;
    let now = console.get(&console.admin, "/audit/roles?organization=acme").await;
    now.shows(200, &["No role then", r#"type="range" min="-89" max="0" value="0""#]);
    let past = console
        .get(&console.admin, "/audit/roles?organization=acme&day=-1&was=0")
        .await;
    past.shows(
        200,
        &[
            ">Ada</a>",
            "tag &#34;staff&#34; of idp",
            "No role</span>",
            r#"value="-1""#,
        ],
    );
    let csv = console
        .get(
            &console.admin,
            "/audit/roles.csv?organization=acme&as_of=2023-11-15T00:00",
        )
        .await;
    for text in ["user_id,username,", ",member,member,tag,idp,staff,"] {
        assert!(csv.text.contains(text), "no `{text}` in {}", csv.text);
    }
    let platform = console.get(&console.admin, "/audit/roles").await;
    platform.shows(200, &["<h2>The platform</h2>"]);
}

#[tokio::test]
async fn a_refused_request_is_found_by_its_id() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let facts = json!({
        "reason": "organization.role", "status": 403, "method": "POST", "path": "/x/<script>", "organization": "acme",
        "message": "The role is missing; ask an administrator of the organization.",
    });
    let denial = DenialRecord {
        request_id: "fbe-1".to_owned(),
        at_ms: START_MS,
        facts: facts.as_object().unwrap().clone(),
    };
    console.directory.keep_denials(vec![denial], START_MS).await.unwrap();
    let list = console.get(&console.admin, "/audit/denials").await;
    list.shows(200, &[r#"href="/audit/denials/fbe-1""#, "role missing"]);
    assert!(!list.text.contains("<script>"));
    let found = console.get(&console.admin, "/audit/denials?id=+fbe-1").await;
    assert_eq!(found.leads_to(), "/audit/denials/fbe-1");
    let page = console.get(&console.admin, "/audit/denials/fbe-1").await;
    page.shows(
        200,
        &[
            "Why this request was refused",
            "The role is missing",
            r#"href="/organizations/acme""#,
        ],
    );
    console
        .get(&console.admin, "/audit/denials/fbe-2")
        .await
        .shows(404, &[]);
}

#[tokio::test]
async fn sec_an_organizations_admin_sees_no_audit_page_of_the_platform() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    for address in [
        "/audit",
        "/audit/export?format=csv",
        "/audit/roles",
        "/audit/roles.csv",
        "/audit/denials",
        "/audit/denials/x",
    ] {
        let reply = console.get(&own, address).await;
        assert_eq!(reply.status.as_u16(), 404, "{address}");
    }
    console
        .get(&own, "/audit/roles?organization=acme")
        .await
        .shows(200, &["No role then"]);
}
