//! Sources of issuers' keys, checked together with the configuration.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use narthex_token::{KeySet, KeySetLimits, KeySnapshot, RefusedKey};
use serde::Serialize;

use super::discovery::{DiscoveredUrl, forget, locate, remember, remembered};
use super::error::FetchError;
use super::fetch::{Access, FetchLimits, Fetcher, KeyServerAnswer, quoted, read_file};
use super::key_url::{KeyUrl, KeyUrlTemplate, UrlProblem};
use crate::ssrf_guard::{Guard, Loopback, Names, Refused};

/// Source of one issuer's keys.
#[derive(Debug, Clone)]
pub struct KeySource(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Remote {
        url: KeyUrl,
        discovery: Option<String>,
        access: Arc<Access>,
        guard: Arc<Guard>,
    },
    ById {
        url: KeyUrlTemplate,
        access: Arc<Access>,
        guard: Arc<Guard>,
    },
    File {
        path: PathBuf,
        /// Digest of its contents when the configuration was checked.
        checked: Option<FileDigest>,
    },
    Fixed(KeySnapshot),
}

/// The kinds of key sources, as operators see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// `jwks_url`.
    JwksUrl,
    /// `key_url`: one address for each key.
    KeyUrl,
    /// `discovery = true`.
    Discovery,
    /// `jwks_file`.
    JwksFile,
    /// Shared secrets or public keys of the configuration, which only a reload changes.
    Fixed,
}

impl SourceKind {
    /// Returns the word for it, as in the configuration if there is one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JwksUrl => "jwks_url",
            Self::KeyUrl => "key_url",
            Self::Discovery => "discovery",
            Self::JwksFile => "jwks_file",
            Self::Fixed => "fixed",
        }
    }
}

/// Error for a key source that cannot be configured this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// The URL breaks a rule.
    #[error(transparent)]
    Url(#[from] UrlProblem),
    /// The URL's host is written as an address that the SSRF guard refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// `discovery` needs an issuer that is a URL without a query.
    #[error("an issuer with a query cannot be discovered (OpenID Connect Discovery 2); set `jwks_url` instead")]
    IssuerQuery,
}

impl KeySource {
    /// Creates a source at a URL.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`] if keys may not be fetched from the URL.
    pub fn url(url: &str, access: Access) -> Result<Self, SourceProblem> {
        Self::remote(KeyUrl::parse(url)?, None, access)
    }

    /// Creates a source that the OpenID configuration under the issuer names.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`] if the issuer is not a URL that may be asked.
    pub fn discovery(issuer: &str, access: Access) -> Result<Self, SourceProblem> {
        Self::remote(discovery_url(issuer)?, Some(issuer.to_owned()), access)
    }

    /// Creates a source of one key for each id, at a URL with `{kid}` in it.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`] if keys may not be fetched from such URLs.
    pub fn by_id(url: &str, access: Access) -> Result<Self, SourceProblem> {
        let url = KeyUrlTemplate::parse(url)?;
        let guard = guard(url.sample(), &access)?;
        Ok(Self(Kind::ById {
            url,
            access: Arc::new(access),
            guard: Arc::new(guard),
        }))
    }

