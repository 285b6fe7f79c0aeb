//! Sessions: listed by each filter, and deleted after their end.

use narthex_directory::{Directory, Page, SessionEnd, SessionFilter, SessionKind, SessionSelection, StoreError};

use super::sessions::{REFRESH_MS, kept, new_session, sign_in};
use super::world::{HOUR_MS, World};

const DAY_MS: i64 = 24 * HOUR_MS;

pub async fn sessions_are_listed_by_each_filter_in_pages(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    let mut made = Vec::new();
    for secret in 0..6_u8 {
        let mut session = new_session(&mut world, secret, (secret % 2 == 0).then_some(ada));
        session.kind = [SessionKind::Door, SessionKind::Embedded, SessionKind::Console][usize::from(secret % 3)];
        directory.create_session(session.clone(), world.by()).await.unwrap();
        made.push(session);
    }
    let over = SessionSelection::Session(made[0].id);
    directory
        .end_sessions(over, SessionEnd::SignedOut, world.by())
        .await
        .unwrap();
    let secrets = async |filter: SessionFilter| {
        let mut secrets = Vec::new();
        let mut page = Page::first(2);
        loop {
            let listing = directory.sessions(filter, page).await.unwrap();
            secrets.extend(listing.items.iter().map(|session| session.hash.0[0]));
            match listing.next_cursor {
                Some(cursor) => page = Page::after(cursor, 2),
                None => return secrets,
            }
        }
    };
    let every = SessionFilter::default();
    assert_eq!(secrets(every).await, [0, 1, 2, 3, 4, 5]);
    let user = Some(ada);
    assert_eq!(secrets(SessionFilter { user, ..every }).await, [0, 2, 4]);
    let kind = Some(SessionKind::Embedded);
    assert_eq!(secrets(SessionFilter { kind, ..every }).await, [1, 4]);
    assert_eq!(secrets(SessionFilter { user, kind, ..every }).await, [4]);
    let standing_at_ms = Some(world.now_ms);
    assert_eq!(
        secrets(SessionFilter {
            standing_at_ms,
            ..every
        })
        .await,
        [1, 2, 3, 4, 5]
    );
    let standing_at_ms = Some(world.now_ms + HOUR_MS);
    assert!(
        secrets(SessionFilter {
            standing_at_ms,
            ..every
        })
        .await
        .is_empty()
    );
    let wrong = Page::after(narthex_directory::Cursor::new("7"), 2);
    assert_eq!(directory.sessions(every, wrong).await, Err(StoreError::Cursor));
}

pub async fn sessions_are_deleted_a_day_after_their_end(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let idle = sign_in(&mut world, 1, None).await;
    let ended = sign_in(&mut world, 2, None).await;
    let lost = sign_in(&mut world, 3, None).await;
    let mut used = new_session(&mut world, 4, None);
    used.idle_ms = 30 * HOUR_MS;
    directory.create_session(used.clone(), world.by()).await.unwrap();
    let selection = SessionSelection::Session(ended.id);
    directory
        .end_sessions(selection, SessionEnd::SignedOut, world.by())
        .await
        .unwrap();
    let until = world.now_ms + REFRESH_MS;
    directory.claim_refresh(lost.id, 1, world.now_ms, until).await.unwrap();
    let start = world.now_ms;
    for (after_ms, deleted) in [
        (0, vec![]),
        (DAY_MS - 1, vec![]),
        (DAY_MS, vec![&ended]),
        (DAY_MS + REFRESH_MS, vec![&lost]),
        (DAY_MS + HOUR_MS - 1, vec![]),
        (DAY_MS + HOUR_MS, vec![&idle]),
        (DAY_MS + 12 * HOUR_MS, vec![&used]),
    ] {
        world.now_ms = start + after_ms;
        let count = directory.delete_lapsed_sessions(10, world.now_ms).await;
        assert_eq!(count, Ok(deleted.len()), "after {after_ms} ms");
        for session in deleted {
            assert_eq!(kept(&world, session.id).await, None);
        }
    }
    for secret in 5..8 {
        sign_in(&mut world, secret, None).await;
    }
    world.later(2 * DAY_MS);
    assert_eq!(directory.delete_lapsed_sessions(2, world.now_ms).await, Ok(2));
    assert_eq!(directory.delete_lapsed_sessions(2, world.now_ms).await, Ok(1));
}
