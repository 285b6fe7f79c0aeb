//! Rows of PostgreSQL, as the readers of both databases' records take them.

use narthex_directory::Answer;
use narthex_tables::rows::Row;
use tokio_postgres::types::FromSql;

use super::error::Outcome;

/// The values of a row.
#[derive(Clone, Copy)]
pub(super) struct Values<'r>(pub(super) &'r tokio_postgres::Row);

impl Values<'_> {
    fn value<'v, T: FromSql<'v>>(&'v self, place: usize) -> Result<T, String> {
        self.0.try_get(place).map_err(|error| error.to_string())
    }
}

impl Row for Values<'_> {
    fn text(&self, place: usize) -> Result<Option<&str>, String> {
        self.value(place)
    }

    fn integer(&self, place: usize) -> Result<Option<i64>, String> {
        self.value(place)
    }

    fn bytes(&self, place: usize) -> Result<Option<&[u8]>, String> {
        self.value(place)
    }

    fn flag(&self, place: usize) -> Result<bool, String> {
        self.value(place)
    }
}

/// Reads the record of a row, if there is a row.
pub(super) fn read_maybe<T>(
    row: Option<&tokio_postgres::Row>,
    read: impl FnOnce(&dyn Row) -> Answer<T>,
) -> Outcome<Option<T>> {
    Ok(row.map(|row| read(&Values(row))).transpose()?)
}
