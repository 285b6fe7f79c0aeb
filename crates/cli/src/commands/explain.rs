//! `narthex explain`: a token, and perhaps a request, taken through every step with nothing written.

mod render;

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use narthex_clock::Clock;
use narthex_directory::{Directory, StoreError};
use narthex_engine::Runtime;
use narthex_explain::{ExplainedRequest, explain, parse_request};
use narthex_fetch::DirectoryKeySetStore;
use narthex_fetch::keys::{KeyEdges, KeySetStore, KeySetStoreError, Refreshed, StoredKeySet};
use narthex_memory::{DeclaredView, MemoryDirectory};
use narthex_server::assemble;
use narthex_server::store::{self, Purpose};
use narthex_store::{PendingMigration, PostgresDirectory, SqliteDirectory};
use narthex_token::{Limits, parse};

use super::input::{token_or_stdin, usage_error};
use super::terminal::OutputStyle;
use super::{Answer, print, tell};
use crate::args::ExplainArgs;
use narthex_config::{Config, StoreLocation};

/// Explains, and prints the explanation. That a token is refused is an answer like any other.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<Answer> {
    let request = request(&args)?;
    let token = &token_or_stdin(args.token)?;
    let mut config = narthex_server::usable(narthex_config::read(&args.config.path)?)?;
    let clock = args.at.map_or_else(Clock::system, Clock::manual);
    let directory = directory(&mut config, &clock).await?;
    let kept = ReadOnly(DirectoryKeySetStore(Arc::<dyn Directory>::clone(&directory)));
    let edges = KeyEdges {
        store: Some(Arc::new(kept)),
        ..KeyEdges::new(clock.clone())
    };
    let runtime = assemble::runtime(&mut config, None, &edges, 1);
    let fetched = have_keys(&runtime, token).await;
    let now_ms = clock.now_ms();
    let told = explain(&runtime, &*directory, token, request.as_ref(), now_ms).await;
    if args.output.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&told)?))?;
        return Ok(Answer::Yes);
    }
    if let Some(problem) = fetched {
        tell(&format!("narthex: note: {problem}"));
    }
    print(&render::text(&told, token, now_ms, OutputStyle::of_stdout()))?;
    Ok(Answer::Yes)
}

/// The request of `--request`, `--host` and `--header`.
fn request(args: &ExplainArgs) -> anyhow::Result<Option<ExplainedRequest>> {
    let mut headers = HeaderMap::new();
    for header in &args.header {
        let read = header.split_once(':').and_then(|(name, value)| {
            Some((
                HeaderName::try_from(name.trim()).ok()?,
                HeaderValue::try_from(value.trim()).ok()?,
            ))
        });
        let (name, value) = read.ok_or_else(|| usage_error("write a header as `--header 'Name: value'`"))?;
        headers.append(name, value);
    }
    let request = args
        .request
        .as_ref()
        .map(|text| parse_request(text, args.host.clone(), headers));
    request.transpose().map_err(usage_error)
}

/// The directory as it is; where there is none yet, what a first start would make of the configuration.
async fn directory(config: &mut Config, clock: &Clock) -> anyhow::Result<Arc<dyn Directory>> {
    let (place, pending) = match &config.store {
        StoreLocation::Sqlite(path) if !path.exists() => return as_at_first(config, clock).await,
        StoreLocation::Sqlite(path) => (path.display().to_string(), SqliteDirectory::pending(path)),
        StoreLocation::Postgres(options) => (options.to_string(), PostgresDirectory::pending(options).await),
    };
    let pending = pending.with_context(|| format!("while looking at the store `{place}`"))?;
    if is_new(&pending) {
        return as_at_first(config, clock).await;
    }
    if !pending.is_empty() {
        anyhow::bail!(
            "the store `{place}` was written by an older version and explaining changes nothing; start `narthex serve` once, which brings it up to date"
        );
    }
    let directory = store::open(&config.store, Purpose::Command).await?;
    as_declared(config, directory, clock).await
}

/// The directory as it will be when a server has started with the configuration: what it declares is not there before.
async fn as_declared(
    config: &Config,
    directory: Arc<dyn Directory>,
    clock: &Clock,
) -> anyhow::Result<Arc<dyn Directory>> {
    let at_ms = clock.now_ms();
    let declared = assemble::new_organizations(&config.organizations, at_ms)?;
    match DeclaredView::new(Arc::clone(&directory), declared, at_ms).await {
        Ok(view) => {
            if view.pending() > 0 {
                tell(&format!(
                    "narthex: note: no server has applied the declarations of {} organizations yet; this is explained as \
                     if one had",
                    view.pending()
                ));
            }
            Ok(Arc::new(view))
        }
        Err(error @ StoreError::Declaration(_)) => {
            tell(&format!(
                "narthex: note: the declared organizations cannot be applied, so they are left out: {error}"
            ));
            Ok(directory)
        }
        Err(error) => Err(error.into()),
    }
}

/// Tests whether the database is still new: no migration has run.
fn is_new(pending: &[PendingMigration]) -> bool {
    pending.first().is_some_and(|first| first.version == 1)
}

/// The directory that a first start would make of the configuration.
async fn as_at_first(config: &mut Config, clock: &Clock) -> anyhow::Result<Arc<dyn Directory>> {
    let memory = MemoryDirectory::default();
    assemble::declare(&std::mem::take(&mut config.organizations), &memory, clock).await?;
    Ok(Arc::new(memory))
}

/// Has the keys of the token's issuer read: those of the store first, then one fetch, which is waited for. Says what went
/// wrong with it.
async fn have_keys(runtime: &Runtime, token: &str) -> Option<String> {
    let limits = Limits {
        token_bytes_max: token.len(),
        ..runtime.token_limits
    };
    let parsed = parse(token, &limits).ok()?;
    let issuer = runtime.issuer(runtime.issuers.find(&parsed).ok()?).ok()?;
    issuer.keys.restore().await;
    match issuer.keys.refresh().await {
        Refreshed::Failed { why } => Some(format!(
            "the keys of issuer `{}` could not be read just now: {why}",
            issuer.name
        )),
        _ => None,
    }
}

/// Kept key sets, to be read and never written.
#[derive(Debug)]
struct ReadOnly(DirectoryKeySetStore);

#[async_trait]
impl KeySetStore for ReadOnly {
    async fn load(&self, issuer: &str) -> Result<Option<StoredKeySet>, KeySetStoreError> {
        self.0.load(issuer).await
    }

    async fn save(&self, _issuer: &str, _set: StoredKeySet) -> Result<(), KeySetStoreError> {
        Ok(())
    }
}
