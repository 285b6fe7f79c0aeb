//! A plan in the making: the user, the organization, the team (S1), and the end result.

use std::collections::HashSet;

use narthex_names::{GrantId, NewId, OrganizationId, OrganizationName, Realm, UserId};
use serde_json::Value;

use crate::change::{Change, Moves};
use crate::desired::{Desired, DesiredOrganization, DesiredTags, Provision, SyncPolicy};
use crate::error::Refusal;
use crate::grant::{Grant, GrantSource};
use crate::order::{Mark, Said};
use crate::organization::{
    MembershipRule, Organization, OrganizationDetails, OrganizationStatus, OrganizationTags, Origin,
};
use crate::role::{Scope, ScopedRole};
use crate::snapshot::{OrganizationBrief, Snapshot, Standing, TagMatch};
use crate::team::Team;
use crate::user::{Profile, User, UserStatus};
use crate::versions::{Stamp, Stripe};

use super::{Expects, Note, SyncPlan, Touch};

pub(super) struct Draft<'a> {
    pub(super) desired: &'a Desired,
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a SyncPolicy,
    pub(super) now_ms: i64,
    /// Digest of the token's words.
    pub(super) said: Said,
    /// Tokens changed the user as often as they may within the minute: nothing is added.
    spent: bool,
    /// Something was left undone for that.
    limited: bool,
    pub(super) ids: &'a mut dyn NewId,
    user: User,
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<Note>,
    /// The organization and team of the claims, as far as they exist.
    organization: Option<OrganizationBrief>,
    team: Option<Team>,
    /// The organizations and teams that the token states or names by tag patterns, and those that it creates.
    pub(super) named: Vec<OrganizationBrief>,
    pub(super) named_teams: Vec<Team>,
    /// The roles in those that the token states, each scope once.
    pub(super) stated: Vec<Wanted>,
    pub(super) pattern_matches: Vec<TagMatch>,
    /// The grants that stay open, and those that begin.
    pub(super) grants: Vec<Grant>,
    /// Of those that stay, the ones that this token asserts.
    pub(super) asserted: HashSet<GrantId>,
}

