//! Uses of tokens: what was noted is written, and the newest is looked up.

use narthex_directory::{GrantId, IssuerName, Mark, Touch, UserId};
use narthex_usage::Noted;

use super::Shared;
use super::error::Outcome;
use super::rows::read_maybe;
use super::session::{Command, Session, Then, Tx};
use super::write::{self, IssuerRow};
use narthex_tables::rows::Columns;

/// Number of uses that one transaction writes: other writers wait for it.
const NOTED_AT_ONCE: usize = 1_000;

/// Writes what was noted since the last time. Writing some of it twice does no harm.
pub(super) async fn write_noted(shared: &Shared, noted: &Noted) -> Outcome<()> {
    for touches in noted.due.chunks(NOTED_AT_ONCE) {
        let touches: Vec<&Touch> = touches.iter().collect();
        let issuers: Vec<IssuerRow<'_>> = touches.iter().map(|touch| issuer_row(touch)).collect();
        let asserted = asserted(&touches);
        let commands = [
            write::see(&touches),
            write::note_uses(&issuers),
            write::assert_again(&asserted),
        ];
        write_all(shared, &commands).await?;
    }
    write_marks(shared, &noted.marks).await?;
    for seen in noted.tags.chunks(NOTED_AT_ONCE) {
        if let Some(command) = write::note_tags(seen) {
            write_all(shared, &[command]).await?;
        }
    }
    Ok(())
}

/// Writes the marks of issuers' tokens for users, which the other nodes look for there.
async fn write_marks(shared: &Shared, marks: &[(UserId, IssuerName, Mark)]) -> Outcome<()> {
    for marks in marks.chunks(NOTED_AT_ONCE) {
        let rows: Vec<IssuerRow<'_>> = marks
            .iter()
            .map(|(user, issuer, mark)| (*user, issuer.as_str(), Some(*mark), None))
            .collect();
        write_all(shared, &[write::note_uses(&rows)]).await?;
    }
    Ok(())
}

/// The newest `iat` of a user's tokens of any issuer, in milliseconds.
pub(super) async fn newest_issued_at_ms(session: &Session, user: UserId) -> Outcome<Option<i64>> {
    let sql = "SELECT max(coalesce(newest_issued_at_ms, last_issued_at_ms)) FROM user_issuers WHERE user_id = $1";
    let found = session.row(sql, &[&user.to_string()]).await?;
    let newest = read_maybe(found.as_ref(), |row| Columns::of(row, "user issuer").maybe_integer())?;
    Ok(newest.flatten())
}

async fn write_all(shared: &Shared, commands: &[Command<'_>]) -> Outcome<()> {
    let mut tx = Tx::begin(shared).await?;
    tx.run_all(commands, Then::Commit).await?;
    tx.commit(&shared.versions).await
}

/// Row of a token's issuer.
pub(super) fn issuer_row(touch: &Touch) -> IssuerRow<'_> {
    (touch.user, touch.issuer.as_str(), touch.mark, touch.tags.as_deref())
}

/// The grants that tokens assert, with the time of the assertion and its end.
pub(super) fn asserted(touches: &[&Touch]) -> Vec<(GrantId, i64, Option<i64>)> {
    let of = |touch: &&Touch| {
        let (at_ms, lapses) = (touch.at_ms, touch.lapses_at_ms);
        touch
            .asserted
            .iter()
            .map(move |grant| (*grant, at_ms, lapses))
            .collect::<Vec<_>>()
    };
    touches.iter().flat_map(of).collect()
}
