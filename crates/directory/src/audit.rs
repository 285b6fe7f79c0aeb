//! The audit trail: who did what, written in the same transaction as the change itself. Events are numbered in the
//! order of their commits, so a reader that remembers a number (a webhook's outbox) misses none.

use narthex_names::{ApiKeyId, IssuerName, OrganizationId, TeamId, UserId};
use serde_json::{Map, Value};

use crate::grant::TokenFingerprint;

mod actions;
mod chain;
mod seal;

pub use actions::ACTIONS;
pub use chain::{AuditKey, ChainHash, ChainLink, Checkpoint};
pub use seal::{Seal, SealKey, SealedEvent, Seals, seal_at};

/// Actor of an event or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A token, through sync.
    Token {
        /// The token's issuer.
        issuer: IssuerName,
        /// The token.
        token: TokenFingerprint,
    },
    /// A user with a session or a token of their own, through the API.
    User(UserId),
    /// A program with an API key.
    ApiKey(ApiKeyId),
    /// A system user at the command line, as `alice (uid 1000)`. `None` where the version that wrote the event recorded
    /// no user.
    CommandLine(Option<String>),
    /// The configuration file.
    Configuration,
    /// Narthex itself, on a timer.
    System,
}

impl Actor {
    /// Word for the kind of actor.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::User(_) => "user",
            Self::ApiKey(_) => "api_key",
            Self::CommandLine(_) => "command_line",
            Self::Configuration => "configuration",
            Self::System => "system",
        }
    }

    /// Name within its kind: the issuer's name, an id, or the system user.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Token { issuer, .. } => Some(issuer.to_string()),
            Self::User(id) => Some(id.to_string()),
            Self::ApiKey(id) => Some(id.to_string()),
            Self::CommandLine(user) => user.clone(),
            Self::Configuration | Self::System => None,
        }
    }

    /// Reads an actor back from its parts.
    pub fn from_parts(kind: &str, name: Option<&str>, token: TokenFingerprint) -> Option<Self> {
        Some(match (kind, name) {
            ("token", Some(issuer)) => Self::Token {
                issuer: IssuerName::new(issuer).ok()?,
                token,
            },
            ("user", Some(id)) => Self::User(id.parse().ok()?),
            ("api_key", Some(id)) => Self::ApiKey(id.parse().ok()?),
            ("command_line", None) => Self::CommandLine(None),
            ("command_line", Some(user)) if is_system_user(user) => Self::CommandLine(Some(user.to_owned())),
            ("configuration", None) => Self::Configuration,
            ("system", None) => Self::System,
            _ => return None,
        })
    }
}

/// The longest text for a system user, in characters.
const SYSTEM_USER_LENGTH_MAX: usize = 256;

fn is_system_user(text: &str) -> bool {
    (1..=SYSTEM_USER_LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Actor and time of an action: every command is given them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The actor.
    pub actor: Actor,
    /// The time, in milliseconds.
    pub at_ms: i64,
}

/// Event of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Time of the event, in milliseconds.
    pub at_ms: i64,
    /// The actor.
    pub actor: Actor,
    /// The action: one of [`ACTIONS`], or one that a newer version wrote.
    pub action: String,
    /// The user it was done to.
    pub user: Option<UserId>,
    /// The organization it was done to, or in.
    pub organization: Option<OrganizationId>,
    /// The team it was done to, or in.
    pub team: Option<TeamId>,
    /// Further details.
    pub detail: Map<String, Value>,
}

impl AuditEvent {
    /// Creates an event that names no user, organization or team yet.
    pub fn new(action: &str, actor: Actor, at_ms: i64) -> Self {
        Self {
            at_ms,
            actor,
            action: action.to_owned(),
            user: None,
            organization: None,
            team: None,
            detail: Map::new(),
        }
    }
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Its place in the order of commits.
    pub sequence: u64,
    /// The event.
    pub event: AuditEvent,
    /// Seals that stand for its personal values in the hash chain; empty before it is sealed, and if it has none.
    pub seals: Seals,
}

/// Action of a refused request, the one kind of event that may stay for a shorter time than the others.
pub const REFUSED: &str = "request.refused";

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Number of changes on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayChanges {
    /// The day: days since 1970-01-01, in UTC.
    pub day: i64,
    /// Number of changes.
    pub changes: u64,
}

/// Filter of a list of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// About this user.
    pub user: Option<UserId>,
    /// In this organization.
    pub organization: Option<OrganizationId>,
    /// With this action.
    pub action: Option<String>,
    /// By an actor of this name, or of this kind.
    pub actor: Option<String>,
    /// With this text in the detail; ASCII letters in any case.
    pub text: Option<String>,
    /// At or after this time, in milliseconds.
    pub from_ms: Option<i64>,
    /// Before this time, in milliseconds.
    pub until_ms: Option<i64>,
    /// The end to begin at.
    pub order: EventOrder,
}

/// End of the audit trail at which a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventOrder {
    /// For people.
    #[default]
    NewestFirst,
    /// For replay.
    OldestFirst,
}

impl EventFilter {
    /// Text to look for in the JSON of a detail: escaped as it stands there, its ASCII letters in lower case. For stores.
    pub fn needle(&self) -> Option<String> {
        let escaped = Value::String(self.text.clone()?).to_string();
        let inner = escaped.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.map(str::to_ascii_lowercase)
    }

    /// Tests whether the filter admits an event.
    pub fn admits(&self, event: &AuditEvent) -> bool {
        self.user.is_none_or(|user| event.user == Some(user))
            && self
                .organization
                .is_none_or(|organization| event.organization == Some(organization))
            && self.action.as_ref().is_none_or(|action| event.action == *action)
            && self.actor.as_ref().is_none_or(|actor| {
                event.actor.kind() == actor || event.actor.name().is_some_and(|name| name == *actor)
            })
            && self.needle().is_none_or(|needle| {
                let detail = Value::Object(event.detail.clone()).to_string();
                detail.to_ascii_lowercase().contains(&needle)
            })
            && self.from_ms.is_none_or(|from| event.at_ms >= from)
            && self.until_ms.is_none_or(|until| event.at_ms < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_back_from_its_parts() {
        let user = |text: &str| Actor::CommandLine(Some(text.to_owned()));
        for actor in [user("alice (uid 1000)"), Actor::CommandLine(None), Actor::System] {
            let name = actor.name();
            let read = Actor::from_parts(actor.kind(), name.as_deref(), TokenFingerprint::default());
            assert_eq!(read, Some(actor));
        }
        for (kind, name) in [("command_line", ""), ("command_line", "a\nb"), ("system", "x")] {
            assert_eq!(Actor::from_parts(kind, Some(name), TokenFingerprint::default()), None);
        }
    }
}
