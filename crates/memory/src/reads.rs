//! Snapshots and listings.

use std::collections::{BTreeMap, BTreeSet};

use super::state::State;
use narthex_directory::Change;
use narthex_directory::MachineKey;
use narthex_directory::NewOrganization;
use narthex_directory::Organization;
use narthex_directory::Origin;
use narthex_directory::Recent;
use narthex_directory::Scope;
use narthex_directory::Team;
use narthex_directory::User;
use narthex_directory::Versions;
use narthex_directory::platform_role;
use narthex_directory::rules::highest_role;
use narthex_directory::{Among, Answer, Carrier, CarrierFilter};
use narthex_directory::{
    ApiKey, GrantFilter, GrantsWhen, Member, OrganizationFilter, SeenTag, TeamFilter, UserEntry, UserFilter,
};
use narthex_directory::{Cursor, Listing, Page};
use narthex_directory::{Declaring, Met};
use narthex_directory::{Desired, DesiredTags};
use narthex_directory::{Detail, Lookups, NearMiss, OrganizationBrief, Snapshot, TagMatch};
use narthex_directory::{Document, DocumentKind};
use narthex_directory::{EventFilter, EventOrder, RecordedEvent};
use narthex_directory::{ExternalId, OrganizationName, Realm};
use narthex_directory::{Grant, GrantSource};
use narthex_directory::{OrganizationId, UserId};
use narthex_directory::{fold, is_near, spellings};

impl State {
    /// Returns the changes that carry out the declarations.
    pub(super) fn declared(&self, declared: Vec<NewOrganization>, at_ms: i64) -> Answer<Vec<Change>> {
        let mut declaring = Declaring::new(at_ms);
        for new in declared {
            let find = |id: Option<&OrganizationId>| id.and_then(|id| self.organizations.get(id)).cloned();
            let named = find(self.organization_by_name.get(&new.name));
            let known_as = new
                .external_id
                .clone()
                .and_then(|external_id| find(self.organization_by_external.get(&(new.realm.clone(), external_id))));
            let manual = named
                .as_ref()
                .map(|named| self.manual_grants(named.id))
                .unwrap_or_default();
            let met = Met {
                named,
                manual,
                known_as,
            };
            declaring.add(new, met)?;
        }
        let kept = self.organizations.values().filter(|kept| kept.origin == Origin::Config);
        Ok(declaring.finish(&kept.cloned().collect::<Vec<_>>()))
    }

    pub(super) fn snapshot(&self, desired: &Desired, detail: Detail, versions: &Versions) -> Snapshot {
        let realm = &desired.realm;
        let user = self
            .user_by_external
            .get(&(realm.clone(), desired.user.external_id.clone()))
            .copied();
        let wanted = desired.organization.as_ref();
        let organization = wanted.and_then(|wanted| {
            let id = self
                .organization_by_external
                .get(&(realm.clone(), wanted.external_id.clone()))?;
            self.organizations.get(id).cloned()
        });
        let name = wanted
            .filter(|_| organization.is_none())
            .and_then(narthex_directory::DesiredOrganization::suggested_name);
        let team = desired.team.as_ref().and_then(|wanted| {
            let id = self
                .team_by_external
                .get(&(realm.clone(), wanted.external_id.clone()))?;
            self.teams.get(id).cloned()
        });
        let tags: BTreeSet<&str> = match &desired.tags {
            DesiredTags::Exactly(tags) => tags.iter().map(String::as_str).filter(|tag| !tag.is_empty()).collect(),
            DesiredTags::NotConfigured | DesiredTags::Keep => BTreeSet::new(),
        };
        let lookups = Lookups::of(desired);
        let issuer = user.and_then(|user| self.issuers.get(&(user, desired.issuer.clone())));
        Snapshot {
            detail,
            policy: versions.policy(),
            standing: user.and_then(|user| self.standing(user, versions)),
            username_owner: self
                .user_by_name
                .get(&(realm.clone(), desired.user.new_username()))
                .copied(),
            last: issuer.and_then(|issuer| issuer.last),
            refused_before_ms: self.sessions.refused_before_ms(desired),
            erased: match user {
                Some(_) => None,
                None => self.refused_tokens_of(desired),
            },
            recent: Recent::NONE,
            tags_differ: (desired.tags.noted())
                .is_some_and(|tags| issuer.and_then(|issuer| issuer.tags.as_ref()) != Some(&tags)),
            organization,
            deleted_organizations: BTreeSet::new(),
            organization_name_taken: name
                .is_some_and(|name| self.organization_by_name.contains_key(&name) || self.former_names.contains(&name)),
            team,
            looked_up: self.looked_up(realm, &lookups),
            teams_looked_up: self.teams_looked_up(realm, &lookups),
            names_taken: lookups
                .suggested
                .into_iter()
                .filter(|name| self.is_taken(name))
                .collect(),
            tag_matches: tags.iter().flat_map(|tag| self.matches(realm, tag)).collect(),
            near_misses: match detail {
                Detail::Sync => Vec::new(),
                Detail::Explain => tags.iter().flat_map(|tag| self.near_misses(realm, tag)).collect(),
            },
        }
    }

