//! Rows by the names of their columns.

use super::row::{Cell, Row};
use super::schema::Table;

/// A row by the names of its columns.
#[derive(Debug)]
pub struct Fields<'a> {
    table: &'a Table,
    row: &'a Row,
}

impl<'a> Fields<'a> {
    pub(crate) const fn of(table: &'a Table, row: &'a Row) -> Self {
        Self { table, row }
    }

    /// The text of a column, if it holds one.
    pub fn text(&self, name: &str) -> Option<&str> {
        let index = self.table.columns.iter().position(|column| column.name == name)?;
        let Some(Cell::Text(text)) = self.row.0.get(index) else {
            return None;
        };
        Some(text)
    }

    /// Tests whether a column holds something.
    pub fn has(&self, name: &str) -> bool {
        let index = self.table.columns.iter().position(|column| column.name == name);
        index
            .and_then(|index| self.row.0.get(index))
            .is_some_and(|cell| !matches!(cell, Cell::Null))
    }
}
