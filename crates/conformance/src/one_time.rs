//! Values that are good for one use.

use super::world::{MINUTE_MS, World};
use narthex_directory::{Directory, OneTimeKind, OneTimeValue, SecretBytes, SecretHash, StoreError};

pub fn value(world: &World<'_>, kind: OneTimeKind, secret: u8) -> OneTimeValue {
    OneTimeValue {
        kind,
        hash: SecretHash([secret; 32]),
        sealed: SecretBytes(vec![secret, 0, 255]),
        expires_at_ms: world.now_ms + 10 * MINUTE_MS,
    }
}

pub async fn sec_a_one_time_value_is_taken_once(directory: &dyn Directory) {
    let world = World::new(directory);
    let now_ms = world.now_ms;
    let state = value(&world, OneTimeKind::SignInState, 1);
    let code = value(&world, OneTimeKind::LoginCode, 1);
    for value in [&state, &code] {
        directory.put_once(value.clone(), 10, now_ms).await.unwrap();
    }
    assert_eq!(
        directory.put_once(state.clone(), 10, now_ms).await,
        Err(OneTimeValue::taken())
    );
    let take = async |kind, secret| directory.take_once(kind, SecretHash([secret; 32]), now_ms).await;
    assert_eq!(take(OneTimeKind::SignInState, 2).await, Ok(None));
    assert_eq!(take(OneTimeKind::FirstRunLink, 1).await, Ok(None));
    assert_eq!(take(OneTimeKind::SignInState, 1).await, Ok(Some(state.sealed)));
    assert_eq!(take(OneTimeKind::SignInState, 1).await, Ok(None));
    assert_eq!(take(OneTimeKind::LoginCode, 1).await, Ok(Some(code.sealed)));
}

pub async fn an_expired_one_time_value_is_good_for_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let kind = OneTimeKind::LogoutToken;
    for secret in [1, 2] {
        let value = value(&world, kind, secret);
        directory.put_once(value, 10, world.now_ms).await.unwrap();
    }
    let mut take = async |later_ms, secret| {
        world.later(later_ms);
        let taken = directory.take_once(kind, SecretHash([secret; 32]), world.now_ms).await;
        taken.unwrap().is_some()
    };
    assert!(take(10 * MINUTE_MS - 1, 1).await);
    assert!(!take(1, 2).await);
    // What expired makes room for another one of the same secret.
    let again = value(&world, kind, 3);
    directory.put_once(again.clone(), 10, world.now_ms).await.unwrap();
    world.later(10 * MINUTE_MS);
    let again = OneTimeValue {
        expires_at_ms: world.now_ms + 1,
        ..again
    };
    assert_eq!(directory.put_once(again, 10, world.now_ms).await, Ok(()));
}

pub async fn one_time_values_are_bounded(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let kind = OneTimeKind::SignInState;
    let put = async |world: &World<'_>, kind, secret| {
        let value = value(world, kind, secret);
        directory.put_once(value, 3, world.now_ms).await
    };
    for secret in 0..3 {
        assert_eq!(put(&world, kind, secret).await, Ok(()));
    }
    let full = put(&world, kind, 3).await;
    assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    assert_eq!(put(&world, OneTimeKind::LoginCode, 3).await, Ok(()), "of each kind");
    let taken = directory.take_once(kind, SecretHash([0; 32]), world.now_ms).await;
    assert!(taken.unwrap().is_some());
    assert_eq!(put(&world, kind, 3).await, Ok(()), "a use makes room");
    world.later(10 * MINUTE_MS);
    for secret in 10..13 {
        assert_eq!(put(&world, kind, secret).await, Ok(()), "the others have expired");
    }
    world.later(10 * MINUTE_MS);
    assert_eq!(directory.delete_lapsed_sessions(10, world.now_ms).await, Ok(0));
    let taken = directory.take_once(kind, SecretHash([10; 32]), world.now_ms - 1).await;
    assert_eq!(taken, Ok(None), "expired values are deleted");
}
