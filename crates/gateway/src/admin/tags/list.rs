//! `GET /api/v1/tags`

use narthex_decision::Action;
use narthex_directory::{Listing, OrganizationFilter, PAGE_LIMIT_MAX, Page, Realm, SeenTag};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ListedTag, TagBody};
use crate::admin::access::{Admin, Permit};
use crate::admin::answer::List;
use crate::admin::error::ApiError;
use crate::admin::extract::{Asked, page};
use crate::admin::problems::ListProblems;
use crate::admin::time::Time;

/// Which tags.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Of this realm.
    realm: Option<String>,
    /// Where to read on.
    cursor: Option<String>,
    /// How many at the most, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists tags
///
/// Those that tokens carried, by realm and tag, with the organizations that list them.
#[utoipa::path(
    get, path = "/tags", tag = "diagnosis", operation_id = "list_tags", params(Query),
    responses((status = 200, description = "A page of tags.", body = List<TagBody>), ListProblems),
)]
pub(crate) async fn list(admin: Admin, Asked(query): Asked<Query>) -> Result<List<TagBody>, ApiError> {
    let permit = admin.permit(Action::ReadTags, None)?;
    let realm = query
        .realm
        .map(|realm| Realm::new(realm).map_err(ApiError::name("realm")))
        .transpose()?;
    let Listing {
        items: seen,
        next_cursor,
    } = permit
        .directory()
        .seen_tags(realm, page(query.cursor, query.limit)?)
        .await?;
    let mut items = Vec::with_capacity(seen.len());
    for tag in seen {
        items.push(listed(permit, tag).await?);
    }
    Ok(List {
        items,
        next_cursor: next_cursor.map(|cursor| cursor.to_string()),
    })
}

async fn listed(permit: Permit<'_>, seen: SeenTag) -> Result<TagBody, ApiError> {
    let filter = OrganizationFilter {
        realm: Some(seen.realm.clone()),
        tag: Some(seen.tag.clone()),
        ..OrganizationFilter::default()
    };
    let found = permit
        .directory()
        .organizations(filter, Page::first(PAGE_LIMIT_MAX))
        .await?;
    let organizations = found.items.into_iter().filter_map(|organization| {
        let role = organization.tags.role_of(&seen.tag)?.into();
        Some(ListedTag {
            organization_id: organization.id.to_string(),
            name: organization.name.to_string(),
            role,
        })
    });
    Ok(TagBody {
        organizations: organizations.collect(),
        realm: seen.realm.to_string(),
        tag: seen.tag,
        first_seen_at: Time(seen.first_seen_at_ms),
        last_seen_at: Time(seen.last_seen_at_ms),
    })
}
