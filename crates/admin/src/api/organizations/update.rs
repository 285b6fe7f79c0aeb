//! `PATCH /api/v1/organizations/{organization}`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{Edit, ExternalId, Organization, OrganizationEdit, OrganizationName, OrganizationTags};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    ADMIN_GROUPS, Admin, ApiError, EXECUTOR_GROUPS, MEMBER_GROUPS, Membership, OrganizationBody, OrganizationStatus,
    Patch, Tags, input_rules, label,
};
use crate::api::extract::{Body, IfMatch};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;

/// Change of an organization. Its realm cannot change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationChange {
    /// New name, used in paths. Platform admins only.
    #[serde(default)]
    #[schema(value_type = String)]
    name: Patch<String>,
    /// New display name.
    #[serde(default)]
    #[schema(value_type = String)]
    label: Patch<String>,
    /// Its id at the identity provider. Platform admins only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    external_id: Patch<String>,
    /// Name of the contact person.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    contact_name: Patch<String>,
    /// E-mail address of the contact person.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    contact_email: Patch<String>,
    /// Website.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    website: Patch<String>,
    /// Name of a time zone in the tz database.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    timezone: Patch<String>,
    /// Complete list of tags that give the role `admin`; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_admin_groups: Patch<Tags>,
    /// Complete list of tags that give the role `member`; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_member_groups: Patch<Tags>,
    /// Complete list of tags that give the role `executor`; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_executor_groups: Patch<Tags>,
    /// `false` if the tag patterns of its realm's issuers give no roles in it.
    #[serde(default)]
    #[schema(value_type = bool)]
    tag_patterns: Patch<bool>,
    /// Sources that may grant roles in it. `external_only` closes manual grants. Platform admins only.
    #[serde(default)]
    #[schema(value_type = Membership)]
    membership: Patch<Membership>,
    /// `active` or `suspended`. Platform admins only.
    #[serde(default)]
    #[schema(value_type = OrganizationStatus)]
    status: Patch<OrganizationStatus>,
}

impl OrganizationChange {
    /// Tests whether it changes a member that only platform admins may change.
    fn is_rule(&self) -> bool {
        self.name.is_given() || self.external_id.is_given() || self.membership.is_given() || self.status.is_given()
    }
}

/// Updates an organization
///
/// Its own admins may change its label, contact, website, lists of tags and `tag_patterns`. Only platform admins may change its name,
/// external id, membership and status. An organization that the configuration declares is changed there (409).
#[utoipa::path(
    patch, path = "/organizations/{organization}", tag = "organizations", operation_id = "update_organization",
    request_body = OrganizationChange,
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the organization must still have."),
    ),
    responses((status = 200, description = "The organization now.", body = OrganizationBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn update(
    admin: Admin,
    Path(organization): Path<String>,
    if_match: IfMatch,
    Body { value: change, .. }: Body<OrganizationChange>,
) -> Result<VersionedRecord<OrganizationBody>, ApiError> {
    let (permit, organization) = admin.organization(Action::WriteOrganization, &organization).await?;
    if change.is_rule() {
        // SECURITY: an external id or a name decides which tokens count here and which paths lead here. An
        // organization's admin who could change them could take over another organization.
        admin.permit(Action::RuleOrganization, Some(organization.id))?;
    }
    let expected = if_match.expect(organization.version)?;
    let (tags, read_at) = tags(&change, &organization)?;
    let edit = OrganizationEdit {
        tags,
        ..checked(change)?
    };
    let updated = permit
        .directory()
        .update_organization(organization.id, expected.or(read_at), edit, permit.by());
    Ok(updated.await?.into())
}

/// Returns the new lists, and the version from which they were derived: a change of one list must not undo a concurrent
/// change of another.
fn tags(
    change: &OrganizationChange,
    organization: &Organization,
) -> Result<(Option<OrganizationTags>, Option<u64>), ApiError> {
    let lists = [
        &change.external_admin_groups,
        &change.external_member_groups,
        &change.external_executor_groups,
    ];
    if !lists.into_iter().any(Patch::is_given) {
        return Ok((None, None));
    }
    let tags = after(lists, &organization.tags)?;
    Ok((Some(tags), Some(organization.version)))
}

/// Returns the lists after a change of some of them.
pub(super) fn after(
    [admin, member, executor]: [&Patch<Tags>; 3],
    now: &OrganizationTags,
) -> Result<OrganizationTags, ApiError> {
    let list = |field, patch: &Patch<Tags>, now: &narthex_directory::TagList| match patch {
        Patch::Keep => Ok(now.clone()),
        Patch::Clear => Ok(narthex_directory::TagList::default()),
        Patch::Set(tags) => tags.clone().read(field),
    };
    Ok(OrganizationTags {
        admin: list(ADMIN_GROUPS, admin, &now.admin)?,
        member: list(MEMBER_GROUPS, member, &now.member)?,
        executor: list(EXECUTOR_GROUPS, executor, &now.executor)?,
    })
}

fn checked(change: OrganizationChange) -> Result<OrganizationEdit, ApiError> {
    let detail = |field, patch: Patch<String>, rule: input_rules::Rule| -> Result<Edit<String>, ApiError> {
        patch.checked(|text| rule(field, &text))
    };
    let name = change
        .name
        .never_empty("name")?
        .map(|name| OrganizationName::chosen(name).map_err(ApiError::organization_name("name")));
    Ok(OrganizationEdit {
        name: name.transpose()?,
        label: (change.label.never_empty("label")?)
            .map(|text| label(&text))
            .transpose()?,
        external_id: change
            .external_id
            .checked(|id| ExternalId::new(id).map(Some).map_err(ApiError::name("external_id")))?,
        contact_name: detail("contact_name", change.contact_name, input_rules::text)?,
        contact_email: detail("contact_email", change.contact_email, input_rules::text)?,
        website: detail("website", change.website, input_rules::website)?,
        timezone: detail("timezone", change.timezone, input_rules::timezone)?,
        tags: None,
        tag_patterns: change.tag_patterns.never_empty("tag_patterns")?,
        membership: change.membership.never_empty("membership")?.map(Into::into),
        status: change.status.never_empty("status")?.map(Into::into),
    })
}
