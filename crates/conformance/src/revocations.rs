//! Tokens that an administrator revoked.

use narthex_directory::{Directory, EventFilter, IssuerName, Page, Revocation, RevokedTokens, StoreError};

use crate::world::World;

/// A revocation of one `jti`.
pub fn of_id(id: &str, kept_until_ms: Option<i64>) -> Revocation {
    Revocation {
        issuer: IssuerName::new("idp").unwrap(),
        tokens: RevokedTokens::Id(id.to_owned()),
        kept_until_ms,
    }
}

async fn all(directory: &dyn Directory) -> Vec<(u64, Revocation)> {
    directory.revocations(0, 100).await.unwrap()
}

pub async fn sec_a_revocation_ends_cached_answers_and_has_the_highest_number(directory: &dyn Directory) {
    let world = World::new(directory);
    assert_eq!(all(directory).await, []);
    let content = Revocation {
        tokens: RevokedTokens::Content("ab".repeat(32)),
        ..of_id("", None)
    };
    let before = |at_ms| Revocation {
        tokens: RevokedTokens::IssuedBefore(at_ms),
        ..of_id("", Some(at_ms))
    };
    for revocation in [of_id("one", None), content.clone(), before(7)] {
        let policy = directory.versions().policy();
        directory.revoke(revocation, world.by()).await.unwrap();
        assert!(directory.versions().policy() > policy);
    }
    let expected = [(1, of_id("one", None)), (2, content.clone()), (3, before(7))];
    assert_eq!(all(directory).await, expected);
    assert_eq!(directory.revocations(1, 1).await, Ok(vec![(2, content.clone())]));
    // The same again: the later times count, and nodes hear of it.
    directory.revoke(before(5), world.by()).await.unwrap();
    directory.revoke(of_id("one", Some(9)), world.by()).await.unwrap();
    assert_eq!(
        all(directory).await,
        [(2, content), (4, before(7)), (5, of_id("one", None))]
    );
    let filter = EventFilter {
        action: Some("token.revoked".to_owned()),
        ..EventFilter::default()
    };
    let events = directory.events(filter, Page::first(100)).await.unwrap().items;
    assert_eq!(events.len(), 5);
    assert_eq!(
        (&events[0].event.detail["issuer"], &events[0].event.detail["jti"]),
        (&"idp".into(), &"one".into())
    );
}

pub async fn sec_a_number_of_a_revocation_is_not_given_again(directory: &dyn Directory) {
    let world = World::new(directory);
    for (id, kept_until_ms) in [("one", Some(10)), ("two", None), ("three", Some(10))] {
        directory.revoke(of_id(id, kept_until_ms), world.by()).await.unwrap();
    }
    directory.delete_lapsed_sessions(9, 9).await.unwrap();
    assert_eq!(all(directory).await.len(), 3);
    directory.delete_lapsed_sessions(9, 10).await.unwrap();
    assert_eq!(
        all(directory).await,
        [(2, of_id("two", None)), (3, of_id("three", Some(10)))]
    );
    directory.revoke(of_id("four", None), world.by()).await.unwrap();
    assert_eq!(all(directory).await.last().unwrap().0, 4);
}

pub async fn a_jti_that_no_revocation_can_name_is_refused(directory: &dyn Directory) {
    let world = World::new(directory);
    for id in ["", " ", "a\u{0}b", &"a".repeat(257)] {
        let refused = directory.revoke(of_id(id, None), world.by()).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
        assert!(!Revocation::is_id(id));
    }
    assert_eq!(all(directory).await, []);
}
