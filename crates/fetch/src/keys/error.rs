//! Errors between an issuer's key source and a key set, for the operator who has to correct them. No message contains a
//! token, a secret or the text of a body.

use std::path::PathBuf;

use narthex_token::{KeySetError, KeysFault};

use super::key_url::UrlProblem;
use crate::ssrf_guard::Refused;

/// Error for keys that could not be read from their source.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The SSRF guard refused the address.
    #[error("while connecting for keys: {0}")]
    Refused(#[from] Refused),
    /// The host has no address.
    #[error("`{host}` could not be resolved: {cause}; check the host name and this machine's resolver")]
    Unresolved {
        /// The host of the URL.
        host: String,
        /// Message of the resolver.
        cause: String,
    },
    /// No connection could be made.
    #[error("no connection to `{host}`: {cause}; check that it is up and that a firewall lets this machine through")]
    Connection {
        /// The host of the URL.
        host: String,
        /// Message of the system.
        cause: String,
    },
    /// The server's certificate was refused.
    #[error(
        "the certificate of `{host}` is refused: {cause}; if a private authority signed it, name that authority in `ca_file`"
    )]
    Certificate {
        /// The host of the URL.
        host: String,
        /// Problem of the certificate.
        cause: String,
    },
    /// The fetch as a whole took too long.
    #[error(
        "no complete answer from {source_of_keys} within {limit_ms} ms; it is slow or something in between drops the connection"
    )]
    TimedOut {
        /// Source that the keys were requested from.
        source_of_keys: String,
        /// The time limit, in milliseconds.
        limit_ms: u64,
    },
    /// A status other than 200.
    #[error("`{host}` answered with status {status} instead of 200{advice}", advice = status_advice(*.status))]
    Status {
        /// The host of the URL.
        host: String,
        /// Status of the answer.
        status: u16,
    },
    /// A redirect to another scheme, host or port, or one too many.
    #[error("`{host}` redirects to {target}, which is not followed; configure the URL the keys are really at")]
    Redirect {
        /// The host of the URL.
        host: String,
        /// Target, without path or query.
        target: String,
    },
    /// More bytes than the limit of a key set.
    #[error("the answer of {source_of_keys} is larger than {limit_bytes} bytes, the most that is read")]
    TooLarge {
        /// Source that the keys were requested from.
        source_of_keys: String,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// A compressed answer that cannot be decompressed.
    #[error("`{host}` answered with a compressed body: {cause}")]
    Compressed {
        /// The host of the URL.
        host: String,
        /// Description of the problem.
        cause: String,
    },
    /// The answer broke off or was no HTTP.
    #[error("the answer of `{host}` broke off: {cause}")]
    Interrupted {
        /// The host of the URL.
        host: String,
        /// Description of the error.
        cause: String,
    },
    /// A file of the configuration could not be read or is not valid.
    #[error("the {what} `{path}` cannot be used: {cause}", path = .path.display())]
    File {
        /// Role of the file: `key set`, `ca_file`, `bearer_token_file`.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Description of the problem.
        cause: String,
    },
    /// The discovery document is not usable.
    #[error("the discovery document of `{host}` is not usable: {problem}")]
    Discovery {
        /// The host of the issuer.
        host: String,
        /// Problem of the document.
        problem: DiscoveryProblem,
    },
    /// The answer is no key set.
    #[error("what {source_of_keys} gave is no usable key set: {problem}")]
    KeySet {
        /// Source that the keys were requested from.
        source_of_keys: String,
        /// Problem of the key set.
        problem: KeySetError,
    },
    /// The answer is a key set without a usable key.
    #[error("the key set of {source_of_keys} has no usable key: {why}")]
    NoUsableKey {
        /// Source that the keys were requested from.
        source_of_keys: String,
        /// Reasons why its keys are not used.
        why: String,
    },
    /// Keys that have an address each cannot be read as one set.
    #[error("each key has an address of its own, so keys are read when a token names one")]
    ById,
    /// The request could not be made on this side.
    #[error("the request for keys could not be made: {cause}")]
    Setup {
        /// Description of the error.
        cause: String,
    },
}

/// Problem of a discovery document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryProblem {
    /// Not a JSON object with text members `issuer` and `jwks_uri`.
    #[error("it is not a JSON object with `issuer` and the addresses as text ({0})")]
    Malformed(String),
    /// It names another issuer (OpenID Connect Discovery 4.3).
    #[error("it says its issuer is `{found}`, but `{configured}` is configured; the two must be equal to the letter")]
    OtherIssuer {
        /// Issuer as configured.
        configured: String,
        /// Issuer that the document names.
        found: String,
    },
    /// It lacks an endpoint that sign-in needs.
    #[error("it has no `{0}`, which sign-in needs")]
    NoEndpoint(&'static str),
    /// One of its endpoints is not a URL that may be used.
    #[error("its `{member}` is refused: {problem}")]
    Endpoint {
        /// Member of the document.
        member: &'static str,
        /// The rule that the URL breaks.
        problem: UrlProblem,
    },
    /// It takes no code challenge that is a hash (RFC 7636).
    #[error("its `code_challenge_methods_supported` lacks `S256`, which sign-in needs")]
    NoPkce,
    /// Its `jwks_uri` is not a URL that keys may be fetched from.
    #[error("its `jwks_uri` is refused: {0}")]
    Url(#[from] UrlProblem),
}

impl FetchError {
    /// Returns a short stable word for metrics and log fields.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unresolved { .. } => "unresolved",
            Self::Connection { .. } => "connection",
            Self::Certificate { .. } => "certificate",
            Self::TimedOut { .. } => "timed_out",
            Self::Status { .. } => "status",
            Self::Redirect { .. } => "redirect",
            Self::TooLarge { .. } => "too_large",
            Self::Compressed { .. } => "compressed",
            Self::Interrupted { .. } => "interrupted",
            Self::File { .. } => "file",
            Self::Discovery { .. } => "discovery",
            Self::KeySet { .. } => "key_set",
            Self::NoUsableKey { .. } => "no_usable_key",
            Self::ById => "by_id",
            Self::Setup { .. } => "setup",
        }
    }

    /// Returns the cause as clients read it: without hosts, files and configuration.
    pub const fn told(&self) -> &'static str {
        match self {
            Self::Refused(_)
            | Self::Unresolved { .. }
            | Self::Connection { .. }
            | Self::Certificate { .. }
            | Self::Interrupted { .. } => "its key server cannot be reached",
            Self::TimedOut { .. } => "its key server does not answer",
            Self::Status { .. } | Self::Redirect { .. } => "its key server answers with an error",
            Self::TooLarge { .. } | Self::Compressed { .. } | Self::Discovery { .. } | Self::KeySet { .. } => {
                "its key server gives no key set"
            }
            Self::NoUsableKey { .. } => "its key set has no usable key",
            Self::File { .. } => "its key file cannot be read",
            Self::ById | Self::Setup { .. } => "its key server cannot be asked",
        }
    }
}

impl From<&FetchError> for KeysFault {
    fn from(error: &FetchError) -> Self {
        Self {
            told: error.told(),
            why: error.to_string().into(),
        }
    }
}

const fn status_advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; if the keys need a credential, set `bearer_token_file`",
        404 | 410 => "; check the path of the URL",
        429 => "; it is asking to be asked less often",
        _ => "",
    }
}
