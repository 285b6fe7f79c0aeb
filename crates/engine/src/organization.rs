//! The organization that the path of a request names.

use narthex_decision::{Match, OrganizationFacts, Reason};
use narthex_directory::{OrganizationName, Principal, StoreError, TokenSync};

use crate::respond::Refusal;

/// Explanation for the operator of a refusal because the segment does not have the form of a name.
pub(crate) const NO_NAME: &str = "`{organization}` takes the name of an organization as it is written: lower-case letters, \
                                  digits, `-`, `_` and `.`, none of them percent-encoded";

/// Returns the state of the organization that the path names. A member's principal has it; the directory is asked only
/// for others.
///
/// # Errors
///
/// The directory gives no answer.
pub(crate) async fn facts(
    directory: &dyn TokenSync,
    principal: Option<&Principal>,
    matched: &Match<'_>,
) -> Result<OrganizationFacts, StoreError> {
    let Some(name) = matched.organization.filter(|_| !matched.route.is_public()) else {
        return Ok(OrganizationFacts::NotNamed);
    };
    if let Some(membership) = principal.and_then(|principal| principal.membership(name)) {
        return Ok(OrganizationFacts::Known(membership.status));
    }
    let Ok(name) = OrganizationName::new(name) else {
        return Ok(OrganizationFacts::NoName);
    };
    let found = directory.organization_named(name).await?;
    Ok(found.map_or(OrganizationFacts::Unknown, |organization| {
        OrganizationFacts::Known(organization.status)
    }))
}

/// Refuses a preflight, for which nothing else is decided, to a path whose segment is no name.
///
/// SECURITY: an application decodes `%73usp`; a segment that is no name as written could be another's name there.
///
/// # Errors
///
/// `request.path`.
pub(crate) fn refuse_no_name(matched: &Match<'_>) -> Result<(), Refusal> {
    match matched.organization.filter(|_| !matched.route.is_public()) {
        Some(name) if OrganizationName::new(name).is_err() => Err(no_name()),
        _ => Ok(()),
    }
}

/// Returns the refusal of a path whose segment is no name.
pub(crate) fn no_name() -> Refusal {
    Refusal {
        problem: Some("a segment of the path is not the name of an organization as it is written".to_owned()),
        ..Refusal::logged(Reason::RequestPath, NO_NAME)
    }
}