    /// Creates a source in a file on this machine, read again on the same schedule as a URL.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File {
            path: path.into(),
            checked: None,
        })
    }

    /// Creates a source in a file that holds `contents` now: a reload keeps keys only if they were read from these
    /// contents.
    pub fn file_with(path: impl Into<PathBuf>, contents: &[u8]) -> Self {
        Self(Kind::File {
            path: path.into(),
            checked: Some(FileDigest::of(contents)),
        })
    }

    /// Creates a source of keys that only a reload of the configuration changes.
    pub fn fixed(keys: KeySet) -> Self {
        Self(Kind::Fixed(KeySnapshot::fixed(keys)))
    }

    /// Tests whether two sources ask the same place in the same way, so that a reload may keep one's keys for the
    /// other. Fixed keys are never the same: they are read again.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (
                Kind::Remote {
                    url, discovery, access, ..
                },
                Kind::Remote {
                    url: other_url,
                    discovery: other_discovery,
                    access: other_access,
                    ..
                },
            ) => url == other_url && discovery == other_discovery && access == other_access,
            (
                Kind::ById { url, access, .. },
                Kind::ById {
                    url: other_url,
                    access: other_access,
                    ..
                },
            ) => url == other_url && access == other_access,
            (Kind::File { path, .. }, Kind::File { path: other_path, .. }) => path == other_path,
            _ => false,
        }
    }

    /// Returns the kind of the source.
    pub const fn kind(&self) -> SourceKind {
        match &self.0 {
            Kind::Remote { discovery: None, .. } => SourceKind::JwksUrl,
            Kind::Remote { discovery: Some(_), .. } => SourceKind::Discovery,
            Kind::ById { .. } => SourceKind::KeyUrl,
            Kind::File { .. } => SourceKind::JwksFile,
            Kind::Fixed(_) => SourceKind::Fixed,
        }
    }

    /// Returns the configured URL or path, for administrators; `None` for fixed keys.
    pub fn location(&self) -> Option<String> {
        match &self.0 {
            Kind::Remote { url, .. } => Some(url.to_string()),
            Kind::ById { url, .. } => Some(url.to_string()),
            Kind::File { path, .. } => Some(path.display().to_string()),
            Kind::Fixed(_) => None,
        }
    }

    fn remote(url: KeyUrl, discovery: Option<String>, access: Access) -> Result<Self, SourceProblem> {
        let guard = guard(&url, &access)?;
        Ok(Self(Kind::Remote {
            url,
            discovery,
            access: Arc::new(access),
            guard: Arc::new(guard),
        }))
    }
}

/// Returns the address of an issuer's discovery document.
// SPEC: OpenID Connect Discovery 1.0, 4.1: a terminating slash is removed first.
pub(super) fn discovery_url(issuer: &str) -> Result<KeyUrl, SourceProblem> {
    if issuer.contains('?') {
        return Err(SourceProblem::IssuerQuery);
    }
    KeyUrl::parse(issuer)?;
    let under = issuer.strip_suffix('/').unwrap_or(issuer);
    Ok(KeyUrl::parse(&format!("{under}/.well-known/openid-configuration"))?)
}

/// Creates the guard of a source, and checks a host that is written as an address.
pub(super) fn guard(url: &KeyUrl, access: &Access) -> Result<Guard, Refused> {
    let loopback = if url.is_loopback() {
        Loopback::Permitted
    } else {
        Loopback::Refused
    };
    let guard = Guard::new(access.allow_private_hosts.iter().map(String::as_str), loopback);
    guard.check_url(url)?;
    Ok(guard)
}

/// Reads a key source once, outside any schedule: for the command line and for `doctor`.
///
/// `names` resolves host names; `now_ms` is in milliseconds since the epoch.
///
/// # Errors
///
/// [`FetchError`], which says what to correct. Keys by id have no set that could be read.
pub async fn fetch_once(
    source: &KeySource,
    names: &Arc<dyn Names>,
    limits: FetchLimits,
    now_ms: i64,
) -> Result<Arc<KeySet>, FetchError> {
    match Reader::new(source, names, limits) {
        Ok(reader) => Ok(Arc::new(reader.parse(&reader.read(now_ms).await?.body)?)),
        Err(fixed) => fixed.keys(now_ms).cloned().map_err(|error| FetchError::Setup {
            cause: error.to_string(),
        }),
    }
}

/// Reader of one issuer's key source.
#[derive(Debug)]
pub(super) struct Reader {
    limits: FetchLimits,
    from: From,
}

#[derive(Debug)]
enum From {
    Url {
        fetcher: Fetcher,
        url: KeyUrl,
    },
    Discovery {
        fetcher: Fetcher,
        document: KeyUrl,
        issuer: String,
        located: Mutex<Option<DiscoveredUrl>>,
    },
    ById {
        fetcher: Fetcher,
        url: KeyUrlTemplate,
    },
    File {
        path: PathBuf,
        /// Digest of its contents when it was last read.
        last: Mutex<Option<FileDigest>>,
    },
}

/// SHA-256 of a file, to detect that it has changed. A file may contain secrets; this digest does not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileDigest(Box<[u8]>);

