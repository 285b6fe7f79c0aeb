//! Filling a store with very many users: for tests, measurements and a look at a million users.

use narthex_directory::StoreError;
use narthex_postgres::PostgresOptions;
use narthex_sqlite::Options;

pub use narthex_tables::population::{BEGIN_MS, Population, Progress};

/// Fills a PostgreSQL database that holds no user, organization or audit event yet, in one transaction, and lets
/// the server look at what it has.
///
/// # Errors
///
/// When the database holds something, or the population makes no sense.
pub async fn fill_postgres(
    population: Population,
    options: &PostgresOptions,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    population.check()?;
    narthex_postgres::bulk_load(options, population.batches(), progress).await
}

/// Fills an `SQLite` file that holds no user, organization or audit event yet, in one transaction.
///
/// # Errors
///
/// When the file holds something, or the population makes no sense.
pub fn fill_sqlite(population: Population, options: &Options, progress: Progress<'_>) -> Result<(), StoreError> {
    population.check()?;
    narthex_sqlite::bulk_load(options, population.batches(), progress)
}
