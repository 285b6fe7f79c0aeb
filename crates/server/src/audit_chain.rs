//! The hash chain of the audit trail, kept up while a server runs, and the deletion of events that are too old.

use std::sync::Arc;
use std::time::Duration;

use narthex_audit::{ChainKeeper, KeeperError, Retention};
use narthex_clock::random_bytes;
use narthex_directory::{Actor, By};
use narthex_engine::Engine;
use tokio::time::{Instant, MissedTickBehavior};

/// Time between two looks for events that have no link: a link follows its event within a second.
const PERIOD: Duration = Duration::from_millis(500);

/// Time between two deletions of events that are too old. Most of them find none.
const DELETION_PERIOD: Duration = Duration::from_hours(1);

/// Returns the times for which events stay.
pub(super) fn retention(settings: &narthex_config::Audit) -> Retention {
    let milliseconds = |kept: Duration| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    Retention {
        events_ms: settings.retention.map(milliseconds),
        refusals_ms: settings.refusals.map(milliseconds),
    }
}

/// Adds links and checkpoints, and deletes events that are too old, for as long as it is polled.
pub(super) async fn keep(engine: Arc<Engine>, retention: Retention) {
    let mut deletion_due = Instant::now();
    let mut turns = tokio::time::interval(PERIOD);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keeper = None;
    let mut is_failing = false;
    loop {
        turns.tick().await;
        let mut failed = turn(&engine, &mut keeper).await.err();
        if let Some(keeper) = keeper
            .as_ref()
            .filter(|_| failed.is_none() && Instant::now() >= deletion_due)
        {
            match retention.apply(&*engine.directory, keeper, engine.clock.now_ms()).await {
                Ok(0) => {}
                Ok(events) => tracing::info!(event = "audit_events_expired", events, "old audit events were deleted"),
                Err(error) => failed = Some(error.into()),
            }
            deletion_due = Instant::now() + DELETION_PERIOD;
        }
        if let Some(error) = failed.as_ref().filter(|_| !is_failing) {
            tracing::warn!(
                event = "audit_chain_failed",
                error = %error,
                "the audit trail has events without a link of its chain; they get theirs when the store answers again"
            );
        }
        is_failing = failed.is_some();
    }
}

/// Adds all links that lack now.
async fn turn(engine: &Engine, kept: &mut Option<ChainKeeper>) -> anyhow::Result<()> {
    let now_ms = engine.clock.now_ms();
    let keeper = match kept {
        Some(keeper) => keeper,
        None => kept.insert(open(engine, now_ms).await?),
    };
    Ok(keeper.catch_up(&*engine.directory, now_ms).await?)
}

async fn open(engine: &Engine, now_ms: i64) -> anyhow::Result<ChainKeeper> {
    let by = By {
        actor: Actor::System,
        at_ms: now_ms,
    };
    let seeds = [random_bytes()?, random_bytes()?];
    let opened: Result<ChainKeeper, KeeperError> = ChainKeeper::open(&*engine.directory, seeds, by).await;
    Ok(opened?)
}
