//! Rounds of one webhook, until nothing is left to do now.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use narthex_clock::random_bytes;
use narthex_directory::{
    Actor, By, Cursor, DELIVERY_ERROR_BYTES_MAX, Document, DocumentAt, EventFilter, EventOrder, NewDocument,
    PAGE_LIMIT_MAX, Page, RecordedEvent, Settlement, StoreError, WaitingDelivery, WaitingState, WebhookProgress,
};
use tokio::time::Instant;
use url::Url;

use super::Shared;
use crate::lanes::{Lane, NewEvent, Round, Try, WAITING_MAX};
use crate::payload::{self, Message};
use crate::retry;
use crate::settings::WebhookSettings;
use crate::signature::{self, SigningKey};

/// Number of lanes of one webhook that are tried at once.
const LANES_AT_ONCE: usize = 8;
/// Number of rounds after which other webhooks have their turn.
const ROUNDS_MAX: usize = 50;
/// Time after which other webhooks have their turn, however few rounds there were.
const TURN_TIME: Duration = Duration::from_mins(1);
/// Time after which a round begins no further try, however slow its receiver is. What is left waits for the next round.
///
/// SECURITY: between two rounds the webhook is read again, so an administrator who disables it, deletes it or changes its
/// address is heeded within this time and one try.
const ROUND_TIME: Duration = Duration::from_secs(5);
/// Number of events that are not for a webhook before that is stored.
const PASSED_OVER_MAX: u64 = 200;

/// Time when a webhook has something to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A round is under way.
    Running,
    /// Nothing before this time, unless the progress changes or there is a newer event than `cursor`.
    At { version: u64, cursor: u64, due_ms: i64 },
}

impl Next {
    /// Number of the last event that was looked at; 0 while a round is under way.
    pub(super) const fn cursor(self) -> u64 {
        match self {
            Self::Running => 0,
            Self::At { cursor, .. } => cursor,
        }
    }

    /// Tests whether there is something to do.
    pub(super) fn is_due(self, progress: &WebhookProgress, newest: u64, now_ms: i64) -> bool {
        match self {
            Self::Running => false,
            Self::At {
                version,
                cursor,
                due_ms,
            } => progress.version != version || newest > cursor || due_ms <= now_ms,
        }
    }
}

/// Result of a round.
enum Done {
    /// It was stored, and this is the progress afterwards.
    Stored(WebhookProgress),
    /// Nothing was due, nothing could be stored, or the receiver is left alone. Events up to number `cursor` are not for
    /// this webhook.
    Nothing { cursor: u64 },
}

/// Rounds of one webhook.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) document: Document,
    pub(super) settings: WebhookSettings,
}

impl Run {
    /// Runs rounds until nothing is due, and says when there is something to do next.
    pub(super) async fn until_done(&self, mut progress: WebhookProgress) -> Next {
        let (mut seen, begun) = (progress.cursor, Instant::now());
        for _ in 0..ROUNDS_MAX {
            if self.shared.is_stopping() || begun.elapsed() >= TURN_TIME {
                break;
            }
            match self.round(&progress).await {
                Ok(Done::Stored(after)) => {
                    progress = after;
                    // If it cannot be read, the next look finds out why.
                    if !self.is_current().await.unwrap_or(false) {
                        break;
                    }
                }
                Ok(Done::Nothing { cursor }) => {
                    seen = cursor;
                    break;
                }
                Err(error) => {
                    let webhook = self.document.name.as_str();
                    tracing::warn!(event = "background_failed", task = "sending a webhook", webhook, %error, "it will be tried again");
                    break;
                }
            }
        }
        self.next(&progress, seen).await.unwrap_or(Next::At {
            version: 0,
            cursor: 0,
            due_ms: 0,
        })
    }

    /// Tests whether the webhook is still as it was when the rounds began.
    async fn is_current(&self) -> Result<bool, StoreError> {
        let (kind, name) = (self.document.kind, self.document.name.clone());
        let found = self.shared.directory.document(kind, name).await?;
        Ok(found.is_some_and(|found| found.version == self.document.version))
    }

    /// Time when the next delivery is due; events up to number `seen` are not for this webhook.
    async fn next(&self, progress: &WebhookProgress, seen: u64) -> Result<Next, StoreError> {
        let waiting = self.waiting().await?;
        let mut objects = HashSet::new();
        let first = waiting
            .iter()
            .filter(|delivery| objects.insert(delivery.object.as_str()));
        let due_ms = first.map(|delivery| delivery.next_try_ms).min();
        Ok(Next::At {
            version: progress.version,
            cursor: progress.cursor.max(seen),
            due_ms: due_ms.unwrap_or(i64::MAX).max(progress.next_try_ms),
        })
    }

