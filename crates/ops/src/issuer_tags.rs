//! Preview of a change of an issuer's tag patterns and tags of platform admins: whose roles would change.

use std::collections::{BTreeMap, BTreeSet};

use narthex_decision::Action;
use narthex_directory::{
    Among, Carrier, CarrierFilter, Cursor, EffectiveGrant, IssuerName, Listing, Organization, OrganizationFilter,
    OrganizationName, OrganizationRole, Origin, PAGE_LIMIT_MAX, Page, PatternTag, PlatformRole, Realm, Scope,
    ScopedRole, SourceKind, TagList, TagPattern, TagPatterns, UserId, Username,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;

/// The tags of an issuer that give roles by themselves.
#[derive(Debug, Clone)]
pub struct IssuerTagRules {
    /// The issuer.
    pub issuer: IssuerName,
    /// Its realm.
    pub realm: Realm,
    /// Tags of platform admins.
    pub platform_admin: TagList,
    /// Patterns of tags.
    pub patterns: TagPatterns,
}

/// Change of these tags. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct IssuerTagChange {
    /// The complete list of tags of platform admins.
    pub platform_admin: Option<Vec<String>>,
    /// The complete list of patterns.
    pub patterns: Option<Vec<TagPattern>>,
}

/// A role that a user would gain or lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRoleChange {
    /// The user's id.
    pub user: UserId,
    /// The user's username.
    pub username: Username,
    /// The scope.
    pub on: ChangedScope,
    /// The role now; `None` for none.
    pub before: Option<&'static str>,
    /// The role after the change; `None` for none.
    pub after: Option<&'static str>,
    /// `true` for a role that ends with the change itself; `false` for one that begins with the user's next token.
    pub at_once: bool,
    /// The tags of the user's last tokens that give it, or gave it.
    pub tags: Vec<String>,
}

/// Scope of a changed role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangedScope {
    /// The platform.
    Platform,
    /// An organization, by its name.
    Organization(String),
    /// An organization that a token would create, by its external id.
    NewOrganization(String),
}

/// Page of a preview.
#[derive(Debug, Clone, Default)]
pub struct IssuerTagPreview {
    /// The roles that would change, by user.
    pub items: Vec<IssuerRoleChange>,
    /// Cursor of the next page; `None` at the end.
    pub next_cursor: Option<Cursor>,
    /// Tags of platform admins that the change adds and that no token of the realm ever carried: perhaps misspelt. Given on the
    /// first page.
    pub never_seen: Vec<String>,
}

/// Previews a change of an issuer's tag patterns and tags of platform admins, against the tags that each user last presented.
/// Nothing is written. The page's limit is the number of users to examine, so a page may show fewer and still not be the last.
///
/// The tags of a user's last tokens count together, if several issuers share the realm.
///
/// # Errors
///
/// When the caller may not, there is no such issuer, a list or a pattern cannot be used, or the directory fails.
pub async fn preview(
    caller: &Caller,
    issuer: &str,
    change: IssuerTagChange,
    page: PageRequest,
) -> Result<IssuerTagPreview, OpError> {
    caller.permit(Action::ReadIssuers, None)?;
    let permit = caller.permit(Action::ReadUsers, None)?;
    let now = permit.gateway().tag_rules(issuer);
    let now = now.ok_or(OpError::Unknown { what: "issuer" })?;
    let then = change.applied_to(&now)?;
    // This node may have noted tags of the last tokens that are not written yet.
    permit.directory().flush().await?;
    let (is_first, page) = (page.cursor.is_none(), page.page()?);
    let touched = touched(permit, &now, &then).await?;
    let mut preview = IssuerTagPreview::default();
    if is_first {
        let added = then
            .platform_admin
            .texts()
            .filter(|tag| !now.platform_admin.contains(tag));
        let mut added: Vec<String> = added.map(str::to_owned).collect();
        let seen = permit
            .directory()
            .tags_ever_seen(now.realm.clone(), added.clone())
            .await?;
        added.retain(|tag| !seen.contains(tag));
        preview.never_seen = added;
    }
    if touched.is_empty() {
        return Ok(preview);
    }
    let filter = CarrierFilter {
        realm: now.realm.clone(),
        tags: touched.into_iter().collect(),
        among: Among::Everybody,
    };
    let Listing { items, next_cursor } = permit.directory().carriers(filter, page).await?;
    let mut comparison = Comparison {
        permit,
        now,
        then,
        organizations: BTreeMap::new(),
    };
    for carrier in items {
        preview.items.extend(comparison.of(carrier).await?);
    }
    preview.next_cursor = next_cursor;
    Ok(preview)
}

