//! Sessions: created, used, refreshed, rotated and ended.

use super::world::{HOUR_MS, MINUTE_MS, World};
use narthex_directory::{
    CredentialKind, Directory, EventFilter, EventOrder, IssuerName, Page, ProviderSession, RefreshedToken,
    SESSION_BYTES_MAX, SecretBytes, SecretHash, Session, SessionClient, SessionEnd, SessionFilter, SessionId,
    SessionKind, SessionSelection, StoreError, Stripe, UserEdit, UserId, UserStatus,
};

/// Time that a claimed refresh may take, in milliseconds.
pub(crate) const REFRESH_MS: i64 = 10_000;

pub fn idp() -> IssuerName {
    IssuerName::new("idp").unwrap()
}

/// A session made now, of the subject `ada` and the `sid` `s1`, with a secret of this number.
pub fn new_session(world: &mut World<'_>, secret: u8, user: Option<UserId>) -> Session {
    Session {
        id: SessionId::new(world.now_ms, &mut world.ids),
        kind: SessionKind::Door,
        hash: SecretHash([secret; 32]),
        issuer: Some(idp()),
        user,
        provider_session: ProviderSession::new(Some("ada"), Some("s1")),
        credential: CredentialKind::Token,
        sealed: SecretBytes(vec![secret, 0, 255]),
        client: SessionClient {
            user_agent: Some("Firefox on Linux".to_owned()),
            address: Some("192.0.2.1".to_owned()),
        },
        created_at_ms: world.now_ms,
        last_seen_at_ms: world.now_ms,
        idle_ms: HOUR_MS,
        ends_at_ms: world.now_ms + 12 * HOUR_MS,
        token_ends_at_ms: Some(world.now_ms + 5 * MINUTE_MS),
        version: 1,
        refresh_until_ms: None,
        ended_at_ms: None,
        end: None,
    }
}

pub async fn sign_in(world: &mut World<'_>, secret: u8, user: Option<UserId>) -> Session {
    let session = new_session(world, secret, user);
    world
        .directory
        .create_session(session.clone(), world.by())
        .await
        .unwrap();
    session
}

/// The session of a secret, if it stands now.
pub async fn standing(world: &World<'_>, hash: SecretHash) -> Option<Session> {
    let found = world.directory.session_by_hash(hash, world.now_ms).await.unwrap();
    found.map(|found| found.session)
}

async fn stands(world: &World<'_>, session: &Session) -> bool {
    standing(world, session.hash).await.is_some()
}

async fn all(world: &World<'_>, filter: SessionFilter) -> Vec<Session> {
    world.directory.sessions(filter, Page::first(200)).await.unwrap().items
}

/// A session as it is kept, whether it stands or not.
pub(crate) async fn kept(world: &World<'_>, id: SessionId) -> Option<Session> {
    let all = all(world, SessionFilter::default()).await;
    all.into_iter().find(|session| session.id == id)
}

fn refreshed(world: &World<'_>) -> RefreshedToken {
    RefreshedToken {
        sealed: SecretBytes(b"new".to_vec()),
        token_ends_at_ms: Some(world.now_ms + 10 * MINUTE_MS),
    }
}

pub async fn a_session_is_found_by_its_hash_while_it_stands(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    let session = sign_in(&mut world, 1, Some(ada)).await;
    let mut bare = new_session(&mut world, 2, None);
    bare.kind = SessionKind::Console;
    bare.credential = CredentialKind::ApiKey;
    (bare.issuer, bare.token_ends_at_ms) = (None, None);
    (bare.provider_session, bare.client) = (ProviderSession::default(), SessionClient::default());
    directory.create_session(bare.clone(), world.by()).await.unwrap();
    assert_eq!(standing(&world, session.hash).await.as_ref(), Some(&session));
    assert_eq!(standing(&world, bare.hash).await, Some(bare));
    assert_eq!(standing(&world, SecretHash([9; 32])).await, None);
    let found = directory.session_by_hash(session.hash, world.now_ms).await;
    let stamp = found.unwrap().unwrap().stamp;
    assert_eq!(stamp.stripe, Stripe::of(ada));
    assert!(directory.versions().is_current(stamp));
    world.later(HOUR_MS - 1);
    assert!(stands(&world, &session).await);
    world.later(1);
    assert!(!stands(&world, &session).await, "it was idle for an hour");
    assert_eq!(
        kept(&world, session.id).await,
        Some(session),
        "nothing is written for it"
    );
}

