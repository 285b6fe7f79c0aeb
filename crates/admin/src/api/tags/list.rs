//! `GET /api/v1/tags`

use narthex_decision::Action;
use narthex_directory::{
    Desired, DesiredTags, DesiredUser, Detail, ExternalId, IssuerName, Listing, Profile, Realm, SeenTag, Snapshot,
    TokenFingerprint, difference,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ListedTag, NearMissBody, TagBody};
use crate::api::access::{Admin, Permit};
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, page};
use crate::api::gateway_api::PlatformTags;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::time::Time;

/// Filter and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists tags
///
/// Returns the tags that tokens carried, by realm and tag, with the organizations that list them exactly or nearly.
#[utoipa::path(
    get, path = "/tags", tag = "diagnosis", operation_id = "list_tags", params(Query),
    responses((status = 200, description = "A page of tags.", body = List<TagBody>), ListErrors),
)]
pub(crate) async fn list(
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<TagBody>, ApiError> {
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
    let platform = permit.gateway().platform_tags();
    let mut items = Vec::with_capacity(seen.len());
    // The list is in the order of realms.
    for tags in seen.chunk_by(|one, next| one.realm == next.realm) {
        let snapshot = snapshot(permit, tags).await?;
        items.extend(tags.iter().map(|tag| listed(&snapshot, &platform, tag)));
    }
    Ok(List {
        items,
        next_cursor: next_cursor.map(|cursor| cursor.to_string()),
    })
}

/// Reads what a token of this realm with these tags would find in the directory: one read for the whole page.
async fn snapshot(permit: Permit<'_>, tags: &[SeenTag]) -> Result<Snapshot, ApiError> {
    let Some(SeenTag { realm, .. }) = tags.first() else {
        return Ok(Snapshot::empty());
    };
    let nobody = |error| ApiError::Internal(format!("the name of nobody is refused: {error}"));
    let desired = Desired {
        realm: realm.clone(),
        issuer: IssuerName::new(NOBODY).map_err(nobody)?,
        user: DesiredUser {
            external_id: ExternalId::new(NOBODY).map_err(nobody)?,
            username: None,
            profile: Profile::default(),
        },
        organization: None,
        team: None,
        each: None,
        context: serde_json::Map::new(),
        tags: DesiredTags::Exactly(tags.iter().map(|seen| seen.tag.clone()).collect()),
        pattern_tags: Vec::new(),
        issued_at_ms: None,
        token: TokenFingerprint::default(),
    };
    Ok(permit.directory().snapshot(&desired, Detail::Explain).await?)
}

/// External id and issuer of the hypothetical token. A user with this id is read and not shown.
const NOBODY: &str = "-";

fn listed(snapshot: &Snapshot, platform: &[PlatformTags], seen: &SeenTag) -> TagBody {
    let matches = snapshot.tag_matches.iter().filter(|found| found.tag == seen.tag);
    let organizations = matches.map(|found| ListedTag {
        organization_id: found.organization.id.to_string(),
        name: found.organization.name.to_string(),
        role: found.role.into(),
    });
    let misses = snapshot.near_misses.iter().filter(|miss| miss.tag == seen.tag);
    let near_misses = misses.filter_map(|miss| {
        let organization = miss.organization.as_ref()?;
        Some(NearMissBody {
            organization_id: Some(organization.id.to_string()),
            name: Some(organization.name.to_string()),
            issuer: None,
            listed: miss.listed.clone(),
        })
    });
    TagBody {
        realm: seen.realm.to_string(),
        tag: seen.tag.clone(),
        first_seen_at: Time(seen.first_seen_at_ms),
        last_seen_at: Time(seen.last_seen_at_ms),
        organizations: organizations.collect(),
        near_misses: near_misses.chain(platform_misses(platform, seen)).collect(),
    }
}

/// Returns the near misses in the issuers' lists of platform admins, as an issuer's own tokens meet them.
fn platform_misses<'a>(platform: &'a [PlatformTags], seen: &'a SeenTag) -> impl Iterator<Item = NearMissBody> + 'a {
    let lists = platform
        .iter()
        .filter(|list| list.realm == seen.realm && !list.tags.contains(&seen.tag));
    let listed = lists.flat_map(|list| list.tags.texts().map(move |listed| (list, listed)));
    let near = listed.filter(|(_, listed)| difference(&seen.tag, listed).is_some());
    near.map(|(list, listed)| NearMissBody {
        organization_id: None,
        name: None,
        issuer: Some(list.issuer.clone()),
        listed: listed.to_owned(),
    })
}
