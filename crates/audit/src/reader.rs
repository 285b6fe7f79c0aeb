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
    /// Key of the last line; `None` for a stream, which has none.
    key: Option<CheckpointKey>,
    now_ms: i64,
    /// Number of the last event.
    until: u64,
    /// Number that the next event has, unless it was deleted.
    next: u64,
    /// Number of the checkpoint that was written last; 0 if none was.
    signed: u64,
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
            key: Some(keeper.into_key()),
            now_ms,
            until,
            next: 1,
            signed: 0,
            cursor: None,
            links: Vec::new(),
            stage: Stage::Header,
        })
    }

    /// Begins a stream with the events after number `after`: lines for a file that grows. `is_signed` tells that the file has
    /// the checkpoint of that number. A stream adds no links; the keeper of the chain does.
    pub fn follow(directory: Arc<dyn Directory>, after: u64, is_signed: bool) -> Self {
        Self {
            source: Source(directory),
            format: ExportFormat::Ndjson,
            filter: EventFilter {
                order: EventOrder::OldestFirst,
                ..EventFilter::default()
            },
            key: None,
            now_ms: 0,
            until: after,
            next: after.saturating_add(1),
            signed: if is_signed { after } else { 0 },
            cursor: Some(Cursor::new(after.to_string())),
            links: Vec::new(),
            stage: Stage::Over,
        }
    }

    /// Number of the event up to which a stream was read.
    pub const fn followed(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Returns the first line of a stream.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn stream_header(&self) -> Result<String, StoreError> {
        Ok(ExportWriter::begin_stream(self.keys().await?).1)
    }

    /// Returns the next lines of a stream; `None` if there are none yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`], after which the next call reads the same again.
    pub async fn next_lines(&mut self) -> Result<Option<String>, StoreError> {
        // The end first: a checkpoint that is made after this question is of an event that is not written yet, or of the last one.
        self.until = self.directory().chain_end().await?.map_or(0, |end| end.sequence);
        let before = (self.next, self.signed);
        let (mut writer, _) = ExportWriter::begin_stream(Vec::new());
        let mut text = String::new();
        let read = self.read_stream(&mut writer, &mut text).await;
        if read.is_err() {
            (self.next, self.signed) = before;
        }
        self.cursor = Some(Cursor::new(self.followed().to_string()));
        read?;
        Ok((!text.is_empty()).then_some(text))
    }

    async fn read_stream(&mut self, writer: &mut ExportWriter, text: &mut String) -> Result<(), StoreError> {
        let written = self.followed();
        if written > 0 && self.signed < written {
            let checkpoints = self.directory().checkpoints(written.saturating_sub(1), 1).await?;
            if let Some(late) = checkpoints.first().filter(|late| late.sequence == written) {
                text.push_str(&writer.checkpoint(late));
                self.signed = written;
            }
        }
        self.events(Some(writer), text).await.map(drop)
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
                match (writer, &self.key) {
                    (writer, _) if more => self.stage = Stage::Events(writer),
                    (Some(writer), Some(key)) => text.push_str(&writer.end(key, self.now_ms)),
                    _ => {}
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
                let (writer, line) = ExportWriter::begin(self.keys().await?, described(&self.filter));
                Ok((Some(writer), line))
            }
        }
    }

    /// The public keys of checkpoints.
    async fn keys(&self) -> Result<Vec<Value>, StoreError> {
        let keys = self.directory().audit_keys().await?.into_iter();
        let keys = keys.map(|key| {
            serde_json::from_str(&key.public_jwk).map_err(|error| StoreError::Corrupt {
                what: "key of checkpoints",
                why: error.to_string(),
            })
        });
        keys.collect()
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
            if let Some(writer) = &mut writer {
                self.deleted_before(recorded.sequence, writer, text).await?;
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
                self.signed = checkpoint.sequence;
            }
            self.next = recorded.sequence.saturating_add(1);
        }
        self.cursor = listing.next_cursor;
        Ok(self.cursor.is_some())
    }

    /// Appends the lines that stand for events that were deleted because of their age, before the one with this number.
    async fn deleted_before(
        &mut self,
        sequence: u64,
        writer: &mut ExportWriter,
        text: &mut String,
    ) -> Result<(), StoreError> {
        if self.next >= sequence || described(&self.filter).is_some() {
            return Ok(());
        }
        let before = self.next.saturating_sub(1);
        let mut previous = self.hash(before).await?;
        if previous.is_none() || before == 0 {
            // INVARIANT: a cut leaves no checkpoint before its own, and no event of it; others are of events that are there.
            let checkpoints = self.directory().checkpoints(before, 1).await?;
            if let Some(cut) = checkpoints.first().filter(|cut| cut.sequence < sequence) {
                text.push_str(&writer.checkpoint(cut));
                self.signed = cut.sequence;
                self.next = cut.sequence.saturating_add(1);
                previous = Some(cut.hash);
            }
        }
        if self.next >= sequence {
            return Ok(());
        }
        let last = sequence.saturating_sub(1);
        let (Some(previous), Some(hash)) = (previous, self.hash(last).await?) else {
            return Err(no_link(last));
        };
        text.push_str(&writer.expired((self.next, last), (previous, hash)));
        Ok(())
    }

    /// The hash of an event; that before the first one for number 0.
    async fn hash(&self, sequence: u64) -> Result<Option<ChainHash>, StoreError> {
        let Some(before) = sequence.checked_sub(1) else {
            return Ok(Some(ChainHash::GENESIS));
        };
        let links = self.directory().chain_links(before, 1).await?;
        Ok(links
            .first()
            .filter(|link| link.sequence == sequence)
            .map(|link| link.hash))
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
        pair(&self.links, sequence).ok_or_else(|| no_link(sequence))
    }
}

fn no_link(sequence: u64) -> StoreError {
    StoreError::Corrupt {
        what: "audit chain",
        why: format!("event {sequence} or the one before it has no link"),
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
