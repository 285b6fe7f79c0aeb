//! End of a role that is granted manually: the choice in the forms, and the terms of the grant that they ask for.

use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::Options;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::Visit;
use narthex_ops::members::GrantTerms;

use crate::pages::confirm;

const DAY_MS: i64 = 24 * 3_600_000;

/// Name of the field.
const FIELD: &str = "ends";

/// Choice of the end: number of days and label. `0` is for a role that stays.
const ENDS: [(&str, &str); 5] = [
    ("0", "When it is removed"),
    ("1", "In 1 day"),
    ("7", "In 7 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
];

/// Builds the choice, with what was chosen before.
pub(super) fn options(fields: &Fields) -> Options {
    Options::new(FIELD, "Ends", &ENDS, fields.text(FIELD))
}

/// Returns the end and the reason that a form names. A form without an end asks for a role that stays.
pub(super) fn terms(visit: &Visit, fields: &Fields) -> Result<GrantTerms, Failed> {
    let days = match fields.sent(FIELD) {
        Some(sent) => ENDS.iter().find(|(days, _)| *days == sent).ok_or(Failed::NotAForm)?.0,
        None => "0",
    };
    let days: i64 = days.parse().map_err(|_| Failed::NotAForm)?;
    Ok(GrantTerms {
        expires_at_ms: (days > 0).then(|| visit.now_ms().saturating_add(days * DAY_MS)),
        why: fields.filled(confirm::WHY),
    })
}
