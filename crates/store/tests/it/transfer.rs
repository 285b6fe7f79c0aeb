//! Moving a directory: there and back it is the same, of one moment, and nothing but a whole and true file goes in.

mod faults;

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use narthex_conformance::erasure::erasure;
use narthex_conformance::walk::Walk;
use narthex_conformance::world::{HOUR_MS, World, exactly};
use narthex_directory::{
    Among, ApiKey, ApiKeyId, AssertionKey, AuditKey, CarrierFilter, ChainHash, ChainLink, Checkpoint, Directory,
    DocumentAt, DocumentKind, EventFilter, IssuerName, Logo, MachineKey, MachineKeyId, NewDocument, Organization,
    OrganizationEdit, OrganizationId, OrganizationRole, Page, People, PlatformRole, Realm, SavedKeySet, ScopedRole,
    SecretBytes, SecretHash, TokenFingerprint, TokenSync, UserFilter,
};
use narthex_store::transfer::{Place, Summary, TransferError, export, import};
use narthex_store::{Options, SqliteDirectory};
use narthex_testkit::postgres::{Cluster, Database};
use proptest::prelude::*;

use crate::postgres::{database, open_at as open_postgres, options};

fn sqlite(path: &Path) -> Place {
    Place::Sqlite(Options::new(path))
}

fn postgres(database: &Database) -> Place {
    Place::Postgres(Box::new(options(&database.url())))
}

fn empty() -> Database {
    Cluster::shared().unwrap().empty_database().unwrap()
}

async fn exported(place: Place) -> (Summary, Vec<u8>) {
    let (summary, file) = export(place, Vec::new(), 7, |_| ControlFlow::Continue(()))
        .await
        .unwrap();
    (summary, file)
}

async fn imported(place: Place, file: &[u8]) -> Result<Summary, TransferError> {
    let input = Cursor::new(file.to_vec());
    let imported = import(place, input, |_| ControlFlow::Continue(())).await;
    imported.map(|(_, summary)| summary)
}

/// Everything but the first line, which says where it comes from.
fn records(file: &[u8]) -> &[u8] {
    let first = file.iter().position(|byte| *byte == b'\n').unwrap();
    &file[first + 1..]
}

/// The organization `acme`, which had another name before.
async fn renamed(world: &mut World<'_>) -> Organization {
    let acme = world.organization("acme-before", "owners, \"a, b\"", "staff").await;
    let rename = OrganizationEdit {
        name: Some("acme".try_into().unwrap()),
        ..OrganizationEdit::default()
    };
    let renamed = world.directory.update_organization(acme.id, None, rename, world.by());
    renamed.await.unwrap()
}

/// One of everything, with a history.
async fn fill(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let acme = renamed(&mut world).await;
    let png = Logo::new(b"\x89PNG\r\n\x1a\n\0\xff".to_vec()).unwrap();
    directory.set_logo(acme.id, Some(png), world.by()).await.unwrap();
    let ada = world.sync(&world.tagged("ada", &["staff", "owners", "other"])).await;
    world.later(HOUR_MS);
    world.sync(&world.tagged("ada", &["staff"])).await;
    let linked = world.sync(&world.linked("bob", "beta", "ops")).await;
    assert!(linked.principal.memberships().len() == 1);
    let mut odd = world.token("carl \u{1f9d1} \"q\" \\ é");
    odd.token = TokenFingerprint {
        jti: Some("a\0b\u{2028}</script>".into()),
        sha256_prefix: None,
    };
    odd.tags = exactly(&["nul\0tag", "staff", &"long ".repeat(200)]);
    world.sync(&odd).await;
    let user = ada.principal.user().id;
    world.grant(user, ScopedRole::Platform(PlatformRole::Viewer)).await;
    let role = ScopedRole::Organization(acme.id, OrganizationRole::Executor);
    world.grant(user, role).await;
    directory
        .revoke_role(user, role.scope(), Some("no\nlonger".into()), world.by())
        .await
        .unwrap();
    directory.revoke_tokens(user, world.by()).await.unwrap();
    keys(&mut world, acme.id, role).await;
    let set = SavedKeySet {
        issuer: IssuerName::new("idp").unwrap(),
        source: "https://idp.example/jwks".into(),
        body: b"{\"keys\":[]}\xff".to_vec(),
        fetched_at_ms: world.now_ms,
    };
    directory.save_key_set(set).await.unwrap();
    let body = serde_json::json!({ "z": 1.0, "a": [null, -0.0, 1e300, 12_345_678_901_234_567_u64, "\0"], "": {} });
    let document = NewDocument {
        kind: DocumentKind::Connection,
        name: "hook".into(),
        organization: Some(acme.id),
        body: body.as_object().unwrap().clone(),
        secret: Some(SecretBytes((0..=255).collect())),
    };
    directory
        .save_document(document, DocumentAt::Absent, world.by())
        .await
        .unwrap();
    directory.flush().await.unwrap();
    let gone = world.sync(&world.token("eve")).await.principal.user().id;
    directory.erase_user(gone, None, erasure(), world.by()).await.unwrap();
}

