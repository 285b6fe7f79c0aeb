//! The table of revocations: its columns, the records read from its rows, and the statements that move them.

use narthex_directory::{Answer, Revocation};

use crate::rows::{Columns, Row, corrupt};

/// A revocation, as `r`.
pub const REVOCATION: &str = "r.number, r.issuer, r.kind, r.value, r.issued_before_ms, r.kept_until_ms";

/// The number and the revocation of a row of [`REVOCATION`].
pub fn revocation(row: &dyn Row) -> Answer<(u64, Revocation)> {
    let mut columns = Columns::of(row, "revocation");
    let number = columns.number()?;
    let issuer = columns.name(narthex_directory::IssuerName::new)?;
    let (kind, value) = (columns.text()?, columns.text()?.to_owned());
    let tokens = Revocation::tokens_of(kind, value, columns.maybe_integer()?);
    Ok((
        number,
        Revocation {
            issuer,
            tokens: tokens.ok_or_else(|| corrupt("revocation", "its kind and its time do not fit"))?,
            kept_until_ms: columns.maybe_integer()?,
        },
    ))
}
