//! Headers that a route sets under names of its own choice.

use http::HeaderName;
use narthex_decision::{OrganizationSource, Routes, spelled_like};
use narthex_engine::IdentityField;
use narthex_settings_reader::{List, Optional, Problem};
use toml::Spanned;

use super::super::{Check, header_names};
use crate::RouteSettings;
use crate::file::{HeadersSection, IssuerSection, RouteSection};

/// The keys of a section, each with its field.
fn fields(section: &HeadersSection) -> [(IdentityField, &Optional<String>); 10] {
    [
        (IdentityField::UserId, &section.user_id),
        (IdentityField::ExternalId, &section.external_id),
        (IdentityField::Username, &section.username),
        (IdentityField::Email, &section.email),
        (IdentityField::Name, &section.name),
        (IdentityField::Organization, &section.organization),
        (IdentityField::OrganizationRole, &section.organization_role),
        (IdentityField::PlatformRole, &section.platform_role),
        (IdentityField::Roles, &section.roles),
        (IdentityField::Tags, &section.tags),
    ]
}

impl Check<'_> {
    /// The headers that a route sets; `None` where a problem has been added.
    pub(super) fn identity_headers(&mut self, section: &RouteSection) -> Option<Vec<(IdentityField, HeaderName)>> {
        let Some(written) = section.headers.value() else {
            return section.headers.span().is_none().then(Vec::new);
        };
        let (mut found, mut usable): (Vec<(IdentityField, HeaderName)>, bool) = (Vec::new(), true);
        for (field, key) in fields(written) {
            let Some(text) = key.spanned() else {
                usable &= key.span().is_none();
                continue;
            };
            let name = header_names::chosen_for_identity(text.get_ref());
            let name = name
                .map_err(|why| format!("`{}` {why}", text.get_ref()))
                .and_then(|name| {
                    let taken = found
                        .iter()
                        .any(|(_, other)| spelled_like(other.as_str(), name.as_str()));
                    if taken {
                        return Err(format!("`{}` is set twice", text.get_ref()));
                    }
                    Ok(name)
                });
            match name {
                Ok(name) => found.push((field, name)),
                Err(message) => {
                    self.error(text.span(), message);
                    usable = false;
                }
            }
        }
        usable.then_some(found)
    }

    /// Refuses names that are both set here and read from requests: what is set is removed from every request of a client.
    /// `token_headers` are those in which some issuer allows tokens.
    pub(crate) fn names_set_and_read(
        &mut self,
        written: &List<RouteSection>,
        routes: &Routes,
        settings: &[RouteSettings],
        token_headers: &[HeaderName],
    ) {
        let set: Vec<&HeaderName> = settings
            .iter()
            .flat_map(|settings| settings.headers.iter().map(|(_, name)| name))
            .collect();
        let own = settings.iter().filter_map(|settings| settings.token_from.as_ref());
        let of_tokens: Vec<&HeaderName> = own.flat_map(|places| &places.headers).chain(token_headers).collect();
        for (settings, section) in settings.iter().zip(written) {
            let carries_tokens =
                |set: &HeaderName| of_tokens.iter().any(|token| spelled_like(set.as_str(), token.as_str()));
            if let Some((_, name)) = settings.headers.iter().find(|(_, name)| carries_tokens(name)) {
                let span = section.get_ref().headers.span().unwrap_or_default();
                let problem = Problem::error(span, format!("`{name}` also carries tokens (`token_from`)"));
                let help =
                    "a header that Narthex sets is removed from requests; choose another name for one of the two";
                self.problems.push(problem.help(help));
            }
        }
        for (route, section) in routes.iter().zip(written) {
            let OrganizationSource::Header(read) = &route.spec.organization else {
                continue;
            };
            if set.iter().any(|set| spelled_like(set.as_str(), read.as_str())) {
                let span = section.get_ref().organization_header.span().unwrap_or_default();
                let problem = Problem::error(span, format!("`{read}` is also set, by the `headers` of a route"));
                let help =
                    "a header that Narthex sets is removed from requests; choose another name for one of the two";
                self.problems.push(problem.help(help));
            }
        }
    }

    /// Warns of headers that never have a value.
    pub(crate) fn headers_without_a_value(
        &mut self,
        written: &List<RouteSection>,
        routes: &Routes,
        issuers: &List<IssuerSection>,
    ) {
        let reads_tags = issuers.iter().any(|issuer| issuer.get_ref().tags.span().is_some());
        for (route, section) in routes.iter().zip(written.iter().map(Spanned::get_ref)) {
            let Some(headers) = section.headers.value() else {
                continue;
            };
            let names_one = route.spec.organization != OrganizationSource::Address
                || route.host_names_organization()
                || route.spec.paths.iter().any(|path| path.contains("{organization}"));
            for (key, span, why) in [
                (
                    "organization",
                    headers.organization.span().filter(|_| !names_one),
                    "no request of this route names an organization",
                ),
                (
                    "organization_role",
                    headers.organization_role.span().filter(|_| !names_one),
                    "no request of this route names an organization",
                ),
                (
                    "tags",
                    headers.tags.span().filter(|_| !reads_tags && !issuers.is_empty()),
                    "no issuer has `[issuer.tags]`, which names the claim",
                ),
            ] {
                if let Some(span) = span {
                    let problem = Problem::warning(span, format!("`{key}` never has a value here"));
                    self.problems.push(problem.help(why));
                }
            }
        }
    }
}
