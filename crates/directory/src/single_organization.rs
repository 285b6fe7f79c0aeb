//! Issuers of one organization: a token of such an issuer reaches nothing outside of it, whichever realm the organization is in.

use narthex_names::{ExternalId, is_near};

use crate::desired::Desired;
use crate::organization::Organization;
use crate::snapshot::{Detail, NearMiss, Snapshot, TagMatch, settle};

/// Narrows a snapshot to the one organization of the token's issuer; `None` where there is none of that name. The users of such
/// an issuer have a realm of their own, so the organization need not be of the token's realm.
///
/// SECURITY: after this the snapshot holds no other organization, so no rule of the planner gives a role in one.
pub(crate) fn narrow(snapshot: &mut Snapshot, desired: &Desired, only: Option<Organization>) {
    snapshot.deleted_organizations.clear();
    let (mut tag_matches, mut near_misses) = (Vec::new(), Vec::new());
    let listed = only.iter().flat_map(|only| only.tags.roles());
    let listed: Vec<_> = listed.zip(only.iter().cycle()).collect();
    for tag in desired.tags.noted().into_iter().flatten().filter(|tag| !tag.is_empty()) {
        for ((listed, role), only) in &listed {
            let (tag, organization, role) = (tag.clone(), (*only).into(), *role);
            if listed.as_str() == tag {
                tag_matches.push(TagMatch {
                    tag,
                    organization,
                    role,
                });
            } else if snapshot.detail == Detail::Explain && is_near(&tag, listed.as_str()) {
                near_misses.push(NearMiss {
                    tag,
                    listed: listed.as_str().to_owned(),
                    organization: Some(organization),
                });
            }
        }
    }
    snapshot.tag_matches = tag_matches;
    snapshot.near_misses = settle(near_misses);
    let wanted = desired.organization.as_ref().zip(only.as_ref());
    let named = wanted.filter(|(wanted, only)| names(&wanted.external_id, only));
    snapshot.organization = named.map(|(_, only)| only.clone());
    snapshot.looked_up = only.into_iter().collect();
}

/// Tests whether an issuer names this organization: by its external id, or by its name.
pub(crate) fn names(external_id: &ExternalId, organization: &Organization) -> bool {
    organization.external_id.as_ref() == Some(external_id) || organization.name.as_str() == external_id.as_str()
}
