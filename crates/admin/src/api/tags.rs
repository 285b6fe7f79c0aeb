//! `/tags`: the permission tags that tokens carry, and the organizations that list them.

use narthex_directory::{Difference, difference};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use super::wire_enums::OrganizationRole;
use narthex_ops::tags::{NearMiss, TagListOwner, TagListing, TagUse};

mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(list::list))
}

/// A tag that tokens carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagBody {
    /// Realm of the tokens.
    pub realm: String,
    /// The tag.
    pub tag: String,
    /// Time at which a token first carried it.
    pub first_seen_at: Time,
    /// Time at which a token last carried it, to the hour.
    pub last_seen_at: Time,
    /// The organizations that list it.
    pub organizations: Vec<ListedTag>,
    /// Organizations and issuers that list a tag which differs from this one only in case or blanks. Such an entry
    /// gives no role.
    pub near_misses: Vec<NearMissBody>,
}

/// An organization that lists a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedTag {
    /// The organization's id.
    pub organization_id: String,
    /// Its name, used in paths.
    pub name: String,
    /// The role that the tag gives there.
    pub role: OrganizationRole,
}

/// An organization that lists a near miss of the tag, or an issuer that lists one among the tags of platform admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NearMissBody {
    /// The organization's id; `null` for an issuer's list.
    #[schema(required)]
    pub organization_id: Option<String>,
    /// The organization's name, used in paths; `null` for an issuer's list.
    #[schema(required)]
    pub name: Option<String>,
    /// The issuer's configured name; `null` for an organization's list.
    #[schema(required)]
    pub issuer: Option<String>,
    /// The tag as it is listed.
    pub listed: String,
    /// The difference: `case`, `blanks`, `leading_slash`, `path`, `look_alike`, `trailing` or `one_text`.
    #[schema(required, example = "case")]
    pub differs: Option<&'static str>,
}

impl From<TagUse> for TagBody {
    fn from(tag: TagUse) -> Self {
        let carried = &tag.seen.tag;
        let misses = tag.near_misses.into_iter();
        let near_misses = misses.map(|miss| NearMissBody::new(carried, miss)).collect();
        Self {
            realm: tag.seen.realm.to_string(),
            near_misses,
            tag: tag.seen.tag,
            first_seen_at: Time(tag.seen.first_seen_at_ms),
            last_seen_at: Time(tag.seen.last_seen_at_ms),
            organizations: tag.organizations.into_iter().map(ListedTag::from).collect(),
        }
    }
}

impl From<TagListing> for ListedTag {
    fn from(listing: TagListing) -> Self {
        Self {
            organization_id: listing.organization.to_string(),
            name: listing.name.to_string(),
            role: listing.role.into(),
        }
    }
}

impl NearMissBody {
    /// Builds the near miss of a tag that tokens carried.
    fn new(carried: &str, NearMiss { list, listed }: NearMiss) -> Self {
        let (organization_id, name, issuer) = match list {
            TagListOwner::Organization(id, name) => (Some(id.to_string()), Some(name.to_string()), None),
            TagListOwner::Issuer(issuer) => (None, None, Some(issuer)),
        };
        Self {
            organization_id,
            name,
            issuer,
            differs: difference(carried, &listed).map(Difference::as_str),
            listed,
        }
    }
}
