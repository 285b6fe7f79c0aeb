//! Logouts that identity providers announce: the tokens that they refuse, and the answers that they end.

use std::sync::Arc;

use super::sessions::{idp, sign_in};
use super::world::{HOUR_MS, World};
use narthex_directory::{
    Desired, Detail, Directory, IssuerName, LoggedOut, LogoutMark, ProviderSession, Refusal, StoreError, SyncError,
    plan,
};

fn of_sid(world: &World<'_>, sid: &str) -> LogoutMark {
    LogoutMark {
        issuer: idp(),
        logged_out: LoggedOut::Sid(sid.to_owned()),
        kept_until_ms: world.now_ms + HOUR_MS,
    }
}

fn of_subject(world: &World<'_>, subject: &str) -> LogoutMark {
    LogoutMark {
        issuer: idp(),
        logged_out: LoggedOut::Subject {
            subject: subject.to_owned(),
            issued_before_ms: world.now_ms,
        },
        kept_until_ms: world.now_ms + HOUR_MS,
    }
}

/// A token of a subject, issued now in one of its sessions.
fn token(world: &World<'_>, subject: &str, sid: &str) -> Desired {
    Desired {
        provider_session: ProviderSession::new(Some(subject), Some(sid)),
        ..world.token(subject)
    }
}

async fn is_logged_out(world: &mut World<'_>, desired: &Desired) -> bool {
    match world.try_sync(desired).await {
        Ok(_) => false,
        Err(SyncError::Refused(Refusal::LoggedOut { .. })) => true,
        Err(other) => panic!("expected a logout, not {other:?}"),
    }
}

pub async fn sec_tokens_of_an_ended_sid_are_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (one, two) = (token(&world, "ada", "s1"), token(&world, "ada", "s2"));
    let ada = world.sync(&one).await.principal.user().id;
    directory.refuse_tokens_of(of_sid(&world, "s1")).await.unwrap();
    let refused = Refusal::LoggedOut { user: Some(ada) };
    assert_eq!((refused.reason(), refused.user()), ("token.revoked", Some(ada)));
    assert_eq!(world.refusal(&one).await, refused);
    assert!(!is_logged_out(&mut world, &two).await, "another session of the user");
    let elsewhere = Desired {
        issuer: IssuerName::new("other").unwrap(),
        ..one.clone()
    };
    assert!(!is_logged_out(&mut world, &elsewhere).await, "another issuer");
    world.later(1_000);
    let later = token(&world, "ada", "s1");
    assert!(is_logged_out(&mut world, &later).await, "whenever it was issued");
    // The first use of a token of that session creates no user.
    let first = token(&world, "bob", "s1");
    assert_eq!(world.refusal(&first).await, Refusal::LoggedOut { user: None });
    let snapshot = directory.snapshot(&first, Detail::Sync).await.unwrap();
    assert_eq!((snapshot.standing, snapshot.refused_before_ms), (None, Some(i64::MAX)));
}

pub async fn sec_older_tokens_of_a_logged_out_subject_are_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let older = token(&world, "ada", "s1");
    let of_bob = token(&world, "bob", "s2");
    for token in [&older, &of_bob] {
        world.sync(token).await;
    }
    world.later(1_000);
    directory.refuse_tokens_of(of_subject(&world, "ada")).await.unwrap();
    assert!(is_logged_out(&mut world, &older).await);
    assert!(!is_logged_out(&mut world, &of_bob).await);
    let undated = Desired {
        issued_at_ms: None,
        ..older.clone()
    };
    assert!(is_logged_out(&mut world, &undated).await, "it may be an older one");
    let newer = token(&world, "ada", "s3");
    let synced = world.sync(&newer).await;
    assert_eq!(synced.plan.refused_before_ms, Some(world.now_ms));
    // A mark of an earlier time takes nothing back.
    world.now_ms -= 500;
    directory.refuse_tokens_of(of_subject(&world, "ada")).await.unwrap();
    let between = token(&world, "ada", "s4");
    assert!(is_logged_out(&mut world, &between).await);
}

/// Cached answers about the user end; where no session tells who that is, all do.
pub async fn sec_a_logout_ends_cached_answers(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.sync(&token(&world, "ada", "s1")).await.principal;
    let bob = world.sync(&token(&world, "bob", "s2")).await.principal;
    sign_in(&mut world, 1, Some(ada.user().id)).await;
    for mark in [of_sid(&world, "s1"), of_subject(&world, "ada")] {
        let stamp = world.load(ada.user().id).await.stamp();
        directory.refuse_tokens_of(mark).await.unwrap();
        assert!(!directory.versions().is_current(stamp));
        assert!(directory.versions().is_current(bob.stamp()), "those about others stay");
    }
    directory.refuse_tokens_of(of_sid(&world, "s2")).await.unwrap();
    assert!(!directory.versions().is_current(bob.stamp()));
}

pub async fn sec_a_plan_from_before_a_logout_is_a_conflict(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.sync(&token(&world, "ada", "s1")).await.principal.user().id;
    sign_in(&mut world, 1, Some(ada)).await;
    world.later(1_000);
    let mut desired = token(&world, "ada", "s1");
    desired.user.profile.name = Some("Ada".to_owned());
    let snapshot = directory.snapshot(&desired, Detail::Sync).await.unwrap();
    let planned = plan(&desired, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap();
    assert!(!planned.is_empty());
    directory.refuse_tokens_of(of_sid(&world, "s1")).await.unwrap();
    assert_eq!(directory.apply(Arc::new(planned)).await, Err(StoreError::Conflict));
}

pub async fn logout_marks_are_kept_until_their_tokens_have_expired(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let one = token(&world, "ada", "s1");
    directory.refuse_tokens_of(of_sid(&world, "s1")).await.unwrap();
    // Of two marks of one claim, the later end counts.
    let mut shorter = of_sid(&world, "s1");
    shorter.kept_until_ms -= 1_000;
    directory.refuse_tokens_of(shorter).await.unwrap();
    world.later(HOUR_MS - 1);
    directory.delete_lapsed_sessions(10, world.now_ms).await.unwrap();
    assert!(is_logged_out(&mut world, &one).await);
    world.later(1);
    directory.delete_lapsed_sessions(10, world.now_ms).await.unwrap();
    assert!(!is_logged_out(&mut world, &one).await);
    for broken in ["", "a\u{0}b"] {
        let refused = directory.refuse_tokens_of(of_sid(&world, broken)).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
}
