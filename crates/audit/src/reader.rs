//! An export, read from a store piece by piece.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use narthex_directory::{
    ChainHash, ChainLink, Checkpoint, Cursor, Directory, EventFilter, EventOrder, PAGE_LIMIT_MAX, Page, RecordedEvent,
    SecretBytes, StoreError, UserId,
};
use serde_json::{Map, Value};

use crate::checkpoint::CheckpointKey;
use crate::csv::{CSV_HEADER, csv_event};
use crate::export::ExportWriter;
use crate::keeper::ChainKeeper;
use crate::ocsf::ocsf_event;

/// Format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// The form that can be verified.
    #[default]
    Ndjson,
    /// For spreadsheets.
    Csv,
    /// For security tools.
    Ocsf,
}

impl ExportFormat {
    /// The formats, with the words that name them.
    pub const ALL: [(&'static str, Self); 3] = [("ndjson", Self::Ndjson), ("csv", Self::Csv), ("ocsf", Self::Ocsf)];

    /// Media type of a file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|(word, _)| *word == text);
        found
            .map(|(_, format)| format)
            .ok_or("there is no such format; the formats are `ndjson`, `csv` and `ocsf`")
    }
}

/// Number of links that are read at once.
const LINKS: usize = 2 * PAGE_LIMIT_MAX;

/// Export of the trail up to the end that its chain had when the export began.
#[derive(Debug)]
pub struct TrailExport {
    source: Source,
    format: ExportFormat,
    filter: EventFilter,
    key: CheckpointKey,
    now_ms: i64,
    /// Number of the last event.
    until: u64,
    cursor: Option<Cursor>,
    /// Links that were read last.
    links: Vec<ChainLink>,
    stage: Stage,
}

/// The store, which has no text of its own for debugging.
struct Source(Arc<dyn Directory>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

/// Part of the file that comes next.
#[derive(Debug)]
enum Stage {
    Header,
    Events(Option<Box<ExportWriter>>),
    Over,
}

impl TrailExport {
    /// Begins an export. Adds the seals and links that lack first, so that the newest event is in it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn begin(
        directory: Arc<dyn Directory>,
        mut keeper: ChainKeeper,
        format: ExportFormat,
        filter: EventFilter,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        keeper.catch_up(&*directory, now_ms).await?;
        let until = directory.chain_end().await?.map_or(0, |end| end.sequence);
        Ok(Self {
            source: Source(directory),
            format,
            filter: EventFilter {
                order: EventOrder::OldestFirst,
                ..filter
            },
            key: keeper.into_key(),
            now_ms,
            until,
            cursor: None,
            links: Vec::new(),
            stage: Stage::Header,
        })
    }

    /// Returns the next piece of the file; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then the file is not complete, and does not verify.
    pub async fn next_piece(&mut self) -> Result<Option<String>, StoreError> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => Ok(None),
            Stage::Header => {
                let (writer, text) = self.header().await?;
                self.stage = Stage::Events(writer.map(Box::new));
                Ok(Some(text))
            }
            Stage::Events(mut writer) => {
                let mut text = String::new();
                let more = self.events(writer.as_deref_mut(), &mut text).await?;
                match writer {
                    writer if more => self.stage = Stage::Events(writer),
                    Some(writer) => text.push_str(&writer.end(&self.key, self.now_ms)),
                    None => {}
                }
                Ok(Some(text))
            }
        }
    }

    fn directory(&self) -> &dyn Directory {
        &*self.source.0
    }

    async fn header(&self) -> Result<(Option<ExportWriter>, String), StoreError> {
        match self.format {
            ExportFormat::Csv => Ok((None, CSV_HEADER.to_owned())),
            ExportFormat::Ocsf => Ok((None, String::new())),
            ExportFormat::Ndjson => {
                let mut keys = Vec::new();
                for key in self.directory().audit_keys().await? {
                    keys.push(
                        serde_json::from_str(&key.public_jwk).map_err(|error| StoreError::Corrupt {
                            what: "key of checkpoints",
                            why: error.to_string(),
                        })?,
                    );
                }
                let (writer, line) = ExportWriter::begin(keys, described(&self.filter));
                Ok((Some(writer), line))
            }
        }
    }

    /// Appends the next events. Returns true if there may be more.
    async fn events(&mut self, mut writer: Option<&mut ExportWriter>, text: &mut String) -> Result<bool, StoreError> {
        let page = match self.cursor.take() {
            Some(cursor) => Page::after(cursor, PAGE_LIMIT_MAX),
            None => Page::first(PAGE_LIMIT_MAX),
        };
        let listing = self.directory().events(self.filter.clone(), page).await?;
        let checkpoints = self.checkpoints(&listing.items).await?;
        let mut checkpoints = checkpoints.into_iter().peekable();
        let keys = self.seal_keys(&listing.items).await?;
        for recorded in &listing.items {
            if recorded.sequence > self.until {
                return Ok(false);
            }
            let (previous, hash) = self.link(recorded.sequence).await?;
            match (self.format, &mut writer) {
                (ExportFormat::Csv, _) => text.push_str(&csv_event(previous, hash, recorded)),
                (ExportFormat::Ocsf, _) => text.push_str(&ocsf_event(previous, hash, recorded)),
                (ExportFormat::Ndjson, Some(writer)) => {
                    let key = recorded.event.user.and_then(|user| keys.get(&user));
                    text.push_str(&writer.event((previous, hash), recorded, key));
                }
                (ExportFormat::Ndjson, None) => {}
            }
            if let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.sequence == recorded.sequence)
                && let Some(writer) = &mut writer
            {
                text.push_str(&writer.checkpoint(&checkpoint));
            }
        }
        self.cursor = listing.next_cursor;
        Ok(self.cursor.is_some())
    }

    /// The checkpoints among these events. A filtered export has none: the events that they cover are not all there.
    async fn checkpoints(&self, events: &[RecordedEvent]) -> Result<Vec<Checkpoint>, StoreError> {
        let (Some(first), ExportFormat::Ndjson, None) = (events.first(), self.format, described(&self.filter)) else {
            return Ok(Vec::new());
        };
        let after = first.sequence.saturating_sub(1);
        self.directory().checkpoints(after, events.len()).await
    }

    /// The keys of the seals of these events. A user who was erased since the events were read has none, and then their values
    /// are left out.
    async fn seal_keys(&self, events: &[RecordedEvent]) -> Result<BTreeMap<UserId, SecretBytes>, StoreError> {
        if self.format != ExportFormat::Ndjson {
            return Ok(BTreeMap::new());
        }
        let sealed = events.iter().filter(|recorded| !recorded.seals.0.is_empty());
        let users: BTreeSet<UserId> = sealed.filter_map(|recorded| recorded.event.user).collect();
        let keys = self.directory().seal_keys(users.into_iter().collect()).await?;
        Ok(keys.into_iter().map(|key| (key.user, key.secret)).collect())
    }

    /// The hash before an event, and its own.
    async fn link(&mut self, sequence: u64) -> Result<(ChainHash, ChainHash), StoreError> {
        if let Some(found) = pair(&self.links, sequence) {
            return Ok(found);
        }
        let links = self.directory().chain_links(sequence.saturating_sub(2), LINKS).await?;
        self.links = links;
        pair(&self.links, sequence).ok_or_else(|| StoreError::Corrupt {
            what: "audit chain",
            why: format!("event {sequence} or the one before it has no link"),
        })
    }
}

