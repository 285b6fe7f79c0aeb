//! `GET /api/v1/organizations/{organization}/members/{user_id}`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::Scope;

use super::{GrantScope, member};
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;

/// Reads a member of an organization
#[utoipa::path(
    get, path = "/organizations/{organization}/members/{user_id}", tag = "organizations",
    operation_id = "read_organization_member",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("user_id" = String, Path, description = "The user's id."),
    ),
    responses((status = 200, description = "The member.", body = MemberBody), OneErrors),
)]
pub(crate) async fn read(
    admin: Admin,
    Path((organization, user)): Path<(String, String)>,
) -> Result<Json<MemberBody>, ApiError> {
    let (permit, organization) = admin.organization(Action::ReadMembers, &organization).await?;
    let on = GrantScope {
        scope: Scope::Organization(organization.id),
        home: Some(organization.id),
        name: organization.name.as_str(),
    };
    member(permit, &on, &user).await.map(Json)
}
