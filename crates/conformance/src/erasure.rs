//! Erasure of users.

use narthex_directory::{
    Among, CarrierFilter, Desired, Directory, Edit, Erasure, EventFilter, GrantsWhen, IssuerName, LoggedOut,
    LogoutMark, Page, PlatformRole, ProviderSession, Realm, Refusal, RemovedIdentity, RemovedKind, ScopedRole,
    SecretBytes, StoreError, SyncError, UserEdit, UserFilter, UserId, UserStatus, load,
};

use super::world::{HOUR_MS, MINUTE_MS, World};

/// The terms of an erasure with a reason.
pub fn erasure() -> Erasure {
    Erasure {
        refuse_all: false,
        why: Some("asked for by letter".into()),
        new_key: SecretBytes(vec![7; 32]),
    }
}

async fn erase(world: &World<'_>, user: UserId, terms: Erasure) {
    let erased = world.directory.erase_user(user, None, terms, world.by()).await.unwrap();
    assert_eq!(erased.id, user);
}

fn identity(world: &World<'_>, subject: &str) -> RemovedIdentity {
    let token = world.token(subject);
    RemovedIdentity {
        kind: RemovedKind::User,
        realm: token.realm,
        external_id: token.user.external_id,
    }
}

/// An older token does not bring the user back, whether it was seen or not, nor does one without a date.
pub async fn sec_erased_user(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let seen = world.token("ann");
    let user = world.sync(&seen).await.principal.user().id;
    world.later(MINUTE_MS);
    let unseen = world.token("ann");
    world.later(MINUTE_MS);
    erase(&world, user, erasure()).await;
    let undated = Desired {
        issued_at_ms: None,
        ..world.token("ann")
    };
    for token in [&seen, &unseen, &undated] {
        assert_eq!(world.refusal(token).await, Refusal::Erased { all: false });
    }
    let users = directory.users(UserFilter::default(), Page::default()).await.unwrap();
    assert_eq!(users.items.len(), 1, "no other user was created");
    // A token cannot take the pseudonym either.
    let pseudonym = users.items[0].user.external_id.to_string();
    let named = world.token(&pseudonym);
    assert_eq!(world.refusal(&named).await, Refusal::Disabled { user });
    let issuers = world.active_issuers(&named.realm);
    let loaded = load(directory, user, &issuers, world.now_ms).await;
    assert!(matches!(loaded, Err(SyncError::Refused(Refusal::Disabled { .. }))));
}

pub async fn an_erased_user_leaves_no_personal_value(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ann.forgetme", "acme", "crew");
    token.user.profile.email = Some("forgetme@example.com".into());
    token.user.profile.name = Some("Ann Forgetme".into());
    token.context.insert("manager".into(), "forgetme's".into());
    let user = world.sync(&token).await.principal.user().id;
    let edit = UserEdit {
        name: Edit::Set("A. Forgetme".into()),
        why: Some("forgetme married".into()),
        ..UserEdit::default()
    };
    directory.update_user(user, None, edit, world.by()).await.unwrap();
    let role = ScopedRole::Platform(PlatformRole::Viewer);
    let mut new = world.new_grant(user, role);
    new.why = Some("forgetme stands in".into());
    directory.grant_role(new, world.by()).await.unwrap();
    let why = Some("forgetme is back".to_owned());
    directory
        .revoke_role(user, role.scope(), why, world.by())
        .await
        .unwrap();
    directory.flush().await.unwrap();
    world.later(MINUTE_MS);
    erase(&world, user, erasure()).await;

    let users = directory.users(UserFilter::default(), Page::default()).await.unwrap();
    let events = directory
        .events(EventFilter::default(), Page::first(200))
        .await
        .unwrap();
    let grants = world.grants(user, GrantsWhen::Ever).await;
    // `Debug` of a profile names only the fields that are set.
    assert_eq!(users.items[0].user.profile, narthex_directory::Profile::default());
    for left in [format!("{users:?}"), format!("{events:?}"), format!("{grants:?}")] {
        assert!(!left.to_lowercase().contains("forgetme"), "{left}");
    }
    let told = events
        .items
        .iter()
        .find(|recorded| recorded.event.action == "user.erased");
    let told = &told.unwrap().event;
    assert_eq!(told.user, Some(user));
    assert_eq!(told.detail["why"], "asked for by letter");
    assert_eq!(told.detail["refuses"], "older_tokens");
}

pub async fn roles_of_an_erased_user_stay_on_record(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let user = world.sync(&world.tagged("ann", &["staff"])).await.principal.user().id;
    let began = world.now_ms;
    world.later(MINUTE_MS);
    erase(&world, user, erasure()).await;
    let grants = world.grants(user, GrantsWhen::Ever).await;
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].granted_at_ms, began);
    assert_eq!(grants[0].revoked_at_ms, Some(world.now_ms));
    assert_eq!(grants[0].revoked_why.as_deref(), Some("the user was erased"));
    assert_eq!(
        world.grants(user, GrantsWhen::AsOf(began)).await.len(),
        1,
        "who had which role is known"
    );
    assert!(world.grants(user, GrantsWhen::Open).await.is_empty());
}

