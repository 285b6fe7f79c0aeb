//! The configuration reader.
//!
//! In comes one TOML file, and whatever files and environment variables it names; out comes a [`Config`] that holds
//! compiled values and nothing left to parse, or every problem at once, each with its place. Two types, two steps:
//! `file` is the file as it is written, `check` makes it into the value. Knows nothing of sockets, stores or
//! requests: it says what was asked for. One issuer can also come as a JSON document ([`compile_issuer`]): the same
//! reader, the same checks and the same messages, but nothing of this machine may be named.
//!
//! Invariants: no secret is ever in the file, in a problem or in a `Debug` output; every key is described once, and the
//! reference page, the default file and the schema are generated from that (`describe`); unknown keys are errors.

mod check;
mod describe;
mod environment;
mod file;
mod issuer_document;
mod restart_settings;
mod secret;
#[cfg(test)]
mod tests;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use narthex_decision::Routes;
use narthex_directory::{
    ExternalId, IssuerName, Logo, MembershipRule, OrganizationDetails, OrganizationName, OrganizationStatus,
    OrganizationTags, Realm, SyncPolicy,
};
use narthex_engine::{
    DpopUse, FilePlace, IdentityField, LoginUse, MethodOverride, ReloadProblem, SealingKeys, SignInSettings,
    TokenPlaces, Upstream, WebOrigin,
};
use narthex_fetch::keys::{Access, KeySource};
use narthex_fetch::outbound::Policy;
use narthex_introspection::IntrospectionSettings;
use narthex_listener::tls::ServerTls;
use narthex_mapping::IssuerMapping;
use narthex_openid::ClientSettings;
use narthex_store::PostgresOptions;
use narthex_token::{Issuers, TrustedIssuer};
use serde::Serialize;

use check::Check;
pub use describe::{default_file, schema};
pub use environment::Environment;
pub use file::{LogFormat, LogLevel, SecretFormat};
pub use issuer_document::{CompiledIssuer, compile_issuer};
pub use narthex_settings_reader::{FieldProblem, Paint, Problems, Severity, parse_duration};
use narthex_settings_reader::{Problem, ProblemRow};
pub use restart_settings::RestartSettings;
pub use secret::Secret;
pub use values::Rate;

/// The largest configuration file that is read.
const FILE_BYTES_MOST: u64 = 16 * 1024 * 1024;

/// The configuration, checked and compiled. Only [`read()`] and [`read_text`] make one.
#[derive(Debug)]
pub struct Config {
    /// Ports and trusted proxies.
    pub listen: Listen,
    /// Location of the directory.
    pub store: StoreLocation,
    /// Longest time that cached answers are served while the store cannot be reached.
    pub offline_max: Duration,
    /// The issuers, in the order of the file.
    pub issuers: Vec<Issuer>,
    /// The same issuers as the verifier looks them up.
    pub trusted: Issuers,
    /// The organizations that are declared, in the order of the file.
    pub organizations: Vec<DeclaredOrganization>,
    /// The routes.
    pub routes: Routes,
    /// Settings of each route, by the number of the route.
    pub route_settings: Vec<RouteSettings>,
    /// Keys that seal the secrets in the store.
    pub sealing: Option<Arc<SealingKeys>>,
    /// Sign-in, and the lifetime of sessions.
    pub sign_in: SignInSettings,
    /// Origin of the web console; `None` for names of this machine only.
    pub console_origin: Option<WebOrigin>,
    /// Policy for the requests of held connections.
    pub connections: Policy,
    /// Requests of webhooks.
    pub webhook: Webhook,
    /// The audit trail.
    pub audit: Audit,
    /// Memory limits of the caches.
    pub cache: Cache,
    /// Limits on tokens, requests, key sets and upstreams.
    pub limits: Limits,
    /// The signed statement for upstreams.
    pub assertion: Assertion,
    /// Log settings.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
    /// The files that were read besides the configuration file: when one changes, the configuration is to be read
    /// again.
    pub watched: Vec<PathBuf>,
}

