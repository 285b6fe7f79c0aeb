//! P5: first uses per second on PostgreSQL, 32 clients at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use narthex_conformance::world::{START_MS, World};
use narthex_directory::{CountingIds, Directory};
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use narthex_testkit::setup;
use tokio::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::p4::{CLIENTS, ROUNDS, Rows, SECONDS, many_first_uses, rate, rows, scrambled};
use crate::{median, verdict};

pub(crate) async fn run() {
    setup::install("postgresql").unwrap();
    let server = OwnServer::start().unwrap();
    let (mut raw, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (one, two) = (format!("raw_{round}"), format!("ours_{round}"));
        raw.push(raw_inserts(&database(&server, &one).await).await);
        ours.push(first_uses(&database(&server, &two).await).await);
    }
    let ratios = raw.iter().zip(&ours).map(|(raw, ours)| ours / raw).collect();
    let ratio = median(ratios);
    println!(
        "P5 first use on PostgreSQL, {CLIENTS} connections: {:.0}/s, the driver alone with the same rows {:.0}/s: {:.0} % \
         (bar 60 %): {}",
        median(ours),
        median(raw),
        ratio * 100.0,
        verdict(ratio >= 0.6)
    );
}

/// A database with the tables and the two organizations.
async fn database(server: &OwnServer, name: &str) -> String {
    server.create_database(name).unwrap();
    let url = server.url(name);
    let directory = PostgresDirectory::open(&PostgresOptions::parse(&url).unwrap())
        .await
        .unwrap();
    let mut world = World::new(&directory);
    world.organization("tools", "", "tools-staff").await;
    world.organization("ops", "", "ops-staff").await;
    url
}

async fn first_uses(url: &str) -> f64 {
    let connections = usize::try_from(CLIENTS).unwrap();
    let options = PostgresOptions::parse(url).unwrap().with_connections(connections);
    let directory: Arc<dyn Directory> = Arc::new(PostgresDirectory::open(&options).await.unwrap());
    many_first_uses(&directory).await
}

const STATEMENTS: [&str; 4] = [
    "INSERT INTO users (id, realm, external_id, username, email, name, country, timezone, locale, language, status, \
     context, tokens_not_before_ms, last_seen_at_ms, created_at_ms, updated_at_ms, version) \
     VALUES ($1, 'main', $2, $2, $3, $4, NULL, NULL, NULL, NULL, 'active', '{}', NULL, $5, $5, $5, 1)",
    "INSERT INTO user_issuers (user_id, issuer, last_issued_at_ms, tags, newest_issued_at_ms, said) \
     VALUES ($1, 'idp', $2, $3, $2, $2)",
    "INSERT INTO grants (id, user_id, organization_id, team_id, role, source, issuer, tag, token_jti, token_sha256, \
     granted_at_ms, asserted_at_ms, lapses_at_ms, revoked_at_ms, why, revoked_why) \
     VALUES ($1, $2, $3, NULL, 'member', 'tag', 'idp', $4, 'j1', $5, $6, $6, NULL, NULL, NULL, NULL)",
    "INSERT INTO audit_events (sequence, at_ms, actor_kind, actor_name, token_jti, token_sha256, action, user_id, \
     organization_id, team_id, detail) \
     VALUES (nextval('numbers'), $1, 'token', 'idp', 'j1', $2, $3, $4, $5, NULL, $6)",
];

/// 32 connections, each with a transaction of its own, its statements prepared and all sent together.
async fn raw_inserts(url: &str) -> f64 {
    let config: Config = url.parse().unwrap();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        clients.push(client);
    }
    // Something else has to number the events where there is nobody to do so.
    clients[0]
        .batch_execute("CREATE SEQUENCE numbers START 1000 CACHE 32")
        .await
        .unwrap();
    let ids = clients[0]
        .query("SELECT id FROM organizations ORDER BY name DESC", &[])
        .await
        .unwrap();
    let organizations: [String; 2] = [ids[0].get(0), ids[1].get(0)];
    let done = Arc::new(AtomicU64::new(0));
    let mut prepared = Vec::new();
    for client in clients {
        let statements = try_join_all(STATEMENTS.map(|sql| client.prepare(sql))).await.unwrap();
        prepared.push((client, statements));
    }
    let begun = Instant::now();
    let tasks: Vec<_> = prepared
        .into_iter()
        .zip(0..)
        .map(|((client, statements), number)| {
            let (done, organizations) = (Arc::clone(&done), organizations.clone());
            tokio::spawn(async move {
                let mut ids = CountingIds((number + 1) << 40);
                for index in 0.. {
                    if begun.elapsed() > Duration::from_secs(SECONDS) {
                        return;
                    }
                    let now_ms = START_MS + i64::try_from(index).unwrap();
                    let rows = rows(&scrambled(number << 32 | index), now_ms, &mut ids, &organizations);
                    insert(&client, &statements, &rows).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    rate(&done, begun)
}

async fn insert(client: &Client, statements: &[Statement], rows: &Rows) {
    let [user, one, two] = &rows.ids;
    let sha256 = "ab".repeat(16);
    let (first, second) = (&rows.organizations[0], &rows.organizations[1]);
    let nowhere: Option<&String> = None;
    let values: [(usize, Vec<&(dyn ToSql + Sync)>); 7] = [
        (0, vec![user, &rows.subject, &rows.email, &rows.name, &rows.at_ms]),
        (1, vec![user, &rows.at_ms, &rows.tags]),
        (2, vec![one, user, first, &"tools-staff", &sha256, &rows.at_ms]),
        (2, vec![two, user, second, &"ops-staff", &sha256, &rows.at_ms]),
        (
            3,
            vec![&rows.at_ms, &sha256, &"user.created", user, &nowhere, &rows.details[0]],
        ),
        (
            3,
            vec![&rows.at_ms, &sha256, &"grant.opened", user, first, &rows.details[1]],
        ),
        (
            3,
            vec![&rows.at_ms, &sha256, &"grant.opened", user, second, &rows.details[2]],
        ),
    ];
    let inserts = values
        .iter()
        .map(|(statement, values)| client.execute(&statements[*statement], values));
    tokio::try_join!(
        biased;
        client.batch_execute("BEGIN"),
        try_join_all(inserts),
        client.batch_execute("COMMIT"),
    )
    .unwrap();
}
