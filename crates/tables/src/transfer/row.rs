//! One row and one line: how a record is written and read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::schema::{Holds, TABLES, Table};

/// Value of a column in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A number, or a time in milliseconds.
    Integer(i64),
    /// A flag.
    Flag(bool),
    /// Bytes, in base64 in the file.
    Bytes(Vec<u8>),
}

/// A row, in the order of its table's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    /// The key's cells, which order rows as both databases do: byte for byte.
    pub fn key(&self, table: &Table) -> &[Cell] {
        self.0.get(..table.key).unwrap_or_default()
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        let size = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.0.iter().map(|cell| size(cell) + 32).sum()
    }
}

/// Writes a row as one line, with its line break. A column that has the wrong type is written as `null`, which
/// [`Table::check`] has refused before.
pub fn write(table: &Table, row: &Row, line: &mut Vec<u8>) {
    line.clear();
    line.extend_from_slice(b"{\"");
    line.extend_from_slice(table.kind.as_bytes());
    line.extend_from_slice(b"\":{");
    for (index, (column, cell)) in table.columns.iter().zip(&row.0).enumerate() {
        if index > 0 {
            line.push(b',');
        }
        line.push(b'"');
        line.extend_from_slice(column.name.as_bytes());
        line.extend_from_slice(b"\":");
        let value = match (cell, column.holds) {
            (Cell::Text(text), Holds::Object | Holds::Texts(_)) => serde_json::from_str(text).unwrap_or_default(),
            (Cell::Text(text), _) => Value::from(text.as_str()),
            (Cell::Integer(number), _) => Value::from(*number),
            (Cell::Flag(flag), _) => Value::from(*flag),
            (Cell::Bytes(bytes), _) => Value::from(URL_SAFE_NO_PAD.encode(bytes)),
            (Cell::Null, _) => Value::Null,
        };
        // Writing a JSON value to memory has no way to fail.
        let _ = serde_json::to_writer(&mut *line, &value);
    }
    line.extend_from_slice(b"}}\n");
}

/// The table of a record and its members.
pub fn table_of(record: Map<String, Value>) -> Result<(usize, Map<String, Value>), String> {
    let mut members = record.into_iter();
    let (Some((kind, Value::Object(record))), None) = (members.next(), members.next()) else {
        return Err("a record is one object in another: `{\"user\":{…}}`".to_owned());
    };
    let table = TABLES.iter().position(|table| table.kind == kind);
    let table = table.ok_or_else(|| format!("`{}` is no kind of record", kind.escape_debug()))?;
    Ok((table, record))
}

/// A record's members as a row.
pub fn read(table: &Table, mut record: Map<String, Value>) -> Result<Row, String> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        let value = record
            .remove(column.name)
            .ok_or_else(|| format!("`{}` is missing", column.name))?;
        let cell = cell(value, column.holds).ok_or_else(|| format!("`{}` is of another type", column.name))?;
        cells.push(cell);
    }
    if let Some((name, _)) = record.into_iter().next() {
        return Err(format!("`{}` is no member of it", name.escape_debug()));
    }
    Ok(Row(cells))
}

fn cell(value: Value, holds: Holds) -> Option<Cell> {
    Some(match (value, holds) {
        (Value::Null, _) => Cell::Null,
        (Value::String(text), Holds::Text(_)) => Cell::Text(text),
        (Value::Number(number), Holds::Time | Holds::Count) => Cell::Integer(number.as_i64()?),
        (Value::Bool(flag), Holds::Flag) => Cell::Flag(flag),
        (Value::String(text), Holds::Bytes(_)) => Cell::Bytes(URL_SAFE_NO_PAD.decode(text).ok()?),
        (value @ Value::Object(_), Holds::Object) | (value @ Value::Array(_), Holds::Texts(_)) => {
            Cell::Text(value.to_string())
        }
        _ => return None,
    })
}