/// One key of each kind.
async fn keys(world: &mut World<'_>, organization: OrganizationId, role: ScopedRole) {
    let directory = world.directory;
    let key = ApiKey {
        id: ApiKeyId::new(world.now_ms, &mut world.ids),
        name: "ci".into(),
        hash: SecretHash([0xfe; 32]),
        role,
        created_at_ms: world.now_ms,
        expires_at_ms: Some(i64::MAX),
        revoked_at_ms: None,
        last_used_at_ms: Some(world.now_ms),
    };
    directory.create_api_key(key, world.by()).await.unwrap();
    let key = MachineKey {
        id: MachineKeyId::new(world.now_ms, &mut world.ids),
        organization,
        name: "nightly \"q\"".into(),
        hash: SecretHash([0xfd; 32]),
        role: OrganizationRole::Executor,
        created_at_ms: world.now_ms,
        expires_at_ms: world.now_ms + HOUR_MS,
        revoked_at_ms: Some(world.now_ms),
        last_used_at_ms: None,
    };
    directory.create_machine_key(key, world.by()).await.unwrap();
    let key = AssertionKey {
        kid: "one".into(),
        private: SecretBytes(vec![0, 1, 255]),
        public_jwk: r#"{"kid":"one"}"#.into(),
        created_at_ms: world.now_ms,
        signs_until_ms: world.now_ms + HOUR_MS,
        published_until_ms: world.now_ms + 2 * HOUR_MS,
    };
    directory.rotate_assertion_key(key, 0, world.by()).await.unwrap();
    chain(world).await;
}

/// The beginning of a hash chain, with a checkpoint and its key, and a revoked token.
async fn chain(world: &World<'_>) {
    let key = AuditKey {
        kid: "two".into(),
        private: SecretBytes(vec![255, 0]),
        public_jwk: r#"{"kid":"two"}"#.into(),
        created_at_ms: world.now_ms,
    };
    world.directory.create_audit_key(key, world.by()).await.unwrap();
    let events = world.directory.events(EventFilter::default(), Page::first(200)).await;
    let events = events.unwrap().items;
    let recorded = events.iter().find(|recorded| recorded.needs_seals()).unwrap();
    let seal_key = narthex_conformance::seals::key(recorded.event.user.unwrap(), 4);
    world.directory.create_seal_keys(vec![seal_key.clone()]).await.unwrap();
    let sealed = narthex_conformance::seals::sealed(recorded, seal_key);
    world.directory.seal_events(vec![sealed]).await.unwrap();
    let link = |sequence, byte| ChainLink {
        sequence,
        hash: ChainHash([byte; 32]),
    };
    let checkpoint = Checkpoint {
        sequence: 2,
        hash: ChainHash([9; 32]),
        at_ms: world.now_ms,
        kid: "two".into(),
        signature: "AA".into(),
    };
    let links = vec![link(1, 8), link(2, 9)];
    let extended = world.directory.extend_chain(0, links, Some(checkpoint)).await;
    assert_eq!(extended, Ok(true));
    let revocation = narthex_conformance::revocations::of_id("one", Some(world.now_ms));
    world.directory.revoke(revocation, world.by()).await.unwrap();
}

