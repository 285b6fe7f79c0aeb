//! Rows of `SQLite`, as the readers of both databases' records take them.

use std::fmt::Display;

use narthex_tables::rows::Row;
use rusqlite::types::ValueRef;

/// The values of a row.
pub(super) struct Values<'r>(pub(super) &'r rusqlite::Row<'r>);

impl Values<'_> {
    fn value(&self, place: usize) -> Result<ValueRef<'_>, String> {
        self.0.get_ref(place).map_err(in_words)
    }
}

impl Row for Values<'_> {
    fn text(&self, place: usize) -> Result<Option<&str>, String> {
        self.value(place)?.as_str_or_null().map_err(in_words)
    }

    fn integer(&self, place: usize) -> Result<Option<i64>, String> {
        self.value(place)?.as_i64_or_null().map_err(in_words)
    }

    fn bytes(&self, place: usize) -> Result<Option<&[u8]>, String> {
        self.value(place)?.as_blob_or_null().map_err(in_words)
    }

    fn flag(&self, place: usize) -> Result<bool, String> {
        Ok(self.value(place)?.as_i64().map_err(in_words)? != 0)
    }
}

fn in_words(error: impl Display) -> String {
    error.to_string()
}
