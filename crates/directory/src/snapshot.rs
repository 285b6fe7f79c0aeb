//! Input of the planner: everything about one user that a token can touch, read at one moment.

use std::collections::BTreeSet;

use narthex_names::{ExternalId, OrganizationId, OrganizationName, Realm, UserId, is_near};

use crate::desired::Desired;
use crate::erasure::{RefusedTokens, RemovedIdentity, RemovedKind};
use crate::grant::Grant;
use crate::order::Mark;
use crate::organization::{Organization, OrganizationStatus};
use crate::recent::Recent;
use crate::role::{OrganizationRole, Scope};
use crate::team::Team;
use crate::user::User;
use crate::versions::Stamp;

/// Extent of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The records that planning needs.
    Sync,
    /// Those, and the tags that nearly match (explain).
    Explain,
}

/// Facts of an organization on which its members' roles depend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationBrief {
    /// Its id.
    pub id: OrganizationId,
    /// Its name in paths.
    pub name: OrganizationName,
    /// Its realm.
    pub realm: Realm,
    /// Open or suspended.
    pub status: OrganizationStatus,
}

impl From<&Organization> for OrganizationBrief {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id,
            name: organization.name.clone(),
            realm: organization.realm.clone(),
            status: organization.status,
        }
    }
}

/// A user with everything held: the open grants, lapsed ones included, in the order of their ids, and the
/// organizations and teams that these are on.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The user.
    pub user: User,
    /// The open grants.
    pub grants: Vec<Grant>,
    /// The organizations that the grants are on.
    pub organizations: Vec<OrganizationBrief>,
    /// The teams that the grants are on.
    pub teams: Vec<Team>,
    /// The versions this was read at.
    pub stamp: Stamp,
}

impl Standing {
    /// The realm that a scope of one of the grants belongs to: the user's own for the platform.
    pub(crate) fn realm_of(&self, scope: Scope) -> Option<&Realm> {
        match scope {
            Scope::Platform => Some(&self.user.realm),
            Scope::Organization(id) => self
                .organizations
                .iter()
                .find(|held| held.id == id)
                .map(|held| &held.realm),
            Scope::Team(id) => self.teams.iter().find(|team| team.id == id).map(|team| &team.realm),
        }
    }
}

/// A tag of the token that an organization lists, with the highest role it lists it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMatch {
    /// The tag.
    pub tag: String,
    /// The organization.
    pub organization: OrganizationBrief,
    /// The role it gives.
    pub role: OrganizationRole,
}

/// A tag of the token that would match if case and blanks did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The tag in the token.
    pub tag: String,
    /// The tag that the organization or the issuer lists.
    pub listed: String,
    /// The organization that lists it; `None` for the issuer's `platform_admin` list.
    pub organization: Option<OrganizationBrief>,
}

/// The near misses that a store found by [`spellings`](crate::spellings): only true ones, each once, in the order of tag,
/// organization and listed tag.
pub fn settle(mut found: Vec<NearMiss>) -> Vec<NearMiss> {
    found.retain(|miss| is_near(&miss.tag, &miss.listed));
    let key = |miss: &NearMiss| {
        let organization = miss.organization.as_ref().map(|organization| organization.id);
        (miss.tag.clone(), organization, miss.listed.clone())
    };
    found.sort_by_cached_key(key);
    found.dedup();
    found
}

/// Organizations and teams that a store looks up for a token besides those of [`crate::Desired::organization`] and
/// [`crate::Desired::team`]: those of [`crate::Desired::each`], and those that its tags name by a pattern. As many as the
/// token names, however many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookups {
    /// External ids.
    pub external_ids: Vec<String>,
    /// Names in paths.
    pub names: Vec<String>,
    /// Names that new organizations would take, to see which of them are taken or were another's once.
    pub suggested: Vec<String>,
    /// External ids of teams.
    pub teams: Vec<String>,
}

impl Lookups {
    /// The look-ups that planning for this token needs.
    pub fn of(desired: &Desired) -> Self {
        let mut lookups = Self::default();
        for read in &desired.pattern_tags {
            lookups.external_ids.push(read.organization.to_string());
            lookups.names.extend(read.name().map(|name| name.to_string()));
            if read.create {
                let suggested = OrganizationName::suggested_by(read.organization.as_str());
                lookups.suggested.extend(suggested.map(|name| name.to_string()));
            }
        }
        for membership in desired.each.iter().flatten() {
            let organization = &membership.organization;
            lookups.external_ids.push(organization.external_id.to_string());
            let suggested = organization.suggested_name();
            lookups.suggested.extend(suggested.map(|name| name.to_string()));
            let team = membership.team.as_ref().map(|team| team.external_id.to_string());
            lookups.teams.extend(team);
        }
        let Self {
            external_ids,
            names,
            suggested,
            teams,
        } = &mut lookups;
        for list in [external_ids, names, suggested, teams] {
            list.sort_unstable();
            list.dedup();
        }
        lookups
    }

