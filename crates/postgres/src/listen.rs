//! Hearing of other nodes' changes: a connection of its own that listens, and a look at all numbers once a second.
//!
//! Nobody can listen through a pooler in transaction mode. There the connection is a direct one (`listen_url`), or there is
//! none and looking is all.
//!
//! A change is told in the transaction that makes it, so it is heard when it is committed. What is told while nobody
//! listens is lost; so whoever begins to listen looks first, and the edge looks every second in any case.
//!
//! SECURITY: whoever may connect to the database may tell anything. So a message says only that there is something to look
//! at; a number that was believed and too high would hide every change that comes after it.

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
use narthex_tables::record::raise;

/// All numbers, if their sum is another than at the last look: they only grow.
const LOOK: &str = "SELECT c.id, c.version FROM change_counters c \
     WHERE (SELECT sum(a.version)::bigint FROM change_counters a) <> $1";

/// How long to gather what is told before looking: many writers tell much.
const GATHER: Duration = Duration::from_millis(10);

/// The sum of all numbers at the last look.
#[derive(Debug, Default)]
pub(super) struct LastLook(AtomicU64);

/// Looks at the numbers. They are raised to what is there.
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
    // The wire drives the client, and gives what is heard meanwhile.
    let asking = client.batch_execute("LISTEN narthex_versions");
    tokio::pin!(asking);
    loop {
        tokio::select! {
            asked = &mut asking => break asked.map_err(failed)?,
            heard = next(&mut wire) => match heard {
                // Whatever was told is seen by the look that follows.
                Some(heard) => drop(heard.map_err(failed)?),
                None => return Ok(()),
            },
        }
    }
    // From here on nothing is missed, and what was missed before is looked for.
    look_now(shared).await?;
    *failures = 0;
    while let Some(heard) = next(&mut wire).await {
        heard.map_err(failed)?;
        // What is told meanwhile is seen by the same look.
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
