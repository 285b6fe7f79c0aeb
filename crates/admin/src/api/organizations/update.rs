//! `PATCH /api/v1/organizations/{organization}`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, Membership, OrganizationBody, OrganizationStatus, Patch, RequestCaller, Tags};
use crate::api::extract::{Body, IfMatch};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::organizations::{self, TagChange};

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
    /// Reason for the change, kept in its audit event.
    #[serde(default)]
    why: Option<String>,
    /// `true` to change tags that the last tokens of more than 100 users carry. Without it, such a change is refused (409):
    /// look at the preview first.
    #[serde(default)]
    confirm: bool,
}

/// Updates an organization
///
/// Its own admins may change its label, contact, website, lists of tags and `tag_patterns`. Only platform admins may
/// change its name, external id, membership and status. An organization that the configuration declares is changed there (409).
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
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<OrganizationChange>,
) -> Result<VersionedRecord<OrganizationBody>, ApiError> {
    let organization = organizations::update(&caller, &organization, &expected, change.into());
    Ok(organization.await?.into())
}

impl From<OrganizationChange> for organizations::OrganizationChange {
    fn from(change: OrganizationChange) -> Self {
        Self {
            name: change.name.into_edit(),
            label: change.label.into_edit(),
            external_id: change.external_id.into_edit(),
            contact_name: change.contact_name.into_edit(),
            contact_email: change.contact_email.into_edit(),
            website: change.website.into_edit(),
            timezone: change.timezone.into_edit(),
            tags: TagChange {
                admin: change.external_admin_groups.into_edit(),
                member: change.external_member_groups.into_edit(),
                executor: change.external_executor_groups.into_edit(),
            },
            tag_patterns: change.tag_patterns.into_edit(),
            membership: change.membership.into_edit(),
            status: change.status.into_edit(),
            why: change.why,
            confirm: change.confirm,
        }
    }
}
