//! Errors of the HTTP client: the cause at the bottom of its chain of errors.

use std::error::Error;

use super::guard::Refused;
use super::resolve::Unresolved;

/// Cause of a failed request, in the words of the layer that failed.
#[derive(Debug, Clone)]
pub enum ConnectError {
    /// The SSRF guard refused the address.
    Refused(Refused),
    /// The name has no address.
    Unresolved(String),
    /// The server's certificate was refused.
    Certificate(String),
    /// No connection could be made.
    Connection(String),
    /// The request could not be made on this side.
    Setup(String),
    /// The answer broke off or was no HTTP.
    Interrupted(String),
}

impl ConnectError {
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let mut source = error.source();
        let mut last = None;
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<Refused>() {
                return Self::Refused(refused.clone());
            }
            if let Some(Unresolved(cause)) = cause.downcast_ref() {
                return Self::Unresolved(cause.clone());
            }
            if let Some(problem) = certificate_problem(cause) {
                return Self::Certificate(problem);
            }
            last = Some(cause.to_string());
            source = cause.source();
        }
        let cause = last.unwrap_or_else(|| "no reason given".to_owned());
        if error.is_builder() {
            Self::Setup(cause)
        } else if error.is_connect() {
            Self::Connection(if error.is_timeout() {
                "it took too long to connect".to_owned()
            } else {
                cause
            })
        } else {
            Self::Interrupted(cause)
        }
    }
}

/// Returns the first error of a type in a chain.
pub fn cause_of<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

/// Returns the problem of the server's certificate, if an error is about that.
pub fn certificate_problem(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    use rustls::{CertificateError, Error};
    // The TLS error is inside I/O errors, whose `source` skips the error that they contain.
    let mut error = error;
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = inner;
    }
    let tls = error.downcast_ref::<Error>()?;
    let Error::InvalidCertificate(problem) = tls else {
        return None;
    };
    Some(match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::Revoked => "it has been revoked".to_owned(),
        CertificateError::UnknownIssuer => "no trusted authority signed it".to_owned(),
        CertificateError::BadSignature => "it is not signed by the authority it names".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it was issued for another name".to_owned()
        }
        other => other.to_string(),
    })
}
