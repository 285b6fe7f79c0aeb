//! Sections of the configuration file: one struct for each section, one field for each key.
//!
//! Each key is described once (type, default, doc comment, example). The reader, the reference page, the default file
//! and the JSON schema all come from that description. Nothing here is checked against another part of the file; see
//! `check`.

mod audit;
mod issuer;
mod organization;
mod route;
mod settings;

pub(crate) use audit::AuditSection;
pub use issuer::SecretFormat;
pub(crate) use issuer::{
    DpopText, IssuerSection, KeySetAlgorithm, MappingSection, Mode, OnEmpty, OnInvalid, OnMissing, PatternRole,
    PatternSection, Provision, RuleSection, TagsSection, TenantsText,
};
pub(crate) use organization::{Membership, OrganizationSection, OrganizationStatus, TagText};
pub(crate) use route::{EncodedSlash, HeadersSection, MethodOverride, OrganizationBy, RouteSection, TokenUse};
pub(crate) use settings::{
    AssertionSection, CacheSection, ConnectionsSection, ConsoleSection, LimitsSection, ListenSection, LogSection,
    LoginSection, SecretsSection, SessionSection, StoreSection, TelemetrySection, TlsSection, WebhookSection,
};
pub use settings::{LogFormat, LogLevel};

use narthex_settings_reader::{Defaulted, FormerKey, List, Optional, Problem, Provenance, Walk, section};
use toml::de::DeTable;

section! {
    /// Narthex reads one TOML file. Unknown keys are errors. `narthex config check` reports all problems at once.
    ///
    /// A duration is a whole number and a unit: `"250ms"`, `"60s"`, `"10m"`, `"24h"`, `"30d"`. So is a size: `"900B"`,
    /// `"16KiB"`, `"512KB"`, `"1MiB"`. Relative paths start at the directory of the file. The file never contains
    /// secrets: keys that end in `_file` name a file, and keys that end in `_env` name an environment variable.
    ConfigFile {
        /// Addresses that Narthex listens on, and the reverse proxies that it trusts.
        listen: Defaulted<ListenSection> = "{}";
        /// Database of the directory: users, organizations, teams and grants.
        store: Defaulted<StoreSection> = "{}";
        /// Identity providers whose tokens are trusted, one table each. Without any, every token is refused.
        issuer: Defaulted<List<IssuerSection>> = "[]";
        /// Organizations declared in this file. The API and the command line cannot change them.
        organization: Defaulted<List<OrganizationSection>> = "[]";
        /// Paths, their requirements and their upstreams. A request that matches no route is denied.
        ///
        /// If several routes match a path, the most specific one applies: literal text before `{name}` before
        /// `{*name}`.
        route: Defaulted<List<RouteSection>> = "[]";
        /// Encryption of the secrets in the store.
        secrets: Defaulted<SecretsSection> = "{}";
        /// Sign-in of browsers at an identity provider.
        login: Optional<LoginSection>;
        /// Lifetime of the sessions of signed-in browsers.
        session: Defaulted<SessionSection> = "{}";
        /// Web console at `/` of the admin port.
        console: Defaulted<ConsoleSection> = "{}";
        /// Outbound requests of the connections that the server holds for organizations.
        connections: Defaulted<ConnectionsSection> = "{}";
        /// Requests of webhooks. The API creates the webhooks themselves.
        webhook: Defaulted<WebhookSection> = "{}";
        /// Audit trail: how long events stay, and a file that gets them too.
        audit: Defaulted<AuditSection> = "{}";
        /// Caches between requests. An entry never outlives its token, its key, or a change to the directory or to this
        /// file.
        cache: Defaulted<CacheSection> = "{}";
        /// Limits on everything that Narthex accepts or waits for. The defaults fit most installations.
        limits: Defaulted<LimitsSection> = "{}";
        /// Signed assertion of the user's identity, sent to upstreams as `X-Narthex-Assertion`. Its keys are published
        /// at `/.well-known/jwks.json`.
        assertion: Defaulted<AssertionSection> = "{}";
        /// Log on standard error. It never contains tokens, claim values or secrets.
        log: Defaulted<LogSection> = "{}";
        /// Traces for an OpenTelemetry collector. Without this section, requests are not traced.
        telemetry: Defaulted<TelemetrySection> = "{}";
    }
}

/// Keys of former versions.
pub(crate) const FORMER_KEYS: [FormerKey; 3] = [
    FormerKey {
        name: "token_header",
        now: "token_from",
        help: "write `token_from = [\"authorization\", \"header:NAME\"]`; the list has every place, so `authorization` can be left out",
    },
    FormerKey {
        name: "token_cookie",
        now: "token_from",
        help: "write `token_from = [\"authorization\", \"cookie:NAME\"]`; the list has every place, so `authorization` can be left out",
    },
    FormerKey {
        name: "token_query",
        now: "token_from",
        help: "write `token_from = [\"authorization\", \"query:NAME\"]`; the list has every place, so `authorization` can be left out",
    },
];

/// Reads the text of a configuration file as far as possible and collects every problem in it.
pub(crate) fn read(source: &str) -> (Option<ConfigFile>, Walk) {
    let mut walk = Walk::over(Provenance::File, &FORMER_KEYS);
    let (table, errors) = DeTable::parse_recoverable(source);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        walk.problems.push(Problem::syntax(span, error.message()));
    }
    let file = ConfigFile::read(table.get_ref(), 0..0, &mut walk);
    if walk.problems.has_syntax_errors() {
        walk.problems.keep_certain(source);
        return (None, walk);
    }
    (file, walk)
}