pub async fn a_session_lives_on_by_its_uses_and_not_past_its_end(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let session = sign_in(&mut world, 1, None).await;
    world.later(59_999);
    directory.note_session_use(session.id, world.now_ms);
    directory.flush().await.unwrap();
    assert_eq!(
        kept(&world, session.id).await.unwrap().last_seen_at_ms,
        session.last_seen_at_ms,
        "at most once a minute"
    );
    for _ in 0..14 {
        world.later(50 * MINUTE_MS);
        assert!(stands(&world, &session).await);
        directory.note_session_use(session.id, world.now_ms);
        directory.flush().await.unwrap();
        let seen = kept(&world, session.id).await.unwrap().last_seen_at_ms;
        assert_eq!(seen, world.now_ms);
    }
    world.now_ms = session.ends_at_ms - 1;
    assert!(stands(&world, &session).await);
    world.later(1);
    assert!(!stands(&world, &session).await, "whatever its uses");
}

pub async fn a_session_that_breaks_a_rule_is_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let session = sign_in(&mut world, 1, None).await;
    let stranger = UserId::new(0, &mut world.ids);
    let unknown = new_session(&mut world, 2, Some(stranger));
    let twice = new_session(&mut world, 1, None);
    let large = Session {
        sealed: SecretBytes(vec![0; SESSION_BYTES_MAX + 1]),
        ..new_session(&mut world, 3, None)
    };
    let homeless = Session {
        kind: SessionKind::Embedded,
        issuer: None,
        ..new_session(&mut world, 4, None)
    };
    let taken = StoreError::AlreadyExists {
        what: "session",
        field: "hash",
        owner: None,
    };
    let made = directory.create_session(unknown, world.by()).await;
    assert_eq!(made, Err(StoreError::NotFound { what: "user" }));
    assert_eq!(directory.create_session(twice, world.by()).await, Err(taken));
    for session in [large, homeless] {
        let made = directory.create_session(session, world.by()).await;
        assert!(matches!(made, Err(StoreError::Refused(_))), "{made:?}");
    }
    assert_eq!(all(&world, SessionFilter::default()).await, [session]);
    assert_eq!(world.event_count().await, 1);
}

pub async fn a_session_gets_its_user_once(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (ada, bob) = (world.user("ada").await.id, world.user("bob").await.id);
    let session = sign_in(&mut world, 1, None).await;
    let stranger = UserId::new(0, &mut world.ids);
    assert_eq!(
        directory.identify_session(session.id, stranger).await,
        Err(StoreError::NotFound { what: "user" })
    );
    assert_eq!(directory.identify_session(session.id, ada).await, Ok(true));
    assert_eq!(directory.identify_session(session.id, bob).await, Ok(false));
    assert_eq!(standing(&world, session.hash).await.unwrap().user, Some(ada));
    let unknown = SessionId::new(0, &mut world.ids);
    assert_eq!(directory.identify_session(unknown, ada).await, Ok(false));
}

pub async fn sec_a_refresh_is_claimed_once(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let session = sign_in(&mut world, 1, None).await;
    let id = session.id;
    let until = world.now_ms + REFRESH_MS;
    assert_eq!(directory.claim_refresh(id, 2, world.now_ms, until).await, Ok(None));
    assert_eq!(directory.claim_refresh(id, 1, world.now_ms, until).await, Ok(Some(2)));
    for version in [1, 2] {
        let again = directory.claim_refresh(id, version, world.now_ms, until).await;
        assert_eq!(again, Ok(None), "it is under way");
    }
    assert_eq!(
        directory.store_refresh(id, 1, refreshed(&world), world.now_ms).await,
        Ok(false)
    );
    assert_eq!(standing(&world, session.hash).await.unwrap().sealed, session.sealed);
    assert_eq!(
        directory.store_refresh(id, 2, refreshed(&world), world.now_ms).await,
        Ok(true)
    );
    assert_eq!(
        directory.store_refresh(id, 2, refreshed(&world), world.now_ms).await,
        Ok(false)
    );
    let now = standing(&world, session.hash).await.unwrap();
    let expected = Session {
        sealed: SecretBytes(b"new".to_vec()),
        token_ends_at_ms: Some(world.now_ms + 10 * MINUTE_MS),
        version: 3,
        ..session
    };
    assert_eq!(now, expected);
    let until = world.now_ms + REFRESH_MS;
    assert_eq!(directory.claim_refresh(id, 1, world.now_ms, until).await, Ok(None));
    assert_eq!(directory.claim_refresh(id, 3, world.now_ms, until).await, Ok(Some(4)));
}

