//! Policy of outbound requests: allowed destinations, and limits of cost.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use url::{Host, Url};

use super::error::OutboundError;
use crate::ssrf_guard::{Guard, LOCALHOST, Loopback, host_name};

/// Allowed destinations of requests, and limits of their cost.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Hosts that may be asked.
    pub hosts: AllowedHosts,
    /// SSRF guard for the addresses.
    pub guard: Guard,
    /// Rule for plain `http`, which sends secrets in plain text.
    pub plain_http: PlainHttp,
    /// Limits of one request.
    pub limits: OutboundLimits,
}

/// Hosts that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedHosts {
    /// All of them.
    Any,
    /// Those that one of the patterns names.
    Listed(Vec<HostPattern>),
}

/// Rule for plain `http`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// To every host.
    Permitted,
    /// To this machine only.
    LoopbackOnly,
}

/// Limits of one request, redirects included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboundLimits {
    /// Time limit of a connection and its TLS handshake.
    pub connect: Duration,
    /// Time limit from the first byte of the request to the last byte of the answer.
    pub total: Duration,
    /// Upper limit of the bytes of a body; of a compressed one, after decompression.
    pub response_bytes: usize,
    /// Upper limit of redirects that are followed.
    pub redirects: usize,
}

impl Default for OutboundLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(40),
            response_bytes: 4 * 1024 * 1024,
            redirects: 10,
        }
    }
}

/// `api.example.com`, or `*.example.com` for every name below, each with `:8443` for one port or `:*` for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, with a leading dot for "below".
    name: String,
    ports: Ports,
}

/// Ports of a host that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// 443 for https, 80 for http.
    OfScheme,
    /// One port.
    Only(u16),
    /// Every port.
    Any,
}

/// Error for a text that is not a [`HostPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a host is written as a name (`api.example.com`), as `*.example.com` for every name below, or as an address; a port \
     follows it if it is not that of http or https (`api.example.com:8443`), or `:*` for every port"
)]
pub struct HostPatternProblem;

impl FromStr for HostPattern {
    type Err = HostPatternProblem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, ports) = match text.rsplit_once(':') {
            Some((host, "*")) => (host, Ports::Any),
            // Otherwise it is one of the colons of an address.
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0).ok_or(HostPatternProblem)?;
                (host, Ports::Only(port))
            }
            _ => (text, Ports::OfScheme),
        };
        let (below, bare) = match text.strip_prefix("*.") {
            Some(rest) => (".", rest),
            None => ("", text),
        };
        // SECURITY: no operator means `*.com`, which would be most of the internet.
        if !below.is_empty() && !bare.contains('.') {
            return Err(HostPatternProblem);
        }
        match Host::parse(bare) {
            Ok(Host::Domain(name)) if !name.contains('*') => Ok(Self {
                name: format!("{below}{}", name.trim_end_matches('.').to_ascii_lowercase()),
                ports,
            }),
            Ok(Host::Ipv4(address)) if below.is_empty() => Ok(Self {
                name: address.to_string(),
                ports,
            }),
            Ok(Host::Ipv6(address)) if below.is_empty() => Ok(Self {
                name: address.to_string(),
                ports,
            }),
            _ => Err(HostPatternProblem),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.starts_with('.') {
            f.write_str("*")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.ports {
            Ports::OfScheme => Ok(()),
            Ports::Only(port) => write!(f, ":{port}"),
            Ports::Any => f.write_str(":*"),
        }
    }
}

impl HostPattern {
    /// Tests whether a host and port match. `port` is the one in the URL, if it differs from the scheme's own.
    fn is_match(&self, host: &str, port: Option<u16>, of_scheme: Option<u16>) -> bool {
        // SECURITY: another port of an allowed host is another service, for example this server's own admin API.
        let is_port = match self.ports {
            Ports::OfScheme => port.is_none(),
            Ports::Only(only) => port.or(of_scheme) == Some(only),
            Ports::Any => true,
        };
        is_port && self.is_host(host)
    }

    fn is_host(&self, host: &str) -> bool {
        if self.name.starts_with('.') {
            host.len() > self.name.len() && host.ends_with(&self.name)
        } else {
            host == self.name
        }
    }
}

impl Policy {
    /// Creates a server's policy: these hosts, public addresses, no plain text to other machines.
    pub fn listed(hosts: Vec<HostPattern>) -> Self {
        Self {
            hosts: AllowedHosts::Listed(hosts),
            guard: Guard::new([], Loopback::Refused),
            plain_http: PlainHttp::LoopbackOnly,
            limits: OutboundLimits::default(),
        }
    }

