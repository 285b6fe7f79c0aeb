//! The head of the pages of one organization: crumbs, title, state, question and tabs.

use narthex_console_frame::paths;
use narthex_directory::{Organization, OrganizationStatus};

/// Page of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Its tags and details.
    Details,
    /// Its people.
    People,
    /// Its teams.
    Teams,
    /// Its connections.
    Connections,
    /// The keys of its programs.
    MachineKeys,
}

/// Link to a page of the organization.
#[derive(Debug)]
pub(crate) struct TabLink {
    pub(crate) href: String,
    pub(crate) text: &'static str,
    pub(crate) is_current: bool,
}

/// Head of a page of an organization.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) label: String,
    pub(crate) question: String,
    pub(crate) is_suspended: bool,
    pub(crate) tabs: [TabLink; 5],
    /// Address of the page that adds a person, for a caller who may.
    pub(crate) add: Option<String>,
}

impl Head {
    /// The head of this page of an organization.
    pub(crate) fn new(organization: &Organization, current: Tab) -> Self {
        let (name, label) = (organization.name.as_str(), &organization.label);
        let tab = |tab: Tab, text: &'static str, href: String| TabLink {
            href,
            text,
            is_current: tab == current,
        };
        Self {
            label: label.clone(),
            question: match current {
                Tab::Details => "Who gets in by which tag?".to_owned(),
                Tab::People => format!("Who is in {label}, and why?"),
                Tab::Teams => format!("Which teams are in {label}?"),
                Tab::Connections => format!("Which services does {label} call?"),
                Tab::MachineKeys => format!("Which programs of {label} may use its routes?"),
            },
            is_suspended: organization.status == OrganizationStatus::Suspended,
            tabs: [
                tab(Tab::Details, "Tags and details", paths::organization(name)),
                tab(Tab::People, "People", paths::in_organization(name, "people")),
                tab(Tab::Teams, "Teams", paths::in_organization(name, "teams")),
                tab(
                    Tab::Connections,
                    "Connections",
                    paths::in_organization(name, "connections"),
                ),
                tab(
                    Tab::MachineKeys,
                    "Machine keys",
                    paths::in_organization(name, "machine-keys"),
                ),
            ],
            add: None,
        }
    }
}
