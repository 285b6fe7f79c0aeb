//! Key sources: exactly one for each issuer, with what goes with it.

use std::path::PathBuf;

use narthex_fetch::keys::{Access, KeySource, KeyUrl, ProxyUrl};
use narthex_fetch::ssrf_guard::AddressKind;
use narthex_settings_reader::{List, Problem, Provenance, Section, Span};
use narthex_token::{Algorithm, KeySet, KeySetError, KeySetLimits, KeySource as KeyKind, SecretLength};
use toml::Spanned;

use super::Check;
use crate::file::{IssuerSection, SecretFormat};
use crate::secret::Secret;

/// The largest file that holds a secret or a token.
const SECRET_BYTES_MOST: u64 = 64 * 1024;
/// The largest file of certificates.
const CERTIFICATES_BYTES_MOST: u64 = 4 * 1024 * 1024;

/// Key source of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    JwksUrl,
    KeyUrl,
    Discovery,
    JwksFile,
    SecretFile,
    SecretEnv,
}

impl Source {
    /// Every source that a section names, with its place.
    pub(crate) fn written(section: &IssuerSection) -> Vec<(Self, Span)> {
        let discovery = (section.discovery.is_written() && (*section.discovery.value() || section.discovery.is_bad()))
            .then(|| section.discovery.span());
        [
            (Self::JwksUrl, section.jwks_url.span()),
            (Self::KeyUrl, section.key_url.span()),
            (Self::Discovery, discovery),
            (Self::JwksFile, section.jwks_file.span()),
            (Self::SecretFile, section.secret_file.span()),
            (Self::SecretEnv, section.secret_env.span()),
        ]
        .into_iter()
        .filter_map(|(source, span)| span.map(|span| (source, span)))
        .collect()
    }

    /// Public keys or a shared secret.
    pub(crate) const fn kind(self) -> KeyKind {
        match self {
            Self::JwksUrl | Self::KeyUrl | Self::Discovery | Self::JwksFile => KeyKind::KeySet,
            Self::SecretFile | Self::SecretEnv => KeyKind::SharedSecret,
        }
    }

    pub(crate) const fn is_fetched(self) -> bool {
        matches!(self, Self::JwksUrl | Self::KeyUrl | Self::Discovery)
    }

    const fn key(self) -> &'static str {
        match self {
            Self::JwksUrl => "jwks_url",
            Self::KeyUrl => "key_url",
            Self::Discovery => "discovery",
            Self::JwksFile => "jwks_file",
            Self::SecretFile => "secret_file",
            Self::SecretEnv => "secret_env",
        }
    }
}

