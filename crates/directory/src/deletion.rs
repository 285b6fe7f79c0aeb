//! Deletion of organizations, empty or with all their content. The name is never another's, and the grants stay on record.

use crate::change::Change;
use crate::command::SecretBytes;
use crate::erasure::{RemovedIdentity, RemovedKind};
use crate::error::StoreError;
use crate::grant::Grant;
use crate::organization::{Organization, Origin};
use crate::rules::{check_version, close_all};
use crate::team::Team;

/// Number of records that end with an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrganizationContent {
    /// Users with an open grant in it or in one of its teams.
    pub members: u64,
    /// Its teams.
    pub teams: u64,
    /// Its machine keys that are not revoked.
    pub machine_keys: u64,
    /// The API keys for it alone that are not revoked.
    pub api_keys: u64,
    /// Its documents: connections and the like.
    pub documents: u64,
}

impl OrganizationContent {
    /// Tests whether nothing ends with the organization.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The terms of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// True to delete an organization that is not empty.
    pub with_content: bool,
    /// The administrator's reason, for the audit trail.
    pub why: Option<String>,
    /// As [`crate::Erasure::new_key`].
    pub new_key: SecretBytes,
}

/// An organization with what the changes of its deletion are made of. For stores.
#[derive(Debug, Clone, PartialEq)]
pub struct OrganizationToDelete {
    /// The organization.
    pub organization: Organization,
    /// Number of its records.
    pub content: OrganizationContent,
    /// The open grants on it and on its teams.
    pub grants: Vec<Grant>,
    /// Its teams.
    pub teams: Vec<Team>,
}

impl OrganizationToDelete {
    /// Deletes the organization that is at `version` (any, if `None`).
    ///
    /// # Errors
    ///
    /// When it is at another version, declared in the configuration, or not empty and to be deleted only if it is.
    pub fn changes(self, version: Option<u64>, deletion: &Deletion, at_ms: i64) -> Result<Vec<Change>, StoreError> {
        let before = self.organization;
        check_version("organization", version, before.version)?;
        if before.origin == Origin::Config {
            return Err(StoreError::DeclaredInConfiguration { name: before.name });
        }
        if !deletion.with_content && !self.content.is_empty() {
            return Err(StoreError::Refused(
                "the organization is not empty; look at what ends with it, then delete it with its content",
            ));
        }
        let mut changes = close_all(self.grants, at_ms, Some("the organization was deleted")).1;
        let delete = |team| Change::DeleteTeam {
            before: Box::new(team),
            at_ms,
        };
        changes.extend(self.teams.into_iter().map(delete));
        changes.push(Change::DeleteOrganization {
            before: Box::new(before),
            at_ms,
            why: deletion.why.clone(),
        });
        Ok(changes)
    }
}

/// The identity by which a token would create a deleted organization again, if it has one.
pub fn removed_organization(before: &Organization) -> Option<RemovedIdentity> {
    Some(RemovedIdentity {
        kind: RemovedKind::Organization,
        realm: before.realm.clone(),
        external_id: before.external_id.clone()?,
    })
}
