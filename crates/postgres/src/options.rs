//! Address of the database: a URL, taken apart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::Tls;

/// Timeout for connecting to one host, unless the URL says otherwise (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time without an answer after which the kernel gives a connection up.
const SILENCE: Duration = Duration::from_secs(10);
/// Largest number of connections that a node opens, beside the one that listens.
const CONNECTIONS: usize = 16;

/// Options of the connections to a database, from
/// `postgres://USER[:PASSWORD]@HOST[:PORT][,HOST…]/DATABASE[?KEY=VALUE&…]`.
///
/// With several hosts, the node looks for the one that takes writes, again after each lost connection. Printing this
/// shows neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// One for each host, in their order.
    hosts: Vec<Config>,
    mode: Mode,
    authorities_path: Option<PathBuf>,
    authorities: Option<Vec<u8>>,
    connections: usize,
    pooled: Option<bool>,
    direct: Option<Box<PostgresOptions>>,
    shown: String,
}

/// TLS mode, from `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

/// Problem with a URL. Never quotes it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrlError(String);

impl fmt::Display for PostgresUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PostgresUrlError {}

fn wrong(why: impl Into<String>) -> PostgresUrlError {
    PostgresUrlError(why.into())
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("database", &self.shown)
            .field("mode", &self.mode)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// The database without user and password.
impl fmt::Display for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl PostgresOptions {
    /// Parses a URL.
    pub fn parse(url: &str) -> Result<Self, PostgresUrlError> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or_else(|| wrong("it does not begin with `postgres://`"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mode, authorities_path, kept) = own_parameters(query)?;
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (user, names) = match authority.rsplit_once('@') {
            Some((user, names)) => (Some(user), names),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains('@')) {
            return Err(wrong(
                "there are two `@` before the host; write the one in the password as `%40`",
            ));
        }
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let mut hosts = Vec::new();
        for name in names.split(',') {
            let one: Config = format!("postgres://{user}{name}/{path}?{kept}")
                .parse()
                .map_err(|error: tokio_postgres::Error| wrong(super::error::told(&error)))?;
            hosts.push(one);
        }
        check(&hosts)?;
        let mode = mode.unwrap_or(if hosts.iter().all(is_near) {
            Mode::Disable
        } else {
            Mode::VerifyFull
        });
        for host in &mut hosts {
            complete(host, mode);
        }
        if authorities_path.is_some() && mode != Mode::VerifyFull {
            return Err(wrong("`sslrootcert` does nothing without `sslmode=verify-full`"));
        }
        let shown = shown(&hosts);
        Ok(Self {
            hosts,
            mode,
            authorities_path,
            authorities: None,
            connections: CONNECTIONS,
            pooled: None,
            direct: None,
            shown,
        })
    }

    /// Sets the largest number of connections, beside the one that listens: at least three, of which two may be
    /// writing.
    #[must_use]
    pub fn with_connections(self, connections: usize) -> Self {
        Self {
            connections: connections.max(3),
            ..self
        }
    }

    /// Sets whether a pooler in transaction mode lies before the database. Without this, the node finds out.
    #[must_use]
    pub fn with_pooled(self, pooled: bool) -> Self {
        Self {
            pooled: Some(pooled),
            ..self
        }
    }

    /// Sets a way to the same database without a pooler, for what needs a connection of its own: notifications,
    /// migrations and transfers.
    #[must_use]
    pub fn with_direct(self, direct: Self) -> Self {
        Self {
            direct: Some(Box::new(direct.with_pooled(false))),
            ..self
        }
    }

    /// Sets the certificates (PEM) that the server's is checked with: the content of [`Self::authorities_path`].
    #[must_use]
    pub fn with_authorities(self, pem: Vec<u8>) -> Self {
        Self {
            authorities: Some(pem),
            ..self
        }
    }

    /// The file of root certificates that the URL names (`sslrootcert`). The reader of the configuration reads it.
    pub fn authorities_path(&self) -> Option<&Path> {
        self.authorities_path.as_deref()
    }

    /// Returns whether the URL holds a password.
    pub fn has_password(&self) -> bool {
        self.hosts.iter().any(|host| host.get_password().is_some())
    }

    /// Returns whether the URL asks for TLS without a check of the server's certificate (`sslmode=prefer` or
    /// `require`).
    pub fn trusts_anybody(&self) -> bool {
        matches!(self.mode, Mode::Prefer | Mode::Require)
    }

    pub(super) fn hosts(&self) -> &[Config] {
        &self.hosts
    }

    /// Largest number of connections that are opened, beside the one that listens.
    pub const fn connections(&self) -> usize {
        self.connections
    }

    pub(super) const fn pooled(&self) -> Option<bool> {
        self.pooled
    }

    pub(super) fn direct(&self) -> Option<&Self> {
        self.direct.as_deref()
    }

    /// Timeout for connecting to one host.
    pub(super) fn connect_timeout(&self) -> Duration {
        let asked = self.hosts.first().and_then(Config::get_connect_timeout);
        asked.copied().unwrap_or(CONNECT_TIMEOUT)
    }

    pub(super) fn tls(&self) -> Result<Tls, String> {
        match self.mode {
            Mode::VerifyFull => Tls::verified(self.authorities.as_deref()),
            Mode::Disable | Mode::Prefer | Mode::Require => Tls::unverified(),
        }
    }
}

/// The parameters that are ours, and the others as they were.
fn own_parameters(query: &str) -> Result<(Option<Mode>, Option<PathBuf>, String), PostgresUrlError> {
    let (mut mode, mut authorities, mut kept) = (None, None, Vec::new());
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = || {
            let decoded = percent_decode_str(value).decode_utf8();
            decoded.map_err(|_| wrong(format!("`{key}` is not UTF-8")))
        };
        match key {
            "sslmode" => {
                mode = Some(match &*value()? {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-full" => Mode::VerifyFull,
                    _ => {
                        return Err(wrong(
                            "`sslmode` is one of `disable`, `prefer`, `require` and `verify-full`",
                        ));
                    }
                });
            }
            "sslrootcert" => authorities = Some(PathBuf::from(value()?.into_owned())),
            "target_session_attrs" if value()? != "read-write" => {
                return Err(wrong(
                    "`target_session_attrs` is always `read-write` here; leave it out",
                ));
            }
            _ => kept.push(parameter),
        }
    }
    Ok((mode, authorities, kept.join("&")))
}

