//! `GET /api/v1/grants`: the holders of roles on a scope, now or at a past time.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use narthex_directory::Listing;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::audit_events::ActorBody;
use super::error::ApiError;
use super::extract::{QueryParameters, RequestCaller};
use super::openapi_errors::OneErrors;
use super::organizations::MemberUser;
use super::response::List;
use super::time::Time;
use super::users::GrantBody;
use narthex_ops::as_of::{self, PastRole, PastRoles, ROLES_CSV_HEADER, RoleScope, roles_csv};
use narthex_ops::members::Group;
use narthex_ops::{OpError, PageRequest};

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(list))
}

/// A user who held a role.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HeldRoleBody {
    /// The user's id.
    pub user_id: String,
    /// The user's profile, as it is now.
    pub user: MemberUser,
    /// The highest role held at that time.
    #[schema(example = "member")]
    pub role: &'static str,
    /// The highest role that the user's grants give there now; `null` for none.
    #[schema(required, example = "member")]
    pub role_now: Option<&'static str>,
    /// The grants held at that time.
    pub grants: Vec<HeldGrantBody>,
}

/// A grant that was held, with the actors of its beginning and its end.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HeldGrantBody {
    /// The grant.
    pub grant: GrantBody,
    /// Actor that granted it; `null` where the audit trail no longer says.
    #[schema(required)]
    pub granted_by: Option<ActorBody>,
    /// Actor that revoked it since; `null` while it is open.
    #[schema(required)]
    pub revoked_by: Option<ActorBody>,
}

impl HeldRoleBody {
    /// Builds the role that a user held on the scope with this name.
    pub fn new(past: PastRole, name: Option<&str>) -> Self {
        let PastRole { held, effective, now } = past;
        let grants = held.grants.into_iter().zip(effective);
        let grant = |(held, effective): (as_of::HeldGrant, _)| HeldGrantBody {
            grant: GrantBody::new(effective, name.map(str::to_owned)),
            granted_by: held.granted_by.map(ActorBody::from),
            revoked_by: held.revoked_by.map(ActorBody::from),
        };
        Self {
            user_id: held.user.id.to_string(),
            grants: grants.map(grant).collect(),
            user: MemberUser::of(held.user),
            role: held.role.role_str(),
            role_now: now.map(narthex_directory::ScopedRole::role_str),
        }
    }
}

/// Scope, time, format and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Scope of the roles: `platform` (the default), `organization` or `team`.
    #[param(example = "platform")]
    scope: Option<String>,
    /// The organization's id or name, for the scope `organization`.
    organization: Option<String>,
    /// The team's id, for the scope `team`.
    team: Option<String>,
    /// Time at which the roles were held; by default now.
    as_of: Option<Time>,
    /// `json` (the default), or `csv` with one line for each grant.
    #[param(example = "json")]
    format: Option<String>,
    /// Cursor of the next page, from `next_cursor`; of a CSV, from the header `X-Next-Cursor`.
    cursor: Option<String>,
    /// Maximum number of users, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

impl Query {
    fn scope(&self) -> Result<RoleScope<'_>, OpError> {
        let name = self.scope.as_deref().unwrap_or("platform");
        match (name, self.organization.as_deref(), self.team.as_deref()) {
            ("platform", None, None) => Ok(RoleScope::Platform),
            ("organization", Some(organization), None) => Ok(RoleScope::Group(Group::Organization(organization))),
            ("team", None, Some(team)) => Ok(RoleScope::Group(Group::Team(team))),
            _ => Err(OpError::invalid(
                "scope",
                "ask for `platform` alone, for `organization` with `organization`, or for `team` with `team`",
            )),
        }
    }
}

/// Lists the holders of roles
///
/// The users who held a role on a scope at a time, by user id, each with the grants held then: the tag or claim, the token, the
/// actor and the reason. A grant counts by its own times, whatever is configured now.
#[utoipa::path(
    get, path = "/grants", tag = "diagnosis", operation_id = "list_grants", params(Query),
    responses((status = 200, description = "A page of roles.", body = List<HeldRoleBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<Response, ApiError> {
    let as_csv = match query.format.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(OpError::invalid("format", "the formats are `json` and `csv`").into()),
    };
    let page = PageRequest {
        cursor: query.cursor.clone(),
        limit: query.limit,
    };
    let at_ms = query.as_of.map(|Time(at_ms)| at_ms);
    let PastRoles { scope_name, roles } = as_of::list(&caller, query.scope()?, at_ms, page).await?;
    if as_csv {
        return Ok(csv(roles));
    }
    Ok(List::of(roles, |past| HeldRoleBody::new(past, scope_name.as_deref())).into_response())
}

/// A table for spreadsheets: each page is one of its own, with the cursor of the next in a header.
fn csv(roles: Listing<PastRole>) -> Response {
    let mut table = ROLES_CSV_HEADER.to_owned();
    for past in &roles.items {
        table.push_str(&roles_csv(&past.held));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"roles.csv\""),
    ];
    let mut response = (headers, table).into_response();
    let cursor: Option<HeaderValue> = roles.next_cursor.and_then(|cursor| cursor.as_str().parse().ok());
    response
        .headers_mut()
        .extend(cursor.map(|cursor| (HeaderName::from_static("x-next-cursor"), cursor)));
    response
}
