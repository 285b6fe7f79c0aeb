//! Progress of webhooks.

use super::world::{HOUR_MS, MINUTE_MS, World};
use narthex_directory::{
    ATTEMPTS_KEPT, Cursor, DEAD_LETTERS_KEPT_MS, DELIVERY_ERROR_BYTES_MAX, DeliveryAttempt, Directory, Page,
    Settlement, StoreError, WaitingDelivery, WaitingState, WebhookProgress,
};

pub const HOOK: &str = "crm";

pub fn waiting(world: &World<'_>, sequence: u64) -> WaitingDelivery {
    WaitingDelivery {
        webhook: HOOK.into(),
        sequence,
        object: "user:1".into(),
        attempts: 1,
        taken_up_ms: world.now_ms,
        next_try_ms: world.now_ms + MINUTE_MS,
        dead_at_ms: None,
    }
}

pub fn attempt(world: &World<'_>, sequence: u64, attempt: u32) -> DeliveryAttempt {
    DeliveryAttempt {
        webhook: HOOK.into(),
        sequence,
        attempt,
        at_ms: world.now_ms,
        took_ms: 12,
        status: Some(503),
        error: None,
        next_try_ms: Some(world.now_ms + MINUTE_MS),
    }
}

/// A settlement that moves the cursor and does nothing else.
pub fn settlement(world: &World<'_>, version: u64, cursor: u64) -> Settlement {
    Settlement {
        progress: WebhookProgress {
            version,
            ..WebhookProgress::after(HOOK, cursor)
        },
        waiting: Vec::new(),
        delivered: Vec::new(),
        attempts: Vec::new(),
        at_ms: world.now_ms,
    }
}

/// Takes the lease for an hour.
pub async fn lease(world: &World<'_>, holder: &str) -> bool {
    let until_ms = world.now_ms + HOUR_MS;
    let taken = world.directory.lease_webhooks(holder.into(), world.now_ms, until_ms);
    taken.await.unwrap()
}

pub async fn settle(world: &World<'_>, settlement: Settlement) -> bool {
    world.directory.settle_webhook("a".into(), settlement).await.unwrap()
}

async fn numbers(directory: &dyn Directory, state: WaitingState) -> Vec<u64> {
    let listed = directory.waiting_deliveries(HOOK.into(), state, Page::first(200)).await;
    listed.unwrap().items.iter().map(|delivery| delivery.sequence).collect()
}

pub async fn one_node_has_the_lease_of_the_sender(directory: &dyn Directory) {
    let mut world = World::new(directory);
    assert!(lease(&world, "a").await);
    assert!(!lease(&world, "b").await);
    assert!(lease(&world, "a").await, "its holder renews it");
    world.later(HOUR_MS - 1);
    assert!(!lease(&world, "b").await);
    world.later(1);
    assert!(lease(&world, "b").await, "it has ended");
    assert!(!lease(&world, "a").await);
}

pub async fn a_lease_that_is_given_up_is_taken_at_once(directory: &dyn Directory) {
    let world = World::new(directory);
    assert_eq!(directory.release_webhooks("a".into()).await, Ok(false), "there is none");
    assert!(lease(&world, "a").await);
    assert_eq!(directory.release_webhooks("b".into()).await, Ok(false));
    assert!(!lease(&world, "b").await, "only its holder gives it up");
    assert_eq!(directory.release_webhooks("a".into()).await, Ok(true));
    assert!(!settle(&world, settlement(&world, 1, 5)).await, "without a lease");
    assert!(lease(&world, "b").await);
}

pub async fn a_settlement_needs_the_lease_and_the_version(directory: &dyn Directory) {
    let mut world = World::new(directory);
    assert_eq!(directory.webhook_progress().await, Ok(Vec::new()));
    assert!(!settle(&world, settlement(&world, 1, 5)).await, "without a lease");
    assert!(lease(&world, "a").await);
    assert!(!settle(&world, settlement(&world, 2, 5)).await, "it has not begun");
    assert!(settle(&world, settlement(&world, 1, 5)).await);
    assert!(!settle(&world, settlement(&world, 1, 6)).await, "at an older version");
    assert!(settle(&world, settlement(&world, 2, 7)).await);
    let of_another = directory.settle_webhook("b".into(), settlement(&world, 3, 9)).await;
    assert_eq!(of_another, Ok(false));
    world.later(HOUR_MS);
    assert!(!settle(&world, settlement(&world, 3, 9)).await, "the lease has ended");
    let progress = directory.webhook_progress().await.unwrap();
    let kept = WebhookProgress {
        version: 3,
        ..WebhookProgress::after(HOOK, 7)
    };
    assert_eq!(progress, [kept]);
}