fn check(hosts: &[Config]) -> Result<(), PostgresUrlError> {
    for host in hosts {
        if host.get_hosts().is_empty() && host.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if host.get_user().is_none_or(str::is_empty) {
            return Err(wrong("it names no user; write `postgres://USER@HOST/DATABASE`"));
        }
        if host.get_dbname().is_none() {
            return Err(wrong("it names no database; write `postgres://USER@HOST/DATABASE`"));
        }
    }
    Ok(())
}

/// Sets the options that every connection has.
fn complete(host: &mut Config, mode: Mode) {
    if host.get_connect_timeout().is_none() {
        host.connect_timeout(CONNECT_TIMEOUT);
    }
    if host.get_tcp_user_timeout().is_none() {
        host.tcp_user_timeout(SILENCE);
    }
    if host.get_application_name().is_none() {
        host.application_name("narthex");
    }
    host.keepalives_idle(SILENCE)
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3)
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
}

/// Tests whether all traffic to a host stays on this machine.
fn is_near(host: &Config) -> bool {
    let near = |name: &Host| match name {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    host.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback) && host.get_hosts().iter().all(near)
}

fn shown(hosts: &[Config]) -> String {
    let mut names = Vec::new();
    for host in hosts {
        let ports = host.get_ports();
        for (index, name) in host.get_hosts().iter().enumerate() {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            names.push(match name {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => path.display().to_string(),
            });
        }
        names.extend(host.get_hosts().is_empty().then(|| "by address".to_owned()));
    }
    let database = hosts.first().and_then(Config::get_dbname).unwrap_or_default();
    format!("postgres://{}/{database}", names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> PostgresOptions {
        PostgresOptions::parse(url).unwrap()
    }

    fn refused(url: &str) -> String {
        PostgresOptions::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn each_host_is_tried_by_itself() {
        let options = parsed("postgres://narthex:pw@one,two:5433,[::1]:5434/directory?connect_timeout=1");
        assert_eq!(options.hosts.len(), 3);
        assert_eq!(options.to_string(), "postgres://one:5432,two:5433,[::1]:5434/directory");
        assert_eq!(options.connect_timeout(), Duration::from_secs(1));
        for host in &options.hosts {
            assert_eq!((host.get_hosts().len(), host.get_user()), (1, Some("narthex")));
            assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
    }

    #[test]
    fn a_socket_is_a_host_too() {
        let options = parsed("postgres://narthex@%2Frun%2Fpostgresql/directory");
        assert_eq!(options.to_string(), "postgres:///run/postgresql/directory");
        assert_eq!(options.mode, Mode::Disable);
    }

    #[test]
    fn tls_is_checked_unless_said_otherwise_or_on_this_machine() {
        let mode = |url: &str| parsed(url).mode;
        assert_eq!(mode("postgres://u@db.example.com/d"), Mode::VerifyFull);
        assert_eq!(mode("postgres://u@127.0.0.1,db.example.com/d"), Mode::VerifyFull);
        assert_eq!(mode("postgres://u@localhost,127.0.0.1,[::1]/d"), Mode::Disable);
        assert_eq!(mode("postgres://u@db.example.com/d?sslmode=disable"), Mode::Disable);
        assert_eq!(mode("postgres://u@localhost/d?sslmode=verify-full"), Mode::VerifyFull);
        assert!(parsed("postgres://u@db/d?sslmode=require").trusts_anybody());
        assert!(!parsed("postgres://u@db/d").trusts_anybody());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (url, why) in [
            ("mysql://u@h/d", "`postgres://`"),
            ("postgres://h/d", "no user"),
            ("postgres://u@h", "no database"),
            ("postgres://u@/d", "no host"),
            ("postgres://u:p@ss@h/d", "`%40`"),
            ("postgres://u@h/d?sslmode=verify-ca", "`verify-full`"),
            ("postgres://u@h/d?sslmode=require&sslrootcert=ca.pem", "`sslrootcert`"),
            ("postgres://u@h/d?target_session_attrs=any", "`read-write`"),
            ("postgres://u@h/d?colour=red", "colour"),
            ("postgres://u@h:port/d", "port"),
        ] {
            let said = refused(url);
            assert!(said.contains(why), "{url}: {said}");
        }
    }

    #[test]
    fn sec_the_password_is_never_shown() {
        let options = parsed("postgres://narthex:hunter2@db.example.com/directory");
        assert!(options.has_password());
        assert!(!format!("{options} {options:?} {options:#?}").contains("hunter2"));
        assert!(!refused("postgres://narthex:hunter2@db.example.com:x/directory").contains("hunter2"));
    }
}
