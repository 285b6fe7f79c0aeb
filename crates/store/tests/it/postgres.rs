//! The directory on a real PostgreSQL, started by the tests.

mod concurrency;
mod outage;
mod plans;
mod pooled;
mod schema;
mod statements;
mod tls;
mod versions;

use std::sync::Arc;

use narthex_directory::Directory;
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::{Cluster, Database};

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::parse(url).unwrap().with_connections(8)
}

pub(crate) async fn open_at(url: &str) -> PostgresDirectory {
    PostgresDirectory::open(&options(url)).await.unwrap()
}

/// A new database with the newest schema.
pub(crate) async fn database() -> Database {
    let migrated = async |url: String| {
        PostgresDirectory::open(&PostgresOptions::parse(&url)?).await?;
        Ok(())
    };
    Cluster::shared().unwrap().database("migrated", migrated).await.unwrap()
}

pub(crate) async fn open() -> (Arc<dyn Directory>, Database) {
    let database = database().await;
    (Arc::new(open_at(&database.url()).await), database)
}

narthex_conformance::conformance_suite!(crate::postgres::open);
