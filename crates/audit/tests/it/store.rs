//! The chain over the trail of a store, and exports from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use narthex_audit::{
    CHECKPOINT_AFTER_MS, CSV_HEADER, ChainKeeper, ExportFormat, Report, Retention, TrailExport, VerificationKeys,
    Verifier, canonical, link,
};
use narthex_conformance::erasure::erasure;
use narthex_conformance::world::{MINUTE_MS, World};
use narthex_directory::{Actor, AuditEvent, By, ChainHash, DAY_MS, Directory, EventFilter, Page, REFUSED, UserId};
use narthex_memory::MemoryDirectory;
use serde_json::{Value, json};

const START_MS: i64 = 1_700_000_000_000;

const BY: By = By {
    actor: Actor::System,
    at_ms: START_MS,
};

async fn record(directory: &dyn Directory, count: usize) {
    for number in 0..count {
        let action = if number % 3 == 0 {
            "user.updated"
        } else {
            "team.created"
        };
        let mut event = AuditEvent::new(action, Actor::Configuration, START_MS);
        event.detail.insert("number".to_owned(), number.into());
        directory.record(event).await.unwrap();
    }
}

/// A keeper with a seed of its own for keys of seals.
async fn keeper(directory: &dyn Directory) -> ChainKeeper {
    static OPENED: AtomicU8 = AtomicU8::new(0);
    let seed = OPENED.fetch_add(1, Ordering::SeqCst);
    ChainKeeper::open(directory, [[5; 32], [seed; 32]], BY).await.unwrap()
}

async fn export(directory: &Arc<dyn Directory>, format: ExportFormat, filter: EventFilter) -> String {
    let keeper = keeper(&**directory).await;
    let mut export = TrailExport::begin(Arc::clone(directory), keeper, format, filter, START_MS + 1)
        .await
        .unwrap();
    let mut file = String::new();
    while let Some(piece) = export.next_piece().await.unwrap() {
        file.push_str(&piece);
    }
    file
}

async fn verify(directory: &dyn Directory, file: &str) -> Report {
    let keys = directory.audit_keys().await.unwrap();
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| serde_json::from_str(&key.public_jwk).unwrap())
        .collect();
    let keys = VerificationKeys::parse(&json!({ "keys": keys })).unwrap();
    let mut verifier = Verifier::new(Some(keys));
    file.split_inclusive('\n')
        .for_each(|line| verifier.line(line.as_bytes()));
    verifier.finish()
}

fn open() -> Arc<dyn Directory> {
    Arc::new(MemoryDirectory::default())
}

#[tokio::test]
async fn an_export_of_the_whole_trail_verifies() {
    let directory = open();
    record(&*directory, 450).await;
    let file = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let report = verify(&*directory, &file).await;
    assert!(report.is_valid() && !report.filtered, "{:?}", report.problems);
    // The first key has an event of its own.
    assert_eq!((report.events, report.first, report.last), (451, Some(1), Some(451)));
    assert_eq!(report.checkpoints, 1, "the first part of the chain is signed at once");
}

