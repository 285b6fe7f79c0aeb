//! The decision itself: a table over requirement, role and the organization's state.

use narthex_directory::{GrantId, Membership, OrganizationBrief, OrganizationStatus, PlatformRole, Principal, Scope};

use crate::Reason;
use crate::route::{Match, Preflight, Requirement};

/// Whether a request may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// Why a request may pass: logs, metrics, audit and explain all read this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The requirement that was satisfied.
    pub rule: Requirement,
    /// The person's membership in the organization the path names, if they have one and it is open.
    pub organization: Option<Membership>,
    /// The grants the permission rests on; empty where none was needed.
    pub grants: Vec<GrantId>,
}

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The stable code.
    pub reason: Reason,
    /// What would have let it pass, in the words of the configuration.
    pub required: Vec<Requirement>,
}

/// What the directory knows of the organization that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationFacts {
    /// The path names none.
    NotNamed,
    /// There is none of that name.
    Unknown,
    /// There is one, in this state.
    Known(OrganizationStatus),
}

impl From<&OrganizationBrief> for OrganizationFacts {
    fn from(organization: &OrganizationBrief) -> Self {
        Self::Known(organization.status)
    }
}

/// Decides a request that fell under a route. `principal` is `None` for somebody who presented no token; somebody
/// whose token was bad never gets here.
///
/// A suspended organization that the path names is closed, whatever the route requires, but for who may pass by being a
/// platform admin, and on public routes.
pub fn decide(matched: &Match<'_>, principal: Option<&Principal>, organization: &OrganizationFacts) -> Decision {
    if matched.preflight == Preflight::Yes {
        return Decision::Allow(Permit {
            rule: Requirement::Public,
            organization: None,
            grants: Vec::new(),
        });
    }
    let required = &matched.route.spec.require;
    let membership = principal.and_then(|principal| principal.membership(matched.organization?));
    let open = membership.filter(|membership| membership.status == OrganizationStatus::Active);
    let suspended = is_suspended(membership, organization);
    for rule in required {
        if suspended && !opens_suspended(*rule, principal) {
            continue;
        }
        if let Some(grants) = satisfied(*rule, principal, open) {
            return Decision::Allow(Permit {
                rule: *rule,
                organization: open.cloned(),
                grants,
            });
        }
    }
    let reason = match principal {
        None => Reason::TokenMissing,
        Some(_) if suspended => Reason::OrganizationSuspended,
        Some(_) if matched.route.names_organization() => organization_reason(membership, organization),
        Some(_) => Reason::PlatformRole,
    };
    Decision::Deny(Denial {
        reason,
        required: required.clone(),
    })
}

/// The grants by which a requirement holds, or `None` if it does not.
fn satisfied(rule: Requirement, principal: Option<&Principal>, open: Option<&Membership>) -> Option<Vec<GrantId>> {
    match (rule, principal) {
        (Requirement::Public, _) | (Requirement::Authenticated, Some(_)) => Some(Vec::new()),
        (Requirement::Organization(role), Some(_)) => open
            .filter(|membership| membership.role >= role)
            .map(|membership| membership.grants.clone()),
        (Requirement::Platform(role), Some(principal)) => {
            (principal.platform_role() >= role).then(|| platform_grants(principal))
        }
        (_, None) => None,
    }
}

fn platform_grants(principal: &Principal) -> Vec<GrantId> {
    if principal.platform_role() == PlatformRole::User {
        return Vec::new();
    }
    principal
        .grants()
        .iter()
        .filter(|grant| grant.scope() == Scope::Platform)
        .map(|grant| grant.id)
        .collect()
}

/// Whether the organization that the path names is suspended. Members know it of theirs.
fn is_suspended(membership: Option<&Membership>, organization: &OrganizationFacts) -> bool {
    let status = match (membership, organization) {
        (Some(membership), _) => Some(membership.status),
        (None, OrganizationFacts::Known(status)) => Some(*status),
        (None, OrganizationFacts::NotNamed | OrganizationFacts::Unknown) => None,
    };
    status == Some(OrganizationStatus::Suspended)
}

/// Whether a requirement may be satisfied in a suspended organization: somebody has to be able to look after it.
fn opens_suspended(rule: Requirement, principal: Option<&Principal>) -> bool {
    match rule {
        Requirement::Public => true,
        Requirement::Platform(_) => principal.is_some_and(|principal| principal.platform_role() == PlatformRole::Admin),
        Requirement::Authenticated | Requirement::Organization(_) => false,
    }
}

fn organization_reason(membership: Option<&Membership>, organization: &OrganizationFacts) -> Reason {
    match (membership, organization) {
        (None, OrganizationFacts::Unknown) => Reason::OrganizationUnknown,
        _ => Reason::OrganizationRole,
    }
}
