//! Key sets of issuers: their sources, and the schedule of fetches.
//!
//! A request calls [`IssuerKeys::current`] and never waits. Only a token whose key is missing, or whose signature does
//! not fit, waits for a fetch, and only if the state machine in `narthex-token` says that a fetch may help. Everything
//! else happens in the background, with one task per issuer, so that one issuer's failure affects neither another
//! issuer nor start-up.

mod cache;
mod discovery;
mod endpoint;
mod endpoints;
mod error;
mod fetch;
mod flight;
mod health;
mod issuer;
mod key_url;
mod source;
mod store;

pub use endpoint::Endpoint;
pub use endpoints::{IssuerEndpoints, ProviderMetadata};
pub use error::{DiscoveryProblem, FetchError};
pub use fetch::{Access, FetchLimits, ProxyUrl, ProxyUrlProblem};
pub use health::{ErrorLine, IssuerHealth, KeyLine, Moment, RefusedLine};
pub use issuer::{FetchEvent, FetchObserver, IssuerKeys, KeyEdges, KeySettings, Refreshed};
pub use issuer::{ROUNDS, may_be_mended};
pub use key_url::{KeyUrl, UrlProblem};
pub use source::{KeySource, SourceKind, SourceProblem, fetch_once};
pub use store::{KeySetStore, KeySetStoreError, StoredKeySet};