/// The identity provider has taken the refresh token back, so no second try could succeed.
pub async fn sec_a_lost_refresh_ends_the_session(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let session = sign_in(&mut world, 1, None).await;
    let until = world.now_ms + REFRESH_MS;
    directory
        .claim_refresh(session.id, 1, world.now_ms, until)
        .await
        .unwrap()
        .unwrap();
    world.later(REFRESH_MS - 1);
    assert!(stands(&world, &session).await);
    world.later(1);
    assert!(!stands(&world, &session).await);
    let late = directory
        .store_refresh(session.id, 2, refreshed(&world), world.now_ms)
        .await;
    assert_eq!(late, Ok(false), "a late result does not bring it back");
    let again = directory
        .claim_refresh(session.id, 2, world.now_ms, world.now_ms + REFRESH_MS)
        .await;
    assert_eq!(again, Ok(None));
    // The caller that has the claim may know that the result is lost before that.
    let other = sign_in(&mut world, 2, None).await;
    let until = world.now_ms + REFRESH_MS;
    directory.claim_refresh(other.id, 1, world.now_ms, until).await.unwrap();
    let lost = SessionSelection::Session(other.id);
    let ended = directory.end_sessions(lost, SessionEnd::RefreshLost, world.by()).await;
    assert_eq!(ended, Ok(1));
    let late = directory
        .store_refresh(other.id, 2, refreshed(&world), world.now_ms)
        .await;
    assert_eq!(late, Ok(false));
    // By a clock that is a little behind, too.
    let late = directory
        .store_refresh(other.id, 2, refreshed(&world), world.now_ms - 1)
        .await;
    assert_eq!(late, Ok(false));
}

pub async fn sec_a_replaced_secret_is_good_for_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    let session = sign_in(&mut world, 1, Some(ada)).await;
    let other = sign_in(&mut world, 2, None).await;
    let (old, new) = (session.hash, SecretHash([7; 32]));
    let before = directory
        .session_by_hash(old, world.now_ms)
        .await
        .unwrap()
        .unwrap()
        .stamp;
    let wrong = directory
        .rotate_session(session.id, new, SecretHash([8; 32]), world.now_ms)
        .await;
    assert_eq!(wrong, Ok(false));
    assert!(directory.versions().is_current(before));
    let taken = directory
        .rotate_session(session.id, old, other.hash, world.now_ms)
        .await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    assert_eq!(
        directory.rotate_session(session.id, old, new, world.now_ms).await,
        Ok(true)
    );
    assert_eq!(standing(&world, old).await, None);
    assert!(
        !directory.versions().is_current(before),
        "answers cached by the old one end"
    );
    let expected = Session { hash: new, ..session };
    assert_eq!(standing(&world, new).await, Some(expected.clone()));
    world.later(HOUR_MS);
    let late = directory.rotate_session(expected.id, new, old, world.now_ms).await;
    assert_eq!(late, Ok(false), "it does not stand any more");
}

/// A logout of one `sid` ends the sessions of its user that name none, and leaves those of another `sid` alone.
pub async fn sec_sessions_without_sid_are_ended_by_their_subject(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let named = sign_in(&mut world, 1, None).await;
    let mut made = Vec::new();
    for (secret, issuer, subject) in [(2, "idp", "ada"), (3, "idp", "bob"), (4, "other", "ada")] {
        let mut session = new_session(&mut world, secret, None);
        session.issuer = Some(IssuerName::new(issuer).unwrap());
        session.provider_session = ProviderSession::new(Some(subject), None);
        directory.create_session(session.clone(), world.by()).await.unwrap();
        made.push(session);
    }
    let selection = SessionSelection::SubjectWithoutSid(idp(), "ada".into());
    let end = SessionEnd::IdentityProvider;
    let ended = directory.end_sessions(selection, end, world.by()).await;
    assert_eq!(ended, Ok(1));
    let mut left = vec![stands(&world, &named).await];
    for session in &made {
        left.push(stands(&world, session).await);
    }
    assert_eq!(left, [true, false, true, true]);
}

