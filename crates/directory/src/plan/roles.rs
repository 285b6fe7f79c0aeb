//! Comparison of the roles that the token gives (links of S1, tags of S3) with those that are held.

use std::collections::{BTreeMap, HashMap, HashSet};

use narthex_names::is_near;

use crate::desired::{DesiredTags, OnEmpty};
use crate::grant::{Grant, GrantSource, SourceKind};
use crate::role::{OrganizationRole, PlatformRole, Scope, ScopedRole};
use crate::rules::why_lapsed;
use crate::snapshot::{Detail, NearMiss};

use super::Note;
use super::draft::{Draft, Wanted};

/// The roles that the token gives, by scope and by the claim or tag that gives them.
type Given<'a> = HashMap<(Scope, &'a GrantSource), ScopedRole>;

/// Effect of the token on a grant that is open.
enum Verdict {
    /// No effect: another source gave it.
    Leave,
    /// It holds, and the token says so again.
    Assert,
    /// It ends.
    Close(i64, &'static str),
}

impl Draft<'_> {
    pub(super) fn roles(&mut self) {
        let tags: HashSet<&str> = match &self.desired.tags {
            DesiredTags::Exactly(tags) => tags.iter().map(String::as_str).filter(|tag| !tag.is_empty()).collect(),
            DesiredTags::NotConfigured | DesiredTags::Keep => HashSet::new(),
        };
        let removes_all = matches!(&self.desired.tags, DesiredTags::Exactly(tags) if tags.is_empty());
        let mut wanted = Vec::new();
        if removes_all {
            // Removal is the last word of the same token (S3), so its links are not made first and closed after.
            if self.desired.organization.is_some() || !self.stated.is_empty() {
                self.notes.push(Note::EmptyTagsRemoveAll);
            }
        } else {
            wanted.extend(self.claimed());
            wanted.extend(self.tagged(&tags));
            wanted.extend(self.patterned());
        }
        let given: Given<'_> = wanted
            .iter()
            .map(|role| ((role.role.scope(), &role.source), role.role))
            .collect();
        let mut kept = Vec::with_capacity(self.grants.len());
        let mut ends = Vec::new();
        for grant in std::mem::take(&mut self.grants) {
            let verdict = if grant.lapsed_at(self.now_ms) {
                let at_ms = grant.lapses_at_ms.unwrap_or(self.now_ms);
                Verdict::Close(at_ms, why_lapsed(grant.source.kind()))
            } else if removes_all {
                self.removed(&grant)
            } else {
                self.compared(&grant, &given, &tags)
            };
            match verdict {
                Verdict::Close(at_ms, why) => ends.push((grant, at_ms, why)),
                Verdict::Leave => kept.push(grant),
                Verdict::Assert => {
                    self.asserted.insert(grant.id);
                    kept.push(grant);
                }
            }
        }
        self.grants = kept;
        let held: HashSet<_> = self.grants.iter().map(|grant| (grant.role, &grant.source)).collect();
        wanted.retain(|role| !held.contains(&(role.role, &role.source)));
        // Links before tags, and an end before the beginning that takes its place.
        for of_tags in [false, true] {
            let is_now =
                |source: &GrantSource| matches!(source.kind(), SourceKind::Tag | SourceKind::Pattern) == of_tags;
            for (grant, at_ms, why) in ends
                .extract_if(.., |(grant, ..)| is_now(&grant.source))
                .collect::<Vec<_>>()
            {
                self.close(grant, at_ms, why);
            }
            for role in wanted.extract_if(.., |role| is_now(&role.source)).collect::<Vec<_>>() {
                if self.may_add() {
                    self.open(role);
                }
            }
        }
    }

