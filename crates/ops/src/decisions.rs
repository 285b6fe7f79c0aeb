//! Decisions of this node over time.

use narthex_decision::Action;
use narthex_engine::{Bucket, Step};

use super::caller::Caller;
use super::error::OpError;

/// Decisions over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    /// Length of a bucket.
    pub step: Step,
    /// The buckets, the oldest first. Those without a decision are left out.
    pub buckets: Vec<Bucket>,
    /// Beginning of the first bucket that was asked for, in milliseconds since the epoch.
    pub from_ms: i64,
    /// End of the last bucket, in milliseconds since the epoch.
    pub until_ms: i64,
}

/// Counts the decisions of this node from a time on, by default the last day, in buckets: of a minute for two hours, of fifteen
/// minutes for two days, and of two hours for fourteen days. Nothing from before the start of the node is there.
///
/// # Errors
///
/// When the caller may not.
pub fn read(caller: &Caller, from_ms: Option<i64>, step: Option<Step>) -> Result<Decisions, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    let now_ms = permit.now_ms();
    let from_ms = from_ms.unwrap_or_else(|| now_ms.saturating_sub(narthex_directory::DAY_MS));
    let step = step.unwrap_or_else(|| Step::reaching(now_ms.saturating_sub(from_ms)));
    let begin = |at_ms: i64| at_ms.div_euclid(step.ms()).saturating_mul(step.ms());
    let oldest_ms = now_ms.saturating_sub(step.kept_ms());
    let (from_ms, until_ms) = (begin(from_ms.max(oldest_ms)), begin(now_ms).saturating_add(step.ms()));
    Ok(Decisions {
        step,
        buckets: permit.gateway().decisions(step, from_ms, until_ms),
        from_ms,
        until_ms,
    })
}
