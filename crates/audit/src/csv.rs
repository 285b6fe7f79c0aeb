//! CSV (RFC 4180) for tables of people. It cannot be verified: NDJSON can.

use narthex_directory::{ChainHash, RecordedEvent};
use serde_json::Value;

use crate::canonical::canonical;
use crate::record::{event_object, time_text};

/// First line of a file of events, with its line end.
pub const CSV_HEADER: &str = "sequence,at,actor_kind,actor_name,token_jti,token_sha256_prefix,action,user_id,\
     organization_id,team_id,detail,previous_hash,hash\r\n";

/// Returns the line of an event.
pub fn csv_event(previous: ChainHash, hash: ChainHash, recorded: &RecordedEvent) -> String {
    let event = Value::Object(event_object(&recorded.event));
    let at = |pointer: &str| {
        let value = event.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let detail = event.get("detail").map(canonical).unwrap_or_default();
    csv_row(&[
        recorded.sequence.to_string(),
        time_text(recorded.event.at_ms),
        at("/actor/kind"),
        at("/actor/name"),
        at("/actor/token/jti"),
        at("/actor/token/sha256_prefix"),
        at("/action"),
        at("/user_id"),
        at("/organization_id"),
        at("/team_id"),
        detail,
        previous.to_string(),
        hash.to_string(),
    ])
}

/// Returns a line of these cells, with its line end.
///
/// SECURITY: a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and
/// users choose names and tags. Such a cell gets an apostrophe in front, which spreadsheets do not show. Where a language
/// writes decimals with a comma, a spreadsheet takes `;` for the separator, whatever is quoted by commas. So the same holds
/// after each `;`, tab and line break inside a cell.
pub fn csv_row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    let mut row = cells.join(",");
    row.push_str("\r\n");
    row
}

fn csv_cell(text: &str) -> String {
    let (mut guarded, mut begins) = (String::with_capacity(text.len()), true);
    for character in text.chars() {
        if begins && matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r') {
            guarded.push('\'');
        }
        guarded.push(character);
        begins = matches!(character, ';' | '\t' | '\r' | '\n');
    }
    if guarded.contains(['"', ',', ';', '\r', '\n']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{Actor, AuditEvent, Seals};

    use super::*;

    #[test]
    fn sec_a_cell_is_never_a_formula() {
        let cells = [
            "=1+1",
            "@SUM(A1)",
            "-2",
            "\tx",
            "plain",
            "a,b",
            "a\"b",
            "=\"a\"",
            "line\nend",
            "a;=1;b",
            "a\n@b",
        ];
        assert_eq!(
            csv_row(&cells.map(str::to_owned)),
            "'=1+1,'@SUM(A1),'-2,'\tx,plain,\"a,b\",\"a\"\"b\",\"'=\"\"a\"\"\",\"line\nend\",\"a;'=1;b\",\"a\n'@b\"\r\n"
        );
    }

    #[test]
    fn an_event_has_as_many_cells_as_the_header() {
        let recorded = RecordedEvent {
            sequence: 3,
            event: AuditEvent::new("team.created", Actor::System, 0),
            seals: Seals::default(),
        };
        let row = csv_event(ChainHash::GENESIS, ChainHash([255; 32]), &recorded);
        assert_eq!(row.split(',').count(), CSV_HEADER.split(',').count());
        assert!(
            row.starts_with("3,1970-01-01T00:00:00.000Z,system,,,,team.created,,,,{},"),
            "{row}"
        );
    }
}
