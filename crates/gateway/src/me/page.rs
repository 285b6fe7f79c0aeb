//! The page of `/.narthex/me`, for a person at a browser.

use askama::Template;
use bytes::Bytes;
use narthex_directory::{GrantId, GrantSource, OrganizationStatus, PlatformRole, Principal};
use narthex_engine::respond::PAGE_STYLE;
use narthex_login::SessionRow;

/// Values of the template.
#[derive(Template)]
#[template(path = "me.html")]
struct Page<'a> {
    style: &'static str,
    /// Display name, or the username.
    name: &'a str,
    roles: Vec<Role<'a>>,
    facts: Vec<(&'static str, &'a str)>,
    sessions: &'a [SessionRow],
}

/// A role of the person.
struct Role<'a> {
    word: &'static str,
    on: &'a str,
    kind: &'static str,
    suspended: bool,
    sources: Vec<&'a GrantSource>,
}

/// Builds the page.
pub(super) fn page(principal: &Principal, sessions: &[SessionRow]) -> Option<Bytes> {
    let user = principal.user();
    let profile = &user.profile;
    let texts = [
        ("Username", Some(user.username.as_str())),
        ("E-mail", profile.email.as_deref()),
        ("Country", profile.country.as_deref()),
        ("Time zone", profile.timezone.as_deref()),
        ("Language", profile.language.as_deref()),
        ("External ID", Some(user.external_id.as_str())),
    ];
    let page = Page {
        style: PAGE_STYLE,
        name: profile.name.as_deref().unwrap_or(user.username.as_str()),
        roles: roles(principal),
        facts: texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect(),
        sessions,
    };
    page.render().ok().map(Bytes::from)
}

/// Returns every role of the person, the platform role first.
fn roles(principal: &Principal) -> Vec<Role<'_>> {
    let sources = |ids: &[GrantId]| {
        let grants = principal.grants().iter();
        grants
            .filter(|grant| ids.contains(&grant.id))
            .map(|grant| &grant.source)
            .collect()
    };
    let platform = match principal.platform_role() {
        PlatformRole::User => None,
        role => Some(Role {
            word: role.as_str(),
            on: "Everything here",
            kind: "Platform",
            suspended: false,
            sources: super::platform_grants(principal).map(|grant| &grant.source).collect(),
        }),
    };
    let organizations = principal.memberships().iter().map(|membership| Role {
        word: membership.role.as_str(),
        on: membership.name.as_str(),
        kind: "Organization",
        suspended: membership.status == OrganizationStatus::Suspended,
        sources: sources(&membership.grants),
    });
    let teams = principal.teams().iter().map(|team| Role {
        word: team.role.as_str(),
        on: &team.name,
        kind: "Team",
        suspended: false,
        sources: sources(&team.grants),
    });
    platform.into_iter().chain(organizations).chain(teams).collect()
}
