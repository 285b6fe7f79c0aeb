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
    Permit, Tags, label, tidy,
};
use crate::api::answer::{Created, Kept};
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::problems::CreateProblems;
use narthex_clock::NewIds;

/// An organization to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganizationBody {
    /// Its name in paths: lower-case letters, digits, `-`, `_` and `.`.
    #[schema(example = "acme")]
    name: String,
    /// Its name for people; by default its name.
    label: Option<String>,
    /// Its realm: one that an issuer has. Needed where there is more than one.
    realm: Option<String>,
    /// What the identity provider calls it, taken exactly.
    external_id: Option<String>,
    /// Who answers for it.
    contact_name: Option<String>,
    /// How to reach them.
    contact_email: Option<String>,
    /// Its site.
    website: Option<String>,
    /// A tz database name.
    timezone: Option<String>,
    /// Tags that make admins.
    external_admin_groups: Option<Tags>,
    /// Tags that make members.
    external_member_groups: Option<Tags>,
    /// Tags that make executors.
    external_executor_groups: Option<Tags>,
    /// Who may say who belongs to it; by default `mixed`.
    membership: Option<Membership>,
    /// Whether it is open; by default `active`.
    status: Option<OrganizationStatus>,
}

/// Makes an organization
#[utoipa::path(
    post, path = "/organizations", tag = "organizations", operation_id = "create_organization",
    request_body = NewOrganizationBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's name for this attempt.")),
    responses(
        (status = 201, description = "It is made.", body = OrganizationBody, headers(("location"), ("etag"))),
        CreateProblems,
    ),
)]
pub(crate) async fn create(
    admin: Admin,
    key: IdempotencyKey,
    body: Body<NewOrganizationBody>,
) -> Result<Kept, ApiError> {
    let permit = admin.permit(Action::CreateOrganization, None)?;
    let Body { value: body, digest } = body;
    permit
        .once(key, digest, async {
            let new = checked(permit, body)?;
            let organization = permit.directory().create_organization(new, permit.by()).await?;
            let location = format!("/api/v1/organizations/{}", organization.id);
            Ok(Created {
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
            contact_name: tidy::given("contact_name", body.contact_name, tidy::text)?,
            contact_email: tidy::given("contact_email", body.contact_email, tidy::text)?,
            website: tidy::given("website", body.website, tidy::website)?,
            timezone: tidy::given("timezone", body.timezone, tidy::timezone)?,
        },
        tags: OrganizationTags {
            admin: list(ADMIN_GROUPS, body.external_admin_groups)?,
            member: list(MEMBER_GROUPS, body.external_member_groups)?,
            executor: list(EXECUTOR_GROUPS, body.external_executor_groups)?,
        },
        membership: body.membership.map_or(MembershipRule::Mixed, Into::into),
        status: body.status.unwrap_or(OrganizationStatus::Active).into(),
    })
}
