//! The identity of the caller, as an application receives it.

use http::HeaderName;
use narthex_assertion::Claims;
use narthex_decision::{IdentityHeaders, Match, OrganizationFacts, Permit};
use narthex_directory::{PlatformRole, Principal, UserKind};
use serde_json::{Map, Value};

use crate::cache::by_token::KnownCaller;
use crate::engine::Engine;
use crate::organization;
use crate::passed::Allowed;
use crate::runtime::Runtime;
use smol_str::SmolStr;

/// Value that a route sends in a header whose name it chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// Id of the user.
    UserId,
    /// External id of the user.
    ExternalId,
    /// Username.
    Username,
    /// E-mail address.
    Email,
    /// Name for people.
    Name,
    /// Name of the organization that the request is about.
    Organization,
    /// Role in that organization.
    OrganizationRole,
    /// Role on the platform.
    PlatformRole,
    /// List of the roles, as `require` writes them: `platform:ROLE` above `user`, and `organization:ROLE`.
    Roles,
    /// List of the permission tags of the token.
    Tags,
}

/// Builds the result of an allowed request: the identity headers, with a signed assertion among them.
pub(crate) fn allowed(
    engine: &Engine,
    runtime: &Runtime,
    known: &KnownCaller,
    (matched, facts): (&Match<'_>, &OrganizationFacts),
    permit: &Permit,
    now_ms: i64,
) -> Allowed {
    let principal = &known.account.principal;
    let user = principal.user().id.to_string();
    let organization = permit
        .organization
        .as_ref()
        .map(|membership| (membership.name.as_str(), membership.role.as_str()));
    let context = runtime.context(principal);
    let claims = claims(
        principal,
        &user,
        organization,
        runtime.audience(matched.route.index),
        &context,
    );
    let assertion = engine
        .assertions
        .sign(&claims, now_ms, known.seen.caller().ends_by_ms(now_ms));
    let headers = headers(
        principal,
        organization,
        &context,
        assertion.as_ref().map(|assertion| assertion.compact.as_str()),
    );
    let chosen = runtime.chosen_headers(matched.route.index);
    let patch = with_chosen(headers, chosen, (principal, organization, &known.account.tags)).into_patch();
    let ends_ms = assertion.map_or(now_ms, |assertion| assertion.expires_at_ms);
    Allowed {
        route: matched.route.index,
        organization: organization::name(matched, facts).map(SmolStr::new),
        asked_for: matched.organization.as_deref().map(SmolStr::new),
        rule: permit.rule,
        user: Some(principal.user().id),
        patch,
        assertion_ends_ms: ends_ms,
        assertion_lifetime_ms: engine.assertions.lifetime_ms(),
    }
}

/// Collects the identity headers of a principal on a route, without those whose names it chooses. `context` is the part of the user's context that may be sent,
/// as in the assertion.
pub fn headers(
    principal: &Principal,
    organization: Option<(&str, &'static str)>,
    context: &Map<String, Value>,
    assertion: Option<&str>,
) -> IdentityHeaders {
    let user = principal.user();
    let mut headers = IdentityHeaders::new()
        .with("x-narthex-user", &user.id.to_string())
        .with("x-narthex-external-id", user.external_id.as_str())
        .with("x-narthex-username", user.username.as_str())
        .with("x-narthex-email", user.profile.email.as_deref().unwrap_or_default())
        .with_word("x-narthex-platform-role", principal.platform_role().as_str());
    if let Some((name, role)) = organization {
        headers = headers
            .with("x-narthex-organization", name)
            .with_word("x-narthex-organization-role", role);
    }
    for (property, value) in context {
        headers = headers.with_context(property, &context_text(value));
    }
    headers.with("x-narthex-assertion", assertion.unwrap_or_default())
}

/// Adds the headers whose names a route chooses.
pub fn with_chosen(
    mut headers: IdentityHeaders,
    chosen: &[(IdentityField, HeaderName)],
    (principal, organization, tags): (&Principal, Option<(&str, &'static str)>, &[String]),
) -> IdentityHeaders {
    let user = principal.user();
    for (field, name) in chosen {
        let name = name.clone();
        headers = match field {
            IdentityField::UserId => headers.with_chosen(name, &user.id.to_string()),
            IdentityField::ExternalId => headers.with_chosen(name, user.external_id.as_str()),
            IdentityField::Username => headers.with_chosen(name, user.username.as_str()),
            IdentityField::Email => headers.with_chosen(name, user.profile.email.as_deref().unwrap_or_default()),
            IdentityField::Name => headers.with_chosen(name, user.profile.name.as_deref().unwrap_or_default()),
            IdentityField::Organization => headers.with_chosen(name, organization.map_or("", |(name, _)| name)),
            IdentityField::OrganizationRole => headers.with_chosen(name, organization.map_or("", |(_, role)| role)),
            IdentityField::PlatformRole => headers.with_chosen(name, principal.platform_role().as_str()),
            IdentityField::Roles => {
                let platform = Some(principal.platform_role()).filter(|role| *role != PlatformRole::User);
                let roles = [
                    platform.map(|role| format!("platform:{role}")),
                    organization.map(|(_, role)| format!("organization:{role}")),
                ];
                headers.with_chosen_list(name, roles.iter().flatten().map(String::as_str))
            }
            IdentityField::Tags => headers.with_chosen_list(name, tags.iter().map(String::as_str)),
        };
    }
    headers
}

/// Returns text unchanged, and any other value as JSON.
fn context_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Returns the assertion's claims about a principal.
pub(crate) fn claims<'a>(
    principal: &'a Principal,
    user_id: &'a str,
    organization: Option<(&'a str, &'a str)>,
    audience: &'a str,
    context: &'a Map<String, Value>,
) -> Claims<'a> {
    let user = principal.user();
    Claims {
        sub: user_id,
        aud: audience,
        external_id: user.external_id.as_str(),
        kind: Some(principal.kind())
            .filter(|kind| *kind == UserKind::Service)
            .map(UserKind::as_str),
        username: Some(user.username.as_str()),
        email: user.profile.email.as_deref(),
        platform_role: principal.platform_role().as_str(),
        organization: organization.map(|(name, _)| name),
        organization_role: organization.map(|(_, role)| role),
        context,
    }
}
