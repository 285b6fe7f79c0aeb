//! Permission tags that tokens carry, and the organizations that list them.

use narthex_decision::Action;
use narthex_directory::{
    Desired, DesiredTags, DesiredUser, Detail, ExternalId, IssuerName, Listing, OrganizationId, OrganizationName,
    OrganizationRole, Profile, ProviderSession, SeenTag, Snapshot, TokenFingerprint, difference,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::gateway_api::PlatformTags;
use super::input_rules;
use super::paging::PageRequest;

/// A tag that tokens carried, with the lists that have it or nearly.
#[derive(Debug, Clone)]
pub struct TagUse {
    /// The tag, and the times at which tokens carried it.
    pub seen: SeenTag,
    /// The organizations that list it.
    pub organizations: Vec<TagListing>,
    /// The lists that have a tag which differs from this one only in case or blanks. Such an entry gives no role.
    pub near_misses: Vec<NearMiss>,
}

/// An organization that lists a tag.
#[derive(Debug, Clone)]
pub struct TagListing {
    /// The organization's id.
    pub organization: OrganizationId,
    /// Its name.
    pub name: OrganizationName,
    /// The role that the tag gives there.
    pub role: OrganizationRole,
}

/// A near miss of a tag.
#[derive(Debug, Clone)]
pub struct NearMiss {
    /// The list that has it.
    pub list: TagListOwner,
    /// The tag as it is listed.
    pub listed: String,
}

/// Owner of a list of tags.
#[derive(Debug, Clone)]
pub enum TagListOwner {
    /// An organization.
    Organization(OrganizationId, OrganizationName),
    /// The issuer of this configured name, with its tags of platform admins.
    Issuer(String),
}

/// Lists the tags that tokens carried, by realm and tag; by default of all realms.
///
/// # Errors
///
/// When the caller may not, the realm or the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, realm: Option<String>, page: PageRequest) -> Result<Listing<TagUse>, OpError> {
    let permit = caller.permit(Action::ReadTags, None)?;
    let realm = input_rules::realm("realm", realm)?;
    let Listing {
        items: seen,
        next_cursor,
    } = permit.directory().seen_tags(realm, page.page()?).await?;
    let platform = permit.gateway().platform_tags();
    let mut items = Vec::with_capacity(seen.len());
    // The list is in the order of realms.
    for tags in seen.chunk_by(|one, next| one.realm == next.realm) {
        let snapshot = snapshot(permit, tags).await?;
        items.extend(tags.iter().map(|tag| tag_use(&snapshot, &platform, tag)));
    }
    Ok(Listing { items, next_cursor })
}

/// Reads what a token of this realm with these tags would find in the directory: one read for the whole page.
async fn snapshot(permit: Permit<'_>, tags: &[SeenTag]) -> Result<Snapshot, OpError> {
    let Some(SeenTag { realm, .. }) = tags.first() else {
        return Ok(Snapshot::empty());
    };
    let refused = |error| OpError::Internal(format!("the name of a hypothetical user is refused: {error}"));
    let desired = Desired {
        realm: realm.clone(),
        issuer: IssuerName::new(HYPOTHETICAL).map_err(refused)?,
        user: DesiredUser {
            external_id: ExternalId::new(HYPOTHETICAL).map_err(refused)?,
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
        provider_session: ProviderSession::default(),
        token: TokenFingerprint::default(),
    };
    Ok(permit.directory().snapshot(&desired, Detail::Explain).await?)
}

/// External id and issuer of the hypothetical token. A user with this id is read and not shown.
const HYPOTHETICAL: &str = "-";

fn tag_use(snapshot: &Snapshot, platform: &[PlatformTags], seen: &SeenTag) -> TagUse {
    let matches = snapshot.tag_matches.iter().filter(|found| found.tag == seen.tag);
    let organizations = matches.map(|found| TagListing {
        organization: found.organization.id,
        name: found.organization.name.clone(),
        role: found.role,
    });
    let misses = snapshot.near_misses.iter().filter(|miss| miss.tag == seen.tag);
    let near_misses = misses.filter_map(|miss| {
        let organization = miss.organization.as_ref()?;
        Some(NearMiss {
            list: TagListOwner::Organization(organization.id, organization.name.clone()),
            listed: miss.listed.clone(),
        })
    });
    TagUse {
        organizations: organizations.collect(),
        near_misses: near_misses.chain(platform_misses(platform, seen)).collect(),
        seen: seen.clone(),
    }
}

/// Returns the near misses in the issuers' lists of platform admins, as an issuer's own tokens meet them.
fn platform_misses<'a>(platform: &'a [PlatformTags], seen: &'a SeenTag) -> impl Iterator<Item = NearMiss> + 'a {
    let lists = platform
        .iter()
        .filter(|list| list.realm == seen.realm && !list.tags.contains(&seen.tag));
    let listed = lists.flat_map(|list| list.tags.texts().map(move |listed| (list, listed)));
    let near = listed.filter(|(_, listed)| difference(&seen.tag, listed).is_some());
    near.map(|(list, listed)| NearMiss {
        list: TagListOwner::Issuer(list.issuer.clone()),
        listed: listed.to_owned(),
    })
}
