//! Consequences of changes: events as rows, version numbers that move, and the record as it is after an edit.

use narthex_directory::{Actor, AuditEvent, By, Change, Moves, Organization, StoreError, Stripe, Team, User, Versions};

use crate::columns::object_to_json;

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
    if let Change::UpdateUser { after, .. } | Change::EraseUser { after, .. } = change {
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
