//! The table of revocations: its columns, and the records read from its rows.

use narthex_directory::{Answer, IssuerName, Revocation, RevokedTokens};

use crate::rows::{Columns, Row, corrupt};

/// A revocation, as `r`.
pub const REVOCATION: &str = "r.number, r.issuer, r.kind, r.value, r.issued_before_ms, r.kept_until_ms";

/// The number and the revocation of a row of [`REVOCATION`].
pub fn revocation(row: &dyn Row) -> Answer<(u64, Revocation)> {
    let mut columns = Columns::of(row, "revocation");
    let number = columns.number()?;
    let issuer = columns.name(IssuerName::new)?;
    let (kind, value) = (columns.text()?, columns.text()?.to_owned());
    let tokens = match (kind, columns.maybe_integer()?) {
        ("jti", None) => RevokedTokens::Id(value),
        ("content", None) => RevokedTokens::Content(value),
        ("issuer", Some(before_ms)) => RevokedTokens::IssuedBefore(before_ms),
        _ => return Err(corrupt("revocation", "its kind and its time do not fit")),
    };
    Ok((
        number,
        Revocation {
            issuer,
            tokens,
            kept_until_ms: columns.maybe_integer()?,
        },
    ))
}
