//! The host of a request, refused where two programs could read it differently.

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

use crate::organization::PARAMETER;

/// A host as a route names it: without a port, and however it was spelled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    /// A name, or an IPv4 address; lower case, without a dot at its end.
    Name(String),
    /// An IPv6 address, which has several spellings.
    V6(Ipv6Addr),
}

impl HostName {
    /// Reads a host as written in a configuration; `None` if it is none, or has a port.
    pub fn parse(text: &str) -> Option<Self> {
        match RequestHost::read(text)? {
            (RequestHost::Name(name), "") => Some(Self::Name(name.to_ascii_lowercase())),
            (RequestHost::V6(address), "") => Some(Self::V6(address)),
            _ => None,
        }
    }

    /// The host of a request to it.
    pub fn asked(&self) -> RequestHost<'_> {
        match self {
            Self::Name(name) => RequestHost::Name(name),
            Self::V6(address) => RequestHost::V6(*address),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Hosts that a route is for: one, or all that differ in the one label that names an organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteHost {
    /// One host.
    One(HostName),
    /// `{organization}.example.com`: the hosts of organizations.
    Organization(OrganizationHost),
}

/// A host with `{organization}` in the place of one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrganizationHost {
    /// Text before the label, in lower case: nothing, or labels with a dot at their end.
    before: String,
    /// Text after the label, in lower case: labels with a dot before them.
    after: String,
    /// A host that it covers, for checks of a configuration.
    example: String,
}

impl RouteHost {
    /// Reads a host as written in a configuration; `None` if it is none, has a port, or has `{organization}` in another place
    /// than that of a whole label before another one.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((before, after)) = text.split_once(PARAMETER) else {
            return HostName::parse(text).map(Self::One);
        };
        if !(before.is_empty() || before.ends_with('.')) || !after.starts_with('.') {
            return None;
        }
        let HostName::Name(example) = HostName::parse(&format!("{before}organization{after}"))? else {
            return None;
        };
        let after = after.strip_suffix('.').unwrap_or(after);
        (!after.is_empty()).then(|| {
            Self::Organization(OrganizationHost {
                before: before.to_ascii_lowercase(),
                after: after.to_ascii_lowercase(),
                example,
            })
        })
    }

    /// Tests whether a request for this host is one for these.
    pub fn takes(&self, host: RequestHost<'_>) -> bool {
        match self {
            Self::One(one) => host.is(one),
            Self::Organization(pattern) => pattern.label(host).is_some(),
        }
    }

    /// The pattern, if a label of it names an organization.
    pub const fn organization(&self) -> Option<&OrganizationHost> {
        match self {
            Self::One(_) => None,
            Self::Organization(pattern) => Some(pattern),
        }
    }

    /// The host of a request to one of them.
    pub fn asked(&self) -> RequestHost<'_> {
        match self {
            Self::One(one) => one.asked(),
            Self::Organization(pattern) => RequestHost::Name(&pattern.example),
        }
    }

    /// Tests whether some host is one of these and one of the others.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let (one, other) = match (self, other) {
            (Self::One(one), Self::One(other)) => return one == other,
            (one, other) => (one.to_string(), other.to_string()),
        };
        let (mut one, mut other) = (one.split('.'), other.split('.'));
        loop {
            match (one.next(), other.next()) {
                (None, None) => return true,
                (Some(one), Some(other)) if one == other || one == PARAMETER || other == PARAMETER => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for RouteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(one) => one.fmt(f),
            Self::Organization(OrganizationHost { before, after, .. }) => write!(f, "{before}{PARAMETER}{after}"),
        }
    }
}

impl From<HostName> for RouteHost {
    fn from(one: HostName) -> Self {
        Self::One(one)
    }
}

impl OrganizationHost {
    /// The label of a host that names the organization, as the request spells it.
    pub fn label<'h>(&self, host: RequestHost<'h>) -> Option<&'h str> {
        let RequestHost::Name(name) = host else { return None };
        let (before, rest) = name.split_at_checked(self.before.len())?;
        let (label, after) = rest.split_at_checked(rest.len().checked_sub(self.after.len())?)?;
        let fits = before.eq_ignore_ascii_case(&self.before)
            && after.eq_ignore_ascii_case(&self.after)
            && !label.is_empty()
            && !label.contains('.');
        fits.then_some(label)
    }
}