/// Ports and trusted proxies.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The public port.
    pub public: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    /// The port of Envoy's external authorization; `None` for no such port.
    pub ext_authz: Option<SocketAddr>,
    /// Networks of the proxies whose forwarded headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks of the load balancers whose connections begin with a header of the PROXY protocol.
    pub proxy_protocol_from: Vec<IpNet>,
    /// TLS of the public port.
    pub public_tls: Option<ServerTls>,
    /// TLS of the admin port.
    pub admin_tls: Option<ServerTls>,
    /// Grace period of running requests at shutdown.
    pub shutdown_grace: Duration,
}

/// Location of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// `SQLite` file.
    Sqlite(PathBuf),
    /// PostgreSQL database. Printing it shows no password.
    Postgres(Box<PostgresOptions>),
}

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    /// Its name here.
    pub name: IssuerName,
    /// Realm in which its external ids are unique and its tags count.
    pub realm: Realm,
    /// Requirements on its tokens.
    pub trusted: Arc<TrustedIssuer>,
    /// Source of its keys.
    pub keys: KeySource,
    /// Longest time that known keys stay in use while it cannot be reached.
    pub stale_max: Duration,
    /// Mapping of its claims.
    pub mapping: IssuerMapping,
    /// Policy for the changes that its tokens make to the directory.
    pub policy: SyncPolicy,
    /// Places that may carry its tokens.
    pub places: TokenPlaces,
    /// Use of its tokens that are bound to a key.
    pub dpop: DpopUse,
    /// Endpoint that is asked about its opaque tokens.
    pub introspection: Option<IssuerIntrospection>,
    /// Sign-in at this issuer, if it has a client id.
    pub sign_in: Option<IssuerLogin>,
    /// Origins of the pages that may embed applications and sign users in there with its tokens.
    pub frame_ancestors: Vec<WebOrigin>,
}

/// Introspection endpoint of one issuer.
#[derive(Debug)]
pub struct IssuerIntrospection {
    /// Its URL.
    pub url: String,
    /// The client that is registered there.
    pub settings: IntrospectionSettings,
    /// Access to it.
    pub access: Access,
}

/// Sign-in at one issuer.
#[derive(Debug)]
pub struct IssuerLogin {
    /// Its `iss`, which is the URL of its discovery document too.
    pub issuer: String,
    /// Requirements on its ID tokens: those on its tokens, with the client id as the audience.
    pub trusted: Arc<TrustedIssuer>,
    /// The client that is registered there.
    pub client: ClientSettings,
    /// Access to its endpoints.
    pub access: Access,
}

/// An organization that is declared.
#[derive(Debug)]
pub struct DeclaredOrganization {
    /// Its name in paths.
    pub name: OrganizationName,
    /// Its name for people.
    pub label: String,
    /// Its realm.
    pub realm: Realm,
    /// Issuers' id of the organization.
    pub external_id: Option<ExternalId>,
    /// Contact, site, time zone.
    pub details: OrganizationDetails,
    /// The tags that give roles in it.
    pub tags: OrganizationTags,
    /// Permitted sources of roles in it.
    pub membership: MembershipRule,
    /// True if the tag patterns of its realm's issuers give roles here.
    pub tag_patterns: bool,
    /// Availability: active or suspended.
    pub status: OrganizationStatus,
    /// Its picture.
    pub logo: Option<Logo>,
}

