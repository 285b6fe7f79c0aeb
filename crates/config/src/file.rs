//! The configuration file as it is written: one struct per section, one field per key.
//!
//! What is said here once (type, default, doc comment, example) is the reader, the reference page, the default file and
//! the JSON schema. Nothing here is checked against anything else in the file; see `check`.

mod issuer;
mod organization;
mod route;
mod settings;

pub use issuer::SecretFormat;
pub(crate) use issuer::{
    IssuerSection, KeySetAlgorithm, MappingSection, Mode, OnEmpty, OnInvalid, OnMissing, Provision, TagsSection,
};
pub(crate) use organization::{Membership, OrganizationSection, OrganizationStatus, TagText};
pub(crate) use route::{MethodOverride, RouteSection};
pub(crate) use settings::{
    AssertionSection, CacheSection, ConnectionsSection, LimitsSection, ListenSection, LogSection, SecretsSection,
    StoreSection,
};
pub use settings::{LogFormat, LogLevel};

use toml::de::DeTable;

use super::problem::Problem;
use super::read::{Defaulted, Walk, section};
use super::values::List;

section! {
    /// Narthex reads one TOML file. Unknown keys are errors, and all problems are reported at once: `narthex config
    /// check`.
    ///
    /// Durations are written as a whole number and a unit: `"250ms"`, `"60s"`, `"10m"`, `"24h"`, `"30d"`. Sizes
    /// likewise: `"900B"`, `"16KiB"`, `"512KB"`, `"1MiB"`. Relative paths are taken from the directory of the file.
    /// Secrets are never written here: keys that end in `_file` name a file, keys that end in `_env` name an
    /// environment variable.
    ConfigFile {
        /// Where requests come in.
        listen: Defaulted<ListenSection> = "{}";
        /// Where the directory is kept.
        store: Defaulted<StoreSection> = "{}";
        /// The identity providers whose tokens are trusted, one table each. Without any, every token is refused.
        issuer: Defaulted<List<IssuerSection>> = "[]";
        /// Organizations declared here; through the API and at the command line they are read-only.
        organization: Defaulted<List<OrganizationSection>> = "[]";
        /// What may be reached, by whom, and where it goes. A request that matches no route is denied.
        ///
        /// Of several routes that match a path, the most specific one is taken: literal text before `{name}` before
        /// `{*name}`.
        route: Defaulted<List<RouteSection>> = "[]";
        /// How secrets in the store are encrypted.
        secrets: Defaulted<SecretsSection> = "{}";
        /// The connections that are held for organizations.
        connections: Defaulted<ConnectionsSection> = "{}";
        /// What is remembered between requests. It never outlives a token, a key, or a change to the directory or to
        /// this file.
        cache: Defaulted<CacheSection> = "{}";
        /// Everything has a limit. The defaults fit most installations.
        limits: Defaulted<LimitsSection> = "{}";
        /// The signed statement of who the user is that goes to upstreams as `X-Narthex-Assertion`. Its keys are
        /// published at `/.well-known/jwks.json`.
        assertion: Defaulted<AssertionSection> = "{}";
        /// What is written to standard error.
        log: Defaulted<LogSection> = "{}";
    }
}

/// Reads the text of a configuration file as far as it can be read, and says everything that is wrong with it.
pub(crate) fn read(source: &str) -> (Option<ConfigFile>, Walk) {
    let mut walk = Walk::default();
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