pub async fn a_user_may_come_back_with_a_newer_token(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let before = world.token("ann");
    let user = world.sync(&before).await.principal.user().id;
    world.later(MINUTE_MS);
    erase(&world, user, erasure()).await;
    world.later(MINUTE_MS);
    let synced = world.sync(&world.token("ann")).await;
    let again = synced.principal.user();
    assert_ne!(again.id, user, "another user, without the history");
    assert!(matches!(world.refusal(&before).await, Refusal::TokenRevoked { .. }));
    // Erased once more, the later of the two moments counts.
    let second = again.id;
    let between = world.token("ann");
    world.later(MINUTE_MS);
    erase(&world, second, erasure()).await;
    assert_eq!(world.refusal(&between).await, Refusal::Erased { all: false });
}

pub async fn a_disabled_user_stays_out_until_the_erasure_is_lifted(directory: &dyn Directory) {
    let mut world = World::new(directory);
    for (subject, disabled) in [("ann", true), ("bob", false)] {
        let user = world.user(subject).await.id;
        if disabled {
            let edit = UserEdit {
                status: Some(UserStatus::Disabled),
                ..UserEdit::default()
            };
            directory.update_user(user, None, edit, world.by()).await.unwrap();
        }
        let terms = Erasure {
            refuse_all: !disabled,
            ..erasure()
        };
        let before = world.token(subject);
        world.later(MINUTE_MS);
        erase(&world, user, terms).await;
        world.later(MINUTE_MS);
        assert_eq!(
            world.refusal(&world.token(subject)).await,
            Refusal::Erased { all: true }
        );
        let known = identity(&world, subject);
        assert_eq!(directory.lift_erasure(known.clone(), world.by()).await, Ok(true));
        assert_eq!(directory.lift_erasure(known, world.by()).await, Ok(false), "once");
        world.sync(&world.token(subject)).await;
        assert!(matches!(world.refusal(&before).await, Refusal::TokenRevoked { .. }));
    }
    let unknown = identity(&world, "zoe");
    assert_eq!(directory.lift_erasure(unknown, world.by()).await, Ok(false));
}

pub async fn what_is_erased_is_not_changed(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let user = world.user("ann").await;
    let stale = directory.erase_user(user.id, Some(7), erasure(), world.by()).await;
    assert!(matches!(stale, Err(StoreError::VersionMismatch { .. })), "{stale:?}");
    assert_eq!(
        directory.user(user.id).await.unwrap().unwrap().user,
        user,
        "all or nothing"
    );
    erase(&world, user.id, erasure()).await;
    let again = directory.erase_user(user.id, None, erasure(), world.by()).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    let edit = UserEdit {
        status: Some(UserStatus::Active),
        ..UserEdit::default()
    };
    let enabled = directory.update_user(user.id, None, edit, world.by()).await;
    assert!(matches!(enabled, Err(StoreError::Refused(_))), "{enabled:?}");
    let missing = UserId::new(world.now_ms, &mut world.ids);
    let none = directory.erase_user(missing, None, erasure(), world.by()).await;
    assert_eq!(none.map(drop), Err(StoreError::NotFound { what: "user" }));
}

/// A logout of another user stays, whose issuer knows that user by the same subject.
pub async fn sec_an_erasure_leaves_the_logouts_of_other_users(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let of = |world: &World<'_>, issuer: &str, realm: &str| Desired {
        issuer: IssuerName::new(issuer).unwrap(),
        realm: Realm::new(realm).unwrap(),
        provider_session: ProviderSession::new(Some("7"), None),
        ..world.token("7")
    };
    let (own, other) = (of(&world, "idp", "corp"), of(&world, "other", "partner"));
    let user = world.sync(&own).await.principal.user().id;
    world.sync(&other).await;
    world.later(MINUTE_MS);
    for token in [&own, &other] {
        let mark = LogoutMark {
            issuer: token.issuer.clone(),
            logged_out: LoggedOut::Subject {
                subject: "7".to_owned(),
                issued_before_ms: world.now_ms,
            },
            kept_until_ms: world.now_ms + HOUR_MS,
        };
        directory.refuse_tokens_of(mark).await.unwrap();
    }
    erase(&world, user, erasure()).await;
    assert!(matches!(world.refusal(&other).await, Refusal::LoggedOut { .. }));
    assert_eq!(world.refusal(&own).await, Refusal::Erased { all: false });
}

/// A use that waits to be written does not bring the tags of an erased user back.
pub async fn sec_no_use_brings_the_tags_of_an_erased_user_back(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = world.tagged("ann", &["crew"]);
    let user = world.sync(&token).await.principal.user().id;
    world.later(HOUR_MS);
    let used = world.sync(&world.tagged("ann", &["crew"])).await;
    assert!(used.plan.touch.due);
    erase(&world, user, erasure()).await;
    directory.flush().await.unwrap();
    let carrying = CarrierFilter {
        realm: token.realm,
        tags: vec!["crew".to_owned()],
        among: Among::Everybody,
    };
    let carriers = directory.carriers(carrying, Page::default()).await.unwrap();
    assert_eq!(carriers.items.len(), 0);
}
