//! `POST /api/v1/organizations/{organization}/preview`

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, Patch, RequestCaller, Tags};
use crate::api::extract::{Body, QueryParameters};
use crate::api::openapi_errors::BodyErrors;
use crate::api::wire_enums::OrganizationRole;
use narthex_ops::PageRequest;
use narthex_ops::organizations::{self, RoleChange, TagPreview};

/// A change of an organization's lists of tags, as it would be sent in an update.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(crate) struct TagChange {
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
}

/// Page of the preview.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of users to examine, 1 to 200. A page may show fewer, and still not be the last.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Effect of a change on one user at their next token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewBody {
    /// The user's id.
    user_id: String,
    /// The user's username.
    username: String,
    /// The user's e-mail address.
    #[schema(required)]
    email: Option<String>,
    /// The role now; `null` for none.
    #[schema(required)]
    before: Option<OrganizationRole>,
    /// The role after the change; `null` for none.
    #[schema(required)]
    after: Option<OrganizationRole>,
    /// The tags of the user's last token that the change affects. Callers who may not read users see only tags that the
    /// organization lists now.
    tags: Vec<String>,
}

/// Page of a preview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewPage {
    /// The users whose role would change.
    items: Vec<PreviewBody>,
    /// Cursor of the next page; `null` at the end.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Number of users without a role in the organization who would gain one, counted up to 10,000. Given on the first
    /// page to callers who may not read users, whose `items` are members only; `null` otherwise.
    #[schema(required, maximum = 10_000)]
    others_gaining: Option<usize>,
    /// Tags that the change adds and that no token of the realm ever carried: perhaps misspelt. Given on the first page.
    never_seen: Vec<String>,
    /// Number of users who would gain and who would lose. Given on the first page.
    #[schema(required)]
    totals: Option<PreviewTotalsBody>,
    /// `true` if no admin of the organization would be left. Given on the first page.
    loses_last_admin: bool,
}

/// Numbers of users whose role would change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewTotalsBody {
    /// Users who would gain a role, or a higher one.
    gaining: usize,
    /// Users who would lose their role, or keep a lower one.
    losing: usize,
    /// `false` if more than 1,000 users carry the tags: only those were examined, and there may be more.
    exact: bool,
}

/// Previews a change of an organization's tags
///
/// Shows the role that each user would gain or lose at their next token, if it carries the same tags as the last one.
/// Nothing is written.
///
/// Callers who may not read users (an organization's own admins) see only members of the organization. For other users,
/// they see the number of those who would gain a role.
#[utoipa::path(
    post, path = "/organizations/{organization}/preview", tag = "organizations",
    operation_id = "preview_organization_tags", request_body = TagChange,
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "A page of users whose role would change.", body = PreviewPage), BodyErrors),
)]
pub(crate) async fn preview(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
    Body { value: change, .. }: Body<TagChange>,
) -> Result<Json<PreviewPage>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let preview = organizations::preview(&caller, &organization, change.into(), page).await?;
    Ok(Json(preview.into()))
}

impl From<TagChange> for organizations::TagChange {
    fn from(change: TagChange) -> Self {
        Self {
            admin: change.external_admin_groups.into_edit(),
            member: change.external_member_groups.into_edit(),
            executor: change.external_executor_groups.into_edit(),
        }
    }
}

impl From<TagPreview> for PreviewPage {
    fn from(preview: TagPreview) -> Self {
        Self {
            items: preview.items.into_iter().map(PreviewBody::from).collect(),
            next_cursor: preview.next_cursor.map(|cursor| cursor.to_string()),
            others_gaining: preview.others_gaining,
            never_seen: preview.never_seen,
            totals: preview.totals.map(|totals| PreviewTotalsBody {
                gaining: totals.gaining,
                losing: totals.losing,
                exact: totals.is_exact,
            }),
            loses_last_admin: preview.loses_last_admin,
        }
    }
}

impl From<RoleChange> for PreviewBody {
    fn from(change: RoleChange) -> Self {
        Self {
            user_id: change.user.to_string(),
            username: change.username.to_string(),
            email: change.email,
            before: change.before.map(Into::into),
            after: change.after.map(Into::into),
            tags: change.tags,
        }
    }
}
