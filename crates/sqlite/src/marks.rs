//! The marks of users' newest tokens, written every second.
//!
//! A row for each user and issuer in `user_issuers` would cost a page of the log for nearly every token. So marks are
//! written in short, one row for many, and written out now and then: also when the process ends, or, after a crash,
//! when the next one begins. Until then the process has them in memory.

use narthex_directory::{Answer, IssuerName, Mark, UserId};
use rusqlite::Connection;
use serde_json::json;

use super::SqliteDirectory;
use super::change::{carry_over_sql, note_issuer};
use super::error::Outcome;
use super::writer::Tx;
use narthex_tables::marks::mark_columns;

/// Number of marks in one batch, and in one piece of work that writes them out: others wait for it.
pub(super) const AT_ONCE: usize = 1_000;

/// Writes marks in short. Returns the numbers of the batches.
pub(super) fn write_in_short(tx: &Tx<'_>, marks: &[(UserId, IssuerName, Mark)]) -> Outcome<Vec<i64>> {
    let mut statement = tx.prepare_cached("INSERT INTO token_marks (marks) VALUES (?1) RETURNING batch")?;
    let mut batches = Vec::new();
    for marks in marks.chunks(AT_ONCE) {
        let rows = marks.iter().map(|(user, issuer, mark)| {
            let (order, newest, said) = mark_columns(Some(mark));
            json!([user.to_string(), issuer.as_str(), order, newest, said])
        });
        let text = serde_json::Value::Array(rows.collect()).to_string();
        batches.push(statement.query_row([text], |row| row.get(0))?);
    }
    Ok(batches)
}

/// Writes marks where they are looked for.
pub(super) fn write_out(tx: &Tx<'_>, marks: &[(UserId, IssuerName, Mark)]) -> Outcome<()> {
    for (user, issuer, mark) in marks {
        note_issuer(tx, *user, issuer.as_str(), Some(mark), None)?;
    }
    Ok(())
}

impl SqliteDirectory {
    /// Writes out the marks that are written in short.
    pub(super) async fn write_out(&self, batches: &mut Vec<i64>) -> Answer<()> {
        let kept = self.usage.take_kept();
        let mut written = Ok(());
        for chunk in kept.chunks(AT_ONCE) {
            let chunk = chunk.to_vec();
            written = self.writer.write(move |tx| write_out(tx, &chunk)).await;
            if written.is_err() {
                break;
            }
        }
        if written.is_ok() {
            let done = batches.clone();
            written = self.writer.write(move |tx| drop_batches(tx, &done)).await;
        }
        self.usage.settle_kept(written.is_ok());
        if written.is_ok() {
            batches.clear();
        }
        written
    }
}

/// Drops batches that are written out.
pub(super) fn drop_batches(tx: &Tx<'_>, batches: &[i64]) -> Outcome<()> {
    let mut statement = tx.prepare_cached("DELETE FROM token_marks WHERE batch = ?1")?;
    for batch in batches {
        statement.execute([batch])?;
    }
    Ok(())
}

/// Tests whether any marks are written in short only.
pub(super) fn are_left(connection: &Connection) -> Outcome<bool> {
    Ok(connection.prepare("SELECT 1 FROM token_marks")?.exists([])?)
}

/// Writes out the marks that a crashed process left behind. The marks that a running process has written in short are
/// written out too, which does no harm.
pub(super) fn carry_over(connection: &Connection) -> Outcome<()> {
    if !are_left(connection)? {
        return Ok(());
    }
    let sql = carry_over_sql!();
    let all = format!("BEGIN IMMEDIATE; {sql}; DELETE FROM token_marks; COMMIT");
    connection.execute_batch(&all).inspect_err(|_| {
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    })?;
    Ok(())
}