#[tokio::test]
async fn a_filtered_export_verifies_and_has_only_what_was_asked_for() {
    let directory = open();
    record(&*directory, 30).await;
    let filter = EventFilter {
        action: Some("user.updated".to_owned()),
        ..EventFilter::default()
    };
    let file = export(&directory, ExportFormat::Ndjson, filter.clone()).await;
    let report = verify(&*directory, &file).await;
    assert!(report.is_valid() && report.filtered, "{:?}", report.problems);
    assert_eq!(report.events, 10);
    let csv = export(&directory, ExportFormat::Csv, filter.clone()).await;
    assert!(csv.starts_with(CSV_HEADER));
    assert_eq!(csv.split_terminator("\r\n").count(), 11);
    let ocsf = export(&directory, ExportFormat::Ocsf, filter).await;
    assert_eq!(ocsf.lines().count(), 10);
    assert!(ocsf.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[tokio::test]
async fn two_keepers_make_one_chain() {
    let directory = open();
    record(&*directory, 5).await;
    let (mut one, mut two) = (keeper(&*directory).await, keeper(&*directory).await);
    assert_eq!(one.key().kid(), two.key().kid());
    one.catch_up(&*directory, START_MS).await.unwrap();
    record(&*directory, 5).await;
    two.catch_up(&*directory, START_MS).await.unwrap();
    one.catch_up(&*directory, START_MS).await.unwrap();
    let links = directory.chain_links(0, 100).await.unwrap();
    let events = directory
        .events(EventFilter::default(), Page::default())
        .await
        .unwrap()
        .items;
    let mut previous = ChainHash::GENESIS;
    for (recorded, kept) in events.iter().rev().zip(&links) {
        let made = link(previous, recorded);
        assert_eq!(made, *kept);
        previous = made.hash;
    }
    assert_eq!((links.len(), events.len()), (11, 11));
}

#[tokio::test]
async fn a_checkpoint_follows_when_the_last_one_is_old() {
    let directory = open();
    let mut keeper = keeper(&*directory).await;
    keeper.catch_up(&*directory, START_MS).await.unwrap();
    record(&*directory, 1).await;
    keeper.catch_up(&*directory, START_MS + 1).await.unwrap();
    assert_eq!(directory.last_checkpoint().await.unwrap().unwrap().sequence, 1);
    keeper
        .catch_up(&*directory, START_MS + CHECKPOINT_AFTER_MS)
        .await
        .unwrap();
    assert_eq!(directory.last_checkpoint().await.unwrap().unwrap().sequence, 2);
    // Nothing is signed twice.
    keeper
        .catch_up(&*directory, START_MS + 3 * CHECKPOINT_AFTER_MS)
        .await
        .unwrap();
    assert_eq!(directory.checkpoints(0, 10).await.unwrap().len(), 2);
}

/// A user with personal values in the trail.
async fn forgetme(world: &mut World<'_>) -> UserId {
    let mut token = world.token("ann.forgetme");
    token.user.profile.email = Some("forgetme@example.com".into());
    world.sync(&token).await.principal.user().id
}

/// A file as somebody makes it who leaves the personal values out.
fn without_values(file: &str) -> String {
    let lines = file.lines().map(|line| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("personal");
        canonical(&value) + "\n"
    });
    lines.collect()
}

#[tokio::test]
async fn sec_an_erasure_leaves_a_trail_that_verifies() {
    let directory = open();
    let mut world = World::new(&*directory);
    let user = forgetme(&mut world).await;
    let before = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let report = verify(&*directory, &before).await;
    assert!(
        report.is_valid() && before.contains("forgetme"),
        "{:?}",
        report.problems
    );
    let values = report.personal_values;
    assert!(values > 0 && report.sealed_only == 0, "{report:?}");
    let links = directory.chain_links(0, 100).await.unwrap();

    world.later(MINUTE_MS);
    directory.erase_user(user, None, erasure(), world.by()).await.unwrap();
    let after = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let report = verify(&*directory, &after).await;
    assert!(report.is_valid(), "{:?}", report.problems);
    assert_eq!(report.sealed_only, values, "the seals stay");
    let now = directory.chain_links(0, 100).await.unwrap();
    assert!(now.starts_with(&links) && now.len() > links.len(), "the chain stays");
    for format in [ExportFormat::Ndjson, ExportFormat::Csv, ExportFormat::Ocsf] {
        let file = export(&directory, format, EventFilter::default()).await;
        assert!(!file.contains("forgetme"), "{file}");
    }
    // What was exported before is as it was.
    assert!(verify(&*directory, &before).await.is_valid());
}

#[tokio::test]
async fn sec_a_personal_value_of_an_export_is_left_out_or_true() {
    let directory = open();
    let mut world = World::new(&*directory);
    forgetme(&mut world).await;
    let file = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let whole = verify(&*directory, &file).await;
    let left_out = without_values(&file);
    assert!(!left_out.contains("forgetme"));
    let report = verify(&*directory, &left_out).await;
    assert!(report.is_valid(), "{:?}", report.problems);
    assert_eq!((report.personal_values, report.sealed_only), (0, whole.personal_values));
    for (one, other) in [
        ("forgetme@example.com", "forgotme@example.com"),
        ("\"detail.email\":", "\"detail.emaim\":"),
        ("\"key\":\"", "\"key\":\"AAAA"),
    ] {
        let report = verify(&*directory, &file.replace(one, other)).await;
        assert!(!report.is_valid(), "{one}");
    }
}

async fn record_at(directory: &dyn Directory, action: &str, at_ms: i64) {
    let event = AuditEvent::new(action, Actor::Configuration, at_ms);
    directory.record(event).await.unwrap();
}

/// A trail over five days: on each a refusal and another event.
async fn five_days(directory: &dyn Directory) -> ChainKeeper {
    let mut keeper = keeper(directory).await;
    for day in 0..5 {
        record_at(directory, REFUSED, START_MS + day * DAY_MS).await;
        record_at(directory, "team.created", START_MS + day * DAY_MS).await;
    }
    keeper.catch_up(directory, START_MS + 4 * DAY_MS).await.unwrap();
    keeper
}

#[tokio::test]
async fn a_trail_without_its_oldest_events_verifies_from_the_cut_on() {
    let directory = open();
    let keeper = five_days(&*directory).await;
    let retention = Retention {
        events_ms: Some(2 * DAY_MS),
        refusals_ms: None,
    };
    let now_ms = START_MS + 4 * DAY_MS;
    // The event of the key of checkpoints, and those of the first two days.
    assert_eq!(retention.apply(&*directory, &keeper, now_ms).await, Ok(5));
    assert_eq!(retention.apply(&*directory, &keeper, now_ms).await, Ok(0));
    let file = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let report = verify(&*directory, &file).await;
    assert!(report.is_valid() && report.origin_proved, "{:?}", report.problems);
    assert_eq!((report.cut, report.first, report.expired), (Some(5), Some(6), 0));
    let without: String = file
        .split_inclusive('\n')
        .enumerate()
        .filter(|(number, _)| *number != 1)
        .map(|(_, line)| line)
        .collect();
    assert!(
        !verify(&*directory, &without).await.is_valid(),
        "the checkpoint of the cut is missing"
    );
}

#[tokio::test]
async fn refusals_that_are_gone_leave_their_places() {
    let directory = open();
    let keeper = five_days(&*directory).await;
    let retention = Retention {
        events_ms: None,
        refusals_ms: Some(2 * DAY_MS),
    };
    assert_eq!(
        retention.apply(&*directory, &keeper, START_MS + 4 * DAY_MS).await,
        Ok(2)
    );
    let file = export(&directory, ExportFormat::Ndjson, EventFilter::default()).await;
    let report = verify(&*directory, &file).await;
    assert!(report.is_valid(), "{:?}", report.problems);
    assert_eq!((report.cut, report.expired, report.first), (None, 2, Some(1)));
    let forged = file.replace("\"expired\":{\"first\":2", "\"expired\":{\"first\":3");
    assert!(forged != file && !verify(&*directory, &forged).await.is_valid());
}

#[tokio::test]
async fn a_stream_goes_on_where_it_ended_and_verifies_up_to_its_last_checkpoint() {
    let directory = open();
    let mut keeper = five_days(&*directory).await;
    let mut stream = TrailExport::follow(Arc::clone(&directory), 0, false);
    let mut file = stream.stream_header().await.unwrap();
    while let Some(lines) = stream.next_lines().await.unwrap() {
        file.push_str(&lines);
    }
    let report = verify(&*directory, &file).await;
    assert!(
        report.is_valid() && report.is_stream && report.origin_proved,
        "{report:?}"
    );
    assert_eq!((report.events, report.unsigned), (11, 0));
    record_at(&*directory, "team.created", START_MS).await;
    keeper.catch_up(&*directory, START_MS + 4 * DAY_MS + 1).await.unwrap();
    // As after a restart.
    let mut stream = TrailExport::follow(Arc::clone(&directory), stream.followed(), true);
    file.push_str(&stream.next_lines().await.unwrap().unwrap());
    let report = verify(&*directory, &file).await;
    assert_eq!((report.is_valid(), report.events, report.unsigned), (true, 12, 1));
    // A checkpoint that comes later follows its event.
    let late_ms = START_MS + 5 * DAY_MS;
    keeper.catch_up(&*directory, late_ms).await.unwrap();
    file.push_str(&stream.next_lines().await.unwrap().unwrap());
    assert_eq!(stream.next_lines().await, Ok(None));
    let report = verify(&*directory, &file).await;
    assert_eq!((report.is_valid(), report.unsigned), (true, 0), "{:?}", report.problems);
    assert!(!report.to_json()["complete"].as_bool().unwrap());
    let forged = file.replace("team.created", "team.deleted");
    assert!(!verify(&*directory, &forged).await.is_valid());
}