/// Settings of a route besides its requirement.
#[derive(Debug)]
pub struct RouteSettings {
    /// Upstream of the requests; `None` for routes that only forward-auth asks about.
    pub upstream: Option<Upstream>,
    /// The `aud` of its assertions, where the route names one.
    pub audience: Option<String>,
    /// Places that may carry tokens of every issuer; `None` for those that the issuers allow.
    pub token_from: Option<TokenPlaces>,
    /// Headers that it sets under names of its own choice.
    pub headers: Vec<(IdentityField, HeaderName)>,
    /// Longest silence on a stream.
    pub idle_timeout: Duration,
    /// The largest request body.
    pub body_bytes: u64,
    /// Use of sign-in for its refused requests.
    pub login: LoginUse,
    /// Treatment of requests whose headers name another method.
    pub method_override: MethodOverride,
    /// Origins whose pages may send requests with the user's cookie.
    pub cors_origins: Vec<WebOrigin>,
}

/// Memory limits of the caches.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Verified tokens, in bytes.
    pub token_bytes: u64,
    /// The directory's answers about users, in bytes.
    pub account_bytes: u64,
}

/// Limits on tokens, requests, key sets and upstreams.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest token.
    pub token_bytes: u64,
    /// The most permission tags in one token.
    pub(crate) tags: u64,
    /// Limit of changes that tokens make to one user within a minute.
    pub(crate) sync_changes_per_minute: u32,
    /// The steps one template may take.
    pub(crate) template_fuel: u64,
    /// Largest value that one template may build, in bytes.
    pub(crate) template_bytes: u64,
    /// The largest key set.
    pub key_set_bytes: u64,
    /// The most keys in one set.
    pub keys: u64,
    /// The largest request head.
    pub header_bytes: u64,
    /// Longest time for a request head to arrive.
    pub header_timeout: Duration,
    /// The largest request body.
    pub(crate) body_bytes: u64,
    /// The most connections.
    pub connections: u64,
    /// The most connections of one client address, if the file says so.
    pub connections_per_client: Option<u64>,
    /// The most requests under way to one upstream.
    pub upstream_requests: u64,
    /// The most requests from one client address.
    pub rate: Rate,
    /// Longest time to connect to an upstream.
    pub connect_timeout: Duration,
    /// Longest time until an upstream begins its answer.
    pub(crate) upstream_timeout: Duration,
    /// Longest silence on a stream.
    pub(crate) idle_timeout: Duration,
    /// Time that a body may go on after its token has expired.
    pub body_grace: Duration,
    /// Longest time to fetch a key set.
    pub fetch_timeout: Duration,
}

/// The signed statement for upstreams.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// Its `iss`.
    pub issuer: String,
    /// Lifetime of one assertion.
    pub lifetime: Duration,
    /// Interval between new signing keys.
    pub rotation: Duration,
}

/// Log settings.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Minimum level of logged entries.
    pub level: LogLevel,
    /// Format of the log.
    pub format: LogFormat,
    /// Access log: requests that pass are logged too.
    pub access: bool,
}

/// Requests of webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Hosts that may have private addresses.
    pub allow_private_hosts: Vec<String>,
    /// Longest time of one request.
    pub timeout: Duration,
}

/// The audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Time for which events stay; `None` for ever.
    pub retention: Option<Duration>,
    /// Time for which refused requests stay; `None` for ever.
    pub refusals: Option<Duration>,
    /// File that events are appended to.
    pub file: Option<PathBuf>,
}

/// Traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Address of the collector; `None` if requests are not traced.
    pub otlp_endpoint: Option<String>,
}

/// A configuration file after reading: its text, its problems, and the configuration if it can be used.
#[derive(Debug)]
pub struct Reading {
    name: String,
    source: String,
    problems: Problems,
    config: Option<Config>,
}

/// Presence of the line that says that the file is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndMark {
    /// The file ends with the line.
    There,
    /// The file does not end with the line.
    Missing,
}

/// The last line of a file that says with it that it is whole. It is a comment, so every program reads the file as before.
pub const END_MARK: &str = "# narthex: end";

/// Answer of `config check --json`.
#[derive(Debug, Serialize)]
pub struct ReadingRow<'r> {
    usable: bool,
    problems: Vec<ProblemRow<'r>>,
}

