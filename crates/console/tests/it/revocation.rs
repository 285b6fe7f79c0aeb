//! Revocation of tokens at the page of their issuer, and the chart of decisions.

use narthex_directory::{RevokedTokens, Sessions as _};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_token_is_revoked_by_its_id_or_whole_and_never_shown_again() {
    let console = Fixture::new().await;
    console
        .get(&console.admin, "/issuers/idp")
        .await
        .shows(200, &["Revoke a token", "Revoke all tokens"]);
    let address = "/issuers/idp/revoke";
    console
        .get(&console.admin, "/issuers/idp/revoke?jti=7f2c")
        .await
        .shows(200, &["Revoke a token?", r#"value="7f2c""#]);
    // {"alg":"RS256"} and {"jti":"whole"}
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiJ3aG9sZSJ9.AAAA";
    for typed in ["7f2c", token] {
        let reply = console.post(&console.admin, address, &[("jti", typed)]).await;
        assert!(reply.status.is_redirection(), "{}", reply.text);
    }
    let refused = console.post(&console.admin, address, &[("jti", " ")]).await;
    refused.shows(422, &["Tokens cannot be revoked by it"]);
    let all = console.post(&console.admin, "/issuers/idp/revoke-all", &[]).await;
    assert!(all.status.is_redirection(), "{}", all.text);
    let kept = console.directory.revocations(0, 9).await.unwrap();
    let tokens: Vec<&RevokedTokens> = kept.iter().map(|(_, revocation)| &revocation.tokens).collect();
    assert_eq!(
        tokens[..2],
        [&RevokedTokens::Id("7f2c".into()), &RevokedTokens::Id("whole".into())]
    );
    assert!(matches!(tokens[2], RevokedTokens::IssuedBefore(_)));
    console
        .get(&console.viewer, address)
        .await
        .shows(404, &["There is nothing here"]);
}

#[tokio::test]
async fn the_overview_draws_refusals_by_reason() {
    let console = Fixture::new().await;
    console.token("grace", Some("Grace"), &["staff"]).await;
    let page = console.get(&console.admin, "/").await;
    page.shows(
        200,
        &[
            "<dt>Allowed</dt><dd>90</dd>",
            "90.0 % of decisions",
            "<dt>Could not be decided</dt><dd>3</dd>",
            r#"<path class="c1""#,
            r#"<code class="soft">token.expired</code>"#,
            r#"href="/?range=24h" aria-current="page""#,
        ],
    );
    let hour = console.get(&console.admin, "/?range=1h").await;
    hour.shows(200, &["In the last hour", r#"href="/?range=1h" aria-current="page""#]);
}
