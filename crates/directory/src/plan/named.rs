//! Organizations and teams of which a token names many: those that it states (`each`), and those that its tags name by
//! tag patterns.

use narthex_names::{ExternalId, OrganizationId, OrganizationName, TeamId};

use crate::change::Change;
use crate::desired::{DesiredMembership, DesiredOrganization, DesiredTeam};
use crate::error::Refusal;
use crate::grant::GrantSource;
use crate::organization::{Organization, Origin};
use crate::role::ScopedRole;
use crate::single_organization::names;
use crate::snapshot::{OrganizationBrief, TagMatch};
use crate::tag_pattern::PatternTag;
use crate::team::Team;

use super::Note;
use super::draft::{Draft, Wanted};

/// Limit of organizations that one token may create by tag patterns, as many as it may state.
const CREATED_MAX: usize = 100;

impl Draft<'_> {
    /// Every organization that the token states (`each`), with the teams in them.
    pub(super) fn memberships(&mut self) -> Result<(), Refusal> {
        let desired = self.desired;
        if !self.states_all() {
            return Ok(());
        }
        for DesiredMembership { organization, team } in desired.each.iter().flatten() {
            let Some(found) = self.stated_organization(organization) else {
                continue;
            };
            self.state(ScopedRole::Organization(found.id, organization.role));
            if let Some(wanted) = team
                && let Some(team) = self.stated_team(wanted, found.id)?
            {
                self.state(ScopedRole::Team(team.id, wanted.role));
            }
        }
        Ok(())
    }

    /// Tests whether the token states all organizations of its user, so that those it leaves out end.
    pub(super) fn states_all(&self) -> bool {
        self.desired.each.is_some() && self.claims_count()
    }

    /// An organization that the token states: as it is, or as this plan makes it. The first of several statements about
    /// one organization updates it.
    fn stated_organization(&mut self, wanted: &DesiredOrganization) -> Option<OrganizationBrief> {
        if let Some(created) = self.created_as(&wanted.external_id) {
            return Some(created);
        }
        let snapshot = self.snapshot;
        let mut here = (snapshot.looked_up.iter()).filter(|found| self.reaches(&found.name, &found.realm));
        let (id, by_name) = (&wanted.external_id, self.policy.organization.is_some());
        let is_named = |found: &&Organization| found.external_id.as_ref() == Some(id) || (by_name && names(id, found));
        if let Some(before) = here.find(is_named) {
            let found = OrganizationBrief::from(before);
            if !self.named.contains(&found) {
                self.update_organization(wanted, before);
                self.named.push(found.clone());
            }
            return Some(found);
        }
        if self.policy.organization.is_some() {
            self.note(Note::OtherOrganization);
            return None;
        }
        if self.is_deleted(&wanted.external_id) {
            self.note(Note::OrganizationDeleted);
            return None;
        }
        if !self.may_create() {
            self.note(Note::OrganizationNotProvisioned);
            return None;
        }
        self.create_named(wanted)
    }

    /// Creates an organization, if the user may be changed any more. Its name is free, in this plan too.
    fn create_named(&mut self, wanted: &DesiredOrganization) -> Option<OrganizationBrief> {
        if !self.may_add() {
            return None;
        }
        let taken = wanted.suggested_name().is_some_and(|name| self.is_taken(&name));
        let organization = self.new_organization(wanted, taken);
        let created = OrganizationBrief::from(&organization);
        self.named.push(created.clone());
        self.changes.push(Change::CreateOrganization(Box::new(organization)));
        Some(created)
    }

    /// A team that the token states. The first of several statements about one team creates or updates it.
    fn stated_team(&mut self, wanted: &DesiredTeam, organization: OrganizationId) -> Result<Option<Team>, Refusal> {
        let is_it = |team: &&Team| team.external_id.as_ref() == Some(&wanted.external_id);
        if let Some(team) = self.named_teams.iter().find(is_it) {
            return match team.organization {
                Some(of) if of == organization => Ok(Some(team.clone())),
                _ => Err(Refusal::TeamConflict { team: team.id }),
            };
        }
        let (snapshot, realm) = (self.snapshot, &self.desired.realm);
        let mut here = snapshot.teams_looked_up.iter().filter(|team| team.realm == *realm);
        let team = self.settle_team(wanted, organization, here.find(is_it))?;
        self.named_teams.extend(team.clone());
        Ok(team)
    }

    /// Notes a role that the token states; of several on one scope the highest.
    fn state(&mut self, role: ScopedRole) {
        if let Some(earlier) = self
            .stated
            .iter_mut()
            .find(|earlier| earlier.role.scope() == role.scope())
        {
            earlier.role = earlier.role.max(role);
            return;
        }
        self.stated.push(Wanted {
            role,
            source: GrantSource::Claim {
                issuer: self.desired.issuer.clone(),
                each: true,
            },
        });
    }

    /// The roles that tag patterns give, in organizations that exist or that they create.
    pub(super) fn patterned(&mut self) -> Vec<Wanted> {
        let desired = self.desired;
        let mut wanted = Vec::new();
        for read in &desired.pattern_tags {
            let Some(organization) = self.named_by_pattern(read) else {
                continue;
            };
            wanted.push(Wanted {
                role: ScopedRole::Organization(organization.id, read.role),
                source: GrantSource::Pattern {
                    issuer: desired.issuer.clone(),
                    tag: read.tag.clone(),
                },
            });
            self.pattern_matches.push(TagMatch {
                tag: read.tag.clone(),
                organization,
                role: read.role,
            });
        }
        wanted
    }

    /// The organization that a tag names by a pattern: by its name or by its external id.
    ///
    /// SECURITY: where a tag names two, the one that no token created counts, and of two such the older one. A token may
    /// create an organization whose external id is another one's name, or whose name is another one's external id: it takes
    /// no roles that are meant for that one.
    fn named_by_pattern(&mut self, read: &PatternTag) -> Option<OrganizationBrief> {
        let snapshot = self.snapshot;
        let here = || (snapshot.looked_up.iter()).filter(|found| self.reaches(&found.name, &found.realm));
        let is_named = |found: &&Organization| {
            found.name.as_str() == read.organization.as_str() || found.external_id.as_ref() == Some(&read.organization)
        };
        let first = here()
            .filter(is_named)
            .min_by_key(|found| (found.origin == Origin::Claim, found.id));
        if let Some(found) = first {
            if !found.tag_patterns {
                self.note(Note::PatternRefused);
                return None;
            }
            let found = OrganizationBrief::from(found);
            self.named.push(found.clone());
            return Some(found);
        }
        let wanted = DesiredOrganization {
            external_id: read.organization.clone(),
            name: None,
            timezone: None,
            role: read.role,
        };
        if let Some(created) = self.created_as(&read.organization) {
            return Some(created);
        }
        if self.is_deleted(&read.organization) {
            self.note(Note::OrganizationDeleted);
            return None;
        }
        if !read.create || !self.may_create() || self.policy.organization.is_some() {
            self.note(Note::PatternOrganizationUnknown);
            return None;
        }
        let created = self
            .changes
            .iter()
            .filter(|change| matches!(change, Change::CreateOrganization(_)));
        if created.count() >= CREATED_MAX {
            self.note(Note::TooManyOrganizations);
            return None;
        }
        self.create_named(&wanted)
    }

    /// Tests whether the organization with this external id was deleted, and not made again by an administrator.
    pub(super) fn is_deleted(&self, external_id: &ExternalId) -> bool {
        self.snapshot.deleted_organizations.contains(external_id.as_str())
    }

    /// The organization with this external id that this very plan creates.
    fn created_as(&self, external_id: &ExternalId) -> Option<OrganizationBrief> {
        self.changes.iter().find_map(|change| match change {
            Change::CreateOrganization(made) if made.external_id.as_ref() == Some(external_id) => {
                Some(OrganizationBrief::from(&**made))
            }
            _ => None,
        })
    }

    /// Tests whether a name in paths is taken, in the directory or by an organization that this plan creates.
    fn is_taken(&self, name: &OrganizationName) -> bool {
        let made = |change: &Change| matches!(change, Change::CreateOrganization(made) if made.name == *name);
        self.snapshot.names_taken.contains(name.as_str()) || self.changes.iter().any(made)
    }

    pub(super) fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Creates or updates a team of the claims. `None` where it is not there and not created.
    pub(super) fn settle_team(
        &mut self,
        wanted: &DesiredTeam,
        organization: OrganizationId,
        before: Option<&Team>,
    ) -> Result<Option<Team>, Refusal> {
        let Some(before) = before else {
            if !self.may_create() {
                self.note(Note::TeamNotProvisioned);
                return Ok(None);
            }
            if !self.may_add() {
                return Ok(None);
            }
            let team = Team {
                id: TeamId::new(self.now_ms, self.ids),
                realm: self.desired.realm.clone(),
                organization: Some(organization),
                external_id: Some(wanted.external_id.clone()),
                name: wanted.name.clone().unwrap_or_else(|| wanted.external_id.to_string()),
                created_at_ms: self.now_ms,
                updated_at_ms: self.now_ms,
                version: 1,
            };
            self.changes.push(Change::CreateTeam(Box::new(team.clone())));
            return Ok(Some(team));
        };
        if before.organization.is_some_and(|of| of != organization) {
            return Err(Refusal::TeamConflict { team: before.id });
        }
        let mut after = before.clone();
        after.organization = Some(organization);
        if let Some(name) = &wanted.name {
            after.name.clone_from(name);
        }
        if after == *before {
            return Ok(Some(after));
        }
        if !self.may_add() {
            return Ok(before.organization.is_some().then(|| before.clone()));
        }
        after.version += 1;
        after.updated_at_ms = self.now_ms;
        self.changes.push(Change::UpdateTeam {
            before: Box::new(before.clone()),
            after: Box::new(after.clone()),
        });
        Ok(Some(after))
    }
}
