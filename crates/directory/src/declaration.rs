//! Organizations that the configuration declares: the changes that make the directory agree with it, and the conflicts
//! that prevent them. Pure, so that every store decides alike; [`rehearse_declaration`] asks what they would say.

use std::collections::HashSet;
use std::fmt;

use narthex_names::{ExternalId, OrganizationName, Realm};

use crate::change::Change;
use crate::command::{NewOrganization, OrganizationFilter};
use crate::directory::{Answer, Directory};
use crate::error::StoreError;
use crate::grant::Grant;
use crate::organization::{Organization, OrganizationStatus, Origin};
use crate::page::Page;
use crate::rules::{check_text, new_organization, updated_organization};

/// Records of the directory that a declared organization meets.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// The organization of its name.
    pub named: Option<Organization>,
    /// The open manual grants on that one and on its teams.
    pub manual: Vec<Grant>,
    /// The organization of its realm with its external id, if it declares one.
    pub known_as: Option<Organization>,
}

/// Declared organizations on their way to changes, in the order of the configuration.
#[derive(Debug)]
pub struct Declaring {
    at_ms: i64,
    names: HashSet<OrganizationName>,
    changes: Vec<Change>,
}

impl Declaring {
    /// Nothing so far.
    pub fn new(at_ms: i64) -> Self {
        Self {
            at_ms,
            names: HashSet::new(),
            changes: Vec::new(),
        }
    }

    /// Adds one more: it is created, or the one of its name takes the declared values.
    pub fn add(&mut self, declared: NewOrganization, met: Met) -> Result<(), StoreError> {
        let known_as = met.known_as.filter(|found| self.still_has(found, &declared));
        if let Some(why) = conflict(&declared, met.named.as_ref(), known_as.as_ref()) {
            return Err(StoreError::Declaration(Box::new(why)));
        }
        self.names.insert(declared.name.clone());
        if let Some(before) = met.named {
            self.changes.extend(declare(&before, declared, met.manual, self.at_ms)?);
        } else {
            let organization = new_organization(declared, Origin::Config, self.at_ms)?;
            self.changes.push(Change::CreateOrganization(Box::new(organization)));
        }
        Ok(())
    }

    /// Returns the changes. `before` are the organizations that were declared until now: those that are no longer are
    /// suspended and become editable.
    pub fn finish(mut self, before: &[Organization]) -> Vec<Change> {
        for gone in before.iter().filter(|before| !self.names.contains(&before.name)) {
            self.changes.extend(undeclare(gone, self.at_ms));
        }
        self.changes
    }

    /// Tests whether an organization still has the declared external id after the earlier declarations.
    fn still_has(&self, found: &Organization, declared: &NewOrganization) -> bool {
        !self.changes.iter().any(|change| match change {
            Change::UpdateOrganization { after, .. } => {
                after.id == found.id && after.external_id != declared.external_id
            }
            _ => false,
        })
    }
}

/// Returns the error with which [`People::declare_organizations`](crate::People::declare_organizations) would refuse. Writes
/// nothing.
pub async fn rehearse_declaration(directory: &dyn Directory, declared: Vec<NewOrganization>, at_ms: i64) -> Answer<()> {
    let mut declaring = Declaring::new(at_ms);
    for new in declared {
        let met = met(directory, &new).await?;
        declaring.add(new, met)?;
    }
    Ok(())
}

/// Finds the records that a declared organization meets, without the grants that a change of its membership would
/// close.
///
/// # Errors
///
/// A store that does not answer.
pub async fn met(directory: &dyn Directory, new: &NewOrganization) -> Answer<Met> {
    let mut met = Met {
        named: directory.organization_named(new.name.clone()).await?,
        ..Met::default()
    };
    if let Some(external_id) = &new.external_id {
        let filter = OrganizationFilter {
            realm: Some(new.realm.clone()),
            external_id: Some(external_id.to_string()),
            ..OrganizationFilter::default()
        };
        met.known_as = directory.organizations(filter, Page::first(1)).await?.items.pop();
    }
    Ok(met)
}

/// Conflict of a declared organization with another one that the directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclarationConflict {
    /// The name that is declared.
    pub declared: OrganizationName,
    /// The kind of conflict.
    pub why: Clash,
    /// The name of the organization that is there.
    pub name: OrganizationName,
    /// Its realm.
    pub realm: Realm,
    /// Its id at the identity provider.
    pub external_id: Option<ExternalId>,
    /// Its origin.
    pub origin: Origin,
}