    /// Creates a policy that lets everything pass: for a user who could as well use curl.
    pub fn open() -> Self {
        Self {
            hosts: AllowedHosts::Any,
            guard: Guard::open(),
            plain_http: PlainHttp::Permitted,
            limits: OutboundLimits::default(),
        }
    }

    /// Checks a URL: that of a request, and the target of every redirect.
    pub(super) fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let host = match url.host() {
            Some(host) if matches!(url.scheme(), "http" | "https") => host,
            _ => {
                return Err(OutboundError::NotHttp {
                    scheme: url.scheme().to_owned(),
                });
            }
        };
        let name = host_name(&host);
        if let AllowedHosts::Listed(patterns) = &self.hosts
            && !patterns
                .iter()
                .any(|pattern| pattern.is_match(&name, url.port(), url.port_or_known_default()))
        {
            let host = match url.port() {
                Some(port) => format!("{name}:{port}"),
                None => name,
            };
            return Err(OutboundError::HostNotAllowed { host });
        }
        let is_loopback = match host {
            Host::Domain(_) => name == LOCALHOST,
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if url.scheme() == "http" && self.plain_http == PlainHttp::LoopbackOnly && !is_loopback {
            return Err(OutboundError::PlainHttp { host: name });
        }
        self.guard.check_host(&host)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(patterns: &[&str]) -> Policy {
        Policy::listed(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
    }

    fn allows(policy: &Policy, url: &str) -> bool {
        policy.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn patterns_are_a_name_or_everything_below_one() {
        let policy = policy(&["API.example.com.", "*.example.org"]);
        for yes in [
            "https://api.example.com/x",
            "https://API.EXAMPLE.com.:443/",
            "https://a.example.org",
            "https://a.b.example.org",
        ] {
            assert!(allows(&policy, yes), "{yes}");
        }
        for no in [
            "https://example.com",
            "https://x.api.example.com",
            "https://api.example.com.evil.net",
            "https://example.org",
            "https://evilexample.org",
            "https://api.example.com@evil.net/",
            "http://api.example.com/",
            "ftp://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com:80/",
            "https://a.example.org:444/",
        ] {
            assert!(!allows(&policy, no), "{no}");
        }
        for wrong in [
            "",
            "*",
            "*.com",
            "*.",
            "a b",
            "https://a",
            "a.*.com",
            "**.example.com",
            "*.10.0.0.1",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:443:443",
            "::1",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_may_name_ports() {
        for (pattern, yes, no) in [
            ("a.test:8443", "https://a.test:8443/", "https://a.test/"),
            ("a.test:443", "https://a.test/", "https://a.test:8443/"),
            ("*.a.test:8443", "https://b.a.test:8443/", "https://b.a.test/"),
            ("a.test:*", "https://a.test:1/", "https://b.test:1/"),
            ("*.a.test:*", "https://b.a.test/", "https://a.test/"),
        ] {
            let policy = policy(&[pattern]);
            assert!(allows(&policy, yes) && !allows(&policy, no), "{pattern}");
            assert_eq!(pattern.parse::<HostPattern>().unwrap().to_string(), pattern);
        }
        for pattern in ["[fd00::1]", "[fd00::1]:8443", "[fd00::1]:*"] {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn sec_ssrf_an_allowed_host_is_not_allowed_at_the_admin_port() {
        // Everything is allowed except the port: a service beside this server, and the server's own ports.
        let beside = Policy {
            guard: Guard::new([], Loopback::Permitted),
            ..policy(&["127.0.0.1:8000", "localhost", "[::1]:8000"])
        };
        for yes in ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]:8000/"] {
            assert!(allows(&beside, yes), "{yes}");
        }
        for no in [
            "http://127.0.0.1:9090/v1/api-keys",
            "http://2130706433:9090/",
            "http://127.0.0.1/",
            "http://localhost:9090/",
            "http://[::1]:9090/",
        ] {
            let error = beside.check(&Url::parse(no).unwrap()).unwrap_err();
            assert!(matches!(error, OutboundError::HostNotAllowed { .. }), "{no}: {error}");
        }
    }

    #[test]
    fn sec_ssrf_a_listed_host_is_still_judged_by_its_address() {
        let policy = policy(&["127.0.0.1", "10.0.0.1", "[::1]", "localhost", "169.254.169.254"]);
        for url in [
            "http://127.0.0.1/",
            "https://2130706433/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "http://localhost/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(!allows(&policy, url), "{url}");
        }
        assert!(allows(&Policy::open(), "http://127.0.0.1:1/"));
        assert!(!allows(&Policy::open(), "file:///etc/passwd"));
    }
}