    fn looked_up(&self, realm: &Realm, lookups: &Lookups) -> Vec<Organization> {
        if lookups.is_empty() {
            return Vec::new();
        }
        let here = self.organizations.values().filter(|found| found.realm == *realm);
        here.filter(|found| lookups.names(found)).cloned().collect()
    }

    fn teams_looked_up(&self, realm: &Realm, lookups: &Lookups) -> Vec<Team> {
        let is_named = |team: &&Team| {
            let external_id = team.external_id.as_ref().map(ExternalId::as_str);
            team.realm == *realm && external_id.is_some_and(|own| lookups.teams.iter().any(|wanted| wanted == own))
        };
        if lookups.teams.is_empty() {
            return Vec::new();
        }
        self.teams.values().filter(is_named).cloned().collect()
    }

    fn is_taken(&self, name: &str) -> bool {
        OrganizationName::new(name)
            .is_ok_and(|name| self.organization_by_name.contains_key(&name) || self.former_names.contains(&name))
    }

    fn matches(&self, realm: &Realm, tag: &str) -> Vec<TagMatch> {
        let listing = self.organizations_by_tag.get(&(realm.clone(), tag.to_owned()));
        let listing = listing
            .into_iter()
            .flatten()
            .filter_map(|id| self.organizations.get(id));
        listing
            .filter_map(|found| {
                let role = found.tags.role_of(tag)?;
                Some(TagMatch {
                    tag: tag.to_owned(),
                    organization: found.into(),
                    role,
                })
            })
            .collect()
    }

    fn near_misses(&self, realm: &Realm, tag: &str) -> Vec<NearMiss> {
        let mut misses = Vec::new();
        let spellings = spellings(tag);
        for organization in self
            .organizations
            .values()
            .filter(|organization| organization.realm == *realm)
        {
            let mut listed: Vec<&str> = organization
                .tags
                .roles()
                .iter()
                .map(|(listed, _)| listed.as_str())
                .collect();
            listed.sort_unstable();
            // As the stores find them: by the folded text of what is listed.
            let near = listed
                .into_iter()
                .filter(|listed| spellings.contains(&fold(listed)) && is_near(tag, listed));
            misses.extend(near.map(|listed| NearMiss {
                tag: tag.to_owned(),
                listed: listed.to_owned(),
                organization: Some(OrganizationBrief::from(organization)),
            }));
        }
        misses
    }

    pub(super) fn entry(&self, user: &User) -> UserEntry {
        let grants: Vec<Grant> = self.open_grants(user.id).cloned().collect();
        UserEntry {
            user: user.clone(),
            platform_role: platform_role(&grants),
        }
    }

    pub(super) fn users(&self, filter: &UserFilter, page: &Page) -> Listing<UserEntry> {
        let after = |user: &User| user.id.to_string();
        let found = self
            .users
            .values()
            .filter(|user| is_after(page, &after(user)) && admits_user(filter, user));
        let items = found.take(page.limit() + 1).map(|user| self.entry(user)).collect();
        Listing::cut(items, page, |entry: &UserEntry| after(&entry.user))
    }

    pub(super) fn grants(&self, filter: &GrantFilter, page: &Page) -> Listing<Grant> {
        let after = |grant: &Grant| grant.id.to_string();
        let admits = |grant: &Grant| {
            filter.user.is_none_or(|user| grant.user == user)
                && filter.scope.is_none_or(|scope| grant.scope() == scope)
                && match filter.when {
                    GrantsWhen::Open => grant.revoked_at_ms.is_none(),
                    GrantsWhen::AsOf(at_ms) => grant.held_at(at_ms),
                    GrantsWhen::Ever => true,
                }
        };
        let found = self
            .grants
            .values()
            .filter(|grant| is_after(page, &after(grant)) && admits(grant));
        Listing::cut(found.take(page.limit() + 1).cloned().collect(), page, after)
    }

