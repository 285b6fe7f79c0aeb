//! The decision itself: a table over requirement, role and the organization's state.

use narthex_directory::{
    GrantId, IssuerName, Membership, OrganizationBrief, OrganizationName, OrganizationStatus, PlatformRole, Principal,
    Scope, UserKind,
};

use crate::Reason;
use crate::route::{Match, Preflight, Requirement};

/// Decision on a request: it may pass, or it may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request may pass.
    Allow(Permit),
    /// The request may not pass.
    Deny(Denial),
}

/// Grounds for letting a request pass: logs, metrics, audit and explain all read this.
///
/// SECURITY: only [`decide`] makes one, so a step that skips the decision does not compile:
///
/// ```compile_fail,E0451
/// use narthex_decision::Permit;
///
/// fn forged(real: Permit) -> Permit {
///     Permit { ..real }
/// }
/// ```
///
/// The same with a value that was made as it should be does, so nothing else stops the lines above:
///
/// ```
/// use narthex_decision::Permit;
///
/// fn passed_on(real: Permit) -> Permit {
///     real
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The requirement that was satisfied.
    pub rule: Requirement,
    /// The person's membership in the organization that the request is about, if they have one and it is open.
    pub organization: Option<Membership>,
    /// The grants the permission rests on; empty where none was needed.
    pub grants: Vec<GrantId>,
    /// Keeps others from making one.
    decided: Decided,
}

/// Mark of what [`decide`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decided;

/// Grounds for refusing a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The stable code, for the log, the denial event and explain.
    pub reason: Reason,
    /// The code that the caller is told. It differs from the reason where that would say which organizations exist.
    pub told: Reason,
    /// The requirements of which any one would have let it pass, in the words of the configuration.
    pub required: Vec<Requirement>,
}

/// The organization that a request is about, as the directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationFacts {
    /// Neither the request nor the route names one.
    NotNamed,
    /// The text does not have the form of a name or an external id, so no organization can be meant by it as it is written.
    NoName,
    /// There is none of that name or external id.
    Unknown,
    /// There is this one.
    Known(OrganizationBrief),
}

impl From<OrganizationBrief> for OrganizationFacts {
    fn from(organization: OrganizationBrief) -> Self {
        Self::Known(organization)
    }
}

/// Caller with a good token or machine key: the user, and the facts of the credential itself that routes may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'p> {
    /// The user.
    pub principal: &'p Principal,
    /// Configured name of the token's issuer; `None` for a machine key, which no route with `issuers` takes.
    pub issuer: Option<&'p IssuerName>,
    /// The organization that the issuer is of, for an issuer of one organization.
    pub issuer_organization: Option<&'p OrganizationName>,
    /// Permission tags in the token; those that no route asks for may be left out. A machine key has none.
    pub tags: &'p [String],
    /// Scopes of the token; those that no route asks for may be left out. A machine key has none.
    pub scopes: &'p [String],
}

/// Decides a request that fell under a route. `bearer` is `None` for a caller without a token; a caller whose token was bad
/// never gets here.
///
/// The issuer, the tags and the scopes that a route asks for come first. Those of an issuer of one organization count for requests
/// about that organization, and on routes that list the issuer.
///
/// An organization that the request or the route names is closed, whatever the route requires, when it is suspended, when the directory does
/// not have it, and when the text is no name at all. Two exceptions: public routes, and a suspended organization for a
/// platform admin who passes by that role.
pub fn decide(matched: &Match<'_>, bearer: Option<&Bearer<'_>>, organization: &OrganizationFacts) -> Decision {
    if matched.preflight == Preflight::Yes {
        return Decision::Allow(Permit {
            rule: Requirement::Public,
            organization: None,
            grants: Vec::new(),
            decided: Decided,
        });
    }
    let required = &matched.route.spec.require;
    if let Some(reason) = bearer.and_then(|bearer| matched.route.refuses(bearer, organization)) {
        return Decision::Deny(Denial {
            reason,
            told: reason,
            required: required.clone(),
        });
    }
    let principal = bearer.map(|bearer| bearer.principal);
    let membership = principal.and_then(|principal| membership(matched, principal, organization));
    let open = membership.filter(|membership| membership.status == OrganizationStatus::Active);
    let closed = closed(matched, membership, organization);
    for rule in required {
        if closed.is_some_and(|why| !opens_closed(*rule, why, principal)) {
            continue;
        }
        if let Some(grants) = satisfied(*rule, principal, open) {
            return Decision::Allow(Permit {
                rule: *rule,
                organization: open.cloned(),
                grants,
                decided: Decided,
            });
        }
    }
    let of_the_role = || role_reason(required, principal, open);
    let reason = match principal {
        None => Reason::TokenMissing,
        Some(_) => closed.unwrap_or_else(of_the_role),
    };
    // SECURITY: a caller who holds nothing in an organization must not find out by its answers whether it exists or is
    // suspended. All of them are told what they are told of an open organization that they do not belong to.
    let told = match (reason, principal) {
        (Reason::OrganizationUnknown | Reason::OrganizationSuspended, Some(principal))
            if membership.is_none() && principal.platform_role() == PlatformRole::User =>
        {
            of_the_role()
        }
        _ => reason,
    };
    Decision::Deny(Denial {
        reason,
        told,
        required: required.clone(),
    })
}