pub async fn deliveries_wait_and_are_delivered_or_given_up(directory: &dyn Directory) {
    let world = World::new(directory);
    assert!(lease(&world, "a").await);
    let first = Settlement {
        waiting: vec![waiting(&world, 3), waiting(&world, 1), waiting(&world, 2)],
        ..settlement(&world, 1, 3)
    };
    assert!(settle(&world, first).await);
    assert_eq!(numbers(directory, WaitingState::Waiting).await, [1, 2, 3]);
    let dead = WaitingDelivery {
        dead_at_ms: Some(world.now_ms),
        attempts: 9,
        ..waiting(&world, 2)
    };
    let second = Settlement {
        waiting: vec![dead.clone()],
        delivered: vec![1, 99],
        ..settlement(&world, 2, 3)
    };
    assert!(settle(&world, second).await);
    assert_eq!(numbers(directory, WaitingState::Waiting).await, [3]);
    let given_up = directory
        .waiting_deliveries(HOOK.into(), WaitingState::Dead, Page::default())
        .await;
    assert_eq!(given_up.unwrap().items, [dead]);
    let of_another = directory
        .waiting_deliveries("erp".into(), WaitingState::Waiting, Page::default())
        .await;
    assert!(of_another.unwrap().items.is_empty());
    let page = directory
        .waiting_deliveries(HOOK.into(), WaitingState::Waiting, Page::after(Cursor::new("3"), 1))
        .await;
    assert!(page.unwrap().items.is_empty());
    let wrong = Page::after(Cursor::new("x"), 1);
    let refused = directory
        .waiting_deliveries(HOOK.into(), WaitingState::Waiting, wrong)
        .await;
    assert_eq!(refused, Err(StoreError::Cursor));
}

pub async fn a_replay_drops_what_comes_again(directory: &dyn Directory) {
    let world = World::new(directory);
    assert!(lease(&world, "a").await);
    let dead = WaitingDelivery {
        dead_at_ms: Some(world.now_ms),
        ..waiting(&world, 8)
    };
    let mut first = Settlement {
        waiting: vec![waiting(&world, 3), waiting(&world, 7), dead],
        ..settlement(&world, 1, 9)
    };
    first.progress.failures = 4;
    first.progress.failing_since_ms = Some(world.now_ms);
    first.progress.next_try_ms = world.now_ms + HOUR_MS;
    first.progress.last_success_ms = Some(world.now_ms - 1);
    assert!(settle(&world, first).await);
    directory.replay_webhook(HOOK.into(), 5).await.unwrap();
    assert_eq!(numbers(directory, WaitingState::Waiting).await, [3]);
    assert_eq!(numbers(directory, WaitingState::Dead).await, [0; 0]);
    let progress = directory.webhook_progress().await.unwrap();
    let expected = WebhookProgress {
        last_success_ms: Some(world.now_ms - 1),
        version: 3,
        ..WebhookProgress::after(HOOK, 5)
    };
    assert_eq!(progress, [expected]);
    assert!(
        !settle(&world, settlement(&world, 2, 9)).await,
        "tries that were under way"
    );
    directory.replay_webhook("erp".into(), 2).await.unwrap();
    let begun = directory.webhook_progress().await.unwrap();
    assert_eq!((begun.len(), begun[1].cursor, begun[1].version), (2, 2, 2));
}

pub async fn what_waits_is_tried_at_once_when_asked(directory: &dyn Directory) {
    let mut world = World::new(directory);
    assert!(lease(&world, "a").await);
    assert_eq!(directory.retry_webhook(HOOK.into(), true, world.now_ms).await, Ok(0));
    let dead = WaitingDelivery {
        dead_at_ms: Some(world.now_ms),
        attempts: 9,
        ..waiting(&world, 2)
    };
    let mut first = Settlement {
        waiting: vec![waiting(&world, 1), dead],
        ..settlement(&world, 1, 2)
    };
    first.progress.next_try_ms = world.now_ms + HOUR_MS;
    assert!(settle(&world, first).await);
    world.later(1_000);
    assert_eq!(directory.retry_webhook(HOOK.into(), false, world.now_ms).await, Ok(1));
    assert_eq!(numbers(directory, WaitingState::Dead).await, [2]);
    assert_eq!(directory.retry_webhook(HOOK.into(), true, world.now_ms).await, Ok(2));
    let due = directory
        .waiting_deliveries(HOOK.into(), WaitingState::Waiting, Page::default())
        .await;
    let due = due.unwrap().items;
    assert_eq!((due[0].attempts, due[1].attempts), (1, 0), "a dead letter begins again");
    assert_eq!(
        (due[0].taken_up_ms, due[1].taken_up_ms),
        (world.now_ms - 1_000, world.now_ms)
    );
    assert!(due.iter().all(|delivery| delivery.next_try_ms == world.now_ms));
    let progress = directory.webhook_progress().await.unwrap();
    assert_eq!((progress[0].next_try_ms, progress[0].version), (world.now_ms, 4));
}