impl Check<'_> {
    /// The one key source of an issuer.
    pub(crate) fn key_source(&mut self, section: &IssuerSection) -> Option<Source> {
        let mut written = Source::written(section);
        written.sort_by_key(|(_, span)| span.start);
        let Some(((source, first), others)) = written.split_first() else {
            let problem = Problem::error(section.header(), "this issuer has no keys to verify with");
            let help = match self.provenance {
                Provenance::File => {
                    "give it one of `jwks_url`, `key_url`, `discovery = true`, `jwks_file`, `secret_file` or `secret_env`"
                }
                Provenance::Api => "give it `jwks_url`, `key_url` or `discovery = true`",
            };
            self.problems.push(problem.label("no key source").help(help));
            return None;
        };
        for (other, span) in others {
            let message = format!(
                "`{}` and `{}` both say where the keys come from",
                source.key(),
                other.key()
            );
            let problem = Problem::error(span.clone(), message).context(first.clone(), format!("`{}`", source.key()));
            self.problems.push(problem.help("keep one of them"));
        }
        if !others.is_empty() {
            return None;
        }
        self.companions(section, *source);
        Some(*source)
    }

    /// Refuses keys that have no effect with this source: the operator who wrote them believes that they have one.
    fn companions(&mut self, section: &IssuerSection, source: Source) {
        let private_hosts = section
            .allow_private_hosts
            .is_written()
            .then(|| section.allow_private_hosts.span());
        let stale = section.stale_max.is_written().then(|| section.stale_max.span());
        let short = section
            .danger_short_secret
            .is_written()
            .then(|| section.danger_short_secret.span());
        let format = section.secret_format.is_written().then(|| section.secret_format.span());
        // Sign-in asks the issuer too.
        let fetched = source.is_fetched() || section.client_id.span().is_some();
        for (key, span, fits, with) in [
            (
                "ca_file",
                section.ca_file.span(),
                fetched,
                "`jwks_url`, `key_url` or `discovery`",
            ),
            (
                "proxy",
                section.proxy.span(),
                fetched,
                "`jwks_url`, `key_url` or `discovery`",
            ),
            (
                "bearer_token_file",
                section.bearer_token_file.span(),
                fetched,
                "`jwks_url`, `key_url` or `discovery`",
            ),
            (
                "allow_private_hosts",
                private_hosts,
                fetched,
                "`jwks_url`, `key_url` or `discovery`",
            ),
            ("stale_max", stale, source.kind() == KeyKind::KeySet, "a key set"),
            (
                "danger_short_secret",
                short,
                source.kind() == KeyKind::SharedSecret,
                "`secret_file` or `secret_env`",
            ),
            (
                "secret_format",
                format,
                source.kind() == KeyKind::SharedSecret,
                "`secret_file` or `secret_env`",
            ),
        ] {
            if let (Some(span), false) = (span, fits) {
                self.error(
                    span,
                    format!("`{key}` does nothing with `{}`; it goes with {with}", source.key()),
                );
            }
        }
    }

    /// The keys of an issuer, or where they are to be had.
    pub(crate) fn keys(
        &mut self,
        section: &IssuerSection,
        source: Source,
        algorithms: &[Algorithm],
    ) -> Option<KeySource> {
        match source {
            Source::JwksUrl => {
                let url = section.jwks_url.spanned()?;
                self.public_address("jwks_url", &url.get_ref().0, &url.span())?;
                let access = self.access(section);
                let usable = access.is_some();
                KeySource::url(&url.get_ref().0, access.unwrap_or_default())
                    .map_err(|cause| {
                        let problem = Problem::error(url.span(), format!("`jwks_url`: {cause}"));
                        self.problems.push(problem.maybe_help(without_tls(&url.get_ref().0)));
                    })
                    .ok()
                    .filter(|_| usable)
            }
            Source::KeyUrl => {
                let url = section.key_url.spanned()?;
                self.public_address("key_url", &url.get_ref().0, &url.span())?;
                let access = self.access(section);
                let usable = access.is_some();
                KeySource::by_id(&url.get_ref().0, access.unwrap_or_default())
                    .map_err(|cause| {
                        let problem = Problem::error(url.span(), format!("`key_url`: {cause}"));
                        self.problems.push(problem.maybe_help(without_tls(&url.get_ref().0)));
                    })
                    .ok()
                    .filter(|_| usable)
            }
            Source::Discovery => {
                let issuer = section.issuer.spanned()?;
                if section.tenants.span().is_some() {
                    let message = "`discovery` asks at one address, and `issuer` stands for many";
                    let help = "name the key set of all tenants with `jwks_url`";
                    let problem = Problem::error(section.discovery.span(), message);
                    self.problems
                        .push(problem.context(issuer.span(), "this one").help(help));
                    return None;
                }
                self.public_address("issuer", issuer.get_ref(), &issuer.span())?;
                let access = self.access(section);
                let usable = access.is_some();
                KeySource::discovery(issuer.get_ref(), access.unwrap_or_default())
                    .map_err(|cause| {
                        let problem = Problem::error(issuer.span(), format!("`issuer` cannot be discovered: {cause}"));
                        let problem = problem.maybe_help(without_tls(issuer.get_ref()));
                        self.problems
                            .push(problem.context(section.discovery.span(), "because of this"));
                    })
                    .ok()
                    .filter(|_| usable)
            }
            Source::JwksFile => self.key_file(section.jwks_file.spanned()?),
            Source::SecretFile => {
                let files = &section.secret_file.value()?.0;
                let secrets = self.secret_files(files, *section.secret_format.value())?;
                self.shared_secret(section, algorithms, &secrets, &spans(files))
            }
            Source::SecretEnv => {
                let names = &section.secret_env.value()?.0;
                let secrets = self.secret_variables(names, *section.secret_format.value())?;
                self.shared_secret(section, algorithms, &secrets, &spans(names))
            }
        }
    }

    /// Refuses an address of this machine or of its network in a document of the API. `None` if it is one. Names are
    /// checked when they are resolved.
    // SECURITY: the guard lets a URL of the file reach this machine, and not one of the API.
    pub(crate) fn public_address(&mut self, key: &str, url: &str, place: &Span) -> Option<()> {
        let url = match (self.provenance, KeyUrl::parse(url)) {
            (Provenance::Api, Ok(url)) => url,
            // The source says what is wrong with text that is no such URL.
            (Provenance::Api, Err(_)) | (Provenance::File, _) => return Some(()),
        };
        let is_public = match url.literal_address() {
            Some(address) => AddressKind::of(address) == AddressKind::Public,
            None => !url.is_loopback(),
        };
        if !is_public {
            let message = format!(
                "`{key}`: `{}` is not a public address, and only the configuration file may name it",
                url.host()
            );
            let help = "name a host on the internet, or declare this issuer in the configuration file";
            self.problems.push(Problem::error(place.clone(), message).help(help));
        }
        is_public.then_some(())
    }

    pub(crate) fn access(&mut self, section: &IssuerSection) -> Option<Access> {
        let mut usable = true;
        self.private_hosts(section.allow_private_hosts.value());
        if let Some(file) = section.ca_file.spanned() {
            usable &= self.certificates(file);
        }
        if let Some(file) = section.bearer_token_file.spanned() {
            // Read again at every fetch; here only so that a mistake is found now.
            usable &= self
                .read("bearer_token_file", file.get_ref(), &file.span(), SECRET_BYTES_MOST)
                .is_some();
        }
        if let Some(url) = section.proxy.spanned()
            && let Err(cause) = ProxyUrl::parse(url.get_ref().0.as_str())
        {
            self.error(url.span(), format!("`proxy`: {cause}"));
            usable = false;
        }
        usable.then(|| self.unchecked_access(section))
    }

    /// Access to an issuer's servers as it is written; what is wrong with it is reported elsewhere.
    pub(crate) fn unchecked_access(&self, section: &IssuerSection) -> Access {
        let proxy = section.proxy.value();
        Access {
            ca_file: section.ca_file.value().map(|path| self.environment.path(path)),
            proxy: proxy.and_then(|url| ProxyUrl::parse(url.0.as_str()).ok()),
            bearer_token_file: section
                .bearer_token_file
                .value()
                .map(|path| self.environment.path(path)),
            allow_private_hosts: section
                .allow_private_hosts
                .value()
                .iter()
                .map(|host| host.get_ref().clone())
                .collect(),
        }
    }

    fn certificates(&mut self, file: &Spanned<PathBuf>) -> bool {
        let Some(bytes) = self.read("ca_file", file.get_ref(), &file.span(), CERTIFICATES_BYTES_MOST) else {
            return false;
        };
        let holds_one = String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----");
        if !holds_one {
            self.error(
                file.span(),
                "`ca_file` holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)",
            );
        }
        holds_one
    }

    fn key_file(&mut self, file: &Spanned<PathBuf>) -> Option<KeySource> {
        let limits = KeySetLimits::default();
        let most = u64::try_from(limits.bytes_max).unwrap_or(u64::MAX);
        let bytes = self.read("jwks_file", file.get_ref(), &file.span(), most)?;
        let set = KeySet::from_jwks(&bytes, &limits)
            .map_err(|cause| self.error(file.span(), format!("`jwks_file`: {cause}")))
            .ok()?;
        for refused in set.refused() {
            let which = refused
                .kid
                .as_ref()
                .map_or_else(|| format!("key {}", refused.position + 1), |kid| format!("key `{kid}`"));
            self.problems.push(Problem::warning(
                file.span(),
                format!("{which} of the key set is not used: {}", refused.why),
            ));
        }
        if set.usable_count() == 0 {
            self.error(file.span(), "`jwks_file` holds no key that can be used");
            return None;
        }
        Some(KeySource::file_with(self.environment.path(file.get_ref()), &bytes))
    }

    fn secret_files(&mut self, files: &List<PathBuf>, format: SecretFormat) -> Option<Vec<Secret>> {
        let mut secrets = Vec::new();
        for file in files {
            if self.environment.is_world_readable(file.get_ref()) {
                let problem = Problem::warning(file.span(), "every user of this machine can read this secret");
                self.problems
                    .push(problem.help("remove the permission, such as with `chmod o-r`"));
            }
            let bytes = self.read("secret_file", file.get_ref(), &file.span(), SECRET_BYTES_MOST);
            secrets.push(bytes.and_then(|bytes| self.secret(bytes, format, &file.span())));
        }
        secrets.into_iter().collect()
    }

    fn secret_variables(&mut self, names: &List<String>, format: SecretFormat) -> Option<Vec<Secret>> {
        let mut secrets = Vec::new();
        for name in names {
            let value = self.environment.variable(name.get_ref());
            if value.is_none() {
                self.error(
                    name.span(),
                    format!("the environment variable `{}` is not set", name.get_ref()),
                );
            }
            secrets.push(value.and_then(|value| self.secret(value.into_encoded_bytes(), format, &name.span())));
        }
        secrets.into_iter().collect()
    }

    fn secret(&mut self, bytes: Vec<u8>, format: SecretFormat, place: &Span) -> Option<Secret> {
        Secret::decoded(bytes, format)
            .map_err(|why| self.error(place.clone(), format!("this secret cannot be used: {why}")))
            .ok()
    }

    fn shared_secret(
        &mut self,
        section: &IssuerSection,
        algorithms: &[Algorithm],
        secrets: &[Secret],
        places: &[Span],
    ) -> Option<KeySource> {
        // A wrong algorithm is said elsewhere, and would only be said again in other words.
        let hashes: Vec<Algorithm> = algorithms
            .iter()
            .copied()
            .filter(|algorithm| algorithm.family() == narthex_token::Family::Hmac)
            .collect();
        let length = if *section.danger_short_secret.value() {
            SecretLength::DangerShort
        } else {
            SecretLength::Standard
        };
        let bytes: Vec<&[u8]> = secrets.iter().map(Secret::expose).collect();
        match KeySet::from_secrets(&bytes, &hashes, length) {
            Ok(set) => Some(KeySource::fixed(set)),
            Err(cause) => {
                let position = match &cause {
                    KeySetError::SecretEmpty { position }
                    | KeySetError::SecretTooShort { position, .. }
                    | KeySetError::SecretIsKey { position, .. } => position.checked_sub(1),
                    _ => None,
                };
                let place = position
                    .and_then(|position| places.get(position))
                    .or(places.first())
                    .cloned();
                self.error(place.unwrap_or_else(|| section.header()), cause.to_string());
                None
            }
        }
    }
}

fn spans<T>(list: &List<T>) -> Vec<Span> {
    list.iter().map(Spanned::span).collect()
}

/// Cure for an identity provider without TLS, such as a container beside this one.
// SECURITY: keys that come over plain http can be anyone's.
fn without_tls(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    let host = url.host_str()?;
    Some(format!(
        "give `{host}` a certificate and name its authority with `ca_file` (and a private address with \
         `allow_private_hosts = [\"{host}\"]`), or copy its key set to a file from where it is trusted, and name that with \
         `jwks_file`"
    ))
}