    /// The roles that the tags give: one per tag and scope, the higher one where two lists hold the tag.
    fn tagged(&self, tags: &HashSet<&str>) -> Vec<Wanted> {
        let source = |tag: &str| GrantSource::Tag {
            issuer: self.desired.issuer.clone(),
            tag: tag.to_owned(),
        };
        // SECURITY: an issuer of one organization makes no platform admin, whatever it lists.
        let listed = self.policy.platform_admin_tags.texts();
        let platform = listed.filter(|tag| tags.contains(tag) && self.policy.organization.is_none());
        let mut wanted: Vec<Wanted> = platform
            .map(|tag| Wanted {
                role: ScopedRole::Platform(PlatformRole::Admin),
                source: source(tag),
            })
            .collect();
        let mut highest = BTreeMap::new();
        for found in &self.snapshot.tag_matches {
            // SECURITY: the store was asked for this realm and these tags only; asked again here, a store that
            // errs gives nothing away.
            let (name, realm) = (&found.organization.name, &found.organization.realm);
            if self.reaches(name, realm) && tags.contains(found.tag.as_str()) {
                let role: &mut OrganizationRole = highest
                    .entry((found.tag.as_str(), found.organization.id))
                    .or_insert(found.role);
                *role = (*role).max(found.role);
            }
        }
        wanted.extend(highest.into_iter().map(|((tag, organization), role)| Wanted {
            role: ScopedRole::Organization(organization, role),
            source: source(tag),
        }));
        wanted
    }

    /// Tests whether a scope is one that the empty list clears: of the realm, or of the one organization of the issuer.
    fn is_here(&self, scope: Scope) -> bool {
        let Some(standing) = &self.snapshot.standing else {
            return false;
        };
        if self.policy.organization.is_none() {
            return standing.realm_of(scope) == Some(&self.desired.realm);
        }
        let mut own = (self.snapshot.looked_up.iter()).filter(|found| self.reaches(&found.name, &found.realm));
        own.any(|own| match scope {
            Scope::Platform => false,
            Scope::Organization(id) => id == own.id,
            Scope::Team(id) => (standing.teams.iter()).any(|team| team.id == id && team.organization == Some(own.id)),
        })
    }

    /// The empty list: everything in the realm goes, or everything that tokens gave.
    fn removed(&self, grant: &Grant) -> Verdict {
        let here = self.is_here(grant.scope());
        let spared = self.policy.on_empty == OnEmpty::RevokeSynced && grant.source == GrantSource::Manual;
        if here && !spared {
            Verdict::Close(self.now_ms, "the token's list of tags is empty")
        } else {
            Verdict::Leave
        }
    }

    fn compared(&self, grant: &Grant, given: &Given<'_>, tags: &HashSet<&str>) -> Verdict {
        // SECURITY: what a person granted, and what another issuer's tokens said, is not this token's to take.
        if grant.source.issuer() != Some(&self.desired.issuer) {
            return Verdict::Leave;
        }
        match (
            given.get(&(grant.scope(), &grant.source)),
            &grant.source,
            &self.desired.tags,
        ) {
            (Some(role), ..) if *role == grant.role => Verdict::Assert,
            (Some(_), ..) => Verdict::Close(self.now_ms, "the role changed"),
            (None, GrantSource::Tag { tag, .. }, DesiredTags::Exactly(_)) => {
                if tags.contains(tag.as_str()) {
                    Verdict::Close(self.now_ms, "the tag is no longer listed for it")
                } else {
                    Verdict::Close(self.now_ms, "the token no longer carries the tag")
                }
            }
            (None, GrantSource::Pattern { tag, .. }, DesiredTags::Exactly(_)) => {
                if tags.contains(tag.as_str()) {
                    Verdict::Close(self.now_ms, "no tag pattern gives it any more")
                } else {
                    Verdict::Close(self.now_ms, "the token no longer carries the tag")
                }
            }
            // SECURITY: the token states all organizations of its user, and leaves this one out.
            (None, GrantSource::Claim { each: true, .. }, _) if self.states_all() => {
                Verdict::Close(self.now_ms, "the token no longer states it")
            }
            // Other claim links only add (S1), and without a list of tags nothing is said about tags.
            (None, ..) => Verdict::Leave,
        }
    }

    /// Tags that nearly match, for explain: those of organizations come with the snapshot.
    pub(super) fn near_misses(&self) -> Vec<NearMiss> {
        let mut misses = self.snapshot.near_misses.clone();
        if let (Detail::Explain, DesiredTags::Exactly(tags)) = (self.snapshot.detail, &self.desired.tags) {
            for tag in tags.iter().filter(|tag| !self.policy.platform_admin_tags.contains(tag)) {
                let listed = self
                    .policy
                    .platform_admin_tags
                    .texts()
                    .filter(|listed| is_near(tag, listed));
                misses.extend(listed.map(|listed| NearMiss {
                    tag: tag.clone(),
                    listed: listed.to_owned(),
                    organization: None,
                }));
            }
        }
        misses
    }
}
