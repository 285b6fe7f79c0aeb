//! What can go wrong between an issuer's key source and a key set, said to the operator who has to
//! put it right. No message carries a token, a secret or the text of a body.

use std::path::PathBuf;

use narthex_token::{KeySetError, KeysFault};

use super::key_url::UrlProblem;
use crate::ssrf_guard::Refused;

/// Why keys could not be read from their source.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The address guard said no.
    #[error("while connecting for keys: {0}")]
    Refused(#[from] Refused),
    /// The host has no address.
    #[error("`{host}` could not be resolved: {cause}; check the host name and this machine's resolver")]
    Unresolved {
        /// The host of the URL.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// No connection could be made.
    #[error("no connection to `{host}`: {cause}; check that it is up and that a firewall lets this machine through")]
    Connection {
        /// The host of the URL.
        host: String,
        /// What the system said.
        cause: String,
    },
    /// The server's certificate was refused.
    #[error(
        "the certificate of `{host}` is refused: {cause}; if a private authority signed it, name that authority in `ca_file`"
    )]
    Certificate {
        /// The host of the URL.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The fetch as a whole took too long.
    #[error(
        "no complete answer from {source_of_keys} within {limit_ms} ms; it is slow or something in between drops the connection"
    )]
    TimedOut {
        /// Where the keys were asked for.
        source_of_keys: String,
        /// The time limit, in milliseconds.
        limit_ms: u64,
    },
    /// Something other than 200.
    #[error("`{host}` answered with status {status} instead of 200{advice}", advice = status_advice(*.status))]
    Status {
        /// The host of the URL.
        host: String,
        /// The status it answered with.
        status: u16,
    },
    /// A redirect that leaves scheme, host or port behind, or one too many.
    #[error("`{host}` redirects to {target}, which is not followed; configure the URL the keys are really at")]
    Redirect {
        /// The host of the URL.
        host: String,
        /// Where to, without path or query.
        target: String,
    },
    /// More bytes than a key set may have.
    #[error("the answer of {source_of_keys} is larger than {limit_bytes} bytes, the most that is read")]
    TooLarge {
        /// Where the keys were asked for.
        source_of_keys: String,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// A compressed answer that cannot be read.
    #[error("`{host}` answered with a compressed body: {cause}")]
    Compressed {
        /// The host of the URL.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The answer broke off or was no HTTP.
    #[error("the answer of `{host}` broke off: {cause}")]
    Interrupted {
        /// The host of the URL.
        host: String,
        /// What happened.
        cause: String,
    },
    /// A file of the configuration could not be read or makes no sense.
    #[error("the {what} `{path}` cannot be used: {cause}", path = .path.display())]
    File {
        /// Which file it is: `key set`, `ca_file`, `bearer_token_file`.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The discovery document is not usable.
    #[error("the discovery document of `{host}` is not usable: {problem}")]
    Discovery {
        /// The host of the issuer.
        host: String,
        /// What is wrong with it.
        problem: DiscoveryProblem,
    },
    /// The answer is no key set.
    #[error("what {source_of_keys} gave is not a usable key set: {problem}")]
    KeySet {
        /// Where the keys were asked for.
        source_of_keys: String,
        /// What is wrong with it.
        problem: KeySetError,
    },
    /// The answer is a key set, and no key of it can be used.
    #[error("the key set of {source_of_keys} has no usable key: {why}")]
    NoUsableKey {
        /// Where the keys were asked for.
        source_of_keys: String,
        /// Why its keys are not used.
        why: String,
    },
    /// This side could not even ask.
    #[error("the request for keys could not be made: {cause}")]
    Setup {
        /// What happened.
        cause: String,
    },
}

/// What is wrong with a discovery document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryProblem {
    /// Not a JSON object with text members `issuer` and `jwks_uri`.
    #[error("it is not a JSON object with `issuer` and `jwks_uri` as text ({0})")]
    Malformed(String),
    /// It speaks for somebody else (`OpenID` Connect Discovery 4.3).
    #[error("it says its issuer is `{found}`, but `{configured}` is configured; the two must be equal to the letter")]
    OtherIssuer {
        /// The issuer as configured.
        configured: String,
        /// The issuer the document names.
        found: String,
    },
    /// Its `jwks_uri` is no URL keys may come from.
    #[error("its `jwks_uri` is refused: {0}")]
    Url(#[from] UrlProblem),
}

impl FetchError {
    /// A short stable word for metrics and log fields.
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
            Self::Setup { .. } => "setup",
        }
    }

    /// The cause as clients are told it: without hosts, files and configuration.
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
            Self::Setup { .. } => "its key server cannot be asked",
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
