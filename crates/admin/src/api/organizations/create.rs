//! `POST /api/v1/organizations`

use narthex_decision::Action;
use narthex_directory::{
    ExternalId, MembershipRule, NewOrganization, OrganizationDetails, OrganizationId, OrganizationName,
    OrganizationTags, TagList,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    ADMIN_GROUPS, Admin, ApiError, EXECUTOR_GROUPS, MEMBER_GROUPS, Membership, OrganizationBody, OrganizationStatus,
    Permit, Tags, input_rules, label,
};
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use narthex_clock::NewIds;

/// An organization to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganizationBody {
    /// Unique name, used in paths: lower-case letters, digits, `-`, `_` and `.`.
    #[schema(example = "acme")]
    name: String,
    /// Display name; by default its name.
    label: Option<String>,
    /// Its realm: one that an issuer has. Required if there is more than one.
    realm: Option<String>,
    /// Its id at the identity provider, used exactly as given.
    external_id: Option<String>,
    /// Name of the contact person.
    contact_name: Option<String>,
    /// E-mail address of the contact person.
    contact_email: Option<String>,
    /// Website.
    website: Option<String>,
    /// Name of a time zone in the tz database.
    timezone: Option<String>,
    /// Permission tags that give the role `admin`.
    external_admin_groups: Option<Tags>,
    /// Permission tags that give the role `member`.
    external_member_groups: Option<Tags>,
    /// Permission tags that give the role `executor`.
    external_executor_groups: Option<Tags>,
    /// `false` if the tag patterns of its realm's issuers give no roles in it; by default `true`.
    tag_patterns: Option<bool>,
    /// Sources that may grant roles in it; by default `mixed`.
    membership: Option<Membership>,
    /// Status of the organization; by default `active`.
    status: Option<OrganizationStatus>,
}

/// Creates an organization
#[utoipa::path(
    post, path = "/organizations", tag = "organizations", operation_id = "create_organization",
    request_body = NewOrganizationBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses(
        (status = 201, description = "Created.", body = OrganizationBody, headers(("location"), ("etag"))),
        CreateErrors,
    ),
)]
pub(crate) async fn create(
    admin: Admin,
    key: IdempotencyKey,
    body: Body<NewOrganizationBody>,
) -> Result<StoredResponse, ApiError> {
    let permit = admin.permit(Action::CreateOrganization, None)?;
    let Body { value: body, digest } = body;
    permit
        .once(key, digest, async {
            let new = checked(permit, body)?;
            let organization = permit.directory().create_organization(new, permit.by()).await?;
            let location = format!("/api/v1/organizations/{}", organization.id);
            Ok(CreatedRecord {
                location,
                version: Some(organization.version),
                body: OrganizationBody::from(organization),
            })
        })
        .await
}

fn checked(permit: Permit<'_>, body: NewOrganizationBody) -> Result<NewOrganization, ApiError> {
    let list = |field, tags: Option<Tags>| tags.map_or_else(|| Ok(TagList::default()), |tags| tags.read(field));
    let external_id = body
        .external_id
        .map(|id| ExternalId::new(id).map_err(ApiError::name("external_id")));
    Ok(NewOrganization {
        id: OrganizationId::new(permit.now_ms(), &mut NewIds::new()?),
        label: label(body.label.as_deref().unwrap_or(&body.name))?,
        name: OrganizationName::chosen(body.name).map_err(ApiError::organization_name("name"))?,
        realm: permit.realm(body.realm)?,
        external_id: external_id.transpose()?,
        details: OrganizationDetails {
            contact_name: input_rules::given("contact_name", body.contact_name, input_rules::text)?,
            contact_email: input_rules::given("contact_email", body.contact_email, input_rules::text)?,
            website: input_rules::given("website", body.website, input_rules::website)?,
            timezone: input_rules::given("timezone", body.timezone, input_rules::timezone)?,
        },
        tags: OrganizationTags {
            admin: list(ADMIN_GROUPS, body.external_admin_groups)?,
            member: list(MEMBER_GROUPS, body.external_member_groups)?,
            executor: list(EXECUTOR_GROUPS, body.external_executor_groups)?,
        },
        tag_patterns: body.tag_patterns.unwrap_or(true),
        membership: body.membership.map_or(MembershipRule::Mixed, Into::into),
        status: body.status.unwrap_or(OrganizationStatus::Active).into(),
    })
}
