//! `POST /api/v1/issuers/{name}/preview`

use axum::Json;
use axum::extract::Path;
use narthex_directory::TagPattern;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use crate::api::error::ApiError;
use crate::api::extract::{Body, QueryParameters, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use crate::api::wire_enums::OrganizationRole;
use narthex_ops::PageRequest;
use narthex_ops::issuer_tags::{self, ChangedScope, IssuerRoleChange, IssuerTagChange, IssuerTagPreview};

/// A change of the tags of an issuer that give roles by themselves. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerTagChangeBody {
    /// Complete list of tags that make platform admins.
    platform_admin: Option<Vec<String>>,
    /// Complete list of tag patterns.
    patterns: Option<Vec<TagPatternBody>>,
}

/// A tag pattern, as in the configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagPatternBody {
    /// The tag, with `{organization}` and `{role}` in it.
    #[serde(rename = "match")]
    #[schema(example = "app-{organization}-{role}")]
    matches: String,
    /// The texts that stand for `{role}`, each with its role.
    roles: BTreeMap<String, OrganizationRole>,
    /// `true` if it also creates an organization that does not exist.
    #[serde(default)]
    create: bool,
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

/// A role that a user would gain or lose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuerRoleChangeBody {
    /// The user's id.
    user_id: String,
    /// The user's username.
    username: String,
    /// Scope: `platform`, `organization`, or `new_organization` for one that a token would create.
    #[schema(example = "organization")]
    scope: &'static str,
    /// Name of the organization, or external id of the new one; `null` for the platform.
    #[schema(required)]
    organization: Option<String>,
    /// The role now; `null` for none.
    #[schema(required)]
    before: Option<&'static str>,
    /// The role after the change; `null` for none.
    #[schema(required)]
    after: Option<&'static str>,
    /// Time of the effect: `at_once` for a role that ends, `next_token` for one that begins.
    #[schema(example = "next_token")]
    when: &'static str,
    /// The tags of the user's last tokens that give the role, or gave it.
    tags: Vec<String>,
}

/// Page of a preview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuerPreviewPage {
    /// The roles that would change, by user.
    items: Vec<IssuerRoleChangeBody>,
    /// Cursor of the next page; `null` at the end.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Tags of platform admins that the change adds and that no token of the realm ever carried: perhaps misspelt. Given on the
    /// first page.
    never_seen: Vec<String>,
}

/// Previews a change of an issuer's tags
///
/// Shows the roles that users would gain or lose if the tags of platform admins or the tag patterns of the issuer were changed,
/// against the tags that each user last presented. Nothing is written; the change itself is made in the configuration. Where
/// several issuers share a realm, the tags of their last tokens count together.
#[utoipa::path(
    post, path = "/issuers/{name}/preview", tag = "issuers", operation_id = "preview_issuer_tags",
    request_body = IssuerTagChangeBody,
    params(("name" = String, Path, description = "The issuer's configured name."), Query),
    responses((status = 200, description = "A page of changed roles.", body = IssuerPreviewPage), BodyErrors),
)]
pub(crate) async fn preview(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
    Body { value: body, .. }: Body<IssuerTagChangeBody>,
) -> Result<Json<IssuerPreviewPage>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let preview = issuer_tags::preview(&caller, &name, body.into(), page).await?;
    Ok(Json(preview.into()))
}

impl From<IssuerTagChangeBody> for IssuerTagChange {
    fn from(body: IssuerTagChangeBody) -> Self {
        let pattern = |pattern: TagPatternBody| TagPattern {
            matches: pattern.matches,
            roles: pattern
                .roles
                .into_iter()
                .map(|(text, role)| (text, role.into()))
                .collect(),
            create: pattern.create,
        };
        Self {
            platform_admin: body.platform_admin,
            patterns: body
                .patterns
                .map(|patterns| patterns.into_iter().map(pattern).collect()),
        }
    }
}

impl From<IssuerTagPreview> for IssuerPreviewPage {
    fn from(preview: IssuerTagPreview) -> Self {
        Self {
            items: preview.items.into_iter().map(IssuerRoleChangeBody::from).collect(),
            next_cursor: preview.next_cursor.map(|cursor| cursor.to_string()),
            never_seen: preview.never_seen,
        }
    }
}

impl From<IssuerRoleChange> for IssuerRoleChangeBody {
    fn from(change: IssuerRoleChange) -> Self {
        let (scope, organization) = match change.on {
            ChangedScope::Platform => ("platform", None),
            ChangedScope::Organization(name) => ("organization", Some(name)),
            ChangedScope::NewOrganization(id) => ("new_organization", Some(id)),
        };
        Self {
            user_id: change.user.to_string(),
            username: change.username.to_string(),
            scope,
            organization,
            before: change.before,
            after: change.after,
            when: if change.at_once { "at_once" } else { "next_token" },
            tags: change.tags,
        }
    }
}