impl Reading {
    /// The configuration, or the report of everything that is wrong.
    pub fn into_config(self, paint: Paint) -> Result<Config, String> {
        let report = self.report(paint);
        self.config.ok_or(report)
    }

    /// Looks for [`END_MARK`] in the last line of the file that is not blank.
    pub fn end_mark(&self) -> EndMark {
        if self.source.trim_end().lines().next_back() == Some(END_MARK) {
            EndMark::There
        } else {
            EndMark::Missing
        }
    }

    /// Everything that is wrong, errors and warnings, with places and a count.
    pub fn report(&self, paint: Paint) -> String {
        self.problems.render(&self.name, &self.source, paint)
    }

    /// The same for a program to read.
    pub fn rows(&self) -> ReadingRow<'_> {
        ReadingRow {
            usable: self.is_usable(),
            problems: self.problems.rows(&self.name, &self.source),
        }
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, one by one.
    pub fn into_config_or_problems(self) -> Result<Config, Vec<ReloadProblem>> {
        let rows = self.problems.rows(&self.name, &self.source);
        let problems = rows.iter().map(for_the_log).collect();
        self.config.ok_or(problems)
    }

    /// Number of problems that the operator should know about although the file can be used.
    pub fn warnings(&self) -> usize {
        self.problems.warnings()
    }

    /// Tests whether the configuration can be used.
    pub fn is_usable(&self) -> bool {
        self.config.is_some()
    }

    /// Tests whether there is nothing to report at all.
    #[cfg(test)]
    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The problem for a log, which is a stream of lines.
fn for_the_log(row: &ProblemRow<'_>) -> ReloadProblem {
    ReloadProblem {
        is_error: row.severity == Severity::Error,
        place: Some(FilePlace {
            file: row.file.to_owned(),
            line: row.line,
            column: row.column,
        }),
        problem: match row.label {
            Some(label) => format!("{} ({label})", row.message),
            None => row.message.to_owned(),
        },
        help: (!row.help.is_empty()).then(|| row.help.join("; ")),
    }
}

/// Reads and checks the file at `path`. An `Err` means that there is no text to speak of.
pub fn read(path: &Path) -> anyhow::Result<Reading> {
    let environment = Environment::of_process(path);
    let here = path.file_name().map_or(path, Path::new);
    let bytes = environment.read(here, FILE_BYTES_MOST).map_err(|cause| {
        anyhow::anyhow!(
            "cannot read the configuration `{}`: {cause}; `narthex config default` prints one to start from",
            path.display()
        )
    })?;
    Ok(read_bytes(&path.display().to_string(), bytes, &environment))
}

/// Reads and checks the bytes of a file called `name`.
fn read_bytes(name: &str, bytes: Vec<u8>, environment: &Environment) -> Reading {
    match String::from_utf8(bytes) {
        Ok(source) => read_text(name, source, environment),
        Err(error) => {
            let bytes = error.as_bytes();
            let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
            let start = error.utf8_error().valid_up_to();
            // What cannot be read is shown as one character of its own, whatever it was.
            let shown = char::REPLACEMENT_CHARACTER.len_utf8();
            let mut problems = Problems::default();
            problems.push(
                Problem::syntax(start..start + shown, "the file is not UTF-8 from here on").help(if wide {
                    "it looks like UTF-16; save it as UTF-8"
                } else {
                    "save it as UTF-8; an editor may call what it is now Latin-1 or Windows-1252"
                }),
            );
            Reading {
                name: name.to_owned(),
                source: String::from_utf8_lossy(bytes).into_owned(),
                problems,
                config: None,
            }
        }
    }
}

/// Reads and checks the text of a file called `name`.
pub fn read_text(name: &str, source: String, environment: &Environment) -> Reading {
    let (file, walk) = file::read(&source);
    let (config, problems) = match file {
        Some(file) => Check::run(&source, &file, environment, walk.problems),
        None => (None, walk.problems),
    };
    Reading {
        name: name.to_owned(),
        source,
        problems,
        config,
    }
}