    /// Runs one round.
    async fn round(&self, progress: &WebhookProgress) -> Result<Done, StoreError> {
        let now_ms = self.shared.clock.now_ms();
        let nothing = Done::Nothing {
            cursor: progress.cursor,
        };
        if progress.next_try_ms > now_ms {
            return Ok(nothing);
        }
        let waiting = self.waiting().await?;
        let (events, cursor) = self.new_events(progress, &waiting).await?;
        let new = events.iter().map(|recorded| NewEvent {
            sequence: recorded.sequence,
            object: payload::object(&recorded.event),
        });
        let Some(round) = Round::plan(progress, waiting, (new.collect(), cursor), now_ms) else {
            return Ok(nothing);
        };
        // Events that are not for this webhook are passed over in memory: many webhooks would write for each event.
        if events.is_empty() && round.lanes.is_empty() && cursor.saturating_sub(progress.cursor) < PASSED_OVER_MAX {
            return Ok(Done::Nothing { cursor });
        }
        let tries = self.send(&round, &events).await?;
        let is_gone = tries.iter().flatten().any(Try::is_gone);
        let settlement = round.settle(tries, self.shared.clock.now_ms(), random);
        report(&settlement);
        for attempt in &settlement.attempts {
            self.shared.observer.tried(&attempt.webhook, attempt.outcome());
        }
        let after = WebhookProgress {
            version: settlement.progress.version.saturating_add(1),
            ..settlement.progress.clone()
        };
        let holder = self.shared.holder.clone();
        if !self.shared.directory.settle_webhook(holder, settlement).await? {
            return Ok(nothing);
        }
        if is_gone {
            self.disable().await?;
            return Ok(nothing);
        }
        Ok(Done::Stored(after))
    }

    /// Every delivery that waits, in the order of the events.
    async fn waiting(&self) -> Result<Vec<WaitingDelivery>, StoreError> {
        let (mut found, mut page) = (Vec::new(), Page::first(PAGE_LIMIT_MAX));
        loop {
            let name = self.document.name.clone();
            let directory = &self.shared.directory;
            let part = directory.waiting_deliveries(name, WaitingState::Waiting, page).await?;
            found.extend(part.items);
            match part.next_cursor {
                Some(next) => page = Page::after(next, PAGE_LIMIT_MAX),
                None => return Ok(found),
            }
        }
    }

    /// Further events that the webhook sends, as far as there is room, and the number up to which they were read.
    async fn new_events(
        &self,
        progress: &WebhookProgress,
        waiting: &[WaitingDelivery],
    ) -> Result<(Vec<RecordedEvent>, u64), StoreError> {
        let room = match progress.failures {
            0 => WAITING_MAX.saturating_sub(waiting.len()),
            _ => usize::from(waiting.is_empty()),
        };
        if room == 0 {
            return Ok((Vec::new(), progress.cursor));
        }
        let page = Page::after(Cursor::new(progress.cursor.to_string()), room);
        let mut events = self.events(page).await?;
        let cursor = events.last().map_or(progress.cursor, |last| last.sequence);
        events.retain(|recorded| self.settings.admits(&recorded.event));
        Ok((events, cursor))
    }

    async fn events(&self, page: Page) -> Result<Vec<RecordedEvent>, StoreError> {
        let filter = EventFilter {
            order: EventOrder::OldestFirst,
            ..EventFilter::default()
        };
        Ok(self.shared.directory.events(filter, page).await?.items)
    }