/// From one kind of store to the other and back, by way of each: the same lines, so the same digest.
async fn goes_round(of_sqlite: bool, first: Place) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let (summary, file) = exported(first).await;
    let (other, own) = (empty(), folder.path().join("back.db"));
    let (there, back) = (postgres(&other), sqlite(&own));
    let (there, back) = if of_sqlite { (there, back) } else { (back, there) };
    assert_eq!(imported(there.clone(), &file).await.unwrap(), summary);
    let (again, second) = exported(there).await;
    assert_eq!(again, summary);
    assert!(records(&second) == records(&file), "the lines differ");
    assert_eq!(imported(back.clone(), &second).await.unwrap(), summary);
    let (last, third) = exported(back).await;
    assert_eq!(last, summary);
    assert!(records(&third) == records(&file), "the lines differ");
    summary
}

#[tokio::test]
async fn everything_goes_from_sqlite_to_postgresql_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    fill(&crate::open_at(&path)).await;
    let summary = goes_round(true, sqlite(&path)).await;
    for (kind, count) in summary.counts.iter() {
        assert!(count > 0, "the test moves no {kind}");
    }
}

#[tokio::test]
async fn everything_goes_from_postgresql_to_sqlite_and_back() {
    let database = database().await;
    fill(&open_postgres(&database.url()).await).await;
    let summary = goes_round(false, postgres(&database)).await;
    for (kind, count) in summary.counts.iter() {
        assert!(count > 0, "the test moves no {kind}");
    }
}

/// The directory itself says the same afterwards: history, audit numbers, tags that give roles.
#[tokio::test]
async fn what_was_moved_answers_and_goes_on_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let before = crate::open_at(&path);
    fill(&before).await;
    let (_, file) = exported(sqlite(&path)).await;
    let database = database().await;
    imported(postgres(&database), &file).await.unwrap();
    let after = open_postgres(&database.url()).await;
    let (mut old, mut new) = (Walk::new(&before, 1), Walk::new(&after, 1));
    let portable = |all: Vec<String>| all.join("\n").replace("\\0", "\u{fffd}");
    assert_eq!(portable(old.everything().await), portable(new.everything().await));
    for step in 0..60 {
        // Each database counts its changes by itself, and PostgreSQL keeps no U+0000.
        let said = |text: String| {
            let text = text.replace("\\0", "\u{fffd}");
            let told = text.split(", stamp: ").next().unwrap().split("policy: ");
            told.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
                .collect::<String>()
        };
        let (of_old, of_new) = (old.step().await, new.step().await);
        assert_eq!(said(of_old), said(of_new), "step {step}");
    }
    let mut world = World::new(&after);
    world.later(10 * HOUR_MS);
    let zoe = world.tagged("zoe", &["owners"]);
    assert_eq!(world.roles(&zoe).await, ["acme admin"]);
}

/// PostgreSQL is asked for fewer of them at a time; all of them come nevertheless.
#[tokio::test]
async fn many_logos_are_moved() {
    let database = database().await;
    let directory = open_postgres(&database.url()).await;
    let mut world = World::new(&directory);
    for numbers in [0..32_u64, 32..65] {
        let all = numbers.end;
        for number in numbers {
            let organization = world.organization(&format!("o{number}"), "owners", "staff").await;
            let png = Logo::new(b"\x89PNG\r\n\x1a\n\0\xff".to_vec()).unwrap();
            directory
                .set_logo(organization.id, Some(png), world.by())
                .await
                .unwrap();
        }
        let summary = goes_round(false, postgres(&database)).await;
        let logos = summary.counts.iter().find(|(kind, _)| *kind == "organization_logo");
        assert_eq!(logos, Some(("organization_logo", all)));
    }
}

