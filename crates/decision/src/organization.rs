//! The organization that a request is about: where a route finds it, and in which form.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use narthex_directory::OrganizationName;

use crate::Reason;
use crate::route::{Match, Preflight, Route, RouteProblem};

/// The parameter of a path or a host that holds an organization.
pub(crate) const PARAMETER: &str = "{organization}";

/// Place in which a route finds the organization of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OrganizationSource {
    /// `{organization}` in the path or in the host, where the pattern has it.
    #[default]
    Address,
    /// The one value of a header.
    Header(HeaderName),
    /// The same one for every request.
    Fixed(OrganizationName),
}

/// Identifier by which requests name an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrganizationBy {
    /// Its name.
    #[default]
    Name,
    /// Its external id, as written, in the realm of the user.
    ExternalId,
}

impl Route {
    /// Tests whether the organization is a label of the host.
    pub fn host_names_organization(&self) -> bool {
        self.spec.hosts.iter().any(|host| host.organization().is_some())
    }

    /// Tests whether text has the form in which a request names an organization here.
    ///
    /// SECURITY: an application decodes `%73usp`; a segment that is no name as written could be another's name there. A
    /// header's value that has a `,` or a `|` is a list to some applications, and each entry of it an organization.
    pub fn has_organization_form(&self, text: &str) -> bool {
        match (self.spec.organization_by, &self.spec.organization) {
            (OrganizationBy::Name, _) => OrganizationName::new(text).is_ok(),
            (OrganizationBy::ExternalId, OrganizationSource::Header(_)) => {
                !text.is_empty()
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() && !b",|;".contains(&byte))
            }
            // SPEC: RFC 3986 section 2.3: the characters that are the same with and without percent-encoding.
            (OrganizationBy::ExternalId, _) => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                !text.is_empty() && text.bytes().all(plain)
            }
        }
    }

    /// Problem of a route that would find the organization in two places.
    ///
    /// SECURITY: only one of them would be looked at, and the application may look at the other.
    pub(crate) fn two_organizations(&self) -> Option<RouteProblem> {
        let spec = &self.spec;
        let places = [
            ("path", spec.paths.iter().any(|path| path.contains(PARAMETER))),
            ("hosts", self.host_names_organization()),
            (
                "organization",
                matches!(spec.organization, OrganizationSource::Fixed(_)),
            ),
            (
                "organization_header",
                matches!(spec.organization, OrganizationSource::Header(_)),
            ),
        ];
        let mut named = places.iter().filter(|(_, names)| *names).map(|(place, _)| *place);
        let (first, second) = (named.next()?, named.next()?);
        Some(RouteProblem::TwoOrganizations {
            route: self.index,
            first,
            second,
        })
    }

    /// Problem of a list of hosts of which only some name the organization.
    pub(crate) fn hosts_without_organization(&self) -> Option<RouteProblem> {
        let without = self.spec.hosts.iter().find(|host| host.organization().is_none())?;
        self.host_names_organization()
            .then(|| RouteProblem::HostWithoutOrganization {
                route: self.index,
                host: without.to_string(),
            })
    }
}

impl<'r> Match<'r> {
    /// The organization's name as the request has it; `None` also where requests name it by its external id.
    pub fn organization_name(&self) -> Option<&str> {
        let by_name = self.route.spec.organization_by == OrganizationBy::Name;
        self.organization.as_deref().filter(|_| by_name)
    }

    /// The organization's name if the request itself has it: in its path, its host or a header.
    pub fn requested_name(&self) -> Option<&str> {
        let is_fixed = matches!(self.route.spec.organization, OrganizationSource::Fixed(_));
        self.organization_name().filter(|_| !is_fixed)
    }

    /// Reads the organization from the header that the route names, if it names one. A preflight has no such header.
    ///
    /// # Errors
    ///
    /// [`Reason::OrganizationMissing`] if the header is there twice, or, unless the route is public, if it is not there or
    /// is not an organization's name or external id by its form.
    pub fn read_header(&mut self, headers: &'r HeaderMap) -> Result<(), Reason> {
        let OrganizationSource::Header(name) = &self.route.spec.organization else {
            return Ok(());
        };
        if self.preflight == Preflight::Yes {
            return Ok(());
        }
        let mut values = headers.get_all(name).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(Reason::OrganizationMissing);
        }
        let text = value.and_then(|value| value.to_str().ok());
        self.organization = text
            .filter(|text| self.route.has_organization_form(text))
            .map(Cow::Borrowed);
        if self.organization.is_none() && !self.route.is_public() {
            return Err(Reason::OrganizationMissing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;
    use crate::route::{RouteSpec, parse_requirement};
    use crate::{RequestHost, RequestPath, RouteHost, Routes};

    fn spec(path: &str, require: &str) -> RouteSpec {
        RouteSpec {
            paths: vec![path.to_owned()],
            require: vec![parse_requirement(require).unwrap()],
            ..RouteSpec::default()
        }
    }

    fn by_header(require: &str, by: OrganizationBy) -> Routes {
        Routes::compile(vec![RouteSpec {
            organization: OrganizationSource::Header(HeaderName::from_static("x-scope-orgid")),
            organization_by: by,
            ..spec("/a", require)
        }])
        .unwrap()
    }

    fn read(routes: &Routes, values: &[&[u8]]) -> Result<Option<String>, Reason> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-scope-orgid", HeaderValue::from_bytes(value).unwrap());
        }
        let path = RequestPath::parse(b"/a").unwrap();
        let mut matched = routes.find(&Method::GET, None, path, None).unwrap();
        matched.read_header(&headers)?;
        Ok(matched.organization.map(Cow::into_owned))
    }

