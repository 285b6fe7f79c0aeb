//! Compilation of [`ConfigFile`] to [`Config`]: resolves defaults, reads the named files and variables, compiles what
//! can be compiled, and checks the keys against each other. Never stops early: everything that can be checked is
//! checked.

mod audit;
mod connections;
mod console;
mod dangers;
mod embedding;
mod header_names;
mod introspection;
mod issuer;
mod keys;
mod laxer;
mod login;
mod mapping;
mod never;
mod one_organization;
mod organization;
mod own;
mod route;
mod settings;
mod store;
mod tls;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use narthex_decision::Routes;
use narthex_directory::NameError;
use narthex_settings_reader::{Defaulted, List, Optional, Problem, Problems, Provenance, Span};
use narthex_token::Issuers;
use toml::Spanned;

use super::environment::Environment;
use super::file::{ConfigFile, IssuerSection};
use super::{Config, Issuer, Limits, RouteSettings};

/// A value that cannot be used; its problem has been added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// The state of one check.
pub(crate) struct Check<'c> {
    /// The text of the file.
    source: &'c str,
    /// Source of other files and of variables.
    environment: &'c Environment,
    /// Problems found so far.
    problems: Problems,
    /// The files that were read, to be watched.
    watched: Vec<PathBuf>,
    /// The limits of the file, which other sections build on.
    limits: Limits,
    /// Author of what is checked.
    provenance: Provenance,
}

impl<'c> Check<'c> {
    /// Checks a file that could be read, and adds to what was found while reading it.
    pub(crate) fn run(
        source: &'c str,
        file: &ConfigFile,
        environment: &'c Environment,
        problems: Problems,
    ) -> (Option<Config>, Problems) {
        let mut problems = problems;
        let limits = settings::limits(file.limits.value(), &mut problems);
        Self {
            source,
            environment,
            problems,
            watched: Vec::new(),
            limits,
            provenance: Provenance::File,
        }
        .config(file)
    }

    /// Checks one issuer from a document of the API, under the limits that are in force, and adds to what was found
    /// while reading it. `None` if there is an error.
    pub(crate) fn run_issuer(
        section: Option<&IssuerSection>,
        limits: &Limits,
        problems: Problems,
    ) -> (Option<Issuer>, Problems) {
        let mut check = Check {
            source: "",
            environment: &Environment::sealed(),
            problems,
            watched: Vec::new(),
            limits: limits.clone(),
            provenance: Provenance::Api,
        };
        let issuer = section.and_then(|section| {
            let issuer = check.compile_issuer(section);
            check.issuer_dangers(section, &[section]);
            issuer
        });
        // INVARIANT: an issuer with an error never leaves here.
        let issuer = issuer.filter(|_| check.problems.errors() == 0);
        (issuer, check.problems)
    }
}

