//! Progress of webhooks, read from the rows of either database.

use narthex_directory::{Answer, DeliveryAttempt, RecordedAttempt, WaitingDelivery, WebhookProgress};

use super::{Columns, Row};

/// The progress of a row of [`PROGRESS`](crate::columns::PROGRESS).
pub fn webhook_progress(row: &dyn Row) -> Answer<WebhookProgress> {
    let mut columns = Columns::of(row, "progress of a webhook");
    Ok(WebhookProgress {
        webhook: columns.text()?.to_owned(),
        cursor: columns.number()?,
        failures: columns.count()?,
        failing_since_ms: columns.maybe_integer()?,
        next_try_ms: columns.integer()?,
        last_success_ms: columns.maybe_integer()?,
        version: columns.number()?,
    })
}

/// The delivery of a row of [`WAITING`](crate::columns::WAITING).
pub fn waiting_delivery(row: &dyn Row) -> Answer<WaitingDelivery> {
    let mut columns = Columns::of(row, "delivery");
    Ok(WaitingDelivery {
        webhook: columns.text()?.to_owned(),
        sequence: columns.number()?,
        object: columns.text()?.to_owned(),
        attempts: columns.count()?,
        taken_up_ms: columns.integer()?,
        next_try_ms: columns.integer()?,
        dead_at_ms: columns.maybe_integer()?,
    })
}

/// The attempt of a row of [`ATTEMPT`](crate::columns::ATTEMPT).
pub fn recorded_attempt(row: &dyn Row) -> Answer<RecordedAttempt> {
    let mut columns = Columns::of(row, "attempt");
    Ok(RecordedAttempt {
        number: columns.number()?,
        attempt: DeliveryAttempt {
            webhook: columns.text()?.to_owned(),
            sequence: columns.number()?,
            attempt: columns.count()?,
            at_ms: columns.integer()?,
            took_ms: columns.integer()?,
            status: columns.maybe_status()?,
            error: columns.maybe_string()?,
            next_try_ms: columns.maybe_integer()?,
        },
    })
}