/// The host of a request, without its port.
///
/// SECURITY: routes are chosen by it. `admin.example.com.`, `ADMIN.example.com:443` and `[0:0::1]` are other spellings of a
/// host that a route may name, and an application takes them for it; what cannot be a host is refused, for each program
/// would make its own of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestHost<'h> {
    /// A name, or an IPv4 address, without a dot at its end.
    Name(&'h str),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

/// A host was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the host is not a host: a name or an address, with a port or without one")]
pub struct HostProblem;

impl<'h> RequestHost<'h> {
    /// Takes the host of a request, with its port if it has one.
    ///
    /// # Errors
    ///
    /// [`HostProblem`] for anything that is not letters, digits, `-`, `_` and single dots, or an IPv6 address in brackets,
    /// with an optional port; the answer is then 400.
    pub fn parse(text: &'h str) -> Result<Self, HostProblem> {
        let (host, port) = Self::read(text).ok_or(HostProblem)?;
        // SPEC: RFC 3986 section 3.2.3: the digits of a port may be left out.
        let digits = port.strip_prefix(':').unwrap_or(port);
        let is_port =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.is_empty() || digits.parse::<u16>().is_ok());
        if is_port { Ok(host) } else { Err(HostProblem) }
    }

    /// Tests whether this is the host that a route names.
    pub fn is(self, named: &HostName) -> bool {
        match (self, named) {
            (Self::Name(name), HostName::Name(named)) => name.eq_ignore_ascii_case(named),
            (Self::V6(address), HostName::V6(named)) => address == *named,
            _ => false,
        }
    }

    /// A host, and what follows it: nothing, or something that begins with a colon.
    fn read(text: &'h str) -> Option<(Self, &'h str)> {
        if let Some(literal) = text.strip_prefix('[') {
            let (address, rest) = literal.split_once(']')?;
            let ends = rest.is_empty() || rest.starts_with(':');
            return ends.then_some((Self::V6(address.parse().ok()?), rest));
        }
        let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        // One dot at the end is the root of the name system: the same host.
        let name = name.strip_suffix('.').unwrap_or(name);
        is_name(name).then_some((Self::Name(name), rest))
    }
}

/// Tests whether the text is labels with single dots between them.
fn is_name(text: &str) -> bool {
    let mut earlier = b'.';
    for byte in text.bytes() {
        let fits = match byte {
            b'.' => earlier != b'.',
            b'-' | b'_' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return false;
        }
        earlier = byte;
    }
    earlier != b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(request: &str, named: &str) -> bool {
        RequestHost::parse(request)
            .unwrap()
            .is(&HostName::parse(named).unwrap())
    }

    /// However a host is spelled, it is the one a route names.
    #[test]
    fn sec_host_spelled_otherwise() {
        for request in [
            "admin.example.com",
            "admin.example.com.",
            "ADMIN.Example.com.:443",
            "admin.example.com:8443",
            "admin.example.com:",
        ] {
            for named in ["admin.example.com", "Admin.Example.Com."] {
                assert!(is(request, named), "{request} {named}");
            }
            assert!(!is(request, "example.com") && !is(request, "[::1]"), "{request}");
        }
        for request in ["[::1]", "[0:0::1]:80", "[0000:0:0:0:0:0:0:1]"] {
            assert!(is(request, "[::1]") && !is(request, "[::2]"), "{request}");
        }
        assert!(is("my_app-1", "my_app-1") && is("127.0.0.1:80", "127.0.0.1"));
    }

    /// Text that is no host is refused.
    #[test]
    fn sec_host_that_is_none() {
        for text in [
            "",
            ".",
            "..",
            "a..",
            ".a",
            "a..b",
            "a,b",
            "a b",
            "a/b",
            "a\\b",
            "user@a",
            "a%2e",
            "a:+80",
            "a:-1",
            "a:80:80",
            "a:x",
            "a:65536",
            ":80",
            ":",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:+1",
            "[a]",
            "[]",
            "café",
            "*.a",
            "a\0",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(RequestHost::parse(text), Err(HostProblem), "{text}");
        }
        for text in ["a:80", "a:", "[::1]:80", "*.a", "http://a", "a/b", "", ".", "::1"] {
            assert_eq!(HostName::parse(text), None, "{text}");
            assert_eq!(RouteHost::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_organization_is_one_whole_label_of_a_host() {
        for (text, shown) in [
            ("{organization}.example.com", "{organization}.example.com"),
            ("App.{organization}.Example.com.", "app.{organization}.example.com"),
        ] {
            assert_eq!(RouteHost::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "{organization}",
            "{organization}.",
            "x-{organization}.example.com",
            "{organization}-x.example.com",
            "{organization}.{organization}.example.com",
            "{organization}.example.com:80",
            "{tenant}.example.com",
            "example.{organization}",
        ] {
            assert_eq!(RouteHost::parse(text), None, "{text}");
        }
    }
}