pub async fn sec_ended_sessions_are_over_at_once(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (ada, bob) = (world.user("ada").await.id, world.user("bob").await.id);
    let one = sign_in(&mut world, 1, Some(ada)).await;
    let two = sign_in(&mut world, 2, Some(ada)).await;
    let mut of_bob = new_session(&mut world, 3, Some(bob));
    of_bob.provider_session = ProviderSession::new(Some("bob"), Some("s2"));
    let mut elsewhere = new_session(&mut world, 4, None);
    elsewhere.issuer = Some(IssuerName::new("other").unwrap());
    for session in [&of_bob, &elsewhere] {
        directory.create_session(session.clone(), world.by()).await.unwrap();
    }
    let third = sign_in(&mut world, 5, Some(ada)).await;
    let stamp = async |session: &Session| {
        let found = directory.session_by_hash(session.hash, world.now_ms).await;
        found.unwrap().unwrap().stamp
    };
    let (of_ada, of_others) = (stamp(&one).await, [stamp(&of_bob).await, stamp(&elsewhere).await]);
    let end = async |selection: SessionSelection| {
        let ended = directory
            .end_sessions(selection, SessionEnd::SignedOut, world.by())
            .await;
        ended.unwrap()
    };
    assert_eq!(end(SessionSelection::Session(one.id)).await, 1);
    assert_eq!(end(SessionSelection::Session(one.id)).await, 0, "it has ended");
    assert!(!directory.versions().is_current(of_ada));
    assert!(!stands(&world, &one).await && stands(&world, &two).await);
    let ended = kept(&world, one.id).await.unwrap();
    assert_eq!(
        (ended.ended_at_ms, ended.end),
        (Some(world.now_ms), Some(SessionEnd::SignedOut))
    );
    assert_eq!(ended.sealed, SecretBytes(Vec::new()), "its credential is gone");
    assert_eq!(
        end(SessionSelection::Sid(idp(), "s1".into())).await,
        2,
        "of its issuer only"
    );
    assert!(!stands(&world, &two).await && !stands(&world, &third).await);
    for stamp in of_others {
        assert!(directory.versions().is_current(stamp), "the others stay");
    }
    assert_eq!(end(SessionSelection::Subject(idp(), "bob".into())).await, 1);
    assert_eq!(end(SessionSelection::Subject(idp(), "no\u{0}such".into())).await, 0);
    assert!(!directory.versions().is_current(of_others[0]));
    assert_eq!(end(SessionSelection::User(ada)).await, 0);
    assert!(stands(&world, &elsewhere).await);
    let filter = EventFilter {
        action: Some("session.ended".into()),
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let events = directory.events(filter, Page::first(10)).await.unwrap().items;
    let told: Vec<String> = events
        .iter()
        .map(|recorded| recorded.event.detail["session"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, [one.id, two.id, third.id, of_bob.id].map(|id| id.to_string()));
    assert_eq!(events[0].event.user, Some(ada));
    assert_eq!(events[0].event.detail["why"], "signed_out");
}

/// Of a session without a user, too, and of one whose user became known after an answer was cached.
pub async fn sec_a_session_without_a_user_moves_its_own_version(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    for (secret, identified) in [(1, false), (2, true)] {
        let session = sign_in(&mut world, secret, None).await;
        let found = directory.session_by_hash(session.hash, world.now_ms).await;
        let stamp = found.unwrap().unwrap().stamp;
        if identified {
            directory.identify_session(session.id, ada).await.unwrap();
        }
        let selection = SessionSelection::Session(session.id);
        directory
            .end_sessions(selection, SessionEnd::Administrator, world.by())
            .await
            .unwrap();
        assert!(!directory.versions().is_current(stamp), "identified: {identified}");
    }
}

/// Otherwise the refresh token would bring a token that was issued after the revocation.
pub async fn sec_signing_out_everywhere_ends_sessions(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (ada, bob) = (world.user("ada").await.id, world.user("bob").await.id);
    let of_ada = sign_in(&mut world, 1, Some(ada)).await;
    let of_bob = sign_in(&mut world, 2, Some(bob)).await;
    directory.revoke_tokens(ada, world.by()).await.unwrap();
    assert!(!stands(&world, &of_ada).await && stands(&world, &of_bob).await);
    assert_eq!(
        kept(&world, of_ada.id).await.unwrap().end,
        Some(SessionEnd::Administrator)
    );
}

pub async fn sec_disabling_a_user_ends_sessions(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (ada, bob) = (world.user("ada").await.id, world.user("bob").await.id);
    let of_ada = sign_in(&mut world, 1, Some(ada)).await;
    let of_bob = sign_in(&mut world, 2, Some(bob)).await;
    for status in [UserStatus::Disabled, UserStatus::Active] {
        let edit = UserEdit {
            status: Some(status),
            ..UserEdit::default()
        };
        directory.update_user(ada, None, edit, world.by()).await.unwrap();
        assert!(
            !stands(&world, &of_ada).await && stands(&world, &of_bob).await,
            "{status:?}"
        );
    }
}
