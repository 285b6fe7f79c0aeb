//! The organization that the requests of a route are about: the place in which they name it, and the identifier.

use http::HeaderName;
use narthex_decision::{OrganizationBy, OrganizationSource, RouteHost, RouteProblem};
use narthex_directory::OrganizationName;
use narthex_settings_reader::{Problem, Span};

use super::super::{Check, Reported, header_names};
use crate::file::{self, RouteSection};

impl Check<'_> {
    /// The place of the organization, and the identifier; no place where a problem has been added.
    pub(super) fn organization_source(
        &mut self,
        section: &RouteSection,
        hosts: Option<&[RouteHost]>,
    ) -> (Option<OrganizationSource>, OrganizationBy) {
        let by = match section.organization_by.value() {
            file::OrganizationBy::Name => OrganizationBy::Name,
            file::OrganizationBy::ExternalId => OrganizationBy::ExternalId,
        };
        let fixed = self.fixed_organization(section);
        let header = self.organization_header(section);
        if section.organization_by.is_written() {
            self.organization_by(section, by, hosts.unwrap_or_default());
        }
        let source = match (fixed, header) {
            (Ok(Some(_)), Ok(Some(_))) => {
                let (written, help) = (section.organization_header.span(), "remove one of the two");
                let message = "`organization_header` names the organization, and so does `organization`";
                let problem = Problem::error(written.unwrap_or_default(), message);
                self.problems.push(problem.help(help));
                None
            }
            (Ok(Some(name)), Ok(None)) => Some(OrganizationSource::Fixed(name)),
            (Ok(None), Ok(Some(name))) => Some(OrganizationSource::Header(name)),
            (Ok(None), Ok(None)) => Some(OrganizationSource::Address),
            _ => None,
        };
        (source, by)
    }

    fn fixed_organization(&mut self, section: &RouteSection) -> Result<Option<OrganizationName>, Reported> {
        let Some(written) = section.organization.spanned() else {
            return section.organization.span().map_or(Ok(None), |_| Err(Reported));
        };
        OrganizationName::new(written.get_ref().as_str())
            .map(Some)
            .map_err(|error| {
                self.name_error(written.span(), &error, "");
                Reported
            })
    }

    fn organization_header(&mut self, section: &RouteSection) -> Result<Option<HeaderName>, Reported> {
        let Some(written) = section.organization_header.spanned() else {
            return section.organization_header.span().map_or(Ok(None), |_| Err(Reported));
        };
        header_names::chosen_for_organization(written.get_ref())
            .map(Some)
            .map_err(|why| {
                self.error(written.span(), format!("`{}` {why}", written.get_ref()));
                Reported
            })
    }

    /// Refuses `organization_by` where it does nothing.
    fn organization_by(&mut self, section: &RouteSection, by: OrganizationBy, hosts: &[RouteHost]) {
        let mut paths = section.path.value().into_iter().flat_map(|paths| &paths.0);
        let in_path = paths.any(|path| path.get_ref().contains("{organization}"));
        let in_host = hosts.iter().any(|host| host.organization().is_some());
        let in_header = section.organization_header.span().is_some();
        if in_path || in_header || (in_host && by == OrganizationBy::Name) {
            return;
        }
        let why = if in_host {
            "hosts name organizations by their names only"
        } else if section.organization.span().is_some() {
            "`organization` is always a name"
        } else {
            "no request of this route names an organization"
        };
        let problem = Problem::error(section.organization_by.span(), "`organization_by` does nothing here");
        self.problems.push(problem.help(why));
    }
}

/// The key that a problem with the organization of a route is about.
pub(super) fn span_of(problem: &RouteProblem, section: &RouteSection) -> Option<Span> {
    match problem {
        RouteProblem::TwoOrganizations { second, .. } => match *second {
            "hosts" => section.hosts.span(),
            "organization" => section.organization.span(),
            _ => section.organization_header.span(),
        },
        RouteProblem::HostWithoutOrganization { .. } => section.hosts.span(),
        _ => None,
    }
}