/// Kind of conflict between a declared organization and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// The one of its name is in another realm.
    Realm,
    /// A token made the one of its name, and the declaration does not say that it means that one.
    Token,
    /// Another one of its realm has its external id.
    ExternalId,
}

impl fmt::Display for DeclarationConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (declared, name, realm) = (&self.declared, &self.name, &self.realm);
        let maker = match self.origin {
            Origin::Api => "made by an administrator",
            Origin::Claim => "made by a token",
            Origin::Config => "declared until now",
        };
        let known_as = match &self.external_id {
            Some(external_id) => format!("external_id `{external_id}`"),
            None => "no external_id".to_owned(),
        };
        let there = format!("realm `{realm}`, {known_as}, {maker}");
        write!(f, "organization `{declared}` cannot be declared: ")?;
        match self.why {
            Clash::Realm => write!(
                f,
                "there is one of this name in another realm ({there}); declare another name, or rename that one first \
                 (`narthex organization update {name} --name …`)"
            ),
            Clash::Token => {
                let meant = match &self.external_id {
                    Some(external_id) => format!("declare `external_id` as `{external_id}` too"),
                    None => "give it an external_id and declare that too".to_owned(),
                };
                write!(
                    f,
                    "there is one of this name that no person made ({there}), and whoever has a role in it would keep it; \
                     if that one is meant, {meant}; if not, declare another name or rename that one first \
                     (`narthex organization update {name} --name …`)"
                )
            }
            Clash::ExternalId if self.origin == Origin::Config => write!(
                f,
                "organization `{name}` has its external_id ({there}); give one of them another; to rename `{name}`, take it \
                 out of the configuration, start or reload, rename it (`narthex organization update {name} --name \
                 {declared}`), and declare it by its new name"
            ),
            Clash::ExternalId => write!(
                f,
                "organization `{name}` has its external_id ({there}); if that one is meant, declare it as `{name}` or \
                 rename it first (`narthex organization update {name} --name {declared}`); if not, declare another \
                 external_id"
            ),
        }
    }
}

fn conflict(
    declared: &NewOrganization,
    named: Option<&Organization>,
    known_as: Option<&Organization>,
) -> Option<DeclarationConflict> {
    let because = |why, found: &Organization| DeclarationConflict {
        declared: declared.name.clone(),
        why,
        name: found.name.clone(),
        realm: found.realm.clone(),
        external_id: found.external_id.clone(),
        origin: found.origin,
    };
    if let Some(named) = named {
        if named.realm != declared.realm {
            return Some(because(Clash::Realm, named));
        }
        // SECURITY: a user who can get a token that names an organization is its admin, and may have chosen the label
        // that gave it this name. Only the operator's own word makes it the organization that was meant.
        let is_meant = declared.external_id.is_some() && declared.external_id == named.external_id;
        if named.origin == Origin::Claim && !is_meant {
            return Some(because(Clash::Token, named));
        }
    }
    known_as
        .filter(|found| found.name != declared.name)
        .map(|found| because(Clash::ExternalId, found))
}

/// Gives an existing organization the values that the configuration declares.
fn declare(
    before: &Organization,
    declared: NewOrganization,
    manual: Vec<Grant>,
    at_ms: i64,
) -> Result<Vec<Change>, StoreError> {
    check_text("label", &declared.label)?;
    let after = Organization {
        label: declared.label,
        external_id: declared.external_id.or_else(|| before.external_id.clone()),
        details: declared.details,
        tags: declared.tags,
        tag_patterns: declared.tag_patterns,
        membership: declared.membership,
        status: declared.status,
        origin: Origin::Config,
        ..before.clone()
    };
    Ok(updated_organization(before, after, manual, at_ms))
}

/// Suspends an organization that is no longer declared, because the operator who took it out of the configuration wants
/// it gone. It is not deleted, for its grants are history.
fn undeclare(before: &Organization, at_ms: i64) -> Vec<Change> {
    let after = Organization {
        origin: Origin::Api,
        status: OrganizationStatus::Suspended,
        ..before.clone()
    };
    updated_organization(before, after, Vec::new(), at_ms)
}
