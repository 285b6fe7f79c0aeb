//! Code that both databases share: records as columns and JSON texts, events as rows, and the consequences of changes.

use narthex_directory::{
    Actor, AuditEvent, By, Change, Mark, Moves, Organization, Said, Scope, StoreError, Stripe, Team, User, Versions,
};
use serde_json::{Map, Value};

/// A user, as `u`.
pub const USER: &str = "u.id, u.realm, u.external_id, u.username, u.email, u.name, u.country, u.timezone, \
     u.locale, u.language, u.status, u.context, u.tokens_not_before_ms, u.last_seen_at_ms, u.created_at_ms, \
     u.updated_at_ms, u.version";
/// Number of those columns.
pub const USER_COLUMNS: usize = 17;
/// An organization, as `o`.
pub const ORGANIZATION: &str = "o.id, o.name, o.label, o.realm, o.external_id, o.contact_name, \
     o.contact_email, o.website, o.timezone, o.admin_tags, o.member_tags, o.executor_tags, o.membership, o.status, \
     o.origin, o.has_logo, o.created_at_ms, o.updated_at_ms, o.version";
/// The columns of an organization that matter for roles, as `o`.
pub const BRIEF: &str = "o.id, o.name, o.realm, o.status";
/// Number of those columns.
pub const BRIEF_COLUMNS: usize = 4;
/// A team, as `t`.
pub const TEAM: &str =
    "t.id, t.realm, t.organization_id, t.external_id, t.name, t.created_at_ms, t.updated_at_ms, t.version";
/// Number of those columns.
pub const TEAM_COLUMNS: usize = 8;
/// A grant, as `g`.
pub const GRANT: &str = "g.id, g.user_id, g.organization_id, g.team_id, g.role, g.source, g.issuer, g.tag, \
     g.token_jti, g.token_sha256, g.granted_at_ms, g.asserted_at_ms, g.lapses_at_ms, g.revoked_at_ms, g.why, \
     g.revoked_why";
/// Number of those columns.
pub const GRANT_COLUMNS: usize = 16;
/// An audit event, as `e`.
pub const EVENT: &str = "e.sequence, e.at_ms, e.actor_kind, e.actor_name, e.token_jti, e.token_sha256, \
     e.action, e.user_id, e.organization_id, e.team_id, e.detail";
/// An API key, as `k`.
pub const API_KEY: &str = "k.id, k.name, k.hash, k.organization_id, k.team_id, k.role, k.created_at_ms, k.expires_at_ms, k.revoked_at_ms, \
     k.last_used_at_ms";

/// State of an issuer's tokens for a user, as `i`: see [`mark`].
pub const MARK: &str = "i.last_issued_at_ms, i.newest_issued_at_ms, i.said";

/// The mark in such columns: none where no token had a date.
pub fn mark(order_ms: Option<i64>, newest_issued_at_ms: Option<i64>, said: Option<i64>) -> Option<Mark> {
    let order_ms = order_ms?;
    Some(Mark {
        order_ms,
        newest_issued_at_ms: newest_issued_at_ms.unwrap_or(order_ms),
        said: said.map(Said),
    })
}

/// A mark as such columns.
pub fn mark_columns(mark: Option<&Mark>) -> (Option<i64>, Option<i64>, Option<i64>) {
    (
        mark.map(|mark| mark.order_ms),
        mark.map(|mark| mark.newest_issued_at_ms),
        mark.and_then(|mark| mark.said).map(|Said(said)| said),
    )
}

/// Condition under which the token of a plan takes the place of the last one: see [`Mark::follows`]. If the row stays
/// as it is, nothing was written and the plan is stale.
#[macro_export]
macro_rules! follows {
    () => {
        "(user_issuers.last_issued_at_ms IS NULL OR excluded.last_issued_at_ms > user_issuers.last_issued_at_ms \
         OR (excluded.last_issued_at_ms = user_issuers.last_issued_at_ms \
         AND (user_issuers.said IS NULL OR user_issuers.said = excluded.said)))"
    };
}
/// The end of a statement that writes the token of a plan, or no row.
#[macro_export]
macro_rules! take_place {
    ($newest:expr) => {
        concat!(
            " ON CONFLICT (user_id, issuer) DO UPDATE SET tags = coalesce(excluded.tags, user_issuers.tags), \
             last_issued_at_ms = coalesce(excluded.last_issued_at_ms, user_issuers.last_issued_at_ms), \
             said = coalesce(excluded.said, user_issuers.said), newest_issued_at_ms = ",
            $newest,
            " WHERE ",
            $crate::follows!()
        )
    };
}
/// The end of a statement that writes a use: the tags and the place of an older token are left out.
#[macro_export]
macro_rules! note_use {
    ($newest:expr) => {
        concat!(
            " ON CONFLICT (user_id, issuer) DO UPDATE SET tags = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.tags, user_issuers.tags) ELSE user_issuers.tags END, said = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.said, user_issuers.said) ELSE user_issuers.said END, last_issued_at_ms = CASE WHEN ",
            $crate::follows!(),
            " THEN coalesce(excluded.last_issued_at_ms, user_issuers.last_issued_at_ms) \
             ELSE user_issuers.last_issued_at_ms END, newest_issued_at_ms = ",
            $newest
        )
    };
}
/// Consequences of changes: their events as rows, and the version numbers that move.
#[derive(Debug)]
pub struct Written {
    /// Their events.
    pub events: Vec<EventRow>,
    /// The version numbers.
    pub moves: Moves,
}

