//! `POST /api/v1/organizations/{organization}/preview`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{
    Among, Carrier, CarrierFilter, EffectiveGrant, Listing, Organization, OrganizationTags, Scope, ScopedRole,
    SourceKind,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Admin, ApiError, Patch, Permit, Tags, update};
use crate::api::extract::{Body, QueryParameters, page};
use crate::api::openapi_errors::BodyErrors;
use crate::api::wire_enums::OrganizationRole;

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
}

/// Maximum number of others that are counted.
const OTHERS_MAX: usize = 10_000;

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
    admin: Admin,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
    Body { value: change, .. }: Body<TagChange>,
) -> Result<Json<PreviewPage>, ApiError> {
    let (permit, organization) = admin.organization(Action::ReadMembers, &organization).await?;
    let lists = [
        &change.external_admin_groups,
        &change.external_member_groups,
        &change.external_executor_groups,
    ];
    let then = update::after(lists, &organization.tags)?;
    let touched = touched(&organization.tags, &then);
    // This node may have noted tags of the last tokens that are not written yet.
    permit.directory().flush().await?;
    let (is_first, page) = (query.cursor.is_none(), page(query.cursor, query.limit)?);
    // SECURITY: a caller can ask about any tag, even another organization's. Members of other organizations are not
    // shown to a caller who may not read users: neither by name nor by the id in a cursor, which would be enough to ask
    // for more.
    let sees_all = permit.reads_users();
    let (members, others) = (
        Among::Members(organization.id, permit.now_ms()),
        Among::Others(organization.id, permit.now_ms()),
    );
    let carrying = |tags, among| CarrierFilter {
        realm: organization.realm.clone(),
        tags,
        among,
    };
    let mut answer = PreviewPage {
        items: Vec::new(),
        next_cursor: None,
        others_gaining: None,
    };
    if is_first && !sees_all {
        let gives = |tag: &&String| then.role_of(tag).is_some();
        let gaining = carrying(touched.iter().filter(gives).cloned().collect(), others);
        answer.others_gaining = Some(permit.directory().count_carriers(gaining, OTHERS_MAX).await?);
    }
    if touched.is_empty() {
        return Ok(Json(answer));
    }
    let among = if sees_all { Among::Everybody } else { members };
    let filter = carrying(touched.clone(), among);
    let Listing { items, next_cursor } = permit.directory().carriers(filter, page).await?;
    for carrier in items {
        let changed = difference(permit, &organization, &then, &touched, carrier).await?;
        answer.items.extend(changed);
    }
    answer.next_cursor = next_cursor.map(|cursor| cursor.to_string());
    Ok(Json(answer))
}

/// Returns the tags whose role changes.
fn touched(now: &OrganizationTags, then: &OrganizationTags) -> Vec<String> {
    let mut touched: Vec<String> = now
        .roles()
        .into_iter()
        .chain(then.roles())
        .map(|(tag, _)| tag.as_str())
        .filter(|tag| now.role_of(tag) != then.role_of(tag))
        .map(str::to_owned)
        .collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

async fn difference(
    permit: Permit<'_>,
    organization: &Organization,
    then: &OrganizationTags,
    touched: &[String],
    carrier: Carrier,
) -> Result<Option<PreviewBody>, ApiError> {
    let Some(standing) = permit.directory().standing(carrier.user.id).await? else {
        return Ok(None);
    };
    let mut grants = standing.grants;
    grants.retain(|grant| grant.scope() == Scope::Organization(organization.id));
    let in_force = permit.in_force();
    let weighed = permit
        .grant_policy(&in_force)
        .effective_grants(&standing.user.realm, grants)
        .await?;
    let before = held(&weighed, |_| true);
    let untagged = held(&weighed, |source| source != SourceKind::Tag);
    let tagged = carrier.tags.iter().filter_map(|tag| then.role_of(tag)).max();
    let after = untagged.max(tagged);
    if before == after {
        return Ok(None);
    }
    let Carrier { user, mut tags } = carrier;
    // SECURITY: an organization's own admins must not learn the other tags that a user carries.
    let told = |tag: &String| permit.reads_users() || organization.tags.role_of(tag).is_some();
    tags.retain(|tag| touched.contains(tag) && told(tag));
    Ok(Some(PreviewBody {
        user_id: user.id.to_string(),
        username: user.username.to_string(),
        email: user.profile.email,
        before: before.map(Into::into),
        after: after.map(Into::into),
        tags,
    }))
}

/// Returns the highest role in an organization that grants of the counted sources give now.
fn held(
    weighed: &[EffectiveGrant],
    counts: impl Fn(SourceKind) -> bool,
) -> Option<narthex_directory::OrganizationRole> {
    let counted = weighed.iter().filter(|weighed| counts(weighed.grant.source.kind()));
    let roles = counted.filter_map(|weighed| match weighed.gives {
        Ok(ScopedRole::Organization(_, role)) => Some(role),
        _ => None,
    });
    roles.max()
}
