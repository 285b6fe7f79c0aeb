//! The memo of what an account's tokens said.

use super::world::{HOUR_MS, World};
use crate::{Directory, IssuerName, OrganizationEdit, SyncMemo};

pub async fn a_memo_recalls_until_something_moves(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    let synced = world.sync(&token).await;
    let memo = SyncMemo::of(&token, &synced, &world.policy).unwrap();
    world.later(1_000);
    let mut fresh = world.tagged("ada", &["staff"]);
    fresh.token.jti = None;
    assert_eq!(
        memo.recall(directory, &fresh, world.now_ms),
        Some(synced.principal.clone())
    );
    let differing = [
        world.tagged("ada", &["staff", "x"]),
        world.tagged("bob", &["staff"]),
        world.token("ada"),
    ];
    for other in &differing {
        assert_eq!(memo.recall(directory, other, world.now_ms), None);
    }
    let mut elsewhere = fresh.clone();
    elsewhere.issuer = IssuerName::new("other").unwrap();
    assert_eq!(memo.recall(directory, &elsewhere, world.now_ms), None);
    let edit = OrganizationEdit {
        tags: Some(Default::default()),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(memo.recall(directory, &fresh, world.now_ms), None);
    let stale = world.sync(&token).await;
    assert!(stale.plan.stale_token && SyncMemo::of(&token, &stale, &world.policy).is_none());
}

pub async fn a_memo_follows_the_order_of_tokens(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    let synced = world.sync(&token).await;
    let memo = SyncMemo::of(&token, &synced, &world.policy).unwrap();
    world.later(1_000);
    let between = world.tagged("ada", &["boss"]);
    world.later(1_000);
    assert!(
        memo.recall(directory, &world.tagged("ada", &["staff"]), world.now_ms)
            .is_some()
    );
    assert!(
        world.sync(&between).await.plan.stale_token,
        "the recalled token was newer"
    );
    assert!(
        memo.recall(directory, &token, world.now_ms).is_some(),
        "an older one that says the same is fine"
    );
}

pub async fn a_memo_looks_again_after_an_hour(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = world.token("ada");
    let synced = world.sync(&token).await;
    let memo = SyncMemo::of(&token, &synced, &world.policy).unwrap();
    world.later(HOUR_MS - 1);
    assert!(memo.recall(directory, &token, world.now_ms).is_some());
    world.later(1);
    assert_eq!(memo.recall(directory, &token, world.now_ms), None);
    assert!(world.sync(&token).await.plan.touch.due);
    assert_eq!(directory.flush().await, Ok(1));
}
