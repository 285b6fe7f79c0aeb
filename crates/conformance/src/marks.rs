//! Tokens that come in an order of their own: undated, ahead of the clock, of one second, old and new in turn.

use super::world::{HOUR_MS, MINUTE_MS, World, carrying, exactly, roles};
use narthex_directory::{Among, Desired, Directory, IssuerName, Note, OrganizationEdit, Refusal};

/// A token without `iat` may be of any time. Tokens of an issuer that never dates them have no order.
pub async fn sec_an_undated_token_never_undoes_a_dated_one(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let undated = |world: &World<'_>, tags: &[&str]| Desired {
        issued_at_ms: None,
        ..world.tagged("ada", tags)
    };
    for (tags, expected) in [
        ("boss", "tools admin"),
        ("staff", "tools member"),
        ("boss", "tools admin"),
    ] {
        assert_eq!(
            world.roles(&undated(&world, &[tags])).await,
            [expected],
            "none had a date yet"
        );
    }
    world.sync(&world.tagged("ada", &["staff"])).await;
    for written in [false, true] {
        let synced = world.sync(&undated(&world, &["boss"])).await;
        assert!(synced.plan.stale_token && synced.plan.is_empty(), "written: {written}");
        assert_eq!(roles(&synced.principal), ["tools member"]);
        directory.flush().await.unwrap();
    }
    let mut other = undated(&world, &["boss"]);
    other.issuer = IssuerName::new("other").unwrap();
    assert!(
        !world.sync(&other).await.plan.stale_token,
        "another issuer's tokens have an order of their own"
    );
}

/// Otherwise two such tokens take turns, and each turn leaves grants and events behind for good.
pub async fn sec_the_first_of_two_tokens_of_one_second_counts(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    let (one, two) = (world.tagged("ada", &["staff"]), world.tagged("ada", &["boss"]));
    world.sync(&one).await;
    let events = world.event_count().await;
    for round in 0..3 {
        assert!(world.sync(&two).await.plan.stale_token, "round {round}");
        assert_eq!(world.roles(&one).await, ["tools member"], "round {round}");
        directory.flush().await.unwrap();
        world.later(1_000);
    }
    assert_eq!(world.event_count().await, events, "nothing is left behind");
    // One that changes nothing is the first one too.
    let (three, four) = (world.tagged("ada", &["staff"]), world.tagged("ada", &["boss"]));
    assert!(world.sync(&three).await.plan.is_empty());
    for written in [false, true] {
        assert!(world.sync(&four).await.plan.stale_token, "written: {written}");
        directory.flush().await.unwrap();
    }
    // The same words again are no other token, whatever the directory has become.
    let edit = OrganizationEdit {
        tags: Some(world.new_organization("unused", "staff", "").tags),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(world.roles(&three).await, ["tools admin"]);
}

/// A token dated ahead of the clock is not the newest until the clock reaches its date.
pub async fn sec_a_token_ahead_of_the_clock_is_not_the_newest(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "").await;
    world.sync(&world.tagged("ada", &["none"])).await;
    world.later(1_500);
    let mut ahead = world.tagged("ada", &["boss"]);
    ahead.issued_at_ms = Some(world.now_ms + 58_000);
    assert_eq!(world.roles(&ahead).await, ["tools admin"]);
    // By a clock that is right, in the same second.
    let mut newer = world.tagged("ada", &[]);
    newer.issued_at_ms = Some(world.now_ms - 500);
    assert!(world.roles(&newer).await.is_empty());
    for later in [1_000, 50_000, 10_000, 3_600_000] {
        assert!(world.sync(&ahead).await.plan.stale_token);
        assert!(world.roles(&newer).await.is_empty());
        directory.flush().await.unwrap();
        world.later(later);
    }
}

