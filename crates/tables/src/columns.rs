//! Columns of the tables: their names, and values as the databases hold them.

use narthex_directory::Scope;
use serde_json::{Map, Value};

/// A user, as `u`.
pub const USER: &str = "u.id, u.realm, u.external_id, u.username, u.email, u.name, u.country, u.timezone, \
     u.locale, u.language, u.status, u.context, u.tokens_not_before_ms, u.last_seen_at_ms, u.created_at_ms, \
     u.updated_at_ms, u.version";
/// Number of those columns.
pub const USER_COLUMNS: usize = 17;
/// An organization, as `o`.
pub const ORGANIZATION: &str = "o.id, o.name, o.label, o.realm, o.external_id, o.contact_name, \
     o.contact_email, o.website, o.timezone, o.admin_tags, o.member_tags, o.executor_tags, o.tag_patterns, o.membership, o.status, \
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
pub const GRANT: &str = "g.id, g.user_id, g.organization_id, g.team_id, g.role, g.source, g.via, g.issuer, g.tag, \
     g.token_jti, g.token_sha256, g.granted_at_ms, g.asserted_at_ms, g.lapses_at_ms, g.revoked_at_ms, g.why, \
     g.revoked_why";
/// Number of those columns.
pub const GRANT_COLUMNS: usize = 17;
/// An audit event, as `e`.
pub const EVENT: &str = "e.sequence, e.at_ms, e.actor_kind, e.actor_name, e.token_jti, e.token_sha256, \
     e.action, e.user_id, e.organization_id, e.team_id, e.detail, \
     (SELECT s.seals FROM audit_seals s WHERE s.sequence = e.sequence)";
/// An API key, as `k`.
pub const API_KEY: &str = "k.id, k.name, k.hash, k.organization_id, k.team_id, k.role, k.created_at_ms, k.expires_at_ms, k.revoked_at_ms, \
     k.last_used_at_ms";
/// A machine key, as `k`.
pub const MACHINE_KEY: &str = "k.id, k.organization_id, k.name, k.hash, k.role, k.created_at_ms, k.expires_at_ms, k.revoked_at_ms, \
     k.last_used_at_ms";
/// An assertion key.
pub const ASSERTION_KEY: &str = "kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms";
/// The key set of an issuer.
pub const KEY_SET: &str = "issuer, source, body, fetched_at_ms";
/// A document, as `d`.
pub const DOCUMENT: &str =
    "d.kind, d.name, d.organization_id, d.body, d.secret, d.created_at_ms, d.updated_at_ms, d.version";
/// A tag that tokens carried, as `s`.
pub const SEEN_TAG: &str = "s.realm, s.tag, s.first_seen_at_ms, s.last_seen_at_ms";

/// A session, as `s`.
pub const SESSION: &str = "s.id, s.kind, s.hash, s.issuer, s.user_id, s.subject, s.sid, s.credential, s.sealed, \
     s.user_agent, s.address, s.created_at_ms, s.last_seen_at_ms, s.idle_ms, s.ends_at_ms, s.token_ends_at_ms, \
     s.version, s.refresh_until_ms, s.ended_at_ms, s.end_reason";

/// Progress of a webhook, as `p`.
pub const PROGRESS: &str =
    "p.webhook, p.cursor, p.failures, p.failing_since_ms, p.next_try_ms, p.last_success_ms, p.version";
/// A delivery that waits or was given up, as `w`.
pub const WAITING: &str = "w.webhook, w.sequence, w.object, w.attempts, w.taken_up_ms, w.next_try_ms, w.dead_at_ms";
/// A try to deliver an event, as `a`.
pub const ATTEMPT: &str =
    "a.number, a.webhook, a.sequence, a.attempt, a.at_ms, a.took_ms, a.status, a.error, a.next_try_ms";

/// A version as a number of the database. Versions count up from one and never come near the end of either type.
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