impl FileDigest {
    fn of(contents: &[u8]) -> Self {
        Self(digest::digest(&digest::SHA256, contents).as_ref().into())
    }
}

impl Reader {
    /// Creates a reader, or returns the keys themselves if they are never read again.
    pub(super) fn new(source: &KeySource, names: &Arc<dyn Names>, limits: FetchLimits) -> Result<Self, KeySnapshot> {
        let from = match &source.0 {
            Kind::Fixed(keys) => return Err(keys.clone()),
            Kind::File { path, .. } => From::File {
                path: path.clone(),
                last: Mutex::new(None),
            },
            Kind::ById { url, access, guard } => From::ById {
                fetcher: Fetcher {
                    access: Arc::clone(access),
                    guard: Arc::clone(guard),
                    names: Arc::clone(names),
                    limits,
                    origin: url.sample().origin(),
                },
                url: url.clone(),
            },
            Kind::Remote {
                url,
                discovery,
                access,
                guard,
            } => {
                let fetcher = Fetcher {
                    access: Arc::clone(access),
                    guard: Arc::clone(guard),
                    names: Arc::clone(names),
                    limits,
                    origin: url.origin(),
                };
                match discovery.clone() {
                    None => From::Url {
                        fetcher,
                        url: url.clone(),
                    },
                    Some(issuer) => From::Discovery {
                        fetcher,
                        document: url.clone(),
                        issuer,
                        located: Mutex::new(None),
                    },
                }
            }
        };
        Ok(Self { limits, from })
    }

    /// Tests whether each key has an address of its own.
    pub(super) const fn is_by_id(&self) -> bool {
        matches!(self.from, From::ById { .. })
    }

