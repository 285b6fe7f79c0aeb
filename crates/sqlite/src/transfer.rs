//! All rows of a `SQLite` database, out and in.

use std::io::{self, BufRead, Write};

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement};

use super::SqliteDirectory;
use super::error::{Fault, unavailable};
use super::marks;
use super::open::{self, Options};
use narthex_tables::rows::corrupt;
use narthex_tables::transfer::read::{Reader, Record};
use narthex_tables::transfer::row::{Cell, Row};
use narthex_tables::transfer::schema::{self, BETWEEN, Holds, ORGANIZATION_TAGS, TABLES, Table};
use narthex_tables::transfer::write::Writer;
use narthex_tables::transfer::{Header, Step, Summary, TOLD_EVERY, TransferError, Watch, found, same};

/// Writes all rows of one moment.
pub fn export<W: Write>(
    options: &Options,
    header: &Header,
    writer: &mut Writer<W>,
    watch: &mut Watch,
) -> Result<(), TransferError> {
    if !options.path.exists() {
        return Err(TransferError::Absent);
    }
    match SqliteDirectory::pending(&options.path)?.first() {
        // An empty file, or another program's: nothing was ever kept in it.
        Some(first) if first.version == 1 => return Err(TransferError::Absent),
        Some(_) => return Err(TransferError::Outdated),
        None => {}
    }
    let connection = open::open_reader(options)?;
    // Marks that a crash or a running process has left in short are no records of their own: they are written out
    // first.
    let unknown = |fault: Fault| TransferError::Store(fault.into());
    if marks::are_left(&connection).map_err(unknown)? {
        marks::carry_over(&open::open_writer(options)?).map_err(unknown)?;
    }
    // Everything until the end of the transaction is as it was at the first read.
    connection.execute_batch("BEGIN").map_err(failed)?;
    let mut total = 0;
    for table in TABLES {
        total += count(&connection, table)?;
    }
    writer.header(header)?;
    rows(&connection, writer, |records| {
        watch.tell(Step::Export, records, u64::try_from(total).ok(), 0)
    })?;
    connection.execute_batch("COMMIT").map_err(failed)
}

/// Fills an empty database.
pub fn import<R: BufRead>(
    options: &Options,
    reader: &mut Reader<R>,
    watch: &mut Watch,
) -> Result<Summary, TransferError> {
    let connection = open::open_writer(options)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Whatever ends this early, a kill too, leaves the database as it was: the transaction is not committed.
    let summary = fill(&connection, reader, watch)?;
    connection
        .execute_batch("COMMIT")
        .map_err(|error| match error.sqlite_error_code() {
            // The log may have all of it, and only its way to the disk is in doubt.
            Some(ErrorCode::SystemIoFailure) => TransferError::Unconfirmed { why: error.to_string() },
            _ => failed(error),
        })?;
    // The writer leaves the same: a checkpointed log, and statistics.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
    Ok(summary)
}

fn fill<R: BufRead>(
    connection: &Connection,
    reader: &mut Reader<R>,
    watch: &mut Watch,
) -> Result<Summary, TransferError> {
    let mut counts = Vec::new();
    for table in TABLES.iter().chain([&ORGANIZATION_TAGS]) {
        counts.push((table.kind, count(connection, table)?));
    }
    found(&counts)?;
    let mut inserts = TABLES.iter().map(|table| prepare(connection, table));
    let mut inserts = inserts.by_ref().collect::<Result<Vec<_>, _>>()?;
    let mut index = prepare(connection, &ORGANIZATION_TAGS)?;
    let mut records = 0_u64;
    let promised = loop {
        let Record { table, row, line } = match reader.read()? {
            Ok(record) => record,
            Err(summary) => break summary,
        };
        if let Some(insert) = inserts.get_mut(table) {
            write(insert, &row, line)?;
        }
        if TABLES.get(table).is_some_and(|table| table.name == "organizations") {
            let tags = schema::organization_tags(&row).map_err(|why| TransferError::Line { line, why })?;
            for tag in &tags {
                write(&mut index, tag, line)?;
            }
        }
        records += 1;
        if records.is_multiple_of(TOLD_EVERY) {
            watch.tell(Step::Import, records, None, reader.bytes())?;
        }
    };
    for (query, why) in BETWEEN {
        let count: i64 = connection.query_row(query, [], |row| row.get(0)).map_err(failed)?;
        if count > 0 {
            return Err(TransferError::Between { count, why });
        }
    }
    let mut held = Writer::new(io::sink());
    let total = Some(promised.counts.total());
    rows(connection, &mut held, |records| {
        watch.tell(Step::Check, records, total, 0)
    })?;
    same(&held.into_summary(), &promised)?;
    // Processes that already serve on this file learn that everything may have changed.
    let moved = "UPDATE change_counters SET version = version + 1 WHERE id = 0";
    connection.execute_batch(moved).map_err(failed)?;
    Ok(promised)
}

fn count(connection: &Connection, table: &Table) -> Result<i64, TransferError> {
    connection
        .query_row(&table.count(), [], |row| row.get(0))
        .map_err(failed)
}

/// Writes all rows in the order of a file.
fn rows<W: Write>(
    connection: &Connection,
    writer: &mut Writer<W>,
    mut tell: impl FnMut(u64) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    for (index, table) in TABLES.iter().enumerate() {
        let mut statement = connection.prepare(&table.select()).map_err(failed)?;
        let mut found = statement.query([]).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            writer.record(index, read(table, row)?)?;
            if writer.records().is_multiple_of(TOLD_EVERY) {
                tell(writer.records())?;
            }
        }
    }
    tell(writer.records())
}

fn read(table: &Table, row: &rusqlite::Row<'_>) -> Result<Row, TransferError> {
    let broken = |why: &dyn std::fmt::Display| corrupt(table.kind, why);
    let mut cells = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let value = row.get_ref(index).map_err(failed)?;
        cells.push(match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) if matches!(column.holds, Holds::Flag) => Cell::Flag(number != 0),
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Text(text) => {
                let text = str::from_utf8(text).map_err(|error| broken(&error))?;
                Cell::Text(text.to_owned())
            }
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => return Err(broken(&"a number is not whole").into()),
        });
    }
    Ok(Row(cells))
}

fn prepare<'c>(connection: &'c Connection, table: &Table) -> Result<Statement<'c>, TransferError> {
    let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    let (name, names, places) = (table.name, table.names(), places.join(", "));
    let sql = format!("INSERT INTO {name} ({names}) VALUES ({places})");
    connection.prepare(&sql).map_err(failed)
}

fn write(insert: &mut Statement<'_>, row: &Row, line: u64) -> Result<(), TransferError> {
    let done = insert.execute(rusqlite::params_from_iter(row.0.iter().map(bound)));
    match done {
        Ok(_) => Ok(()),
        // SQLite's message names tables and columns, never values.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(TransferError::Line {
            line,
            why: format!("it does not go with the lines before it: {error}"),
        }),
        Err(error) => Err(failed(error)),
    }
}

/// A cell as SQLite takes it.
fn bound(cell: &Cell) -> ToSqlOutput<'_> {
    match cell {
        Cell::Null => ToSqlOutput::Owned(Value::Null),
        Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Cell::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
        Cell::Flag(flag) => ToSqlOutput::Owned(Value::Integer((*flag).into())),
        Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}

fn failed(error: rusqlite::Error) -> TransferError {
    match Fault::from(error) {
        Fault::Constraint => TransferError::Store(unavailable("a constraint does not hold")),
        fault => TransferError::Store(fault.into()),
    }
}
