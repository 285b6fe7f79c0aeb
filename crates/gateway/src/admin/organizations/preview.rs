//! `POST /api/v1/organizations/{organization}/preview`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{Carrier, Listing, Organization, OrganizationTags, Scope, ScopedRole, SourceKind, Weighed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Admin, ApiError, Patch, Permit, Tags, update};
use crate::admin::answer::List;
use crate::admin::extract::{Asked, Body, page};
use crate::admin::problems::BodyProblems;
use crate::admin::words::OrganizationRole;

/// A change of an organization's lists of tags, as it would be sent to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(crate) struct TagChange {
    /// The whole list of tags that make admins; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_admin_groups: Patch<Tags>,
    /// The whole list of tags that make members; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_member_groups: Patch<Tags>,
    /// The whole list of tags that make executors; `null` empties it.
    #[serde(default)]
    #[schema(value_type = Option<Tags>)]
    external_executor_groups: Patch<Tags>,
}

/// Which part of the answer.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Where to read on.
    cursor: Option<String>,
    /// How many users to look at, at the most, 1 to 200. A page may show fewer, and still not be the last.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// What a change would do to one user at their next token.
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
    /// The role then; `null` for none.
    #[schema(required)]
    after: Option<OrganizationRole>,
    /// The tags of the last token that the change is about.
    tags: Vec<String>,
}

/// Previews a change of an organization's tags
///
/// Who would gain and lose what at their next token, if it says the same as the last one. Nothing is written.
#[utoipa::path(
    post, path = "/organizations/{organization}/preview", tag = "organizations",
    operation_id = "preview_organization_tags", request_body = TagChange,
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "A page of users whose role would change.", body = List<PreviewBody>), BodyProblems),
)]
pub(crate) async fn preview(
    admin: Admin,
    Path(organization): Path<String>,
    Asked(query): Asked<Query>,
    Body { value: change, .. }: Body<TagChange>,
) -> Result<List<PreviewBody>, ApiError> {
    let (permit, organization) = admin.organization(Action::ReadMembers, &organization).await?;
    let lists = [
        &change.external_admin_groups,
        &change.external_member_groups,
        &change.external_executor_groups,
    ];
    let then = update::after(lists, &organization.tags)?;
    let touched = touched(&organization.tags, &then);
    let page = page(query.cursor, query.limit)?;
    if touched.is_empty() {
        return Ok(List {
            items: Vec::new(),
            next_cursor: None,
        });
    }
    let Listing {
        items: carriers,
        next_cursor,
    } = permit
        .directory()
        .carriers(organization.realm.clone(), touched.clone(), page)
        .await?;
    let mut items = Vec::new();
    for carrier in carriers {
        items.extend(difference(permit, &organization, &then, &touched, carrier).await?);
    }
    Ok(List {
        items,
        next_cursor: next_cursor.map(|cursor| cursor.to_string()),
    })
}

/// The tags that give another role then than now.
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
    let weighed = permit.scales(&in_force).weigh_all(&standing.user.realm, grants).await?;
    let before = held(&weighed, |_| true);
    let untagged = held(&weighed, |source| source != SourceKind::Tag);
    let tagged = carrier.tags.iter().filter_map(|tag| then.role_of(tag)).max();
    let after = untagged.max(tagged);
    if before == after {
        return Ok(None);
    }
    let Carrier { user, mut tags } = carrier;
    tags.retain(|tag| touched.contains(tag));
    Ok(Some(PreviewBody {
        user_id: user.id.to_string(),
        username: user.username.to_string(),
        email: user.profile.email,
        before: before.map(Into::into),
        after: after.map(Into::into),
        tags,
    }))
}

/// The highest role in an organization that grants of some sources give now.
fn held(weighed: &[Weighed], counts: impl Fn(SourceKind) -> bool) -> Option<narthex_directory::OrganizationRole> {
    let counted = weighed.iter().filter(|weighed| counts(weighed.grant.source.kind()));
    let roles = counted.filter_map(|weighed| match weighed.gives {
        Ok(ScopedRole::Organization(_, role)) => Some(role),
        _ => None,
    });
    roles.max()
}