impl Check<'_> {
    /// The whole of the file. `None` only where a problem has been added.
    fn config(mut self, file: &ConfigFile) -> (Option<Config>, Problems) {
        let listen = self.listen(file.listen.value());
        let store = self.store(file.store.value());
        let offline_max = within(
            &mut self.problems,
            "offline_max",
            &file.store.value().offline_max,
            &(Duration::ZERO..=Duration::from_hours(1)),
        );
        let cache = settings::cache(file.cache.value());
        let assertion = self.assertion(file.assertion.value());
        let log = settings::log(file.log.value());
        let telemetry = self.telemetry(file.telemetry.value());
        let sealing = self.sealing(file.secrets.value(), &file.secrets.span());
        let connections = self.connections(file.connections.value());
        let sign_in = self.sign_in(file, sealing.is_some());
        let console_origin = self.console_origin(file.console.value(), file.listen.value());
        let webhook = self.webhook(file.webhook.value());
        let audit = self.audit(file.audit.value());
        let issuers = self.issuers(file.issuer.value());
        let realms = realms(file);
        let (organizations, tags) = self.organizations(file.organization.value(), &realms);
        self.shared_tags(file.issuer.value(), &tags);
        let routes = self.routes(file.route.value(), file.issuer.value());
        self.tags_without_a_claim(file.route.value(), file.issuer.value());
        if let Some(routes) = &routes {
            self.among_routes(file, routes, &issuers);
        }
        self.never(file, &realms);
        self.dangers(file);
        self.own_upstreams(file.route.value(), &listen);
        self.forward_auth_routes(file.route.value(), listen.trusted_proxies.len(), &assertion.issuer);
        self.emptiness(file);
        let trusted = Issuers::new(issuers.iter().map(|issuer| Arc::clone(&issuer.trusted)).collect());
        if let (Err(errors), 0) = (&trusted, self.problems.errors()) {
            for error in errors {
                self.error(file.issuer.span(), error.to_string());
            }
        }
        let limits = self.limits.clone();
        let watched = std::mem::take(&mut self.watched);
        let config = trusted
            .ok()
            .zip(routes)
            .map(|(trusted, (routes, route_settings))| Config {
                listen,
                store,
                offline_max,
                issuers,
                trusted,
                organizations,
                routes,
                route_settings,
                sealing,
                sign_in,
                console_origin,
                connections,
                webhook,
                audit,
                cache,
                limits,
                assertion,
                log,
                telemetry,
                watched,
            });
        // INVARIANT: a configuration with an error never leaves here.
        let config = config.filter(|_| self.problems.errors() == 0);
        (config, self.problems)
    }

    /// Holds the routes against each other, and against the issuers.
    fn among_routes(
        &mut self,
        file: &ConfigFile,
        (routes, settings): &(Routes, Vec<RouteSettings>),
        issuers: &[Issuer],
    ) {
        let written = file.route.value();
        self.laxer_routes(written, routes);
        self.authorities_of_servers(written, settings);
        let places = issuers.iter().map(|issuer| &issuer.places);
        let token_headers: Vec<_> = places.flat_map(|places| places.headers.iter().cloned()).collect();
        self.names_set_and_read(written, routes, settings, &token_headers);
        self.headers_without_a_value(written, routes, file.issuer.value());
    }

    /// Says what an empty file means.
    fn emptiness(&mut self, file: &ConfigFile) {
        if self.problems.errors() > 0 {
            return;
        }
        if !file.issuer.is_written() {
            let problem = Problem::warning(0..0, "there is no `[[issuer]]`, so every token is refused");
            self.problems
                .push(problem.help("`narthex config default` prints a file to start from"));
        }
        if !file.route.is_written() {
            self.problems.push(Problem::warning(
                0..0,
                "there is no `[[route]]`, so every request is denied",
            ));
        }
    }

    /// Adds an error.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::error(span, message));
    }

    /// Adds an error about a name, with one that could be used if there is one; `and` ends that sentence.
    pub(super) fn name_error(&mut self, span: Span, error: &NameError, and: &str) {
        let suggestion = error.suggestion();
        let help = suggestion.map(|name| format!("use one such as `{name}`{and}"));
        self.problems
            .push(Problem::error(span, error.problem()).maybe_help(help));
    }

    /// Refuses what is no host in a list of hosts that may be at private addresses: it would allow nothing.
    pub(crate) fn private_hosts(&mut self, written: &List<String>) {
        for host in written {
            let text = host.get_ref().trim();
            let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
            let is_address = bare.unwrap_or(text).parse::<IpAddr>().is_ok();
            let is_name = !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !is_address && !is_name {
                let problem = Problem::error(host.span(), format!("`{text}` is not the name of a host"));
                self.problems.push(problem.help(
                    "write a name or one address, without scheme, port, path or prefix, such as `\"erp.internal\"`",
                ));
            }
        }
    }

    /// Refuses text that begins or ends with a blank where it is compared exactly: nothing would be equal to it.
    pub(crate) fn untrimmed<'w>(&mut self, subject: &str, written: impl IntoIterator<Item = &'w Spanned<String>>) {
        for text in written {
            if text.get_ref().trim() != text.get_ref() {
                let problem = Problem::error(text.span(), format!("{subject} begins or ends with a blank"));
                self.problems
                    .push(problem.help("it is compared exactly with what tokens say, blanks included"));
            }
        }
    }

    /// A file that the configuration names.
    pub(crate) fn read(&mut self, key: &str, written: &Path, span: &Span, most: u64) -> Option<Vec<u8>> {
        self.watched.push(self.environment.path(written));
        match self.environment.read(written, most) {
            Ok(bytes) => Some(bytes),
            Err(cause) => {
                let path = self.environment.path(written);
                let message = format!("`{key}` cannot be read: {cause}");
                let problem = Problem::error(span.clone(), message);
                self.problems
                    .push(problem.help(format!("looked for `{}`", path.display())));
                None
            }
        }
    }
}

/// The realms that the issuers of the file belong to, each once.
fn realms(file: &ConfigFile) -> Vec<String> {
    let mut realms: Vec<String> = Vec::new();
    // The realm of an issuer of one organization is for its users: no organization belongs to it.
    let sections = file.issuer.value().iter().map(toml::Spanned::get_ref);
    for section in sections.filter(|section| section.organization.value().is_none()) {
        if let Some(realm) = section.realm.value().or(section.name.value())
            && !realms.contains(realm)
        {
            realms.push(realm.clone());
        }
    }
    realms
}

/// A duration, refused outside of `allowed`.
fn within(
    problems: &mut Problems,
    key: &str,
    written: &Defaulted<Duration>,
    allowed: &RangeInclusive<Duration>,
) -> Duration {
    let value = *written.value();
    problems.extend(beyond(key, value, written.span(), allowed));
    value
}

/// A duration that may be left out, refused outside of `allowed`.
fn within_if_written(
    problems: &mut Problems,
    key: &str,
    written: &Optional<Duration>,
    allowed: &RangeInclusive<Duration>,
) {
    if let Some(value) = written.spanned() {
        problems.extend(beyond(key, *value.get_ref(), value.span(), allowed));
    }
}

fn beyond(key: &str, value: Duration, span: Span, allowed: &RangeInclusive<Duration>) -> Option<Problem> {
    let (least, most) = (spoken(*allowed.start()), spoken(*allowed.end()));
    (!allowed.contains(&value)).then(|| Problem::error(span, format!("`{key}` must be between {least} and {most}")))
}

/// A duration in the largest unit that fits, as the file would say it.
fn spoken(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "`\"0s\"`".to_owned();
    }
    let (unit, factor) = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(_, factor)| millis.is_multiple_of(*factor))
        .unwrap_or(("ms", 1));
    format!("`\"{}{unit}\"`", millis / factor)
}
