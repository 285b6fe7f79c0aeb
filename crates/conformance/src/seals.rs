//! Seals of personal values in the audit trail, and what an erasure leaves of them.

use narthex_directory::{
    Directory, EventFilter, EventOrder, Page, RecordedEvent, Seal, SealKey, SealedEvent, Seals, SecretBytes, UserId,
};
use serde_json::Value;

use crate::erasure::erasure;
use crate::world::{MINUTE_MS, World};

/// A key that tells its number.
pub fn key(user: UserId, number: u8) -> SealKey {
    SealKey {
        user,
        secret: SecretBytes(vec![number; 32]),
    }
}

/// An event with a seal for each of its personal values.
pub fn sealed(recorded: &RecordedEvent, key: SealKey) -> SealedEvent {
    let places = recorded.event.personal_values().into_iter().enumerate();
    let seals = places.map(|(number, (place, _))| (place, Seal([u8::try_from(number).unwrap(); 32])));
    SealedEvent {
        sequence: recorded.sequence,
        key,
        seals: Seals(seals.collect()),
    }
}

/// The events about a user, the oldest first.
async fn events(directory: &dyn Directory, user: UserId) -> Vec<RecordedEvent> {
    let filter = EventFilter {
        user: Some(user),
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    directory.events(filter, Page::first(200)).await.unwrap().items
}

/// A user with events that have personal values, all of them without seals.
async fn user_with_events(world: &mut World<'_>) -> (UserId, Vec<RecordedEvent>) {
    let mut token = world.token("ann");
    token.user.profile.email = Some("ann@example.com".into());
    let user = world.sync(&token).await.principal.user().id;
    world.later(MINUTE_MS);
    let events = events(world.directory, user).await;
    assert!(events.iter().any(RecordedEvent::needs_seals), "{events:?}");
    (user, events)
}

async fn seal_all(directory: &dyn Directory, events: &[RecordedEvent], key: &SealKey) {
    let bare = events.iter().filter(|recorded| recorded.needs_seals());
    let sealed = bare.map(|recorded| sealed(recorded, key.clone()));
    directory.seal_events(sealed.collect()).await.unwrap();
}

pub async fn a_sealed_event_keeps_its_seals(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (user, bare) = user_with_events(&mut world).await;
    assert_eq!(directory.seal_keys(vec![user]).await, Ok(Vec::new()));
    let (first, second) = (key(user, 1), key(user, 2));
    let made = directory.create_seal_keys(vec![first.clone()]).await;
    assert_eq!(made, Ok(vec![first.clone()]));
    let again = directory.create_seal_keys(vec![second.clone()]).await;
    assert_eq!(again, Ok(vec![first.clone()]), "the first key stays");
    assert_eq!(directory.seal_keys(vec![user]).await, Ok(vec![first.clone()]));
    seal_all(directory, &bare, &second).await;
    assert_eq!(events(directory, user).await, bare, "it is the key of no user");
    seal_all(directory, &bare, &first).await;
    let sealed = events(directory, user).await;
    for (recorded, before) in sealed.iter().zip(&bare) {
        assert_eq!(recorded.event, before.event, "the values are there");
        assert_eq!(recorded.sealed_values(), before.event.personal_values());
    }
    let others = bare
        .iter()
        .filter(|recorded| recorded.needs_seals())
        .map(|recorded| SealedEvent {
            sequence: recorded.sequence,
            key: first.clone(),
            seals: Seals([("detail.email".to_owned(), Seal([9; 32]))].into()),
        });
    directory.seal_events(others.collect()).await.unwrap();
    assert_eq!(events(directory, user).await, sealed, "the first seals stay");
}

/// The part of its detail and its token that the hash of an event covers.
fn covered(recorded: &RecordedEvent) -> Value {
    let mut event = serde_json::Map::new();
    event.insert("detail".to_owned(), Value::Object(recorded.event.detail.clone()));
    recorded.put_seals(&mut event);
    Value::Object(event)
}

pub async fn sec_an_erasure_leaves_the_seals_and_no_key(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (user, bare) = user_with_events(&mut world).await;
    let first = key(user, 1);
    directory.create_seal_keys(vec![first.clone()]).await.unwrap();
    seal_all(directory, &bare, &first).await;
    let before = events(directory, user).await;
    directory.erase_user(user, None, erasure(), world.by()).await.unwrap();
    assert_eq!(directory.seal_keys(vec![user]).await, Ok(Vec::new()));
    let after = events(directory, user).await;
    assert!(after.len() > before.len(), "the erasure is recorded");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(covered(before), covered(after), "the hash stays");
        assert!(after.event.personal_values().is_empty() && !after.needs_seals());
    }
}

pub async fn sec_no_event_is_sealed_with_a_key_from_before_an_erasure(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (user, bare) = user_with_events(&mut world).await;
    let first = key(user, 1);
    directory.create_seal_keys(vec![first.clone()]).await.unwrap();
    directory.erase_user(user, None, erasure(), world.by()).await.unwrap();
    // The erasure itself is told with a reason, and sealed with a key of its own.
    let second = key(user, 2);
    assert_eq!(directory.create_seal_keys(vec![second.clone()]).await, Ok(vec![second]));
    seal_all(directory, &bare, &first).await;
    let left = events(directory, user).await;
    assert!(left.iter().all(|recorded| recorded.seals.0.is_empty()), "{left:?}");
}
