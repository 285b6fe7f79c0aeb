//! The frame of a page: navigation by permission, the caller's name, and the theme.

use http::request::Parts;
use http::{HeaderMap, header};
use narthex_decision::Action;
use narthex_directory::{Actor, Organization, PAGE_LIMIT_MAX};
use narthex_ops::organizations::{self, OrganizationQuery};
use narthex_ops::{Caller, OpError, PageRequest};

use crate::wording::{access, number};
use crate::{Console, paths, script, stylesheet};

/// Name of the cookie that keeps the preferred theme.
pub const THEME_COOKIE: &str = "narthex_theme";

/// The frame of a page.
#[derive(Debug)]
pub struct Frame {
    /// `light` or `dark`; `None` for that of the system.
    pub theme: Option<&'static str>,
    /// Path of the stylesheet.
    pub stylesheet: &'static str,
    /// Path of the script.
    pub script: &'static str,
    /// Host of the console, or the one organization that the caller administers.
    pub place: String,
    /// Sections of the navigation, in order.
    pub sections: Vec<Section>,
    /// Name of the caller.
    pub who: String,
    /// Role of the caller, in words.
    pub role: String,
    /// Address that signs the caller out.
    pub sign_out: Option<String>,
    /// `true` for a caller who reads everything and changes nothing.
    pub read_only: bool,
    /// `true` if the caller may search all records.
    pub may_search: bool,
    /// The organizations that the caller administers; empty for a caller who reads all.
    pub own: Vec<OwnOrganization>,
}

/// A section of the navigation.
#[derive(Debug)]
pub struct Section {
    /// Heading; empty for the first section, which has none.
    pub heading: String,
    /// Links, in order.
    pub items: Vec<Item>,
}

/// A link of the navigation.
#[derive(Debug)]
pub struct Item {
    /// Name of its icon.
    pub icon: &'static str,
    /// Address of the page.
    pub href: String,
    /// Text of the link.
    pub text: String,
    /// `true` on this page and the pages below it.
    pub is_current: bool,
}

/// An organization that the caller administers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOrganization {
    /// Name, as addresses have it.
    pub name: String,
    /// Label, as people know it.
    pub label: String,
}

impl From<Organization> for OwnOrganization {
    fn from(organization: Organization) -> Self {
        Self {
            name: organization.name.to_string(),
            label: organization.label,
        }
    }
}

/// Pages of the whole installation: section, icon, text, address, and the action that a caller needs to see the page.
const PLATFORM: [(&str, &str, &str, &str, Action); 13] = [
    ("", "overview", "Overview", "/", Action::ReadUsers),
    ("", "explain", "Explain", "/explain", Action::Explain),
    ("", "audit", "Audit", "/audit", Action::ReadAudit),
    ("Directory", "users", "Users", "/users", Action::ReadUsers),
    (
        "Directory",
        "organizations",
        "Organizations",
        "/organizations",
        Action::ReadOrganization,
    ),
    ("Directory", "tags", "Tags", "/tags", Action::ReadTags),
    ("Trust", "issuers", "Issuers", "/issuers", Action::ReadIssuers),
    ("Trust", "routes", "Routes", "/routes", Action::ReadRoutes),
    (
        "Integrations",
        "connections",
        "Connections",
        "/connections",
        Action::ListConnections,
    ),
    (
        "Integrations",
        "webhooks",
        "Webhooks",
        "/webhooks",
        Action::ReadWebhooks,
    ),
    ("Console", "api-keys", "API keys", "/api-keys", Action::ReadApiKeys),
    ("Console", "sessions", "Sessions", "/sessions", Action::ReadUsers),
    ("Console", "settings", "Settings", "/settings", Action::ReadUsers),
];

/// Pages of an organization: icon, text, and the last part of the address.
const OF_ORGANIZATION: [(&str, &str, &str); 5] = [
    ("users", "People", "people"),
    ("tags", "Tags and details", ""),
    ("teams", "Teams", "teams"),
    ("connections", "Connections", "connections"),
    ("api-keys", "Machine keys", "machine-keys"),
];

impl Frame {
    /// Builds the frame for a request of this caller.
    ///
    /// # Errors
    ///
    /// When the caller's organizations cannot be read.
    pub(crate) async fn of(console: &Console, caller: &Caller, request: &Parts) -> Result<Self, OpError> {
        let own = own_organizations(caller).await?;
        let path = request.uri.path();
        let who = match (caller.user(), caller.actor()) {
            (Some(user), _) => access::name(user),
            (None, Actor::CommandLine(Some(system_user))) => system_user.as_str(),
            (None, _) => "API key",
        };
        let place = match own.as_slice() {
            [only] => only.label.clone(),
            _ => host(request).to_owned(),
        };
        Ok(Self {
            theme: theme(&request.headers),
            stylesheet: stylesheet::path(),
            script: script::path(),
            place,
            sections: sections(caller, &own, path),
            who: who.to_owned(),
            role: role(caller, &own),
            sign_out: console.sign_in().sign_out_address().map(str::to_owned),
            read_only: caller.may(Action::ReadUsers, None) && !caller.may(Action::WriteUsers, None),
            may_search: caller.may(Action::ReadUsers, None),
            own,
        })
    }

