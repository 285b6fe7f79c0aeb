//! Effective role of an open grant: one answer, for decisions and for lists.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use narthex_names::{IssuerName, OrganizationId, OrganizationName, Realm, TeamId};

use crate::active_issuers::ActiveIssuers;
use crate::command::{Member, UserEntry};
use crate::desired::{Desired, SyncPolicy};
use crate::directory::{Answer, TokenSync};
use crate::grant::{Grant, GrantSource};
use crate::organization::Organization;
use crate::plan::SyncPlan;
use crate::role::{OrganizationRole, PlatformRole, Scope, ScopedRole};
use crate::snapshot::TagMatch;
use crate::tag_pattern::PatternTag;
use crate::team::Team;
use crate::user::User;

/// Reason for which a grant gives no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IneffectiveReason {
    /// It was closed.
    Closed,
    /// It was not asserted within its lease, and waits to be closed.
    Lapsed,
    /// Its issuer is not configured any more, or disabled, or belongs to another realm now.
    Issuer,
    /// Its issuer does not list the tag for platform admins any more.
    PlatformTag,
    /// The organization does not list the tag any more.
    OrganizationTag,
    /// No tag pattern of its issuer gives it any more, or the organization takes no roles from tag patterns.
    TagPattern,
    /// Its issuer is of one organization, and the role is not in that one.
    OtherOrganization,
}

impl fmt::Display for IneffectiveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "it was closed",
            Self::Lapsed => "it was not asserted within its lease",
            Self::Issuer => "its issuer is disabled, or not configured for this realm",
            Self::PlatformTag => "its issuer no longer lists the tag in `platform_admin`",
            Self::OrganizationTag => "the organization no longer lists the tag",
            Self::TagPattern => "no tag pattern of its issuer gives it any more",
            Self::OtherOrganization => "its issuer gives roles in another organization only",
        })
    }
}

/// A grant with its effective role: the role that it gives now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveGrant {
    /// The grant.
    pub grant: Grant,
    /// The role: the grant's own, or a lower one where the organization lists the tag for less now.
    pub gives: Result<ScopedRole, IneffectiveReason>,
}

/// Member of an organization or a team, with the role that a decision would find.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveMember {
    /// The user.
    pub user: User,
    /// The highest role given.
    pub role: ScopedRole,
    /// The grants that are open here, also those that give nothing.
    pub grants: Vec<EffectiveGrant>,
}

/// Tags that count now, as the token at hand shows them.
pub(crate) struct Shown<'s> {
    issuer: &'s IssuerName,
    /// Its issuer's policy.
    policy: &'s SyncPolicy,
    /// Tags of the token, each with an organization that lists it.
    matches: &'s [TagMatch],
    /// Tags of the token, each with an organization that a tag pattern names.
    pattern_matches: &'s [TagMatch],
}

impl<'s> Shown<'s> {
    pub(crate) fn of(desired: &'s Desired, policy: &'s SyncPolicy, plan: &'s SyncPlan) -> Self {
        Self {
            issuer: &desired.issuer,
            policy,
            pattern_matches: &plan.pattern_matches,
            matches: &plan.tag_matches,
        }
    }
}

/// Rules that give the effective role of a grant at one moment. Looks each organization up once.
///
/// SECURITY: a tag gives what is listed for it now, whichever token brought it, and an issuer's tokens give something only
/// while the issuer is trusted. Grants are closed by the next token that speaks of them; until then others may come that do
/// not: an older one, another issuer's, one without a list of tags.
pub struct GrantPolicy<'a> {
    directory: &'a dyn TokenSync,
    issuers: &'a ActiveIssuers,
    now_ms: i64,
    shown: Option<Shown<'a>>,
    organizations: HashMap<OrganizationId, Option<Organization>>,
    teams: HashMap<TeamId, Option<OrganizationId>>,
}

