//! The organization that a request is about.

use narthex_decision::{Match, OrganizationBy, OrganizationFacts, OrganizationSource, Reason};
use narthex_directory::{
    Directory, Organization, OrganizationBrief, OrganizationFilter, OrganizationName, Page, Principal, StoreError,
};

use crate::respond::Refusal;

/// Explanation for the operator of a refusal because the text does not have the form of a name or an external id.
pub const NO_NAME: &str = "`{organization}` takes the name of an organization as it is written (lower-case letters, \
                                  digits, `-`, `_` and `.`), or with `organization_by = \"external_id\"` its external id \
                                  (letters, digits, `-`, `.`, `_` and `~`), with nothing percent-encoded";

/// Returns the organization that the request is about. A member's principal has it; the directory is asked only for
/// others, and for external ids. `of_one` is the organization of the token's issuer, for an issuer of one organization.
///
/// # Errors
///
/// The directory gives no answer.
pub async fn facts(
    directory: &dyn Directory,
    (principal, of_one): (&Principal, Option<&OrganizationName>),
    matched: &Match<'_>,
) -> Result<OrganizationFacts, StoreError> {
    let route = matched.route;
    let by = route.spec.organization_by;
    // On a public route nothing is required of the organization. A name alone finds the user's membership there.
    let matters = !route.is_public() || by == OrganizationBy::ExternalId;
    let Some(text) = matched.organization.as_deref().filter(|_| matters) else {
        return Ok(OrganizationFacts::NotNamed);
    };
    if !route.has_organization_form(text) {
        return Ok(OrganizationFacts::NoName);
    }
    let found = match by {
        OrganizationBy::Name => named(directory, principal, text).await?,
        OrganizationBy::ExternalId => match of_one {
            Some(own) => known_as(directory, own, text).await?,
            None => with_external_id(directory, principal, text).await?,
        },
    };
    Ok(found.map_or(OrganizationFacts::Unknown, OrganizationFacts::Known))
}

async fn named(
    directory: &dyn Directory,
    principal: &Principal,
    text: &str,
) -> Result<Option<OrganizationBrief>, StoreError> {
    if let Some(membership) = principal.membership(text) {
        return Ok(Some(OrganizationBrief {
            id: membership.organization,
            name: membership.name.clone(),
            realm: membership.realm.clone(),
            status: membership.status,
        }));
    }
    let Ok(name) = OrganizationName::new(text) else {
        return Ok(None);
    };
    let found = directory.organization_named(name).await?;
    Ok(found.as_ref().map(OrganizationBrief::from))
}

/// SECURITY: an external id is unique in its realm only, so it is looked up in that of the user.
async fn with_external_id(
    directory: &dyn Directory,
    principal: &Principal,
    text: &str,
) -> Result<Option<OrganizationBrief>, StoreError> {
    let filter = OrganizationFilter {
        realm: Some(principal.user().realm.clone()),
        external_id: Some(text.to_owned()),
        ..OrganizationFilter::default()
    };
    let found = directory.organizations(filter, Page::first(1)).await?;
    Ok(found.items.first().map(OrganizationBrief::from))
}

/// Returns the organization of this name, if it has this external id: the users of its issuer have a realm of their own.
async fn known_as(
    directory: &dyn Directory,
    own: &OrganizationName,
    text: &str,
) -> Result<Option<OrganizationBrief>, StoreError> {
    let found = directory.organization_named(own.clone()).await?;
    let is_it = |found: &Organization| found.external_id.as_ref().is_some_and(|id| id.as_str() == text);
    Ok(found.filter(is_it).as_ref().map(OrganizationBrief::from))
}

/// Returns the name of the organization: the directory's, or the one in the request.
pub fn name<'m>(matched: &'m Match<'_>, facts: &'m OrganizationFacts) -> Option<&'m str> {
    match facts {
        OrganizationFacts::Known(known) => Some(known.name.as_str()),
        _ => matched.organization_name(),
    }
}

/// Adds the organization that a refused request is about, as far as the request itself names it.
pub(crate) fn about(refusal: Refusal, matched: &Match<'_>) -> Refusal {
    refusal
        .in_organization(matched.organization_name())
        .naming(matched.requested_name())
}

/// Refuses a preflight, for which nothing else is decided, if its path or host has text where an organization is named
/// that cannot be one.
///
/// SECURITY: an application decodes `%73usp`; a segment that is no name as written could be another's name there.
///
/// # Errors
///
/// `request.path` and `request.host`.
pub(crate) fn refuse_no_name(matched: &Match<'_>) -> Result<(), Refusal> {
    let route = matched.route;
    match matched.organization.as_deref().filter(|_| !route.is_public()) {
        Some(text) if !route.has_organization_form(text) => Err(no_name(if route.host_names_organization() {
            Reason::RequestHost
        } else {
            Reason::RequestPath
        })),
        _ => Ok(()),
    }
}

/// Returns the refusal of a path or a host with text in it that cannot be an organization.
pub(crate) fn no_name(reason: Reason) -> Refusal {
    let problem = match reason {
        Reason::RequestHost => "a label of the host is not the name of an organization",
        _ => "a segment of the path is not an organization as it is written",
    };
    Refusal {
        problem: Some(problem.to_owned()),
        ..Refusal::logged(reason, NO_NAME)
    }
}

/// Returns the refusal of a request that does not name its organization in the route's header.
pub fn missing(reason: Reason, matched: &Match<'_>) -> Refusal {
    let OrganizationSource::Header(name) = &matched.route.spec.organization else {
        return Refusal::new(reason);
    };
    Refusal::because(
        reason,
        format!("the request does not name exactly one organization in the header `{name}`"),
    )
}
