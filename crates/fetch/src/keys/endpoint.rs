//! One configured address that is asked by POST.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::error::FetchError;
use super::fetch::{Access, FetchLimits, Fetcher, quoted};
use super::key_url::KeyUrl;
use super::source::{SourceProblem, guard};
use crate::ssrf_guard::Names;

/// Sender of requests to one address, under the same guard and limits as fetches of keys.
pub struct Endpoint {
    url: KeyUrl,
    fetcher: Fetcher,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Creates a sender. It asks nothing yet.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`] if the address may not be asked.
    pub fn new(url: &str, access: Access, names: Arc<dyn Names>, limits: FetchLimits) -> Result<Self, SourceProblem> {
        let url = KeyUrl::parse(url)?;
        let guard = guard(&url, &access)?;
        Ok(Self {
            fetcher: Fetcher {
                access: Arc::new(access),
                guard: Arc::new(guard),
                names,
                limits,
                origin: url.origin(),
            },
            url,
        })
    }

    /// Checks that an address may be asked.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`].
    pub fn check(url: &str, access: &Access) -> Result<(), SourceProblem> {
        guard(&KeyUrl::parse(url)?, access).map(|_| ()).map_err(Into::into)
    }

    /// Posts a body, once, and returns the answer, whatever its status is. No redirect is followed.
    ///
    /// # Errors
    ///
    /// [`FetchError`] if there is no answer in time.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Response<Bytes>, FetchError> {
        let limit = self.fetcher.limits.total;
        let posted = tokio::time::timeout(limit, self.fetcher.post(&self.url, headers, body)).await;
        let (status, headers, body) = posted.unwrap_or_else(|_| {
            Err(FetchError::TimedOut {
                source_of_keys: quoted(&self.url.host()),
                limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            })
        })?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