/// The hashes of the event before this one and of this one, in links in order.
fn pair(links: &[ChainLink], sequence: u64) -> Option<(ChainHash, ChainHash)> {
    let of = |sequence: u64| {
        let place = links.binary_search_by_key(&sequence, |link| link.sequence).ok()?;
        links.get(place).map(|link| link.hash)
    };
    let previous = match sequence.checked_sub(1)? {
        0 => ChainHash::GENESIS,
        before => of(before)?,
    };
    Some((previous, of(sequence)?))
}

/// A filter as an export names it; `None` where it admits every event.
fn described(filter: &EventFilter) -> Option<Map<String, Value>> {
    let EventFilter {
        user,
        organization,
        action,
        actor,
        text,
        from_ms,
        until_ms,
        order: _,
    } = filter;
    let members = [
        ("user_id", user.map(|id| Value::from(id.to_string()))),
        ("organization_id", organization.map(|id| Value::from(id.to_string()))),
        ("action", action.clone().map(Value::from)),
        ("actor", actor.clone().map(Value::from)),
        ("text", text.clone().map(Value::from)),
        ("from_ms", from_ms.map(Value::from)),
        ("until_ms", until_ms.map(Value::from)),
    ];
    let given: Map<String, Value> = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    (!given.is_empty()).then_some(given)
}