    /// Tests whether an organization of the realm is one of those.
    pub fn names(&self, organization: &Organization) -> bool {
        let external_id = organization.external_id.as_ref().map(ExternalId::as_str);
        self.names.iter().any(|name| name == organization.name.as_str())
            || external_id.is_some_and(|own| self.external_ids.iter().any(|wanted| wanted == own))
    }

    /// Tests whether there is nothing to look up, as for most tokens.
    pub const fn is_empty(&self) -> bool {
        self.external_ids.is_empty()
    }
}

/// Records of the directory about one [`crate::Desired`], read at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Extent of this snapshot.
    pub detail: Detail,
    /// The policy number this was read at.
    pub policy: u64,
    /// The user with the desired external id.
    pub standing: Option<Standing>,
    /// User of the realm who has the desired username, or the one that a new user would get.
    pub username_owner: Option<UserId>,
    /// The token of this issuer that counts for this user; `None` where no token had a date yet.
    pub last: Option<Mark>,
    /// Time before which tokens of this subject or `sid` must have been issued to be refused, in milliseconds: the identity
    /// provider has ended their sessions (see [`crate::LogoutMark`]). `None` where it has ended none.
    pub refused_before_ms: Option<i64>,
    /// Tokens that are refused because their user was erased, where there is no such user now.
    pub erased: Option<RefusedTokens>,
    /// Recent changes of this user by tokens.
    pub recent: Recent,
    /// True if the token has a list of tags that differs from what is kept of the issuer's last token for this user.
    pub tags_differ: bool,
    /// The organization of the realm with the desired external id.
    pub organization: Option<Organization>,
    /// External ids of organizations that the token names and that were deleted: it does not create them again.
    pub deleted_organizations: BTreeSet<String>,
    /// True if the name suggested for a new organization is taken, or was another's once.
    pub organization_name_taken: bool,
    /// The team of the realm with the desired external id.
    pub team: Option<Team>,
    /// The organizations of the realm that [`Lookups`] names, in the order of their ids.
    pub looked_up: Vec<Organization>,
    /// The teams of the realm that [`Lookups`] names, in the order of their ids.
    pub teams_looked_up: Vec<Team>,
    /// Of the names that [`Lookups`] suggests, those that are taken or were another's once.
    pub names_taken: BTreeSet<String>,
    /// The organizations of the realm that list a tag of the token, in the order of tag and organization.
    pub tag_matches: Vec<TagMatch>,
    /// For [`Detail::Explain`]: the tags that nearly match.
    pub near_misses: Vec<NearMiss>,
}

impl Snapshot {
    /// The organizations that the token names and that are not there, as they are remembered if they were deleted. For stores.
    pub fn unknown_organizations(&self, desired: &Desired) -> Vec<RemovedIdentity> {
        let claimed = desired.organization.as_ref().map(|wanted| &wanted.external_id);
        let claimed = claimed.filter(|_| self.organization.is_none());
        let stated = desired.each.iter().flatten();
        let stated = stated.map(|membership| &membership.organization.external_id);
        let named = stated.chain(desired.pattern_tags.iter().map(|read| &read.organization));
        let is_there = |id: &&ExternalId| {
            let mut known = self.looked_up.iter().map(|found| found.external_id.as_ref());
            known.any(|known| known == Some(*id))
        };
        let unknown: BTreeSet<&ExternalId> = claimed.into_iter().chain(named.filter(|id| !is_there(id))).collect();
        let identity = |external_id: &ExternalId| RemovedIdentity {
            kind: RemovedKind::Organization,
            realm: desired.realm.clone(),
            external_id: external_id.clone(),
        };
        unknown.into_iter().map(identity).collect()
    }

    /// Snapshot of an empty directory: the start of a test, and of explain without a store.
    pub const fn empty() -> Self {
        Self {
            detail: Detail::Explain,
            policy: 0,
            standing: None,
            username_owner: None,
            last: None,
            refused_before_ms: None,
            erased: None,
            recent: Recent::NONE,
            tags_differ: false,
            organization: None,
            deleted_organizations: BTreeSet::new(),
            organization_name_taken: false,
            team: None,
            looked_up: Vec::new(),
            teams_looked_up: Vec::new(),
            names_taken: BTreeSet::new(),
            tag_matches: Vec::new(),
            near_misses: Vec::new(),
        }
    }
}
