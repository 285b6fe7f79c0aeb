//! Reading a file, line by line, and refusing everything that an export does not write.

use std::io::{BufRead, Read as _};

use serde_json::{Map, Value};

use super::row::{self, Cell, Row};
use super::schema::{TABLES, Table};
use super::write::Tally;
use super::{Counts, FORMAT, Header, LINE_BYTES_MAX, Summary, TransferError};

/// A record of a file.
#[derive(Debug)]
pub struct Record {
    /// The number of its table.
    pub table: usize,
    /// Its fields.
    pub row: Row,
    /// The line it stands in.
    pub line: u64,
}

/// A file that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    number: u64,
    bytes: u64,
    line: Vec<u8>,
    /// The same line as an export would have written it.
    canonical: Vec<u8>,
    tally: Option<Tally>,
    last: (usize, Vec<Cell>),
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line, which must be of a file that this program understands.
    pub fn open(input: R, schema: i64) -> Result<(Header, Self), TransferError> {
        let mut reader = Self {
            input,
            number: 0,
            bytes: 0,
            line: Vec::new(),
            canonical: Vec::new(),
            tally: Some(Tally::new()),
            last: (0, Vec::new()),
        };
        if !reader.next_line()? {
            return Err(reader.wrong("the file is empty; `narthex export` writes one".to_owned()));
        }
        let header = reader.header(schema).map_err(|why| reader.wrong(why))?;
        Ok((header, reader))
    }

    /// Number of bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next record, or at the end what was read: its counts and digest are those that the last line says.
    pub fn read(&mut self) -> Result<Result<Record, Summary>, TransferError> {
        if !self.next_line()? {
            return Err(self.wrong("the file ends here without its last line; it was cut off".to_owned()));
        }
        let object = self.object().map_err(|why| self.wrong(why))?;
        if let (Some(end), 1) = (object.get("end"), object.len()) {
            let summary = self.end(end).map_err(|why| self.wrong(why))?;
            if self.next_line()? {
                return Err(self.wrong("there is something after the last line".to_owned()));
            }
            return Ok(Err(summary));
        }
        let (table, row) = self.record(object).map_err(|why| self.wrong(why))?;
        Ok(Ok(Record {
            table,
            row,
            line: self.number,
        }))
    }

    /// An error about the line that was read last.
    fn wrong(&self, why: String) -> TransferError {
        let line = self.number;
        TransferError::Line { line, why }
    }

    /// Reads the next line. Returns whether there is one.
    fn next_line(&mut self) -> Result<bool, TransferError> {
        self.number += 1;
        self.line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut part = (&mut self.input).take(limit.saturating_add(1));
        let read = part.read_until(b'\n', &mut self.line).map_err(TransferError::Read)?;
        if read > LINE_BYTES_MAX {
            return Err(self.wrong(format!("it is longer than {LINE_BYTES_MAX} bytes")));
        }
        self.bytes += u64::try_from(read).unwrap_or(0);
        Ok(read > 0)
    }

    fn object(&self) -> Result<Map<String, Value>, String> {
        match serde_json::from_slice(&self.line) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err("it is no JSON object".to_owned()),
            Err(error) if error.is_eof() => Err("it is no whole JSON object; the file was cut off".to_owned()),
            Err(error) => Err(format!("it is no JSON: {} at column {}", kind(&error), error.column())),
        }
    }

    fn header(&self, schema: i64) -> Result<Header, String> {
        let foreign = || "the file is no export of Narthex; `narthex export` writes one".to_owned();
        let object = self.object().map_err(|_| foreign())?;
        let header = object.get("narthex_export").and_then(Value::as_object);
        let header = header.filter(|_| object.len() == 1).ok_or_else(foreign)?;
        let number = |name: &str| header.get(name).and_then(Value::as_i64);
        let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        let lacks = |name: &str| format!("`{name}` is missing or of another type");
        let format = number("format").ok_or_else(|| lacks("format"))?;
        if format != FORMAT {
            return Err(format!(
                "the file has format {format} and this program reads format {FORMAT}; import it with the version of \
                 Narthex that wrote it"
            ));
        }
        let found = number("schema").ok_or_else(|| lacks("schema"))?;
        let program = text("program").ok_or_else(|| lacks("program"))?;
        if found != schema {
            return Err(format!(
                "the file has schema version {found} and this program {schema}; import it with version {} of Narthex, \
                 then start this one on the new store",
                program.escape_debug()
            ));
        }
        Ok(Header {
            format,
            schema: found,
            program,
            store: text("store").ok_or_else(|| lacks("store"))?,
            exported_at_ms: number("exported_at_ms").ok_or_else(|| lacks("exported_at_ms"))?,
        })
    }

    fn record(&mut self, object: Map<String, Value>) -> Result<(usize, Row), String> {
        let (index, record) = row::table_of(object)?;
        let Some(table) = TABLES.get(index) else {
            return Err("it is no kind of record".to_owned());
        };
        let about = |why: String| format!("{}: {why}", table.kind);
        let row = row::read(table, record).map_err(about)?;
        table.check(&row).map_err(about)?;
        self.in_order(index, table, &row)?;
        row::write(table, &row, &mut self.canonical);
        if self.canonical != self.line {
            return Err(about(
                "it means a record, but is not written as `narthex export` writes it: a member is there twice or in \
                 another order, or blanks, escapes or the end of the line were changed"
                    .to_owned(),
            ));
        }
        if let Some(tally) = &mut self.tally {
            tally.add(index, &self.line);
        }
        Ok((index, row))
    }

    /// Kinds follow one another, and so do the records of a kind by their keys.
    fn in_order(&mut self, index: usize, table: &Table, row: &Row) -> Result<(), String> {
        let (last, key) = &mut self.last;
        if index < *last {
            let before = TABLES.get(*last).map_or("", |table| table.kind);
            return Err(format!("{}: it stands after a record of kind `{before}`", table.kind));
        }
        if index > *last {
            (*last, *key) = (index, Vec::new());
        } else if !key.is_empty() && row.key(table) <= key.as_slice() {
            let order = if row.key(table) == key.as_slice() {
                "it is there twice"
            } else {
                "it is not in the order of its key"
            };
            return Err(format!("{}: {order}", table.kind));
        }
        row.key(table).clone_into(key);
        Ok(())
    }

    /// The last line, which must say what was read.
    fn end(&mut self, end: &Value) -> Result<Summary, String> {
        let counts = end.get("counts").and_then(Value::as_object);
        let counts = counts.ok_or_else(|| "`counts` is missing or of another type".to_owned())?;
        let sha256 = end.get("sha256").and_then(Value::as_str);
        let sha256 = sha256.ok_or_else(|| "`sha256` is missing or of another type".to_owned())?;
        let read = self.tally.take().unwrap_or_default().finish();
        for (kind, found) in read.counts.iter() {
            let promised = counts.get(kind).and_then(Value::as_u64);
            if promised != Some(found) {
                let promised = promised.map_or("no number".to_owned(), |promised| promised.to_string());
                return Err(format!(
                    "`counts` says {promised} for {kind}, and the file holds {found}; lines were lost or added"
                ));
            }
        }
        if let Some(kind) = counts.keys().find(|kind| read.counts.of(kind).is_none()) {
            return Err(format!(
                "`counts` names `{}`, which is no kind of record",
                kind.escape_debug()
            ));
        }
        if sha256 != read.sha256 {
            return Err(format!(
                "the digest of the records is {} and not the one that is written here; the file was changed or damaged",
                read.sha256
            ));
        }
        Ok(read)
    }
}

/// SECURITY: the library's own message can quote the line.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Syntax => "a syntax error",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data | serde_json::error::Category::Io => "it cannot be read",
    }
}

impl Counts {
    /// Number of records of a kind, if it is one.
    fn of(&self, kind: &str) -> Option<u64> {
        self.iter().find(|(known, _)| *known == kind).map(|(_, count)| count)
    }
}