/// Previews go by the tags of the token that counts, whether it is written already or not.
pub async fn sec_an_older_token_leaves_the_newer_ones_tags(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.sync(&world.tagged("ada", &["first"])).await;
    for written in [false, true] {
        world.later(1_000);
        let older = world.tagged("ada", &["old"]);
        world.later(1_000);
        assert!(world.sync(&world.tagged("ada", &["new"])).await.plan.is_empty());
        if written {
            directory.flush().await.unwrap();
        }
        for _ in 0..2 {
            assert!(world.sync(&older).await.plan.stale_token);
            directory.flush().await.unwrap();
            for (tag, carries) in [("new", 1), ("old", 0), ("first", 0)] {
                let found = directory.count_carriers(carrying(&[tag], Among::Everybody), 10).await;
                assert_eq!(found, Ok(carries), "{tag}, written: {written}");
            }
            world.later(HOUR_MS);
        }
    }
}

/// Tokens in turn change a user so often within a minute, and then only take away.
pub async fn sec_changes_by_tokens_are_limited(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.changes_per_minute = 4;
    world.organization("tools", "boss", "staff").await;
    world.sync(&world.tagged("ada", &["staff"])).await;
    let before = world.now_ms;
    let mut held = Vec::new();
    for round in 0..8 {
        world.later(1_000);
        let synced = world.sync(&world.tagged("ada", &[["boss", "staff"][round % 2]])).await;
        held.push(roles(&synced.principal).join(" "));
        assert_eq!(synced.plan.limited, round >= 4, "round {round}");
        assert_eq!(synced.plan.notes.contains(&Note::TooManyChanges), synced.plan.limited);
    }
    let expected = [
        "tools admin",
        "tools member",
        "tools admin",
        "tools member",
        "",
        "",
        "",
        "",
    ];
    assert_eq!(
        held, expected,
        "above the limit a token gives nothing and still takes away"
    );
    // Nor a name, a link, an organization or a team.
    world.later(1_000);
    let mut linked = world.linked("ada", "acme", "ops");
    linked.user.profile.name = Some("Ada".into());
    let synced = world.sync(&linked).await;
    assert!(synced.plan.is_empty() && synced.plan.limited);
    assert_eq!(
        world.roles(&world.tagged("bob", &["staff"])).await,
        ["tools member"],
        "of each user"
    );
    world.now_ms = before + 1_000 + MINUTE_MS;
    linked.tags = exactly(&["staff"]);
    linked.issued_at_ms = Some(world.now_ms);
    let synced = world.sync(&linked).await;
    assert!(!synced.plan.limited);
    assert_eq!(roles(&synced.principal), ["the-acme-company admin", "tools member"]);
    assert_eq!(synced.principal.user().profile.name.as_deref(), Some("Ada"));
}

/// The clock of an issuer runs ahead: the token in use is dated after the moment of signing out.
pub async fn sec_revoked_token_from_the_future(directory: &dyn Directory) {
    let mut world = World::new(directory);
    for (subject, written) in [("ada", false), ("bob", true)] {
        world.later(1_000);
        let mut used = world.token(subject);
        let user = world.sync(&used).await.principal.user().id;
        // A token that changes nothing, of another issuer than the last one.
        used.issuer = IssuerName::new("other").unwrap();
        used.issued_at_ms = Some(world.now_ms + 40_000);
        world.sync(&used).await;
        world.later(1_000);
        world.sync(&world.token(subject)).await;
        if written {
            directory.flush().await.unwrap();
        }
        let revoked = directory.revoke_tokens(user, world.by()).await.unwrap();
        assert_eq!(
            revoked.tokens_not_before_ms,
            used.issued_at_ms.map(|issued| issued + 1),
            "{subject}"
        );
        for later in [0, 1_000, 60_000] {
            world.later(later);
            assert_eq!(
                world.refusal(&used).await,
                Refusal::TokenRevoked { user },
                "{subject}, {later} ms later"
            );
        }
        world.sync(&world.token(subject)).await;
    }
}