/// The user's membership in the organization that the request is about.
///
/// SECURITY: an external id is never looked up as a name. Any organization may be called what another has for its external
/// id.
fn membership<'p>(
    matched: &Match<'_>,
    principal: &'p Principal,
    organization: &OrganizationFacts,
) -> Option<&'p Membership> {
    match organization {
        OrganizationFacts::Known(known) => principal
            .memberships()
            .iter()
            .find(|membership| membership.organization == known.id),
        _ => principal.membership(matched.organization_name()?),
    }
}

/// The grants by which a requirement holds, or `None` if it does not.
fn satisfied(rule: Requirement, principal: Option<&Principal>, open: Option<&Membership>) -> Option<Vec<GrantId>> {
    match (rule, principal) {
        (Requirement::Public, _) | (Requirement::Authenticated, Some(_)) => Some(Vec::new()),
        (Requirement::Organization(role), Some(_)) => open
            .filter(|membership| membership.role >= role)
            .map(|membership| membership.grants.clone()),
        // SECURITY: a machine key is of one organization. It meets nothing that is asked on the platform, the role `user`
        // included, which every person has.
        (Requirement::Platform(role), Some(principal)) => (principal.kind() == UserKind::Person
            && principal.platform_role() >= role)
            .then(|| platform_grants(principal)),
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

/// Returns the reason for which the organization that the request is about is closed to everybody, if it is. Members know the
/// state of theirs.
fn closed(matched: &Match<'_>, membership: Option<&Membership>, organization: &OrganizationFacts) -> Option<Reason> {
    let status = match (membership, organization) {
        (Some(membership), _) => membership.status,
        (None, OrganizationFacts::Known(known)) => known.status,
        (None, OrganizationFacts::NotNamed) => return None,
        (None, OrganizationFacts::NoName) if matched.route.host_names_organization() => {
            return Some(Reason::RequestHost);
        }
        (None, OrganizationFacts::NoName) => return Some(Reason::RequestPath),
        (None, OrganizationFacts::Unknown) => return Some(Reason::OrganizationUnknown),
    };
    (status == OrganizationStatus::Suspended).then_some(Reason::OrganizationSuspended)
}

/// Tests whether a requirement may be satisfied although the organization is closed. A suspended organization stays open to the
/// platform's admins, who look after it.
fn opens_closed(rule: Requirement, why: Reason, principal: Option<&Principal>) -> bool {
    match rule {
        Requirement::Public => true,
        Requirement::Platform(_) => {
            why == Reason::OrganizationSuspended
                && principal.is_some_and(|principal| principal.platform_role() == PlatformRole::Admin)
        }
        Requirement::Authenticated | Requirement::Organization(_) => false,
    }
}

/// Returns the reason for a caller without the role: that of the platform where only that was asked for and is not there.
fn role_reason(required: &[Requirement], principal: Option<&Principal>, open: Option<&Membership>) -> Reason {
    let of_the_platform =
        |rule: &Requirement| matches!(rule, Requirement::Platform(_)) && satisfied(*rule, principal, open).is_none();
    if required.iter().all(of_the_platform) {
        Reason::PlatformRole
    } else {
        Reason::OrganizationRole
    }
}