    /// Tries the lanes of a round.
    async fn send(&self, round: &Round, new: &[RecordedEvent]) -> Result<Vec<Vec<Try>>, StoreError> {
        let receiver = Receiver::of(self);
        let receiver = receiver.as_ref().map_err(String::as_str);
        let until = Instant::now() + ROUND_TIME;
        let lanes = round.lanes.iter().map(|lane| self.lane(receiver, lane, (new, until)));
        let lanes: Vec<_> = lanes.collect();
        let results: Vec<_> = stream::iter(lanes).buffered(LANES_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    /// Tries the deliveries of a lane, up to the first that fails or the end of the round. Those that are not tried wait.
    async fn lane(
        &self,
        receiver: Result<&Receiver, &str>,
        lane: &Lane,
        (new, until): (&[RecordedEvent], Instant),
    ) -> Result<Vec<Try>, StoreError> {
        let mut tries = Vec::new();
        for delivery in &lane.deliveries {
            if self.shared.is_stopping() || Instant::now() >= until {
                break;
            }
            let (begun, at_ms) = (Instant::now(), self.shared.clock.now_ms());
            let (outcome, retry_after_ms) = match (receiver, self.event(delivery.sequence, new).await?) {
                (Err(problem), _) => (Err(problem.to_owned()), None),
                (Ok(_), None) => (Err("the event is no longer in the audit trail".to_owned()), None),
                (Ok(receiver), Some(event)) => receiver.post(&self.shared, &Message::of(&event), at_ms).await,
            };
            let tried = Try {
                at_ms,
                took_ms: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
                outcome,
                retry_after_ms,
            };
            let is_success = tried.is_success();
            tries.push(tried);
            if !is_success {
                break;
            }
        }
        Ok(tries)
    }

    /// The event of a delivery: one that was just read, or read again from the trail.
    async fn event(&self, sequence: u64, new: &[RecordedEvent]) -> Result<Option<RecordedEvent>, StoreError> {
        if let Ok(place) = new.binary_search_by_key(&sequence, |recorded| recorded.sequence) {
            return Ok(new.get(place).cloned());
        }
        let before = Cursor::new(sequence.saturating_sub(1).to_string());
        let found = self.events(Page::after(before, 1)).await?;
        Ok(found.into_iter().find(|recorded| recorded.sequence == sequence))
    }

    /// Disables the webhook: its receiver wants nothing more.
    async fn disable(&self) -> Result<(), StoreError> {
        let webhook = self.document.name.as_str();
        tracing::warn!(
            event = "webhook_disabled",
            webhook,
            "the receiver answered 410; the webhook is disabled"
        );
        let settings = WebhookSettings {
            enabled: false,
            disabled_because: Some("the receiver answered 410 Gone".to_owned()),
            ..self.settings.clone()
        };
        let disabled = NewDocument {
            kind: self.document.kind,
            name: self.document.name.clone(),
            organization: self.document.organization,
            body: settings.body(),
            secret: self.document.secret.clone(),
        };
        let by = By {
            actor: Actor::System,
            at_ms: self.shared.clock.now_ms(),
        };
        let at = DocumentAt::Version(self.document.version);
        match self.shared.directory.save_document(disabled, at, by).await {
            // An administrator has just changed or deleted it, and knows better.
            Ok(_) | Err(StoreError::VersionMismatch { .. } | StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Address of a receiver, and the keys that sign for it.
struct Receiver {
    url: Url,
    keys: Vec<SigningKey>,
}

impl Receiver {
    /// The receiver of a webhook, or the reason why nothing can be sent to it.
    fn of(run: &Run) -> Result<Self, String> {
        let url = Url::parse(&run.settings.url).map_err(|error| format!("the URL cannot be read: {error}"))?;
        let secrets = run.shared.secrets.open(&run.document, &run.settings)?;
        let keys = secrets.at(run.shared.clock.now_ms());
        let keys = keys.map_err(|error| error.to_string())?;
        Ok(Self { url, keys })
    }

    /// Sends a message. Returns the status, and the time that `Retry-After` asks for.
    async fn post(&self, shared: &Shared, message: &Message, now_ms: i64) -> (Result<u16, String>, Option<i64>) {
        let timestamp = now_ms / 1_000;
        let signature = match signature::sign(&self.keys, &message.id, timestamp, &message.body) {
            Ok(signature) => signature,
            Err(error) => return (Err(error.to_string()), None),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            ("webhook-id", message.id.as_str()),
            ("webhook-timestamp", &timestamp.to_string()),
            ("webhook-signature", &signature),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        match shared
            .client
            .post(&self.url, headers, Bytes::from(message.body.clone()))
            .await
        {
            Ok(answer) => {
                let asked = answer.retry_after.as_deref();
                let asked = asked.and_then(|value| retry::retry_after_ms(value, shared.clock.now_ms()));
                (Ok(answer.status), asked)
            }
            Err(error) => (Err(shortened(&error.to_string())), None),
        }
    }
}

/// Text of an error, as long as it may be kept.
fn shortened(text: &str) -> String {
    let mut end = text.len().min(DELIVERY_ERROR_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().replace('\0', "")
}

/// Any number. Without randomness, retries of several webhooks may meet.
fn random() -> u64 {
    random_bytes().map_or(0, u64::from_be_bytes)
}

/// Logs what was given up.
fn report(settlement: &Settlement) {
    let webhook = settlement.progress.webhook.as_str();
    for delivery in settlement
        .waiting
        .iter()
        .filter(|delivery| delivery.dead_at_ms.is_some())
    {
        tracing::warn!(
            event = "webhook_dead_letter",
            webhook,
            sequence = delivery.sequence,
            attempts = delivery.attempts,
            "an event could not be delivered for a day, and is given up"
        );
    }
}