    /// Returns the document of one key, within the time limit; `None` if the server has no key of this id.
    pub(super) async fn read_key(&self, kid: &str) -> Result<Option<KeyServerAnswer>, FetchError> {
        let From::ById { fetcher, url } = &self.from else {
            return Ok(None);
        };
        let Some(url) = url.url(kid) else {
            return Ok(None);
        };
        match self.bounded(fetcher.fetch(&url)).await {
            Ok(fetched) => {
                let limits = self.key_limits();
                let parsed = KeySet::from_key_by_id(kid, &fetched.body, &limits);
                parsed.map_err(|problem| FetchError::KeySet {
                    source_of_keys: self.place(),
                    problem,
                })?;
                Ok(Some(fetched))
            }
            // Object stores answer 403 for what is not there.
            Err(FetchError::Status {
                status: 403 | 404 | 410,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the bytes of a key set, within the time limit.
    pub(super) async fn read(&self, now_ms: i64) -> Result<KeyServerAnswer, FetchError> {
        self.bounded(self.read_unbounded(now_ms)).await
    }

    /// Returns the limits of a key set, or of all keys that are held by id.
    pub(super) const fn key_limits(&self) -> KeySetLimits {
        KeySetLimits {
            bytes_max: self.limits.body_bytes,
            keys_max: self.limits.keys,
        }
    }

    async fn bounded<T>(&self, read: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        tokio::time::timeout(self.limits.total, read).await.unwrap_or_else(|_| {
            let limit_ms = u64::try_from(self.limits.total.as_millis()).unwrap_or(u64::MAX);
            Err(FetchError::TimedOut {
                source_of_keys: self.place(),
                limit_ms,
            })
        })
    }

    /// Parses the result of [`Reader::read`] as a key set with at least one usable key.
    pub(super) fn parse(&self, body: &[u8]) -> Result<KeySet, FetchError> {
        let keys = KeySet::from_jwks(body, &self.key_limits()).map_err(|problem| FetchError::KeySet {
            source_of_keys: self.place(),
            problem,
        })?;
        // SECURITY: an issuer that answers with an empty set for a moment must not remove every good key.
        if keys.usable_count() == 0 {
            return Err(FetchError::NoUsableKey {
                source_of_keys: self.place(),
                why: reasons(keys.refused()),
            });
        }
        Ok(keys)
    }

    /// Returns the host or file of the keys, for messages.
    fn place(&self) -> String {
        match &self.from {
            From::Url { url, .. } => quoted(&url.host()),
            From::ById { url, .. } => quoted(&url.sample().host()),
            From::Discovery { document, .. } => quoted(&document.host()),
            From::File { path, .. } => quoted(&path.display().to_string()),
        }
    }

    /// Tests whether the last contents that were read are those of `source` at its check. Only a file can be compared.
    pub(super) fn has_read(&self, source: &KeySource) -> bool {
        match (&self.from, &source.0) {
            (From::File { last, .. }, Kind::File { checked, .. }) => {
                checked.is_some() && *last.lock().unwrap_or_else(PoisonError::into_inner) == *checked
            }
            _ => true,
        }
    }

    async fn read_unbounded(&self, now_ms: i64) -> Result<KeyServerAnswer, FetchError> {
        match &self.from {
            From::Url { fetcher, url } => fetcher.fetch(url).await,
            From::ById { .. } => Err(FetchError::ById),
            From::File { path, last } => {
                let body = read_file("key set", path, self.limits.body_bytes).await?;
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(FileDigest::of(&body));
                Ok(KeyServerAnswer {
                    body: body.into(),
                    cache_control: None,
                    age: None,
                })
            }
            From::Discovery {
                fetcher,
                document,
                issuer,
                located,
            } => {
                if let Some(url) = remembered(located, now_ms) {
                    match fetcher.fetch(&url).await {
                        // The keys have moved: look their URL up again.
                        Err(FetchError::Status { status: 404 | 410, .. }) => forget(located),
                        Err(error) => {
                            forget(located);
                            return Err(error);
                        }
                        fetched => return fetched,
                    }
                }
                let found = locate(fetcher, document, issuer, now_ms).await?;
                let url = found.url.clone();
                remember(located, Some(found));
                let fetched = fetcher.fetch(&url).await;
                if fetched.is_err() {
                    forget(located);
                }
                fetched
            }
        }
    }
}

/// Returns the reasons why keys of a set are not used; of many, the first ones.
fn reasons(refused: &[RefusedKey]) -> String {
    let told: Vec<String> = refused.iter().take(REASONS_MAX).map(ToString::to_string).collect();
    match refused.len() {
        0 => "it is empty".to_owned(),
        _ => told.join("; "),
    }
}

/// Upper limit of reasons in one message.
const REASONS_MAX: usize = 5;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_under_the_issuer() {
        for (issuer, expected) in [
            (
                "https://idp.example",
                "https://idp.example/.well-known/openid-configuration",
            ),
            (
                "https://idp.example/",
                "https://idp.example/.well-known/openid-configuration",
            ),
            (
                "https://idp.example/realms/a/",
                "https://idp.example/realms/a/.well-known/openid-configuration",
            ),
            (
                "http://127.0.0.1:9/a",
                "http://127.0.0.1:9/a/.well-known/openid-configuration",
            ),
        ] {
            let source = KeySource::discovery(issuer, Access::default()).unwrap();
            assert_eq!(source.location().as_deref(), Some(expected));
            assert_eq!(source.kind(), SourceKind::Discovery);
        }
    }

    #[test]
    fn refuses_at_configuration_time_what_could_never_be_asked() {
        let refused = |result: Result<KeySource, SourceProblem>| result.map(|_| ()).unwrap_err();
        let none = Access::default;
        assert!(matches!(
            refused(KeySource::url("file:///etc/passwd", none())),
            SourceProblem::Url(_)
        ));
        assert!(matches!(
            refused(KeySource::url("https://10.0.0.1/jwks", none())),
            SourceProblem::Refused(_)
        ));
        assert!(matches!(
            refused(KeySource::url("https://169.254.169.254/latest", none())),
            SourceProblem::Refused(_)
        ));
        assert!(matches!(
            refused(KeySource::discovery("https://idp.example/?a=b", none())),
            SourceProblem::IssuerQuery
        ));
        assert!(matches!(
            refused(KeySource::discovery("accounts.google.com", none())),
            SourceProblem::Url(_)
        ));
        let allowed = Access {
            allow_private_hosts: vec!["10.0.0.1".to_owned()],
            ..Access::default()
        };
        KeySource::url("https://10.0.0.1/jwks", allowed).unwrap();
    }
}
