//! P4: first uses per second, 32 clients at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use narthex_conformance::world::{START_MS, World};
use narthex_directory::{ActiveIssuers, CountingIds, Desired, Directory, SyncPolicy, sync};
use narthex_store::{Options, SqliteDirectory};
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use crate::{median, verdict};

pub(crate) const CLIENTS: u64 = 32;
pub(crate) const ROUNDS: usize = 5;
pub(crate) const SECONDS: u64 = 2;

pub(crate) async fn run() {
    let (mut raw, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(raw_inserts().await);
        ours.push(first_uses().await);
    }
    let ratios = raw.iter().zip(&ours).map(|(raw, ours)| ours / raw).collect();
    let ratio = median(ratios);
    println!(
        "P4 first use, {CLIENTS} clients: {:.0}/s, raw grouped insert of the same rows {:.0}/s: {:.0} % (bar 60 %): {}",
        median(ours),
        median(raw),
        ratio * 100.0,
        verdict(ratio >= 0.6)
    );
}

pub(crate) fn token(world: &World<'_>, subject: &str) -> Desired {
    let tags = [
        "g1",
        "g2",
        "g3",
        "g4",
        "g5",
        "g6",
        "g7",
        "g8",
        "tools-staff",
        "ops-staff",
    ];
    let mut token = world.tagged(subject, &tags);
    token.user.profile.email = Some(format!("{subject}@example.com"));
    token.user.profile.name = Some(format!("Example User {subject}"));
    token
}

pub(crate) fn scrambled(index: u64) -> String {
    let mixed = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:016x}-{index}", mixed ^ (mixed >> 29))
}

async fn first_uses() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let directory: Arc<dyn Directory> =
        Arc::new(SqliteDirectory::open(&Options::new(folder.path().join("narthex.db"))).unwrap());
    let mut world = World::new(&*directory);
    world.organization("tools", "", "tools-staff").await;
    world.organization("ops", "", "ops-staff").await;
    many_first_uses(&directory).await
}

