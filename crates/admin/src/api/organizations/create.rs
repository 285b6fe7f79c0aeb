//! `POST /api/v1/organizations`

use narthex_directory::Edit;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, Membership, OrganizationBody, OrganizationStatus, RequestCaller, Tags};
use crate::api::extract::Body;
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use narthex_ops::organizations::{self, NewOrganization, TagChange};

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
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    body: Body<NewOrganizationBody>,
) -> Result<StoredResponse, ApiError> {
    let Body { value: body, digest } = body;
    let create = async {
        let organization = organizations::create(&caller, body.into()).await?;
        Ok(CreatedRecord {
            location: format!("/api/v1/organizations/{}", organization.id),
            version: Some(organization.version),
            body: OrganizationBody::from(organization),
        })
    };
    key.once(&caller, digest, async { organizations::may_create(&caller) }, create)
        .await
}

impl From<NewOrganizationBody> for NewOrganization {
    fn from(body: NewOrganizationBody) -> Self {
        let list = |tags: Option<Tags>| tags.map_or(Edit::Keep, |tags| Edit::Set(tags.into()));
        Self {
            name: body.name,
            label: body.label,
            realm: body.realm,
            external_id: body.external_id,
            contact_name: body.contact_name,
            contact_email: body.contact_email,
            website: body.website,
            timezone: body.timezone,
            tags: TagChange {
                admin: list(body.external_admin_groups),
                member: list(body.external_member_groups),
                executor: list(body.external_executor_groups),
            },
            tag_patterns: body.tag_patterns,
            membership: body.membership.map(Into::into),
            status: body.status.map(Into::into),
        }
    }
}