impl IssuerTagChange {
    fn applied_to(self, now: &IssuerTagRules) -> Result<IssuerTagRules, OpError> {
        let platform_admin = match self.platform_admin {
            Some(entries) => TagList::from_entries(entries).map_err(input_rules::name("platform_admin"))?,
            None => now.platform_admin.clone(),
        };
        let patterns = match self.patterns {
            Some(patterns) => TagPatterns::new(&patterns).map_err(|problems| {
                let told = problems
                    .into_iter()
                    .map(|(at, problem)| format!("number {}: {problem}", at + 1));
                OpError::invalid("patterns", told.collect::<Vec<_>>().join("; "))
            })?,
            None => now.patterns.clone(),
        };
        Ok(IssuerTagRules {
            platform_admin,
            patterns,
            ..now.clone()
        })
    }
}

/// Returns the tags that tokens of the realm carried and that the two read differently.
async fn touched(permit: Permit<'_>, now: &IssuerTagRules, then: &IssuerTagRules) -> Result<BTreeSet<String>, OpError> {
    let differ = |tag: &str| {
        now.platform_admin.contains(tag) != then.platform_admin.contains(tag)
            || now.patterns.read(tag) != then.patterns.read(tag)
    };
    let mut touched = BTreeSet::new();
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let listing = permit.directory().seen_tags(Some(now.realm.clone()), page).await?;
        let tags = listing.items.into_iter().map(|seen| seen.tag);
        touched.extend(tags.filter(|tag| differ(tag)));
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Ok(touched),
        }
    }
}

/// Comparison of the roles of users under two sets of rules.
struct Comparison<'p> {
    permit: Permit<'p>,
    now: IssuerTagRules,
    then: IssuerTagRules,
    /// Organizations by the text that stands for them in tags.
    organizations: BTreeMap<String, Option<Organization>>,
}