/// First uses a second, by 32 clients, each of a user who is new.
pub(crate) async fn many_first_uses(directory: &Arc<dyn Directory>) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (directory, done) = (Arc::clone(directory), Arc::clone(&done));
            tokio::spawn(async move {
                let mut ids = CountingIds((client + 1) << 40);
                let world = World::new(&*directory);
                let policy = SyncPolicy::default();
                for index in 0.. {
                    if begun.elapsed() > Duration::from_secs(SECONDS) {
                        return;
                    }
                    let token = token(&world, &scrambled(client << 32 | index));
                    let now_ms = START_MS + i64::try_from(index).unwrap();
                    let synced = sync(
                        &*directory,
                        &token,
                        &policy,
                        &ActiveIssuers::default(),
                        now_ms,
                        &mut ids,
                    )
                    .await
                    .unwrap();
                    assert_eq!(synced.principal.memberships().len(), 2);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    rate(&done, begun)
}

pub(crate) fn rate(done: &AtomicU64, begun: Instant) -> f64 {
    f64::from(u32::try_from(done.load(Ordering::Relaxed)).unwrap()) / begun.elapsed().as_secs_f64()
}

/// The rows of one first use.
pub(crate) struct Rows {
    pub(crate) ids: [String; 3],
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) tags: String,
    pub(crate) details: [String; 3],
    pub(crate) at_ms: i64,
    pub(crate) organizations: [String; 2],
}

type Waiting = (Rows, oneshot::Sender<()>);

async fn raw_inserts() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raw.db");
    // The same tables, and the same two organizations.
    let organizations = {
        let directory = SqliteDirectory::open(&Options::new(&path)).unwrap();
        let mut world = World::new(&directory);
        let tools = world.organization("tools", "", "tools-staff").await.id.to_string();
        [tools, world.organization("ops", "", "ops-staff").await.id.to_string()]
    };
    let (queue, waiting) = mpsc::channel::<Waiting>(4_096);
    let writer = std::thread::spawn(move || write(&path, waiting));
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (queue, done, organizations) = (queue.clone(), Arc::clone(&done), organizations.clone());
            tokio::spawn(async move {
                let mut ids = CountingIds((client + 1) << 40);
                for index in 0.. {
                    if begun.elapsed() > Duration::from_secs(SECONDS) {
                        return;
                    }
                    let (answer, answered) = oneshot::channel();
                    let now_ms = START_MS + i64::try_from(index).unwrap();
                    let rows = rows(&scrambled(client << 32 | index), now_ms, &mut ids, &organizations);
                    queue.send((rows, answer)).await.unwrap();
                    answered.await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let rate = rate(&done, begun);
    drop(queue);
    writer.join().unwrap();
    rate
}

pub(crate) fn rows(subject: &str, at_ms: i64, ids: &mut CountingIds, organizations: &[String; 2]) -> Rows {
    let mut id = || narthex_directory::UserId::new(at_ms, ids).to_string();
    let ids = [id(), id(), id()];
    let created = format!(
        r#"{{"realm":{{"to":"main"}},"external_id":{{"to":"{subject}"}},"username":{{"to":"{subject}"}},"email":{{"to":"{subject}@example.com"}},"name":{{"to":"Example User {subject}"}},"status":{{"to":"active"}}}}"#
    );
    let opened = |id: &str, tag: &str| {
        format!(
            r#"{{"grant":"{id}","scope":"organization","role":"member","source":"tag","issuer":"idp","tag":"{tag}"}}"#
        )
    };
    Rows {
        details: [created, opened(&ids[1], "tools-staff"), opened(&ids[2], "ops-staff")],
        email: format!("{subject}@example.com"),
        name: format!("Example User {subject}"),
        tags: r#"["g1","g2","g3","g4","g5","g6","g7","g8","tools-staff","ops-staff"]"#.to_owned(),
        subject: subject.to_owned(),
        organizations: organizations.clone(),
        at_ms,
        ids,
    }
}

/// Group commit without anything else: no versions, no checks, no savepoints.
fn write(path: &Path, mut waiting: mpsc::Receiver<Waiting>) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8000;",
        )
        .unwrap();
    connection.set_prepared_statement_cache_capacity(64);
    let mut answers = Vec::new();
    while let Some((first, answer)) = waiting.blocking_recv() {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        insert(&connection, &first);
        answers.push(answer);
        while answers.len() < 256 {
            let Ok((rows, answer)) = waiting.try_recv() else { break };
            insert(&connection, &rows);
            answers.push(answer);
        }
        connection.execute_batch("COMMIT").unwrap();
        for answer in answers.drain(..) {
            let _ = answer.send(());
        }
    }
}

fn insert(connection: &Connection, rows: &Rows) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql).unwrap().execute(values).unwrap();
    };
    let [user, one, two] = &rows.ids;
    run(
        "INSERT INTO users (id, realm, external_id, username, email, name, country, timezone, locale, language, \
         status, context, tokens_not_before_ms, last_seen_at_ms, created_at_ms, updated_at_ms, version) \
         VALUES (?1, 'main', ?2, ?2, ?3, ?4, NULL, NULL, NULL, NULL, 'active', '{}', NULL, ?5, ?5, ?5, 1)",
        params![user, rows.subject, rows.email, rows.name, rows.at_ms],
    );
    run(
        "INSERT INTO user_issuers (user_id, issuer, last_issued_at_ms, tags, newest_issued_at_ms, said) \
         VALUES (?1, 'idp', ?2, ?3, ?2, ?2)",
        params![user, rows.at_ms, rows.tags],
    );
    let sha256 = "ab".repeat(16);
    for (grant, organization, tag) in [
        (one, &rows.organizations[0], "tools-staff"),
        (two, &rows.organizations[1], "ops-staff"),
    ] {
        run(
            "INSERT INTO grants (id, user_id, organization_id, team_id, role, source, issuer, tag, token_jti, \
             token_sha256, granted_at_ms, asserted_at_ms, lapses_at_ms, revoked_at_ms, why, revoked_why) \
             VALUES (?1, ?2, ?3, NULL, 'member', 'tag', 'idp', ?4, 'j1', ?5, ?6, ?6, NULL, NULL, NULL, NULL)",
            params![grant, user, organization, tag, sha256, rows.at_ms],
        );
    }
    let organizations = [None, Some(&rows.organizations[0]), Some(&rows.organizations[1])];
    for (detail, organization) in rows.details.iter().zip(organizations) {
        let action = if organization.is_some() {
            "grant.opened"
        } else {
            "user.created"
        };
        run(
            "INSERT INTO audit_events (at_ms, actor_kind, actor_name, token_jti, token_sha256, action, user_id, \
             organization_id, team_id, detail) VALUES (?1, 'token', 'idp', 'j1', ?2, ?3, ?4, ?5, NULL, ?6)",
            params![rows.at_ms, sha256, action, user, organization, detail],
        );
    }
}