impl Written {
    /// Derives the consequences of changes.
    pub fn of(changes: &[Change], by: &By) -> Self {
        let events = changes
            .iter()
            .map(|change| EventRow::of(change.event(&by.actor, by.at_ms)));
        Self {
            events: events.collect(),
            moves: Moves::of(changes),
        }
    }
}

/// An audit event as it is written.
#[derive(Debug)]
pub struct EventRow {
    /// The event.
    pub event: AuditEvent,
    /// Name of the actor within its kind.
    pub actor_name: Option<String>,
    /// Its detail as JSON.
    pub detail: String,
}

impl EventRow {
    /// The row of an event.
    pub fn of(event: AuditEvent) -> Self {
        Self {
            actor_name: event.actor.name(),
            detail: object_to_json(&event.detail),
            event,
        }
    }

    /// The token that did it: `jti` and SHA-256 prefix.
    pub fn token(&self) -> (Option<&str>, Option<&str>) {
        match &self.event.actor {
            Actor::Token { token, .. } => (token.jti.as_deref(), token.sha256_prefix.as_deref()),
            _ => (None, None),
        }
    }
}

/// Versions count up from one and never come near the end of either type.
pub fn integer(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// The two columns of a scope: organization and team.
pub fn scope_columns(scope: Scope) -> (Option<String>, Option<String>) {
    match scope {
        Scope::Platform => (None, None),
        Scope::Organization(id) => (Some(id.to_string()), None),
        Scope::Team(id) => (None, Some(id.to_string())),
    }
}

/// Texts as a JSON array.
pub fn texts_to_json<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Value>().to_string()
}

/// Such an array read back.
pub fn texts_from_json(json: &str) -> Option<Vec<String>> {
    if json == "[]" {
        return Some(Vec::new());
    }
    serde_json::from_str(json).ok()
}

/// A JSON object read back.
pub fn object_from_json(json: &str) -> Option<Map<String, Value>> {
    if json == "{}" {
        return Some(Map::new());
    }
    serde_json::from_str(json).ok()
}

/// A JSON object as text.
pub fn object_to_json(object: &Map<String, Value>) -> String {
    if object.is_empty() {
        return "{}".to_owned();
    }
    // Writing a map of JSON values to text has no way to fail.
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}

/// There is no such record.
pub fn missing(what: &'static str) -> StoreError {
    StoreError::NotFound { what }
}

/// The record after the one change of it, or as it was.
pub fn after<T: Clone>(before: &T, changes: &[Change], of: impl Fn(&Change) -> Option<&T>) -> T {
    changes.iter().find_map(of).unwrap_or(before).clone()
}

/// The user after an edit.
pub fn updated_user(change: &Change) -> Option<&User> {
    if let Change::UpdateUser { after, .. } = change {
        Some(after)
    } else {
        None
    }
}

/// The organization after an edit.
pub fn updated_organization(change: &Change) -> Option<&Organization> {
    if let Change::UpdateOrganization { after, .. } = change {
        Some(after)
    } else {
        None
    }
}

/// The team after an edit.
pub fn updated_team(change: &Change) -> Option<&Team> {
    if let Change::UpdateTeam { after, .. } = change {
        Some(after)
    } else {
        None
    }
}

/// Raises the numbers that were read from the table: 0 is policy, n + 1 is stripe n.
pub fn raise(versions: &Versions, counters: &[(i64, u64)]) {
    for (id, number) in counters {
        match u16::try_from(*id - 1).ok().and_then(Stripe::from_number) {
            Some(stripe) => versions.raise_stripe(stripe, *number),
            None => versions.raise_policy(*number),
        }
    }
}