impl fmt::Debug for GrantPolicy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantPolicy")
            .field("issuers", &self.issuers)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl<'a> GrantPolicy<'a> {
    /// For the issuers that are configured and enabled now.
    pub fn new(directory: &'a dyn TokenSync, issuers: &'a ActiveIssuers, now_ms: i64) -> Self {
        Self {
            directory,
            issuers,
            now_ms,
            shown: None,
            organizations: HashMap::new(),
            teams: HashMap::new(),
        }
    }

    /// With a token at hand: its issuer is one of those, and what it confirms need not be looked up.
    pub(crate) fn showing(mut self, shown: Option<Shown<'a>>) -> Self {
        self.shown = shown;
        self
    }

    /// Takes note of the organizations of these teams, which then need not be looked up.
    pub(crate) fn know_teams(&mut self, teams: &[Team]) {
        self.teams.extend(teams.iter().map(|team| (team.id, team.organization)));
    }

    /// Returns the grants of users of a realm, each with its effective role.
    pub async fn effective_grants(&mut self, realm: &Realm, grants: Vec<Grant>) -> Answer<Vec<EffectiveGrant>> {
        let mut effective = Vec::with_capacity(grants.len());
        for grant in grants {
            let gives = self.effective_role(realm, &grant).await?;
            effective.push(EffectiveGrant { grant, gives });
        }
        Ok(effective)
    }

    /// Members with the roles that decisions find. A user who is given none is left out.
    pub async fn members(&mut self, members: Vec<Member>) -> Answer<Vec<EffectiveMember>> {
        let mut effective = Vec::with_capacity(members.len());
        for Member { user, grants, .. } in members {
            let grants = self.effective_grants(&user.realm, grants).await?;
            if let Some(role) = grants.iter().filter_map(|grant| grant.gives.ok()).max() {
                effective.push(EffectiveMember { user, role, grants });
            }
        }
        Ok(effective)
    }

    /// Users with the platform roles that decisions find.
    pub async fn users(&mut self, entries: Vec<UserEntry>) -> Answer<Vec<UserEntry>> {
        let mut effective = Vec::with_capacity(entries.len());
        for entry in entries {
            effective.push(self.user(entry).await?);
        }
        Ok(effective)
    }

    /// A user with the platform role that decisions find. A user who holds none by open grants is not looked up again.
    pub async fn user(&mut self, entry: UserEntry) -> Answer<UserEntry> {
        if entry.platform_role == PlatformRole::User {
            return Ok(entry);
        }
        let standing = self.directory.standing(entry.user.id).await?;
        let mut highest = PlatformRole::User;
        for grant in standing.map(|standing| standing.grants).unwrap_or_default() {
            if matches!(grant.role, ScopedRole::Platform(_))
                && let Ok(ScopedRole::Platform(role)) = self.effective_role(&entry.user.realm, &grant).await?
            {
                highest = highest.max(role);
            }
        }
        Ok(UserEntry {
            platform_role: highest,
            ..entry
        })
    }

    /// The role that a grant of a user of this realm gives.
    pub async fn effective_role(
        &mut self,
        realm: &Realm,
        grant: &Grant,
    ) -> Answer<Result<ScopedRole, IneffectiveReason>> {
        if grant.revoked_at_ms.is_some() {
            return Ok(Err(IneffectiveReason::Closed));
        }
        if grant.lapsed_at(self.now_ms) {
            return Ok(Err(IneffectiveReason::Lapsed));
        }
        let Some(issuer) = grant.source.issuer() else {
            return Ok(Ok(grant.role));
        };
        let own = self.shown.as_ref().filter(|shown| shown.issuer == issuer);
        let policy = match own {
            Some(own) => own.policy,
            None => match self.issuers.policy(issuer, realm) {
                Some(policy) => policy,
                None => return Ok(Err(IneffectiveReason::Issuer)),
            },
        };
        // SECURITY: asked of every grant, for the issuer may have been one of all organizations when its token gave this one.
        if let Some(only) = &policy.organization
            && !self.is_within(grant, only).await?
        {
            return Ok(Err(IneffectiveReason::OtherOrganization));
        }
        match (&grant.source, grant.role) {
            (GrantSource::Tag { tag, .. }, ScopedRole::Organization(id, role)) => {
                let listed = self.listed(id, tag, role).await?;
                Ok(listed.ok_or(IneffectiveReason::OrganizationTag))
            }
            (GrantSource::Pattern { tag, .. }, ScopedRole::Organization(id, role)) => {
                let read = policy.tag_patterns.read(tag);
                let given = self.patterned(id, read, role).await?;
                Ok(given.ok_or(IneffectiveReason::TagPattern))
            }
            // SECURITY: no pattern gives a role on the platform or in a team.
            (GrantSource::Pattern { .. }, _) => Ok(Err(IneffectiveReason::TagPattern)),
            (GrantSource::Tag { tag, .. }, ScopedRole::Platform(_)) if !policy.platform_admin_tags.contains(tag) => {
                Ok(Err(IneffectiveReason::PlatformTag))
            }
            _ => Ok(Ok(grant.role)),
        }
    }

    /// Returns the role that an organization lists a tag for, at the most the role that was granted.
    async fn listed(&mut self, id: OrganizationId, tag: &str, granted: OrganizationRole) -> Answer<Option<ScopedRole>> {
        let confirms = |found: &TagMatch| found.organization.id == id && found.tag == *tag && found.role >= granted;
        if self
            .shown
            .as_ref()
            .is_some_and(|shown| shown.matches.iter().any(confirms))
        {
            return Ok(Some(ScopedRole::Organization(id, granted)));
        }
        let organization = self.organization(id).await?;
        let now = organization.and_then(|found| found.tags.role_of(tag));
        Ok(now.map(|now| ScopedRole::Organization(id, granted.min(now))))
    }

    /// Returns the role that a tag gives in an organization by a tag pattern, at the most the role that was granted.
    async fn patterned(
        &mut self,
        id: OrganizationId,
        read: Option<PatternTag>,
        granted: OrganizationRole,
    ) -> Answer<Option<ScopedRole>> {
        let Some(read) = read else { return Ok(None) };
        let now = ScopedRole::Organization(id, granted.min(read.role));
        let confirms = |found: &TagMatch| found.organization.id == id && found.tag == read.tag;
        let shown = self.shown.as_ref();
        if shown.is_some_and(|shown| shown.pattern_matches.iter().any(confirms)) {
            return Ok(Some(now));
        }
        let is_named = |found: &Organization| {
            found.tag_patterns
                && (found.name.as_str() == read.organization.as_str()
                    || found.external_id.as_ref() == Some(&read.organization))
        };
        Ok(self.organization(id).await?.is_some_and(is_named).then_some(now))
    }

    /// Tests whether a grant is on the organization of this name, or on one of its teams.
    async fn is_within(&mut self, grant: &Grant, only: &OrganizationName) -> Answer<bool> {
        let id = match grant.scope() {
            Scope::Platform => None,
            Scope::Organization(id) => Some(id),
            Scope::Team(team) => {
                if !self.teams.contains_key(&team) {
                    let standing = self.directory.standing(grant.user).await?;
                    self.know_teams(standing.as_ref().map_or(&[], |standing| &standing.teams));
                }
                self.teams.get(&team).copied().flatten()
            }
        };
        let Some(id) = id else { return Ok(false) };
        Ok(self.organization(id).await?.is_some_and(|found| found.name == *only))
    }

    /// Returns an organization, looked up once.
    async fn organization(&mut self, id: OrganizationId) -> Answer<Option<&Organization>> {
        let organization = match self.organizations.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.directory.organization(id).await?),
        };
        Ok(organization.as_ref())
    }
}