    pub(super) fn organizations(&self, filter: &OrganizationFilter, page: &Page) -> Listing<Organization> {
        let after = |organization: &Organization| organization.id.to_string();
        let admits = |organization: &Organization| {
            filter.realm.as_ref().is_none_or(|realm| organization.realm == *realm)
                && filter.external_id.as_ref().is_none_or(|wanted| {
                    organization
                        .external_id
                        .as_ref()
                        .is_some_and(|id| id.as_str() == wanted)
                })
                && filter
                    .tag
                    .as_ref()
                    .is_none_or(|tag| organization.tags.role_of(tag).is_some())
                && filter
                    .q
                    .as_ref()
                    .is_none_or(|q| holds(q, [Some(organization.name.as_str()), Some(organization.label.as_str())]))
        };
        let found = self
            .organizations
            .values()
            .filter(|found| is_after(page, &after(found)) && admits(found));
        Listing::cut(found.take(page.limit() + 1).cloned().collect(), page, after)
    }

    pub(super) fn members(&self, scope: Scope, now_ms: i64, page: &Page) -> Listing<Member> {
        self.holders(self.open_on(scope).filter(|grant| grant.counts_at(now_ms)), page)
    }

    pub(super) fn members_as_of(&self, scope: Scope, at_ms: i64, page: &Page) -> Listing<Member> {
        let held = self
            .grants
            .values()
            .filter(|grant| grant.scope() == scope && grant.held_at(at_ms));
        self.holders(held, page)
    }