/// A tag with a character that PostgreSQL cannot take out of a list does not keep it from looking into the others.
#[tokio::test]
async fn who_carries_a_tag_can_be_asked_after_a_move() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("narthex.db");
    fill(&crate::open_at(&source)).await;
    let (_, file) = exported(sqlite(&source)).await;
    let (path, database) = (folder.path().join("target.db"), empty());
    imported(sqlite(&path), &file).await.unwrap();
    imported(postgres(&database), &file).await.unwrap();
    let stores: [Box<dyn Directory>; 2] = [
        Box::new(crate::open_at(&path)),
        Box::new(open_postgres(&database.url()).await),
    ];
    for store in stores {
        let staff = CarrierFilter {
            realm: Realm::new("main").unwrap(),
            tags: vec!["staff".into()],
            among: Among::Everybody,
        };
        let carriers = store.carriers(staff, Page::first(10)).await.unwrap();
        let carried: Vec<Vec<String>> = carriers.items.into_iter().map(|carrier| carrier.tags).collect();
        let long = "long ".repeat(200);
        let odd = [long.as_str(), "nul\u{fffd}tag", "staff"].map(str::to_owned);
        assert_eq!(carried, [vec!["staff".to_owned()], odd.into()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_walk_goes_round(seed: u64, steps in 1..120_usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("narthex.db");
            let directory = crate::open_at(&path);
            let mut walk = Walk::new(&directory, seed);
            for _ in 0..steps {
                walk.step().await;
            }
            directory.flush().await.unwrap();
            goes_round(true, sqlite(&path)).await;
        });
    }
}

/// While others write, an export is of one moment: what refers to something has it, and it can be imported.
async fn is_of_one_moment(directory: Arc<dyn Directory>, place: Place) {
    World::new(&*directory).organization("acme", "owners", "staff").await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers = (0..4_u64).map(|writer| {
        let (directory, stop) = (Arc::clone(&directory), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut world = World::new(&*directory);
            world.ids.0 = (writer + 1) << 40;
            let mut made = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let token = world.tagged(&format!("user-{writer}-{made}"), &["staff"]);
                world.sync(&token).await;
                made += 1;
            }
            made
        })
    });
    let writers: Vec<_> = writers.collect();
    for round in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (summary, file) = exported(place.clone()).await;
        let count = |kind| summary.counts.iter().find(|(known, _)| *known == kind).unwrap().1;
        assert!(count("user") > 0 || round == 0);
        assert_eq!(
            count("user"),
            count("grant"),
            "a user without the grant of the same plan"
        );
        assert_eq!(count("user"), count("user_issuer"));
        let folder = tempfile::tempdir().unwrap();
        imported(sqlite(&folder.path().join("copy.db")), &file).await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_sqlite_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    is_of_one_moment(Arc::new(crate::open_at(&path)), sqlite(&path)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_postgresql_is_of_one_moment() {
    let database = database().await;
    is_of_one_moment(Arc::new(open_postgres(&database.url()).await), postgres(&database)).await;
}

/// A node that serves on the empty store already hears that everything may have changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_nodes_hear_of_an_import() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("narthex.db");
    fill(&crate::open_at(&source)).await;
    let (_, file) = exported(sqlite(&source)).await;
    let database = database().await;
    let node = open_postgres(&database.url()).await;
    let (target, before) = (folder.path().join("target.db"), node.versions().policy());
    let other = SqliteDirectory::open(&Options::new(&target)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    imported(postgres(&database), &file).await.unwrap();
    imported(sqlite(&target), &file).await.unwrap();
    for _ in 0..100 {
        if node.versions().policy() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(node.versions().policy() > before, "by a notification");
    other.poll_versions().await.unwrap();
    assert!(other.versions().policy() > 0, "by looking");
    let page = Page::first(1);
    assert_eq!(node.users(UserFilter::default(), page).await.unwrap().items.len(), 1);
}

/// Whoever watches may end either, and an import that is ended leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("narthex.db");
    fill(&crate::open_at(&source)).await;
    let stopped = export(sqlite(&source), Vec::new(), 7, |_| ControlFlow::Break(())).await;
    assert!(matches!(stopped, Err(TransferError::Stopped)));
    let (_, file) = exported(sqlite(&source)).await;
    let (target, database) = (folder.path().join("target.db"), empty());
    for place in [sqlite(&target), postgres(&database)] {
        let stopped = import(place.clone(), Cursor::new(file.clone()), |_| ControlFlow::Break(())).await;
        assert!(matches!(stopped, Err(TransferError::Stopped)));
        assert_eq!(exported(place).await.0.counts.total(), 0);
    }
}
