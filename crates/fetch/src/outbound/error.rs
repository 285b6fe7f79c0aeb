//! Errors of a request that was not answered. No message contains a path, a query, a header or a body.

use crate::ssrf_guard::{ConnectError, Refused};

/// Error for a request that was not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboundError {
    /// The host is not on the list.
    #[error(
        "`{host}` is not among the hosts that connections may reach (`[connections] allowed_hosts` in the configuration)"
    )]
    HostNotAllowed {
        /// The host.
        host: String,
    },
    /// Plain `http` to another machine.
    #[error("plain `http` is only for this machine, and `{host}` is another; use `https`")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// Neither http nor https.
    #[error("the scheme `{scheme}` is not supported; requests are sent with `https`")]
    NotHttp {
        /// The scheme.
        scheme: String,
    },
    /// The SSRF guard refused the address.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The host has no address.
    #[error("`{host}` could not be resolved: {cause}")]
    Unresolved {
        /// The host.
        host: String,
        /// Message of the resolver.
        cause: String,
    },
    /// No connection could be made.
    #[error("no connection to `{host}`: {cause}")]
    Connection {
        /// The host.
        host: String,
        /// Message of the system.
        cause: String,
    },
    /// The server's certificate was refused.
    #[error(
        "the certificate of `{host}` is refused: {cause}; if a private authority signed it, give that authority's certificate in `ca`"
    )]
    Certificate {
        /// The host.
        host: String,
        /// Problem of the certificate.
        cause: String,
    },
    /// `ca` is no certificate.
    #[error("`ca` is not a bundle of PEM certificates")]
    Ca,
    /// The answer took too long.
    #[error("no complete answer from `{host}` within {limit_ms} ms")]
    TimedOut {
        /// The host that was asked first.
        host: String,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// More redirects than are followed.
    #[error("`{host}` redirects more than {limit} times")]
    TooManyRedirects {
        /// The host that was asked first.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// A redirect that is not followed.
    #[error("`{host}` redirects to {target}, which is not followed: {cause}")]
    Redirect {
        /// The host that redirects.
        host: String,
        /// Target, without path or query.
        target: String,
        /// Reason why it is not followed.
        cause: String,
    },
    /// More bytes than the limit.
    #[error("the answer of `{host}` is larger than {limit_bytes} bytes, the most that is read")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// A compressed answer that was not requested, or that cannot be decompressed.
    #[error("the answer of `{host}` is compressed: {cause}")]
    Compressed {
        /// The host.
        host: String,
        /// Description of the problem.
        cause: String,
    },
    /// The answer broke off or was no HTTP.
    #[error("the answer of `{host}` broke off: {cause}")]
    Interrupted {
        /// The host.
        host: String,
        /// Description of the error.
        cause: String,
    },
    /// The request could not be made on this side.
    #[error("the request could not be made: {cause}")]
    Setup {
        /// Description of the error.
        cause: String,
    },
}

impl OutboundError {
    /// Returns a short stable word for metrics and log fields.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HostNotAllowed { .. } => "host_not_allowed",
            Self::PlainHttp { .. } => "plain_http",
            Self::NotHttp { .. } => "not_http",
            Self::Refused(_) => "refused",
            Self::Unresolved { .. } => "unresolved",
            Self::Connection { .. } => "connection",
            Self::Certificate { .. } => "certificate",
            Self::Ca => "ca",
            Self::TimedOut { .. } => "timed_out",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::Redirect { .. } => "redirect",
            Self::TooLarge { .. } => "too_large",
            Self::Compressed { .. } => "compressed",
            Self::Interrupted { .. } => "interrupted",
            Self::Setup { .. } => "setup",
        }
    }

    pub(super) fn of(host: &str, error: &reqwest::Error) -> Self {
        let host = host.to_owned();
        match ConnectError::of(error) {
            ConnectError::Refused(refused) => Self::Refused(refused),
            ConnectError::Unresolved(cause) => Self::Unresolved { host, cause },
            ConnectError::Certificate(cause) => Self::Certificate { host, cause },
            ConnectError::Connection(cause) => Self::Connection { host, cause },
            ConnectError::Interrupted(cause) => Self::Interrupted { host, cause },
            ConnectError::Setup(cause) => Self::Setup { cause },
        }
    }
}