/// A role that the token gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) role: ScopedRole,
    pub(super) source: GrantSource,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        desired: &'a Desired,
        snapshot: &'a Snapshot,
        policy: &'a SyncPolicy,
        now_ms: i64,
        ids: &'a mut dyn NewId,
    ) -> Self {
        let (user, grants) = if let Some(standing) = &snapshot.standing {
            (standing.user.clone(), standing.grants.clone())
        } else {
            let mut user = new_user(desired, UserId::new(now_ms, ids), now_ms);
            // SECURITY: who was erased and comes back does not bring older tokens along.
            user.tokens_not_before_ms = snapshot.erased.map(|refused| refused.issued_before_ms);
            (user, Vec::new())
        };
        Self {
            desired,
            snapshot,
            policy,
            now_ms,
            said: Said::of(desired),
            spent: snapshot.standing.is_some() && snapshot.recent.within_minute(now_ms) >= policy.changes_per_minute,
            limited: false,
            ids,
            user,
            changes: Vec::new(),
            notes: Vec::new(),
            organization: None,
            team: None,
            named: Vec::new(),
            named_teams: Vec::new(),
            stated: Vec::new(),
            pattern_matches: Vec::new(),
            grants,
            asserted: HashSet::new(),
        }
    }

    /// Ends the plan of an old token: it identifies, and changes nothing.
    pub(super) fn stale(self) -> SyncPlan {
        let due = self.is_unseen();
        let mut plan = self.finish();
        plan.stale_token = true;
        // Only the use is noted: what the token says is not what was said last.
        plan.touch = Touch {
            mark: None,
            tags: None,
            due,
            ..plan.touch
        };
        plan
    }

    /// Tests whether there is room for one more addition; where there is none, the plan says so.
    pub(super) fn may_add(&mut self) -> bool {
        if self.spent && !self.limited {
            self.limited = true;
            self.notes.push(Note::TooManyChanges);
        }
        !self.spent
    }

    pub(super) fn claims_count(&self) -> bool {
        self.policy.provision != Provision::Off
    }

    pub(super) fn may_create(&self) -> bool {
        self.policy.provision == Provision::Create
    }

    pub(super) fn user(&mut self) -> Result<(), Refusal> {
        let Some(standing) = &self.snapshot.standing else {
            if !self.may_create() {
                return Err(Refusal::NotProvisioned);
            }
            // SECURITY: a user made by hand, or by another issuer under another external id, is never taken over
            // for having the same username or e-mail.
            if let Some(owner) = self.snapshot.username_owner {
                return Err(Refusal::UsernameConflict { owner });
            }
            self.changes.push(Change::CreateUser(Box::new(self.user.clone())));
            return Ok(());
        };
        if !self.claims_count() {
            self.notes.push(Note::ProvisionOff);
            return Ok(());
        }
        let before = &standing.user;
        let mut after = before.clone();
        if let Some(username) = &self.desired.user.username {
            after.username = username.clone();
        }
        let owner = self.snapshot.username_owner.filter(|owner| *owner != before.id);
        if let Some(owner) = owner.filter(|_| after.username != before.username) {
            return Err(Refusal::UsernameConflict { owner });
        }
        overlay(&mut after.profile, &self.desired.user.profile);
        for (name, value) in self.desired.context.iter().filter(|(_, value)| !value.is_null()) {
            after.context.insert(name.clone(), value.clone());
        }
        if after != *before && self.may_add() {
            after.version += 1;
            after.updated_at_ms = self.now_ms;
            self.user = after.clone();
            self.changes.push(Change::UpdateUser {
                before: Box::new(before.clone()),
                after: Box::new(after),
                why: None,
            });
        }
        Ok(())
    }

    /// Tests whether the token may give roles in an organization: of its realm, or the one of its issuer.
    pub(super) fn reaches(&self, name: &OrganizationName, realm: &Realm) -> bool {
        let only = self.policy.organization.as_ref();
        only.map_or(*realm == self.desired.realm, |only| only == name)
    }

    pub(super) fn organization(&mut self) {
        let Some(wanted) = self.desired.organization.as_ref().filter(|_| self.claims_count()) else {
            return;
        };
        let found = self.snapshot.organization.as_ref();
        match found.filter(|found| self.reaches(&found.name, &found.realm)) {
            Some(before) => {
                self.organization = Some(before.into());
                self.update_organization(wanted, before);
            }
            None if self.policy.organization.is_some() => self.note(Note::OtherOrganization),
            None if self.is_deleted(&wanted.external_id) => self.note(Note::OrganizationDeleted),
            None if self.may_create() && !self.may_add() => {}
            None if self.may_create() => {
                let organization = self.new_organization(wanted, self.snapshot.organization_name_taken);
                self.organization = Some((&organization).into());
                self.changes.push(Change::CreateOrganization(Box::new(organization)));
            }
            None => self.notes.push(Note::OrganizationNotProvisioned),
        }
    }

    pub(super) fn update_organization(&mut self, wanted: &DesiredOrganization, before: &Organization) {
        let mut after = before.clone();
        if let Some(label) = &wanted.name {
            after.label.clone_from(label);
        }
        if wanted.timezone.is_some() {
            after.details.timezone.clone_from(&wanted.timezone);
        }
        // An issuer of one organization gives roles in it, and does not write its record.
        if after == *before || self.policy.organization.is_some() {
            return;
        }
        if before.origin == Origin::Config {
            self.notes.push(Note::OrganizationDeclared);
            return;
        }
        if !self.may_add() {
            return;
        }
        after.version += 1;
        after.updated_at_ms = self.now_ms;
        self.changes.push(Change::UpdateOrganization {
            before: Box::new(before.clone()),
            after: Box::new(after),
            why: None,
        });
    }

    /// SECURITY: a token chooses the label, not the name in paths: routes and upstreams trust that name, so a
    /// name that is taken is never taken over and a given name never changes by a token. A name that another one had
    /// counts as taken: behind its paths the application may still have what belongs to that one.
    pub(super) fn new_organization(&mut self, wanted: &DesiredOrganization, name_taken: bool) -> Organization {
        let id = OrganizationId::new(self.now_ms, self.ids);
        Organization {
            id,
            name: free_name(wanted, id, name_taken),
            label: wanted.new_label().to_owned(),
            realm: self.desired.realm.clone(),
            external_id: Some(wanted.external_id.clone()),
            details: OrganizationDetails {
                timezone: wanted.timezone.clone(),
                ..OrganizationDetails::default()
            },
            tags: OrganizationTags::default(),
            tag_patterns: true,
            membership: MembershipRule::Mixed,
            status: OrganizationStatus::Active,
            origin: Origin::Claim,
            has_logo: false,
            created_at_ms: self.now_ms,
            updated_at_ms: self.now_ms,
            version: 1,
        }
    }

    pub(super) fn team(&mut self) -> Result<(), Refusal> {
        let Some(wanted) = self.desired.team.as_ref().filter(|_| self.claims_count()) else {
            return Ok(());
        };
        let Some(organization) = self.organization.as_ref().map(|organization| organization.id) else {
            if self.desired.organization.is_none() {
                self.notes.push(Note::TeamWithoutOrganization);
            }
            return Ok(());
        };
        self.team = self.settle_team(wanted, organization, self.snapshot.team.as_ref())?;
        Ok(())
    }

    /// The roles that the claims give by naming an organization and a team.
    pub(super) fn claimed(&self) -> Vec<Wanted> {
        let source = || GrantSource::Claim {
            issuer: self.desired.issuer.clone(),
            each: false,
        };
        let organization = self
            .organization
            .as_ref()
            .zip(self.desired.organization.as_ref())
            .map(|(found, wanted)| Wanted {
                role: ScopedRole::Organization(found.id, wanted.role),
                source: source(),
            });
        let team = self
            .team
            .as_ref()
            .zip(self.desired.team.as_ref())
            .map(|(found, wanted)| Wanted {
                role: ScopedRole::Team(found.id, wanted.role),
                source: source(),
            });
        let stated = self.stated.iter().cloned();
        organization.into_iter().chain(team).chain(stated).collect()
    }

    pub(super) fn lapses_at_ms(&self) -> Option<i64> {
        self.policy.lease_ms.map(|lease| self.now_ms.saturating_add(lease))
    }

    pub(super) fn open(&mut self, wanted: Wanted) {
        let grant = Grant {
            id: GrantId::new(self.now_ms, self.ids),
            user: self.user.id,
            role: wanted.role,
            source: wanted.source,
            token: self.desired.token.clone(),
            granted_at_ms: self.now_ms,
            asserted_at_ms: self.now_ms,
            lapses_at_ms: self.lapses_at_ms(),
            revoked_at_ms: None,
            why: None,
            revoked_why: None,
        };
        self.changes.push(Change::OpenGrant(Box::new(grant.clone())));
        self.grants.push(grant);
    }

    pub(super) fn close(&mut self, mut grant: Grant, at_ms: i64, why: &str) {
        grant.revoked_at_ms = Some(at_ms);
        grant.revoked_why = Some(why.to_owned());
        self.changes.push(Change::CloseGrant(Box::new(grant)));
    }

    pub(super) fn finish(mut self) -> SyncPlan {
        let tags = self.desired.tags.noted();
        let due = self.is_due();
        let mut asserted: Vec<GrantId> = self.asserted.iter().copied().collect();
        asserted.sort_unstable();
        self.assert_again();
        let last = self.snapshot.last.as_ref();
        let mark = (self.desired.issued_at_ms).map(|issued| Mark::after(last, issued, self.said, self.now_ms));
        let touch = Touch {
            user: self.user.id,
            realm: self.user.realm.clone(),
            issuer: self.desired.issuer.clone(),
            at_ms: self.now_ms,
            mark,
            said: self.said,
            lapses_at_ms: self.lapses_at_ms(),
            asserted,
            token: self.desired.token.clone(),
            due,
            tags,
        };
        let expects = Expects {
            user_version: self.snapshot.standing.as_ref().map(|standing| standing.user.version),
            policy: self.rests_on_policy().then_some(self.snapshot.policy),
        };
        let near_misses = self.near_misses();
        let changes = std::mem::take(&mut self.changes);
        SyncPlan {
            expects,
            touch,
            tag_matches: self.snapshot.tag_matches.clone(),
            pattern_matches: std::mem::take(&mut self.pattern_matches),
            near_misses,
            stale_token: false,
            limited: self.limited,
            observed: false,
            refused_before_ms: self.snapshot.refused_before_ms,
            notes: std::mem::take(&mut self.notes),
            after: Some(self.standing(&changes)),
            changes,
        }
    }

    /// Tests whether the plan rests on records of organizations.
    fn rests_on_policy(&self) -> bool {
        let desired = self.desired;
        matches!(desired.tags, DesiredTags::Exactly(_)) || desired.organization.is_some() || desired.each.is_some()
    }

    /// Tests whether the use is due to be written. Other tags than the last token's are written soon although they
    /// change no roles: a preview of a change asks for them.
    fn is_due(&self) -> bool {
        let mut asserted = self.grants.iter().filter(|grant| self.asserted.contains(&grant.id));
        self.snapshot.tags_differ || self.is_unseen() || asserted.any(|grant| self.is_old(grant.asserted_at_ms))
    }

    /// Tests whether the user was last seen so long ago that it is written again.
    fn is_unseen(&self) -> bool {
        self.user.last_seen_at_ms.is_none_or(|at_ms| self.is_old(at_ms))
    }

    fn is_old(&self, at_ms: i64) -> bool {
        self.now_ms.saturating_sub(at_ms) >= self.policy.touch_interval_ms()
    }

    /// Extends the lease of the grants that the token asserts. The store writes that together with the changes, or
    /// later (see [`Touch`]).
    fn assert_again(&mut self) {
        let lapses_at_ms = self.lapses_at_ms();
        for grant in self.grants.iter_mut().filter(|grant| self.asserted.contains(&grant.id)) {
            grant.lapses_at_ms = lapses_at_ms;
            if !self.changes.is_empty() {
                grant.asserted_at_ms = self.now_ms;
            }
        }
    }

    fn standing(mut self, changes: &[Change]) -> Standing {
        let stamp = Stamp {
            policy: self.snapshot.policy,
            stripe: Stripe::of(self.user.id),
            user: 0,
        };
        let mut stamp = self.snapshot.standing.as_ref().map_or(stamp, |standing| standing.stamp);
        stamp.policy = self.snapshot.policy;
        if !changes.is_empty() {
            self.user.last_seen_at_ms = Some(self.now_ms);
        }
        if let Some(before) = &self.snapshot.standing
            && Moves::of(changes).users.contains(&self.user.id)
        {
            self.user.version = before.user.version + 1;
        }
        self.grants.sort_by_key(|grant| grant.id);
        let held = self.snapshot.standing.as_ref();
        let mut organizations: Vec<OrganizationBrief> =
            held.map(|standing| standing.organizations.clone()).unwrap_or_default();
        organizations.extend(self.organization);
        organizations.extend(self.named);
        organizations.extend(self.snapshot.tag_matches.iter().map(|found| found.organization.clone()));
        organizations.sort_by_key(|organization| organization.id);
        organizations.dedup_by_key(|organization| organization.id);
        let scopes: HashSet<Scope> = self.grants.iter().map(Grant::scope).collect();
        organizations.retain(|organization| scopes.contains(&Scope::Organization(organization.id)));
        // The team of the claims comes first: it is the newer record of the two.
        let mut teams: Vec<Team> = self.team.into_iter().chain(self.named_teams).collect();
        teams.extend(held.map(|standing| standing.teams.clone()).unwrap_or_default());
        teams.sort_by_key(|team| team.id);
        teams.dedup_by_key(|team| team.id);
        teams.retain(|team| scopes.contains(&Scope::Team(team.id)));
        Standing {
            user: self.user,
            grants: self.grants,
            organizations,
            teams,
            stamp,
        }
    }
}

