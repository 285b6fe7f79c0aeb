//! Writing a file: a line that says what it is, a line for each record, a line that says what was in it.

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use super::row::{self, Row};
use super::schema::TABLES;
use super::{Counts, Header, LINE_BYTES_MAX, Summary, TransferError};

/// Writes records in the order of a file, counts them, and takes their digest.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    tally: Tally,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer to this output.
    pub fn new(out: W) -> Self {
        Self {
            out,
            tally: Tally::new(),
            line: Vec::new(),
        }
    }

    /// The first line.
    pub fn header(&mut self, header: &Header) -> Result<(), TransferError> {
        let line = json!({ "narthex_export": {
            "format": header.format,
            "schema": header.schema,
            "program": header.program,
            "store": header.store,
            "exported_at_ms": header.exported_at_ms,
        }});
        writeln!(self.out, "{line}").map_err(TransferError::Write)
    }

    /// The line of a record.
    pub fn record(&mut self, index: usize, row: Row) -> Result<(), TransferError> {
        let Some(table) = TABLES.get(index) else {
            return Ok(());
        };
        let Some(row) = table.portable(row) else {
            return Ok(());
        };
        let unfit = |why: String| TransferError::Record {
            what: table.called(&row),
            why,
        };
        table.check(&row).map_err(unfit)?;
        row::write(table, &row, &mut self.line);
        if self.line.len() > LINE_BYTES_MAX {
            return Err(unfit(format!("its line would be longer than {LINE_BYTES_MAX} bytes")));
        }
        self.tally.add(index, &self.line);
        self.out.write_all(&self.line).map_err(TransferError::Write)
    }

    /// Number of records that were written.
    pub fn records(&self) -> u64 {
        self.tally.records()
    }

    /// Summary of the records written so far, without a last line.
    pub fn into_summary(self) -> Summary {
        self.tally.finish()
    }

    /// The last line.
    pub fn finish(mut self) -> Result<(Summary, W), TransferError> {
        let summary = self.tally.finish();
        let counts: Map<String, Value> = summary
            .counts
            .iter()
            .map(|(kind, count)| (kind.to_owned(), count.into()))
            .collect();
        let line = json!({ "end": { "counts": counts, "sha256": summary.sha256 } });
        writeln!(self.out, "{line}").map_err(TransferError::Write)?;
        self.out.flush().map_err(TransferError::Write)?;
        Ok((summary, self.out))
    }
}

/// Counts lines by their kinds and takes their digest.
pub struct Tally {
    digest: Context,
    counts: [u64; TABLES.len()],
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Tally {
    /// An empty tally.
    pub fn new() -> Self {
        Self {
            digest: Context::new(&SHA256),
            counts: [0; TABLES.len()],
        }
    }

    /// Adds the line of a record of the table with this index.
    pub fn add(&mut self, index: usize, line: &[u8]) {
        self.digest.update(line);
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
    }

    /// Number of records so far.
    pub fn records(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Closes the digest.
    pub fn finish(self) -> Summary {
        let counts = TABLES.iter().zip(self.counts).map(|(table, count)| (table.kind, count));
        let digest = self.digest.finish();
        let sha256 = digest
            .as_ref()
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Summary {
            counts: Counts(counts.collect()),
            sha256,
        }
    }
}