impl Comparison<'_> {
    /// Returns the roles of a user that would change.
    async fn of(&mut self, carrier: Carrier) -> Result<Vec<IssuerRoleChange>, OpError> {
        let Some(standing) = self.permit.directory().standing(carrier.user.id).await? else {
            return Ok(Vec::new());
        };
        let in_force = self.permit.in_force();
        let effective = self
            .permit
            .grant_policy(&in_force)
            .effective_grants(&standing.user.realm, standing.grants)
            .await?;
        let mut changes = Vec::new();
        changes.extend(self.platform(&carrier, &effective));
        let tags = || carrier.tags.iter().map(String::as_str);
        let (read_now, read_then) = (self.now.patterns.read_all(tags()), self.then.patterns.read_all(tags()));
        let named: BTreeSet<String> = read_now
            .iter()
            .chain(&read_then)
            .map(|read| read.organization.to_string())
            .collect();
        for text in named {
            let found = self.organization(&text).await?;
            let of = |read: &[PatternTag]| -> Vec<PatternTag> {
                let read = read.iter().filter(|read| read.organization.as_str() == text);
                read.cloned().collect()
            };
            changes.extend(self.in_organization(
                &carrier,
                (&text, found.as_ref()),
                (of(&read_now), of(&read_then)),
                &effective,
            ));
        }
        Ok(changes)
    }

    fn platform(&self, carrier: &Carrier, effective: &[EffectiveGrant]) -> Option<IssuerRoleChange> {
        let own =
            |effective: &EffectiveGrant| effective.grant.source.kind() == SourceKind::Tag && self.is_own(effective);
        let role = |counts: &dyn Fn(&EffectiveGrant) -> bool| {
            let counted = effective.iter().filter(|effective| counts(effective));
            let roles = counted.filter_map(|effective| match effective.gives {
                Ok(ScopedRole::Platform(role)) => Some(role),
                _ => None,
            });
            roles.max()
        };
        let before = role(&|_| true);
        let carried = |rules: &IssuerTagRules| -> Vec<String> {
            let tags = carrier.tags.iter().filter(|tag| rules.platform_admin.contains(tag));
            tags.cloned().collect()
        };
        let (had, has) = (carried(&self.now), carried(&self.then));
        let after = role(&|effective| !own(effective)).max((!has.is_empty()).then_some(PlatformRole::Admin));
        let word = |role: Option<PlatformRole>| role.map(PlatformRole::as_str);
        (before != after).then(|| IssuerRoleChange {
            user: carrier.user.id,
            username: carrier.user.username.clone(),
            on: ChangedScope::Platform,
            before: word(before),
            after: word(after),
            at_once: after < before,
            tags: if after > before { has } else { had },
        })
    }

    /// Tests whether a grant is one of this issuer.
    fn is_own(&self, effective: &EffectiveGrant) -> bool {
        effective.grant.source.issuer() == Some(&self.now.issuer)
    }

    fn in_organization(
        &self,
        carrier: &Carrier,
        (text, found): (&str, Option<&Organization>),
        (read_now, read_then): (Vec<PatternTag>, Vec<PatternTag>),
        effective: &[EffectiveGrant],
    ) -> Option<IssuerRoleChange> {
        let is_open = found.is_none_or(|organization| organization.tag_patterns);
        let then = read_then
            .iter()
            .filter(|read| is_open && (found.is_some() || read.create));
        let gives = then.map(|read| read.role).max();
        let scope = found.map(|organization| Scope::Organization(organization.id));
        let role = |counts: &dyn Fn(&EffectiveGrant) -> bool| {
            let here = effective
                .iter()
                .filter(|effective| Some(effective.grant.scope()) == scope);
            let roles = here
                .filter(|effective| counts(effective))
                .filter_map(|effective| match effective.gives {
                    Ok(ScopedRole::Organization(_, role)) => Some(role),
                    _ => None,
                });
            roles.max()
        };
        let by_pattern =
            |effective: &EffectiveGrant| effective.grant.source.kind() == SourceKind::Pattern && self.is_own(effective);
        let before = role(&|_| true);
        let after = role(&|effective| !by_pattern(effective)).max(gives);
        let word = |role: Option<OrganizationRole>| role.map(OrganizationRole::as_str);
        let tags = |read: &[PatternTag]| read.iter().map(|read| read.tag.clone()).collect();
        (before != after).then(|| IssuerRoleChange {
            user: carrier.user.id,
            username: carrier.user.username.clone(),
            on: match found {
                Some(organization) => ChangedScope::Organization(organization.name.to_string()),
                None => ChangedScope::NewOrganization(text.to_owned()),
            },
            before: word(before),
            after: word(after),
            at_once: after < before,
            tags: if after < before {
                tags(&read_now)
            } else {
                tags(&read_then)
            },
        })
    }

    /// The organization of the realm with this external id or name. Where there are two, the one that no token created counts,
    /// and of two such the older one, as in sync.
    async fn organization(&mut self, text: &str) -> Result<Option<Organization>, OpError> {
        if let Some(known) = self.organizations.get(text) {
            return Ok(known.clone());
        }
        let filter = OrganizationFilter {
            realm: Some(self.now.realm.clone()),
            external_id: Some(text.to_owned()),
            ..OrganizationFilter::default()
        };
        let directory = self.permit.directory();
        let mut found = directory.organizations(filter, Page::first(1)).await?.items;
        if let Ok(name) = OrganizationName::new(text) {
            let named = directory.organization_named(name).await?;
            found.extend(named.filter(|organization| organization.realm == self.now.realm));
        }
        let first = |organization: &Organization| (organization.origin == Origin::Claim, organization.id);
        let found = found.into_iter().min_by_key(first);
        self.organizations.insert(text.to_owned(), found.clone());
        Ok(found)
    }
}