fn new_user(desired: &Desired, id: UserId, now_ms: i64) -> User {
    let given = desired.context.iter().filter(|(_, value)| !value.is_null());
    User {
        id,
        realm: desired.realm.clone(),
        external_id: desired.user.external_id.clone(),
        username: desired.user.new_username(),
        profile: desired.user.profile.clone(),
        status: UserStatus::Active,
        context: given
            .map(|(name, value): (&String, &Value)| (name.clone(), value.clone()))
            .collect(),
        tokens_not_before_ms: None,
        last_seen_at_ms: Some(now_ms),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        version: 1,
    }
}

/// Values that are given replace the stored ones; the others stay.
fn overlay(stored: &mut Profile, given: &Profile) {
    for (stored, given) in stored.fields_mut().into_iter().zip(given.fields()) {
        if given.is_some() {
            stored.clone_from(given);
        }
    }
}

fn free_name(wanted: &DesiredOrganization, id: OrganizationId, taken: bool) -> OrganizationName {
    let text = id.to_string();
    let ending: String = text.chars().skip(text.len().saturating_sub(8)).collect();
    let free = match wanted.suggested_name() {
        Some(name) if !taken && !name.is_an_id() => return name,
        Some(name) => name.with_ending(&ending),
        None => OrganizationName::new(format!("organization-{ending}")),
    };
    free.unwrap_or_else(|_| OrganizationName::of_id(id))
}