    /// Returns the page that the caller begins at; `None` if there is none.
    pub fn first_page(&self) -> Option<String> {
        let first = self.sections.first()?.items.first()?;
        Some(first.href.clone())
    }
}

async fn own_organizations(caller: &Caller) -> Result<Vec<OwnOrganization>, OpError> {
    if caller.may(Action::ReadOrganization, None) {
        return Ok(Vec::new());
    }
    let page = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    match organizations::list(caller, OrganizationQuery::default(), page).await {
        Ok(listing) => Ok(listing.items.into_iter().map(Into::into).collect()),
        Err(OpError::Forbidden { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn host(request: &Parts) -> &str {
    let named = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| request.uri.host()).unwrap_or_default()
}

/// Returns the theme that the cookie asks for; `None` for that of the system.
///
/// SECURITY: the cookie chooses one of two words; its own text is never shown.
pub fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = cookies.filter_map(|cookie| {
        let (name, value) = cookie.split_once('=')?;
        (name.trim() == THEME_COOKIE).then(|| value.trim())
    });
    match values.next() {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}

fn role(caller: &Caller, own: &[OwnOrganization]) -> String {
    if caller.may(Action::WriteUsers, None) {
        return "Platform admin".to_owned();
    }
    if caller.may(Action::ReadUsers, None) {
        return "Platform viewer".to_owned();
    }
    match own {
        [] => "No role here".to_owned(),
        [only] => format!("Admin of {}", only.label),
        several => format!(
            "Admin of {}",
            number::counted(several.len(), "organization", "organizations")
        ),
    }
}

fn sections(caller: &Caller, own: &[OwnOrganization], path: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (heading, icon, text, href, needs) in PLATFORM {
        if !caller.may(needs, None) {
            continue;
        }
        let item = Item {
            icon,
            href: href.to_owned(),
            text: text.to_owned(),
            is_current: is_at(path, href),
        };
        match sections.last_mut().filter(|section| section.heading == heading) {
            Some(section) => section.items.push(item),
            None => sections.push(Section {
                heading: heading.to_owned(),
                items: vec![item],
            }),
        }
    }
    if own.len() > 1 {
        sections.push(choice(own, path));
    }
    let shown = own
        .iter()
        .filter(|organization| own.len() == 1 || is_at(path, &paths::organization(&organization.name)));
    sections.extend(shown.map(|organization| of_organization(organization, path)));
    if !own.is_empty() {
        sections.push(Section {
            heading: "You".to_owned(),
            items: [
                ("sessions", "/sessions", "Sessions"),
                ("settings", "/settings", "Settings"),
            ]
            .map(|(icon, href, text)| Item {
                icon,
                href: href.to_owned(),
                text: text.to_owned(),
                is_current: is_at(path, href),
            })
            .into(),
        });
    }
    sections
}

/// Choice of one of several organizations.
fn choice(own: &[OwnOrganization], path: &str) -> Section {
    let item = |organization: &OwnOrganization| Item {
        icon: "organizations",
        href: paths::in_organization(&organization.name, "people"),
        text: organization.label.clone(),
        is_current: is_at(path, &paths::organization(&organization.name)),
    };
    Section {
        heading: "Your organizations".to_owned(),
        items: own.iter().map(item).collect(),
    }
}

fn of_organization(organization: &OwnOrganization, path: &str) -> Section {
    let item = |(icon, text, page): (&'static str, &str, &str)| {
        let (href, is_current) = if page.is_empty() {
            let href = paths::organization(&organization.name);
            let is_current = path == href;
            (href, is_current)
        } else {
            let href = paths::in_organization(&organization.name, page);
            let is_current = is_at(path, &href);
            (href, is_current)
        };
        Item {
            icon,
            href,
            text: text.to_owned(),
            is_current,
        }
    };
    Section {
        heading: organization.label.clone(),
        items: OF_ORGANIZATION.map(item).into(),
    }
}

/// Tests whether a path is this page or one below it.
fn is_at(path: &str, page: &str) -> bool {
    path.strip_prefix(page)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn theme_of(cookie: &'static str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        theme(&headers)
    }

    #[test]
    fn sec_the_theme_is_one_of_two_words() {
        assert_eq!(theme_of("a=b; narthex_theme=dark"), Some("dark"));
        assert_eq!(theme_of("narthex_theme=light"), Some("light"));
        assert_eq!(theme_of("narthex_theme=\"><script>"), None);
        assert_eq!(theme_of("other_narthex_theme=dark"), None);
        assert_eq!(theme(&HeaderMap::new()), None);
    }

    #[test]
    fn a_page_is_current_on_the_pages_below_it() {
        assert!(is_at("/users", "/users") && is_at("/users/new", "/users"));
        assert!(!is_at("/users-old", "/users") && !is_at("/", "/users"));
    }
}
