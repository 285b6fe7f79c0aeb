//! `/webhooks/{name}/retry` and `…/replay`: what waits is tried now, and what was sent is sent again.

use http::StatusCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::Faults;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_decision::Action;
use narthex_directory::EventOrder;
use narthex_ops::audit_events::{self, EventQuery};
use narthex_ops::{PageRequest, webhooks};

use super::read;
use crate::pages::notice;

/// Name of the field with the time from which events are sent again.
pub(super) const FROM: &str = "from";

/// Name of the field that is sent for what was given up.
pub(super) const DEAD: &str = "dead";

/// Tries what waits now; with [`DEAD`] what was given up, too.
pub(super) async fn retry(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    webhooks::retry(visit.caller(), &name, fields.sent(DEAD).is_some()).await?;
    Ok(see(&notice::after(&paths::webhook(&name), "retried")))
}

/// Sends the events from a time on again.
pub(super) async fn replay(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteWebhooks, None)?;
    let Some(from_ms) = moment_ms(&fields) else {
        let faults = Faults::at(FROM, "write a date and a time in UTC, such as 2026-11-30T10:00");
        let view = webhooks::read(visit.caller(), &name).await?;
        let extra = read::Extra::faults(&fields, &faults);
        return read::show(&visit, &view, StatusCode::UNPROCESSABLE_ENTITY, extra).await;
    };
    let query = EventQuery {
        from_ms: Some(from_ms),
        order: EventOrder::OldestFirst,
        ..EventQuery::default()
    };
    let one = PageRequest {
        cursor: None,
        limit: Some(1),
    };
    let found = audit_events::list(visit.caller(), query, one).await?.items;
    let Some(first) = found.first() else {
        return Ok(see(&notice::after(&paths::webhook(&name), "unchanged")));
    };
    webhooks::replay(visit.caller(), &name, first.sequence.saturating_sub(1)).await?;
    Ok(see(&notice::after(&paths::webhook(&name), "replayed")))
}

/// Returns the moment of the form, in milliseconds since the epoch: a date and a time without a zone (HTML Standard, section
/// 2.3.5.5), which is UTC here.
fn moment_ms(fields: &Fields) -> Option<i64> {
    let at: DateTime = fields.text(FROM).trim().parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_utc() {
        for (text, ms) in [
            ("2023-11-14T22:13", Some(1_699_999_980_000)),
            ("2023-11-14T22:13:20", Some(1_700_000_000_000)),
            ("", None),
            ("yesterday", None),
        ] {
            let fields = Fields::of([(FROM.to_owned(), text.to_owned())]);
            assert_eq!(moment_ms(&fields), ms, "{text}");
        }
    }
}
