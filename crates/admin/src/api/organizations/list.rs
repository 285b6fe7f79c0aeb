//! `GET /api/v1/organizations`

use narthex_decision::Action;
use narthex_directory::{Organization, OrganizationFilter, OrganizationName, Page, Realm};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Admin, ApiError, OrganizationBody, Permit};
use crate::api::extract::{QueryParameters, page};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;

/// Filters of the list. A record must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Returns only records with exactly this name.
    name: Option<String>,
    /// Returns only records with exactly this external id.
    external_id: Option<String>,
    /// Returns only organizations that list exactly this tag.
    tag: Option<String>,
    /// Returns only organizations whose name or label contains this text; ASCII letters match in any case.
    q: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists organizations
///
/// Sorted by id, which is the order of creation. An organization's admin sees only their own organizations.
#[utoipa::path(
    get, path = "/organizations", tag = "organizations", operation_id = "list_organizations", params(Query),
    responses((status = 200, description = "A page of organizations.", body = List<OrganizationBody>), ListErrors),
)]
pub(crate) async fn list(
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<OrganizationBody>, ApiError> {
    let page = page(query.cursor, query.limit)?;
    let filter = OrganizationFilter {
        realm: query
            .realm
            .map(|realm| Realm::new(realm).map_err(ApiError::name("realm")))
            .transpose()?,
        external_id: query.external_id,
        tag: query.tag,
        q: query.q,
    };
    let name = query.name;
    match (admin.permit(Action::ReadOrganization, None), name) {
        (Ok(permit), None) => Ok(List::of(
            permit.directory().organizations(filter, page).await?,
            OrganizationBody::from,
        )),
        (Ok(permit), Some(name)) => {
            let found = match OrganizationName::new(name) {
                Ok(name) => permit.directory().organization_named(name).await?,
                Err(_) => None,
            };
            Ok(chosen(found.into_iter().collect(), &filter, &page))
        }
        (Err(refused), name) => {
            let mut own = own(&admin).await?;
            if own.is_empty() {
                return Err(refused);
            }
            own.retain(|organization| name.as_deref().is_none_or(|name| organization.name.as_str() == name));
            Ok(chosen(own, &filter, &page))
        }
    }
}

/// Returns the organizations that the caller reaches, for a caller who does not reach all.
async fn own(admin: &Admin) -> Result<Vec<Organization>, ApiError> {
    let mut own = Vec::new();
    for id in admin.own_organizations(Action::ReadOrganization) {
        let permit: Permit<'_> = admin.permit(Action::ReadOrganization, Some(id))?;
        own.extend(permit.directory().organization(id).await?);
    }
    Ok(own)
}

fn chosen(mut all: Vec<Organization>, filter: &OrganizationFilter, page: &Page) -> List<OrganizationBody> {
    all.retain(|organization| admits(filter, organization));
    List::cut(all.into_iter().map(OrganizationBody::from).collect(), page, |body| {
        body.id.clone()
    })
}

fn admits(filter: &OrganizationFilter, organization: &Organization) -> bool {
    let holds = |text: &str, q: &str| text.to_ascii_lowercase().contains(&q.to_ascii_lowercase());
    let external_id = organization
        .external_id
        .as_ref()
        .map(narthex_directory::ExternalId::as_str);
    filter.realm.as_ref().is_none_or(|realm| organization.realm == *realm)
        && filter
            .external_id
            .as_deref()
            .is_none_or(|wanted| external_id == Some(wanted))
        && filter
            .tag
            .as_deref()
            .is_none_or(|tag| organization.tags.role_of(tag).is_some())
        && filter
            .q
            .as_deref()
            .is_none_or(|q| holds(organization.name.as_str(), q) || holds(&organization.label, q))
}
