//! Principal: who the directory agrees this is, with effective roles.

use std::sync::Arc;

use narthex_names::{ExternalId, GrantId, NameError, OrganizationId, OrganizationName, Realm, TeamId, Username};
use serde_json::{Map, Value};

use crate::grant::Grant;
use crate::machine_key::MachineKey;
use crate::organization::{Organization, OrganizationStatus};
use crate::role::{OrganizationRole, PlatformRole, ScopedRole, TeamRole};
use crate::snapshot::Standing;
use crate::user::{Profile, User, UserKind, UserStatus};
use crate::versions::Stamp;

/// Beginning of the external id and the username of a machine key's user.
const MACHINE_KEY_PREFIX: &str = "machine-key:";

/// A user with effective roles, as the directory held them at one moment.
///
/// Only [`crate::sync`], [`crate::load`] and [`crate::load_machine_key`] make one, so holding one proves that the directory
/// knows this user, or the key that acts as it, and that the user was active.
///
/// SECURITY: its fields are private, so a step that skips the directory does not compile:
///
/// ```compile_fail,E0451
/// use narthex_directory::Principal;
///
/// fn forged(real: Principal) -> Principal {
///     Principal { ..real }
/// }
/// ```
///
/// The same with a value that was made as it should be does, so nothing else stops the lines above:
///
/// ```
/// use narthex_directory::Principal;
///
/// fn passed_on(real: Principal) -> Principal {
///     real
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    kind: UserKind,
    user: Arc<User>,
    platform_role: PlatformRole,
    memberships: Vec<Membership>,
    teams: Vec<TeamMembership>,
    grants: Vec<Grant>,
    stamp: Stamp,
    valid_until_ms: Option<i64>,
}

/// A role in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// Its name in paths.
    pub name: OrganizationName,
    /// Its realm.
    pub realm: Realm,
    /// Open or suspended: a suspended organization's members are refused.
    pub status: OrganizationStatus,
    /// The highest role held.
    pub role: OrganizationRole,
    /// The grants that give that role.
    pub grants: Vec<GrantId>,
}

/// A role in one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMembership {
    /// The team.
    pub team: TeamId,
    /// Its id at the identity provider.
    pub external_id: Option<ExternalId>,
    /// Its name for people.
    pub name: String,
    /// The organization it is in.
    pub organization: Option<OrganizationId>,
    /// The highest role held.
    pub role: TeamRole,
    /// The grants that give that role.
    pub grants: Vec<GrantId>,
}

impl Principal {
    pub(crate) fn of(standing: Standing, now_ms: i64) -> Self {
        let Standing {
            user,
            grants,
            organizations,
            teams,
            stamp,
        } = standing;
        let grants: Vec<Grant> = grants.into_iter().filter(|grant| grant.counts_at(now_ms)).collect();
        let platform_role = platform_role(&grants);
        let mut memberships: Vec<Membership> = organizations
            .into_iter()
            .filter_map(|held| {
                let roles = grants.iter().filter_map(|grant| match grant.role {
                    ScopedRole::Organization(id, role) if id == held.id => Some((role, grant.id)),
                    _ => None,
                });
                let (role, grants) = highest(roles)?;
                let (organization, name, realm, status) = (held.id, held.name, held.realm, held.status);
                Some(Membership {
                    organization,
                    name,
                    realm,
                    status,
                    role,
                    grants,
                })
            })
            .collect();
        memberships.sort_by(|a, b| a.name.cmp(&b.name));
        let mut teams: Vec<TeamMembership> = teams
            .into_iter()
            .filter_map(|held| {
                let roles = grants.iter().filter_map(|grant| match grant.role {
                    ScopedRole::Team(id, role) if id == held.id => Some((role, grant.id)),
                    _ => None,
                });
                let (role, grants) = highest(roles)?;
                let (team, external_id, name, organization) = (held.id, held.external_id, held.name, held.organization);
                Some(TeamMembership {
                    team,
                    external_id,
                    name,
                    organization,
                    role,
                    grants,
                })
            })
            .collect();
        teams.sort_by_key(|team| team.team);
        let valid_until_ms = grants.iter().filter_map(|grant| grant.lapses_at_ms).min();
        Self {
            kind: UserKind::Person,
            user: Arc::new(user),
            platform_role,
            memberships,
            teams,
            grants,
            stamp,
            valid_until_ms,
        }
    }

