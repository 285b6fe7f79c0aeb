//! `/organizations/{organization}/setup-links`: links by which an organization's admin brings the organization's identity provider.

use axum::extract::Path;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::{CreateErrors, ListErrors, RemoveErrors};
use crate::api::response::{CreatedRecord, List, StoredResponse};
use crate::api::time::Time;
use narthex_ops::issuers::setup_links::{self, SetupLink};

/// A setup link, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SetupLinkBody {
    /// Its id.
    pub id: String,
    /// Id of the organization.
    pub organization: String,
    /// Time of creation.
    pub created_at: Time,
    /// Time at which it stops working: seven days later.
    pub expires_at: Time,
    /// Name of the issuer that it has made; `null` before.
    #[schema(required)]
    pub issuer: Option<String>,
    /// `true` if it has ended, because its issuer lets people in.
    pub used: bool,
}

/// A setup link that was just created.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreshSetupLinkBody {
    /// The link.
    #[serde(flatten)]
    pub link: SetupLinkBody,
    /// Path of the page on the admin port, with the secret. It is shown this once.
    #[schema(example = "/setup?code=p3Zr0bPz1Xz0cJ1rL0mD5vJj2t2q6cT9yX8w7v6u5t4")]
    pub path: String,
}

impl From<SetupLink> for SetupLinkBody {
    fn from(link: SetupLink) -> Self {
        Self {
            id: link.id,
            organization: link.organization.to_string(),
            created_at: Time(link.created_at_ms),
            expires_at: Time(link.expires_at_ms),
            issuer: link.issuer,
            used: link.is_used,
        }
    }
}

/// Lists the setup links of an organization
///
/// Those that are used or have expired too.
#[utoipa::path(
    get, path = "/organizations/{organization}/setup-links", tag = "issuers", operation_id = "list_setup_links",
    params(("organization" = String, Path, description = "The organization's id or name."), PageQuery),
    responses((status = 200, description = "A page of links.", body = List<SetupLinkBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<SetupLinkBody>, ApiError> {
    let page = query.into();
    let listing = setup_links::list(&caller, &organization, page).await?;
    Ok(List::of(listing, SetupLinkBody::from))
}

/// Creates a setup link
///
/// The holder of the link can add one issuer of this organization, within seven days: propose it from a token, observe it, and have
/// it let people in. Takes no body.
#[utoipa::path(
    post, path = "/organizations/{organization}/setup-links", tag = "issuers", operation_id = "create_setup_link",
    params(("organization" = String, Path, description = "The organization's id or name.")),
    responses((status = 201, description = "Created.", body = FreshSetupLinkBody, headers(("location"))), CreateErrors),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
) -> Result<StoredResponse, ApiError> {
    let created = setup_links::create(&caller, &organization).await?;
    let record = CreatedRecord {
        location: format!("/api/v1/organizations/{organization}/setup-links"),
        version: None,
        body: FreshSetupLinkBody {
            link: created.link.into(),
            path: format!("/setup?code={}", created.secret.as_str()),
        },
    };
    Ok(record.stored())
}

/// Revokes a setup link
///
/// The issuer that it has made stays.
#[utoipa::path(
    delete, path = "/setup-links/{link}", tag = "issuers", operation_id = "revoke_setup_link",
    params(("link" = String, Path, description = "The link's id.")),
    responses((status = 204, description = "Revoked."), RemoveErrors),
)]
pub(crate) async fn revoke(
    RequestCaller(caller): RequestCaller,
    Path(link): Path<String>,
) -> Result<StatusCode, ApiError> {
    setup_links::revoke(&caller, &link).await?;
    Ok(StatusCode::NO_CONTENT)
}
