//! The organizations: has what is declared been applied, and can anyone belong to each by a tag.

use std::collections::BTreeMap;

use narthex_config::{DeclaredOrganization, Issuer};
use narthex_directory::{Directory, Organization, OrganizationFilter, Origin, PAGE_LIMIT_MAX, Page, Realm, StoreError};
use narthex_token::IssuerStatus;

use super::{Finding, State, count};

/// Compares what the store holds with what the configuration says.
pub(super) async fn look(
    directory: &dyn Directory,
    declared: &[DeclaredOrganization],
    issuers: &[Issuer],
) -> Vec<Finding> {
    match all(directory).await {
        Ok(there) => not_applied(declared, &there)
            .into_iter()
            .chain(without_tags(issuers, declared, &there))
            .collect(),
        Err(error) => vec![Finding::new(AREA, NAME, State::Problem, error.to_string())],
    }
}

async fn all(directory: &dyn Directory) -> Result<Vec<Organization>, StoreError> {
    let (mut page, mut all) = (Page::first(PAGE_LIMIT_MAX), Vec::new());
    loop {
        let listing = directory.organizations(OrganizationFilter::default(), page).await?;
        all.extend(listing.items);
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Ok(all),
        }
    }
}

/// Declarations that a start, or a reload, would still have to write.
fn not_applied(declared: &[DeclaredOrganization], there: &[Organization]) -> Option<Finding> {
    let kept = |name: &str| there.iter().find(|kept| kept.name.as_str() == name);
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for new in declared {
        match kept(new.name.as_str()) {
            None => missing.push(new.name.as_str()),
            Some(kept) if !is_as_declared(kept, new) => different.push(new.name.as_str()),
            Some(_) => {}
        }
    }
    let gone = there
        .iter()
        .filter(|kept| kept.origin == Origin::Config && !declared.iter().any(|new| new.name == kept.name));
    let gone: Vec<&str> = gone.map(|kept| kept.name.as_str()).collect();
    let told: Vec<String> = [
        ("not there yet", &missing),
        ("there with other values", &different),
        ("in the store, and no longer declared", &gone),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| format!("{what}: {}", some_of(names)))
    .collect();
    (!told.is_empty()).then(|| {
        let message = format!(
            "not applied yet ({}); `narthex serve` applies them when it starts, and a server that runs when it reads this file again",
            told.join("; ")
        );
        Finding::new(AREA, NAME, State::Warning, message)
    })
}

fn is_as_declared(kept: &Organization, new: &DeclaredOrganization) -> bool {
    // An external id that is not declared any more stays.
    let external_id = new.external_id.is_none() || kept.external_id == new.external_id;
    kept.origin == Origin::Config
        && external_id
        && (&kept.label, &kept.realm) == (&new.label, &new.realm)
        && (&kept.details, &kept.tags) == (&new.details, &new.tags)
        && (kept.membership, kept.status) == (new.membership, new.status)
}

/// Organizations that list tags in a realm where no issuer's tokens carry any. `config check` tells of those that are
/// declared.
fn without_tags(issuers: &[Issuer], declared: &[DeclaredOrganization], there: &[Organization]) -> Vec<Finding> {
    let reads_tags = |realm: &Realm| {
        let mut of_realm = issuers.iter().filter(|issuer| issuer.realm == *realm);
        of_realm.any(|issuer| issuer.mapping.reads_tags() && issuer.trusted.policy().status == IssuerStatus::Enabled)
    };
    let mut by_realm: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kept in there {
        let tags = &kept.tags;
        let lists = [&tags.admin, &tags.member, &tags.executor]
            .iter()
            .any(|list| !list.is_empty());
        let is_declared = declared.iter().any(|new| new.name == kept.name);
        if lists && !is_declared && !reads_tags(&kept.realm) {
            by_realm
                .entry(kept.realm.as_str())
                .or_default()
                .push(kept.name.as_str());
        }
    }
    let told = |(realm, names): (&str, Vec<&str>)| {
        let message = format!(
            "{} of the realm `{realm}` list tags ({}), and no enabled issuer of that realm has `[issuer.tags]`: no user can \
             belong to them by a tag; say which claim holds the tags",
            count(names.len(), "organization"),
            some_of(&names)
        );
        Finding::new("organization", realm, State::Warning, message)
    };
    by_realm.into_iter().map(told).collect()
}

/// A few names, and how many more there are.
pub(super) fn some_of(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED_MOST).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(shown.len()) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

const AREA: &str = "configuration";
const NAME: &str = "[[organization]]";
/// Number of organizations that are named in a line.
const NAMED_MOST: usize = 5;
