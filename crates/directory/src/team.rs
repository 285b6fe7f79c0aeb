//! A team: people inside an organization.

use crate::id::{OrganizationId, TeamId};
use crate::name::{ExternalId, Realm};

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Where its external id is unique.
    pub realm: Realm,
    /// The organization it is in; a token may put it into one, and never moves it from one to another.
    pub organization: Option<OrganizationId>,
    /// What the identity provider calls it; unique in the realm.
    pub external_id: Option<ExternalId>,
    /// Its name for people.
    pub name: String,
    /// When the record was made.
    pub created_at_ms: i64,
    /// When the record was last changed.
    pub updated_at_ms: i64,
    /// Counts every change; starts at 1.
    pub version: u64,
}