    /// Makes the principal of a machine key that works: one membership, no platform role, no grants.
    ///
    /// SECURITY: administrators of organizations choose the names of their keys. The external id and the username begin
    /// with `machine-key:` and hold the key's own id or its organization's name, so that no key can have those of a person,
    /// or of another organization's key, in an application that knows its users by them.
    pub(crate) fn of_machine_key(
        key: &MachineKey,
        organization: &Organization,
        stamp: Stamp,
    ) -> Result<Self, NameError> {
        let external_id = ExternalId::new(format!("{MACHINE_KEY_PREFIX}{}", key.id))?;
        let username = Username::new(format!("{MACHINE_KEY_PREFIX}{}/{}", organization.name, key.name));
        let user = User {
            id: key.id.into(),
            realm: organization.realm.clone(),
            username: username.unwrap_or_else(|_| (&external_id).into()),
            external_id,
            profile: Profile {
                name: Some(key.name.clone()),
                ..Profile::default()
            },
            status: UserStatus::Active,
            context: Map::new(),
            tokens_not_before_ms: None,
            last_seen_at_ms: key.last_used_at_ms,
            created_at_ms: key.created_at_ms,
            updated_at_ms: key.created_at_ms,
            version: 1,
        };
        let membership = Membership {
            organization: organization.id,
            name: organization.name.clone(),
            realm: organization.realm.clone(),
            status: organization.status,
            role: key.role,
            grants: Vec::new(),
        };
        Ok(Self {
            kind: UserKind::Service,
            user: Arc::new(user),
            platform_role: PlatformRole::User,
            memberships: vec![membership],
            teams: Vec::new(),
            grants: Vec::new(),
            stamp,
            valid_until_ms: Some(key.expires_at_ms),
        })
    }

    /// The kind of the user.
    pub const fn kind(&self) -> UserKind {
        self.kind
    }

    /// The user.
    pub const fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The highest platform role held; [`PlatformRole::User`] without any.
    pub const fn platform_role(&self) -> PlatformRole {
        self.platform_role
    }

    /// The organizations the user belongs to, suspended ones included, by name.
    pub fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    /// The membership in the organization of this name.
    pub fn membership(&self, name: &str) -> Option<&Membership> {
        let found = self
            .memberships
            .binary_search_by(|membership| membership.name.as_str().cmp(name))
            .ok()?;
        self.memberships.get(found)
    }

    /// The teams the user belongs to.
    pub fn teams(&self) -> &[TeamMembership] {
        &self.teams
    }

    /// Custom contexts.
    pub fn context(&self) -> &Map<String, Value> {
        &self.user.context
    }

    /// Every grant that holds: what explain shows and what a decision's permit names.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The versions this was computed at.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Time at which the first of the grants lapses unless asserted again, in milliseconds: an answer must not be kept
    /// beyond that.
    pub const fn valid_until_ms(&self) -> Option<i64> {
        self.valid_until_ms
    }
}

/// The highest platform role among grants that hold.
pub fn platform_role(grants: &[Grant]) -> PlatformRole {
    let roles = grants.iter().filter_map(|grant| match grant.role {
        ScopedRole::Platform(role) => Some(role),
        _ => None,
    });
    roles.max().unwrap_or(PlatformRole::User)
}

fn highest<R: Ord + Copy>(roles: impl Iterator<Item = (R, GrantId)>) -> Option<(R, Vec<GrantId>)> {
    let held: Vec<(R, GrantId)> = roles.collect();
    let role = held.iter().map(|(role, _)| *role).max()?;
    Some((
        role,
        held.into_iter()
            .filter(|(of, _)| *of == role)
            .map(|(_, grant)| grant)
            .collect(),
    ))
}
