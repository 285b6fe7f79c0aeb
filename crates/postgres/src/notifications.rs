//! Notifications of other nodes' changes: a connection of its own that listens, and a poll of all numbers twice a
//! second.
//!
//! A pooler in transaction mode passes on no notifications. There the connection is a direct one (`listen_url`), or
//! there is none and the node only polls.
//!
//! The transaction that makes a change also sends the notification, so it arrives when the change is committed. A
//! notification is lost while no connection listens. So a node that begins to listen polls first, and the engine polls
//! twice a second in any case.
//!
//! SECURITY: any client that may connect to the database may send any notification. So a message says only that there
//! is something to look at; a number that was believed and too high would hide every change that comes after it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use narthex_directory::{StoreError, Versions};
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;

use super::Shared;
use super::connect::{Connector, Wire, back_off};
use super::edit::counter;
use super::error::{Outcome, told, unavailable};
use super::session::Session;
use narthex_tables::consequences::raise;

/// Reads all numbers, if their sum is another than at the last poll: they only grow.
const LOOK: &str = "SELECT c.id, c.version FROM change_counters c \
     WHERE (SELECT sum(a.version)::bigint FROM change_counters a) <> $1";

/// Pause for gathering notifications before a poll: many writers send many.
const GATHER: Duration = Duration::from_millis(10);

/// The sum of all numbers at the last poll.
#[derive(Debug, Default)]
pub(super) struct LastLook(AtomicU64);

/// Polls the numbers in the database, and raises this node's to them.
pub(super) async fn look(session: &Session, last: &LastLook, versions: &Versions) -> Outcome<()> {
    let before = i64::try_from(last.0.load(Ordering::Acquire)).unwrap_or(i64::MAX);
    let rows = session.rows(LOOK, &[&before]).await?;
    let counters = rows.iter().map(counter).collect::<Outcome<Vec<_>>>()?;
    if !counters.is_empty() {
        raise(versions, &counters);
        let sum = counters.iter().map(|(_, number)| number).sum();
        last.0.store(sum, Ordering::Release);
    }
    Ok(())
}

/// Listens until it is aborted, or there is nothing to listen to.
pub(super) async fn listen(shared: Arc<Shared>) {
    if let Some(direct) = &shared.direct {
        return listen_at(&shared, direct).await;
    }
    tokio::select! {
        biased;
        () = shared.connector.pooling.found() => {}
        () = listen_at(&shared, &shared.connector) => {}
    }
}

async fn listen_at(shared: &Shared, connector: &Connector) {
    let mut failures = 0;
    loop {
        match listen_once(shared, connector, &mut failures).await {
            Ok(()) => tracing::info!("the database ended the connection that listens for changes"),
            Err(error) => tracing::info!(%error, "listening for changes is interrupted"),
        }
        sleep(back_off(failures)).await;
        failures = failures.saturating_add(1);
    }
}

async fn listen_once(shared: &Shared, connector: &Connector, failures: &mut u32) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| unavailable(told(&error));
    let connecting = timeout(connector.patience(), connector.connect());
    let (client, mut wire) = connecting
        .await
        .map_err(|_| unavailable("no database host answers"))?
        .map_err(failed)?;
    // The wire drives the client, and yields the notifications that arrive meanwhile.
    let asking = client.batch_execute("LISTEN narthex_versions");
    tokio::pin!(asking);
    loop {
        tokio::select! {
            asked = &mut asking => break asked.map_err(failed)?,
            heard = next(&mut wire) => match heard {
                // The poll that follows sees the change behind any notification.
                Some(heard) => drop(heard.map_err(failed)?),
                None => return Ok(()),
            },
        }
    }
    // From here on no notification is missed, and a poll finds the changes from before.
    look_now(shared).await?;
    *failures = 0;
    while let Some(heard) = next(&mut wire).await {
        heard.map_err(failed)?;
        // The same poll covers the notifications that arrive meanwhile.
        sleep(GATHER).await;
        while let Some(Some(heard)) = next(&mut wire).now_or_never() {
            heard.map_err(failed)?;
        }
        look_now(shared).await?;
    }
    Ok(())
}

async fn next(wire: &mut Wire) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
    poll_fn(|cx| wire.poll_message(cx)).await
}

async fn look_now(shared: &Shared) -> Result<(), StoreError> {
    let session = Session::open(shared).await?;
    look(&session, &shared.last_look, &shared.versions).await?;
    Ok(())
}