pub async fn attempts_are_listed_newest_first_and_bounded(directory: &dyn Directory) {
    let world = World::new(directory);
    assert!(lease(&world, "a").await);
    let failed = DeliveryAttempt {
        status: None,
        error: Some("the connection was refused".into()),
        next_try_ms: None,
        ..attempt(&world, 2, 2)
    };
    let first = Settlement {
        attempts: vec![attempt(&world, 1, 1), failed.clone()],
        ..settlement(&world, 1, 2)
    };
    assert!(settle(&world, first).await);
    let page = directory.delivery_attempts(HOOK.into(), Page::first(1)).await.unwrap();
    assert_eq!(page.items[0].attempt, failed);
    let rest = Page::after(page.next_cursor.unwrap(), 5);
    let rest = directory.delivery_attempts(HOOK.into(), rest).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    assert_eq!(rest.items[0].attempt, attempt(&world, 1, 1));
    let many = (0..ATTEMPTS_KEPT as u64).map(|sequence| attempt(&world, sequence, 1));
    let second = Settlement {
        attempts: many.collect(),
        ..settlement(&world, 2, 2)
    };
    assert!(settle(&world, second).await);
    let (mut listed, mut page) = (Vec::new(), Page::first(200));
    loop {
        let part = directory.delivery_attempts(HOOK.into(), page).await.unwrap();
        listed.extend(part.items.into_iter().map(|kept| kept.attempt.sequence));
        match part.next_cursor {
            Some(next) => page = Page::after(next, 200),
            None => break,
        }
    }
    let newest: Vec<u64> = (0..ATTEMPTS_KEPT as u64).rev().collect();
    assert_eq!(listed, newest);
}

pub async fn dead_letters_are_kept_for_a_time(directory: &dyn Directory) {
    let mut world = World::new(directory);
    assert!(lease(&world, "a").await);
    let dead = WaitingDelivery {
        dead_at_ms: Some(world.now_ms),
        ..waiting(&world, 1)
    };
    let first = Settlement {
        waiting: vec![dead, waiting(&world, 2)],
        ..settlement(&world, 1, 2)
    };
    assert!(settle(&world, first).await);
    world.later(DEAD_LETTERS_KEPT_MS - 1);
    assert!(lease(&world, "a").await);
    assert!(settle(&world, settlement(&world, 2, 2)).await);
    assert_eq!(numbers(directory, WaitingState::Dead).await, [1]);
    world.later(1);
    assert!(settle(&world, settlement(&world, 3, 2)).await);
    assert_eq!(numbers(directory, WaitingState::Dead).await, [0; 0]);
    assert_eq!(numbers(directory, WaitingState::Waiting).await, [2]);
}

pub async fn a_forgotten_webhook_leaves_nothing(directory: &dyn Directory) {
    let world = World::new(directory);
    assert!(lease(&world, "a").await);
    assert_eq!(directory.forget_webhook(HOOK.into()).await, Ok(false));
    directory.replay_webhook("erp".into(), 2).await.unwrap();
    let first = Settlement {
        waiting: vec![waiting(&world, 1)],
        attempts: vec![attempt(&world, 1, 1)],
        ..settlement(&world, 1, 2)
    };
    assert!(settle(&world, first).await);
    assert_eq!(directory.forget_webhook(HOOK.into()).await, Ok(true));
    assert_eq!(numbers(directory, WaitingState::Waiting).await, [0; 0]);
    let attempts = directory.delivery_attempts(HOOK.into(), Page::default()).await;
    assert!(attempts.unwrap().items.is_empty());
    let progress = directory.webhook_progress().await.unwrap();
    assert_eq!(progress.len(), 1);
    assert_eq!(progress[0].webhook, "erp");
}

pub async fn a_settlement_of_two_webhooks_is_refused(directory: &dyn Directory) {
    let world = World::new(directory);
    assert!(lease(&world, "a").await);
    let long = DeliveryAttempt {
        error: Some("x".repeat(DELIVERY_ERROR_BYTES_MAX + 1)),
        ..attempt(&world, 1, 1)
    };
    let foreign = WaitingDelivery {
        webhook: "erp".into(),
        ..waiting(&world, 1)
    };
    let wrong = [
        Settlement {
            attempts: vec![long],
            ..settlement(&world, 1, 1)
        },
        Settlement {
            waiting: vec![foreign],
            ..settlement(&world, 1, 1)
        },
    ];
    for settlement in wrong {
        let refused = directory.settle_webhook("a".into(), settlement).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    }
    assert_eq!(directory.webhook_progress().await, Ok(Vec::new()));
}
