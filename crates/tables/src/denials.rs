//! The table of denials: its columns, and the records read from its rows.

use narthex_directory::{Answer, DenialRecord};

use crate::columns::object_from_json;
use crate::rows::{Columns, Row, corrupt};

/// A denial, as `d`.
pub const DENIAL: &str = "d.request_id, d.at_ms, d.facts";

/// The denial of a row of [`DENIAL`].
pub fn denial(row: &dyn Row) -> Answer<DenialRecord> {
    let mut columns = Columns::of(row, "denial");
    Ok(DenialRecord {
        request_id: columns.text()?.to_owned(),
        at_ms: columns.integer()?,
        facts: object_from_json(columns.text()?).ok_or_else(|| corrupt("denial", "its facts are no JSON object"))?,
    })
}
