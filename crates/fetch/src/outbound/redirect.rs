//! Redirects: the next request after an answer that redirects.

use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use url::Url;

use super::error::OutboundError;
use super::policy::Policy;

/// One request in a chain of redirects.
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Hop {
    pub(super) fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// Returns the request that a redirect asks for, or [`Next::Stay`] if the answer is no redirect.
    pub(super) fn next(self, status: StatusCode, answered: &HeaderMap, policy: &Policy) -> Result<Next, OutboundError> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(Next::Stay);
        }
        let Some(location) = answered.get(header::LOCATION) else {
            return Ok(Next::Stay);
        };
        let refused = |target: String, cause: String| OutboundError::Redirect {
            host: self.host(),
            target,
            cause,
        };
        let url = location.to_str().ok().and_then(|location| self.url.join(location).ok());
        let Some(mut url) = url else {
            return Err(refused(
                "something that is no URL".to_owned(),
                "it cannot be read".to_owned(),
            ));
        };
        // SECURITY: credentials in a redirect's URL are not this run's own.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        // SECURITY: each target is checked like the URL of a request.
        policy
            .check(&url)
            .map_err(|error| refused(place(&url), error.to_string()))?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(refused(place(&url), "it leaves encryption behind".to_owned()));
        }
        let keeps_method = matches!(status.as_u16(), 307 | 308) || matches!(self.method, Method::GET | Method::HEAD);
        let same_origin = self.url.origin() == url.origin();
        // SECURITY: a body may hold an assertion or a client secret.
        if keeps_method && !same_origin && !self.body.is_empty() {
            return Err(refused(place(&url), "the body would go to another origin".to_owned()));
        }
        let mut headers = self.headers;
        if !same_origin {
            // SECURITY: an API key may be in any header, so only headers that never contain one are kept.
            headers = headers
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .filter(|(name, _)| HARMLESS.contains(name))
                .collect();
        }
        if keeps_method {
            return Ok(Next::Go(Box::new(Self {
                url,
                method: self.method,
                headers,
                body: self.body,
            })));
        }
        headers.remove(header::CONTENT_TYPE);
        Ok(Next::Go(Box::new(Self {
            url,
            method: Method::GET,
            headers,
            body: Vec::new(),
        })))
    }
}

/// Step after an answer.
pub(super) enum Next {
    /// No further request: this is the answer.
    Stay,
    /// Another request.
    Go(Box<Hop>),
}

/// Returns scheme, host and port only: a path or a query may contain something that must not be in a log.
fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("`{}://{}{port}`", url.scheme(), url.host_str().unwrap_or_default())
}

const HARMLESS: [HeaderName; 4] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::ACCEPT_ENCODING,
    header::USER_AGENT,
];
