//! A team: people inside an organization.

use narthex_names::{ExternalId, OrganizationId, Realm, TeamId};

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Realm in which its external id is unique.
    pub realm: Realm,
    /// The organization it is in; a token may put it into one, and never moves it from one to another.
    pub organization: Option<OrganizationId>,
    /// Its id at the identity provider; unique in the realm.
    pub external_id: Option<ExternalId>,
    /// Its name for people.
    pub name: String,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds.
    pub updated_at_ms: i64,
    /// Counts every change; starts at 1.
    pub version: u64,
}