    /// Users who hold these grants.
    fn holders<'g>(&self, grants: impl Iterator<Item = &'g Grant>, page: &Page) -> Listing<Member> {
        let mut members: BTreeMap<UserId, Vec<Grant>> = BTreeMap::new();
        for grant in grants {
            if is_after(page, &grant.user.to_string()) {
                members.entry(grant.user).or_default().push(grant.clone());
            }
        }
        let items = members.into_iter().take(page.limit() + 1).filter_map(|(user, grants)| {
            let user = self.users.get(&user)?.clone();
            Some(Member {
                user,
                role: highest_role(&grants)?,
                grants,
            })
        });
        Listing::cut(items.collect(), page, |member: &Member| member.user.id.to_string())
    }

    pub(super) fn has_met(&self, organization: OrganizationId, user: UserId) -> bool {
        let is_there = |scope: Scope| match scope {
            Scope::Platform => false,
            Scope::Organization(id) => id == organization,
            Scope::Team(id) => self
                .teams
                .get(&id)
                .is_some_and(|team| team.organization == Some(organization)),
        };
        let own = self
            .grants
            .values()
            .filter(|grant| grant.user == user && is_there(grant.scope()));
        own.into_iter()
            .any(|grant| grant.revoked_at_ms.is_none() || grant.source != GrantSource::Manual)
    }

    pub(super) fn carriers(&self, filter: &CarrierFilter, page: &Page) -> Listing<Carrier> {
        let found = self.carrying(filter).into_iter();
        let found = found.filter(|carrier| is_after(page, &carrier.user.id.to_string()));
        Listing::cut(found.take(page.limit() + 1).collect(), page, |carrier: &Carrier| {
            carrier.user.id.to_string()
        })
    }

    pub(super) fn count_carriers(&self, filter: &CarrierFilter, most: usize) -> usize {
        self.carrying(filter).len().min(most)
    }

    fn carrying(&self, filter: &CarrierFilter) -> Vec<Carrier> {
        let is_member = |user: UserId, organization: OrganizationId, now_ms: i64| {
            let mut open = self.open_on(Scope::Organization(organization));
            open.any(|grant| grant.user == user && grant.counts_at(now_ms))
        };
        let admits = |user: UserId| match filter.among {
            Among::Everybody => true,
            Among::Members(organization, now_ms) => is_member(user, organization, now_ms),
            Among::Others(organization, now_ms) => !is_member(user, organization, now_ms),
        };
        let mut carriers: BTreeMap<UserId, BTreeSet<&String>> = BTreeMap::new();
        for ((user, _), state) in &self.issuers {
            let carried = state.tags.iter().flatten().filter(|tag| !tag.is_empty());
            carriers.entry(*user).or_default().extend(carried);
        }
        let found = carriers.into_iter().filter_map(|(user, carried)| {
            let user = self.users.get(&user).filter(|user| user.realm == filter.realm)?;
            let wanted = filter.tags.iter().any(|tag| carried.contains(tag)) && admits(user.id);
            wanted.then(|| Carrier {
                user: user.clone(),
                tags: carried.into_iter().cloned().collect(),
            })
        });
        found.collect()
    }

    pub(super) fn teams(&self, filter: &TeamFilter, page: &Page) -> Listing<Team> {
        let after = |team: &Team| team.id.to_string();
        let admits = |team: &Team| {
            filter.realm.as_ref().is_none_or(|realm| team.realm == *realm)
                && filter
                    .organization
                    .is_none_or(|organization| team.organization == Some(organization))
                && filter
                    .external_id
                    .as_ref()
                    .is_none_or(|wanted| team.external_id.as_ref().is_some_and(|id| id.as_str() == wanted))
        };
        let found = self
            .teams
            .values()
            .filter(|team| is_after(page, &after(team)) && admits(team));
        Listing::cut(found.take(page.limit() + 1).cloned().collect(), page, after)
    }

    pub(super) fn api_keys(&self, page: &Page) -> Listing<ApiKey> {
        let after = |key: &ApiKey| key.id.to_string();
        let found = self.api_keys.values().filter(|key| is_after(page, &after(key)));
        Listing::cut(found.take(page.limit() + 1).cloned().collect(), page, after)
    }

    pub(super) fn machine_keys(&self, organization: OrganizationId, page: &Page) -> Listing<MachineKey> {
        let after = |key: &MachineKey| key.id.to_string();
        let of_it = self
            .machine_keys
            .values()
            .filter(|key| key.organization == organization);
        let found = of_it.filter(|key| is_after(page, &after(key)));
        Listing::cut(found.take(page.limit() + 1).cloned().collect(), page, after)
    }

    pub(super) fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: &Page,
    ) -> Listing<Document> {
        let found = self.documents.values().filter(|document| {
            document.kind == kind
                && organization.is_none_or(|of| document.organization == Some(of))
                && is_after(page, &document.name)
        });
        let items = found.take(page.limit() + 1).cloned().collect();
        Listing::cut(items, page, |document: &Document| document.name.clone())
    }

    pub(super) fn events(&self, filter: &EventFilter, page: &Page) -> Answer<Listing<RecordedEvent>> {
        let cursor = page.after_number()?.map(i64::unsigned_abs);
        let wanted = |recorded: &&RecordedEvent| {
            filter.admits(&recorded.event)
                && cursor.is_none_or(|cursor| match filter.order {
                    EventOrder::NewestFirst => recorded.sequence < cursor,
                    EventOrder::OldestFirst => recorded.sequence > cursor,
                })
        };
        let limit = page.limit() + 1;
        let items = match filter.order {
            EventOrder::NewestFirst => self.events.iter().rev().filter(wanted).take(limit).cloned().collect(),
            EventOrder::OldestFirst => self.events.iter().filter(wanted).take(limit).cloned().collect(),
        };
        Ok(Listing::cut(items, page, |recorded: &RecordedEvent| {
            recorded.sequence.to_string()
        }))
    }

    pub(super) fn seen_tags(&self, realm: Option<&Realm>, page: &Page) -> Answer<Listing<SeenTag>> {
        let after = page.after_pair()?;
        let found = self.seen_tags.values().filter(|seen| {
            realm.is_none_or(|realm| seen.realm == *realm)
                && after
                    .as_ref()
                    .is_none_or(|(realm, tag)| (seen.realm.as_str(), &seen.tag) > (realm.as_str(), tag))
        });
        let items = found.take(page.limit() + 1).cloned().collect();
        Ok(Listing::cut(items, page, |seen: &SeenTag| {
            Cursor::of_pair(seen.realm.as_str(), &seen.tag)
        }))
    }
}

fn is_after(page: &Page, key: &str) -> bool {
    page.cursor().is_none_or(|cursor| key > cursor.as_str())
}

fn admits_user(filter: &UserFilter, user: &User) -> bool {
    let profile = &user.profile;
    filter.realm.as_ref().is_none_or(|realm| user.realm == *realm)
        && filter
            .external_id
            .as_ref()
            .is_none_or(|id| user.external_id.as_str() == id)
        && filter
            .username
            .as_ref()
            .is_none_or(|name| user.username.as_str() == name)
        && filter
            .email
            .as_ref()
            .is_none_or(|email| profile.email.as_ref() == Some(email))
        && filter.q.as_ref().is_none_or(|q| {
            let (username, external_id) = (user.username.as_str(), user.external_id.as_str());
            holds(
                q,
                [
                    Some(username),
                    Some(external_id),
                    profile.email.as_deref(),
                    profile.name.as_deref(),
                ],
            )
        })
}

/// Tests whether one of the texts holds another, ASCII letters in any case: all databases can do this alike.
fn holds<const N: usize>(q: &str, texts: [Option<&str>; N]) -> bool {
    let q = q.to_ascii_lowercase();
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_ascii_lowercase().contains(&q))
}
