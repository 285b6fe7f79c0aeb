//! Mark of the tokens that an issuer gave a user: its columns, and the statements that move it.

use narthex_directory::{Mark, Said};

/// State of an issuer's tokens for a user, as `i`: see [`mark`].
pub const MARK: &str = "i.last_issued_at_ms, i.newest_issued_at_ms, i.said";

/// The mark in such columns: none where no token had a date.
pub fn mark(order_ms: Option<i64>, newest_issued_at_ms: Option<i64>, said: Option<i64>) -> Option<Mark> {
    let order_ms = order_ms?;
    Some(Mark {
        order_ms,
        newest_issued_at_ms: newest_issued_at_ms.unwrap_or(order_ms),
        said: said.map(Said),
    })
}

/// A mark as such columns.
pub fn mark_columns(mark: Option<&Mark>) -> (Option<i64>, Option<i64>, Option<i64>) {
    (
        mark.map(|mark| mark.order_ms),
        mark.map(|mark| mark.newest_issued_at_ms),
        mark.and_then(|mark| mark.said).map(|Said(said)| said),
    )
}

/// Condition under which the token of a plan takes the place of the last one: see [`Mark::follows`]. If the row stays
/// as it is, nothing was written and the plan is stale.
#[macro_export]
macro_rules! follows {
    () => {
        "(user_issuers.last_issued_at_ms IS NULL OR excluded.last_issued_at_ms > user_issuers.last_issued_at_ms \
         OR (excluded.last_issued_at_ms = user_issuers.last_issued_at_ms \
         AND (user_issuers.said IS NULL OR user_issuers.said = excluded.said)))"
    };
}
/// The end of a statement that writes the token of a plan, or no row.
#[macro_export]
macro_rules! take_place {
    ($newest:expr) => {
        concat!(
            " ON CONFLICT (user_id, issuer) DO UPDATE SET tags = coalesce(excluded.tags, user_issuers.tags), \
             last_issued_at_ms = coalesce(excluded.last_issued_at_ms, user_issuers.last_issued_at_ms), \
             said = coalesce(excluded.said, user_issuers.said), newest_issued_at_ms = ",
            $newest,
            " WHERE ",
            $crate::follows!()
        )
    };
}
/// The end of a statement that writes a use: the tags and the place of an older token are left out.
#[macro_export]
macro_rules! note_use {
    ($newest:expr) => {
        concat!(
            " ON CONFLICT (user_id, issuer) DO UPDATE SET tags = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.tags, user_issuers.tags) ELSE user_issuers.tags END, said = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.said, user_issuers.said) ELSE user_issuers.said END, last_issued_at_ms = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.last_issued_at_ms, user_issuers.last_issued_at_ms) \
             ELSE user_issuers.last_issued_at_ms END, newest_issued_at_ms = ",
            $newest
        )
    };
}