    /// Exactly one organization, and no list of them.
    #[test]
    fn sec_organization_header_has_exactly_one_value() {
        let routes = by_header("organization:member", OrganizationBy::Name);
        assert_eq!(read(&routes, &[b"acme"]), Ok(Some("acme".to_owned())));
        let refused: &[&[&[u8]]] = &[
            &[],
            &[b""],
            &[b"acme", b"acme"],
            &[b"acme", b"other"],
            &[b"acme,other"],
            &[b"acme, other"],
            &[b"acme|other"],
            &[b"ACME"],
            &[b"%61cme"],
            &[b"acme\xff"],
        ];
        for values in refused {
            assert_eq!(read(&routes, values), Err(Reason::OrganizationMissing), "{values:?}");
        }
        let public = by_header("public", OrganizationBy::Name);
        assert_eq!(read(&public, &[]), Ok(None));
        assert_eq!(read(&public, &[b"acme|other"]), Ok(None));
        assert_eq!(read(&public, &[b"acme", b"other"]), Err(Reason::OrganizationMissing));
    }

    #[test]
    fn sec_external_ids_are_read_as_written() {
        let routes = by_header("organization:member", OrganizationBy::ExternalId);
        assert_eq!(read(&routes, &[b"urn:org:XYZ/1"]), Ok(Some("urn:org:XYZ/1".to_owned())));
        for value in ["XYZ,ABC", "XYZ|ABC", "XYZ;ABC", "XYZ ABC"] {
            assert_eq!(
                read(&routes, &[value.as_bytes()]),
                Err(Reason::OrganizationMissing),
                "{value}"
            );
        }
        let routes = Routes::compile(vec![RouteSpec {
            organization_by: OrganizationBy::ExternalId,
            ..spec("/t/{organization}", "organization:member")
        }])
        .unwrap();
        for (path, fits) in [
            ("/t/XYZ-1._~", true),
            ("/t/X%59Z", false),
            ("/t/a:b", false),
            ("/t/a@b", false),
        ] {
            let path = RequestPath::parse(path.as_bytes()).unwrap();
            let matched = routes.find(&Method::GET, None, path, None).unwrap();
            let text = matched.organization.as_deref().unwrap();
            assert_eq!(matched.route.has_organization_form(text), fits, "{text}");
            assert_eq!(matched.organization_name(), None);
        }
    }

    #[test]
    fn a_label_of_the_host_names_the_organization_in_lower_case() {
        let host = |text: &str| RouteHost::parse(text).unwrap();
        let routes = Routes::compile(vec![
            RouteSpec {
                hosts: vec![
                    host("{organization}.example.com"),
                    host("app.{organization}.example.org"),
                ],
                ..spec("/a", "organization:member")
            },
            RouteSpec {
                hosts: vec![host("www.example.com")],
                ..spec("/a", "public")
            },
            RouteSpec {
                organization: OrganizationSource::Fixed(OrganizationName::new("tools").unwrap()),
                ..spec("/b", "organization:member")
            },
        ])
        .unwrap();
        for (asked, path, index, organization) in [
            ("acme.example.com:443", "/a", Some(0), Some("acme")),
            ("ACME.Example.com.", "/a", Some(0), Some("acme")),
            ("app.acme.example.org", "/a", Some(0), Some("acme")),
            ("www.example.com", "/a", Some(1), None),
            ("a.b.example.com", "/a", None, None),
            ("example.com", "/a", None, None),
            (".example.com", "/a", None, None),
            ("www.acme.example.org", "/a", None, None),
            ("acme.example.com", "/b", Some(2), Some("tools")),
        ] {
            let host = RequestHost::parse(asked).ok();
            let found = host.and_then(|host| {
                routes.find(
                    &Method::GET,
                    Some(host),
                    RequestPath::parse(path.as_bytes()).unwrap(),
                    None,
                )
            });
            assert_eq!(found.as_ref().map(|hit| hit.route.index), index, "{asked}");
            let named = found.and_then(|hit| hit.organization);
            assert_eq!(named.as_deref(), organization, "{asked}");
        }
    }

    /// Of two places only one would be looked at.
    #[test]
    fn sec_organization_from_two_places() {
        let fixed = OrganizationSource::Fixed(OrganizationName::new("tools").unwrap());
        let header = OrganizationSource::Header(HeaderName::from_static("x-scope-orgid"));
        let host = vec![RouteHost::parse("{organization}.example.com").unwrap()];
        for (spec, places) in [
            (
                RouteSpec {
                    organization: fixed.clone(),
                    ..spec("/{organization}", "authenticated")
                },
                ("path", "organization"),
            ),
            (
                RouteSpec {
                    hosts: host.clone(),
                    ..spec("/{organization}", "authenticated")
                },
                ("path", "hosts"),
            ),
            (
                RouteSpec {
                    hosts: host,
                    organization: header,
                    ..spec("/a", "authenticated")
                },
                ("hosts", "organization_header"),
            ),
        ] {
            let problems = Routes::compile(vec![spec]).unwrap_err();
            let [RouteProblem::TwoOrganizations { first, second, .. }] = problems.as_slice() else {
                panic!("{problems:?}");
            };
            assert_eq!((*first, *second), places);
        }
    }
}
