//! Deletion of organizations, after a look at what ends with them.

use narthex_clock::random_bytes;
use narthex_decision::Action;
use narthex_directory::{
    Deletion, ExternalId, Organization, OrganizationContent, RemovedIdentity, RemovedKind, SecretBytes,
};

use crate::caller::{Caller, Permit};
use crate::error::OpError;
use crate::input_rules;
use crate::precondition::ExpectedVersion;

/// Terms of a deletion.
#[derive(Debug, Clone, Default)]
pub struct DeletionTerms {
    /// `true` to delete an organization that is not empty, with all its content.
    pub with_content: bool,
    /// Reason, for the audit trail.
    pub why: Option<String>,
}

impl DeletionTerms {
    /// Builds the terms for the directory. The command line calls it without a caller.
    ///
    /// # Errors
    ///
    /// When the reason breaks its rule, or there is no randomness.
    pub fn checked(self) -> Result<Deletion, OpError> {
        Ok(Deletion {
            with_content: self.with_content,
            why: input_rules::why(self.why)?,
            new_key: SecretBytes(random_bytes::<32>()?.to_vec()),
        })
    }
}

async fn find<'c>(caller: &'c Caller, organization: &str) -> Result<(Permit<'c>, Organization), OpError> {
    // SECURITY: with its organization an admin would delete the history that others rely on.
    let (_, found) = caller.organization(Action::ReadOrganization, organization).await?;
    Ok((caller.permit(Action::RuleOrganization, Some(found.id))?, found))
}

/// Counts the records that end with an organization: the preview of its deletion.
///
/// # Errors
///
/// When the caller may not, there is no such organization, or the directory fails.
pub async fn content(caller: &Caller, organization: &str) -> Result<(Organization, OrganizationContent), OpError> {
    let (permit, organization) = find(caller, organization).await?;
    let content = permit.directory().organization_content(organization.id).await?;
    Ok((organization, content))
}

/// Deletes an organization. Its name is never another's, its grants stay on record, and no token creates it again.
///
/// # Errors
///
/// When the caller may not, there is no such organization, it is at another version, declared in the configuration, or not
/// empty although only an empty one is to be deleted; or when its content is to be deleted and no version is stated.
pub async fn delete(
    caller: &Caller,
    organization: &str,
    expected: &ExpectedVersion,
    terms: DeletionTerms,
) -> Result<(), OpError> {
    let (permit, organization) = find(caller, organization).await?;
    if terms.with_content && !expected.is_stated() {
        return Err(OpError::Unconditional {
            what: "organization",
            why: "with its content, what you have looked at is deleted, and nothing that came since",
        });
    }
    let version = expected.check(organization.version)?;
    let deletion = terms.checked()?;
    permit
        .directory()
        .delete_organization(organization.id, version, deletion, permit.by())
        .await?;
    Ok(())
}

/// Lets tokens that name a deleted organization create it again, as another one with another name.
///
/// # Errors
///
/// When the caller may not, a value breaks its rule, no such organization was deleted, or the directory fails.
pub async fn lift(caller: &Caller, realm: Option<String>, external_id: String) -> Result<(), OpError> {
    let permit = caller.permit(Action::CreateOrganization, None)?;
    let identity = RemovedIdentity {
        kind: RemovedKind::Organization,
        realm: permit.realm(realm)?,
        external_id: ExternalId::new(external_id).map_err(input_rules::name("external_id"))?,
    };
    if permit.directory().lift_erasure(identity, permit.by()).await? {
        Ok(())
    } else {
        Err(OpError::Unknown {
            what: "deleted organization with this external id",
        })
    }
}
