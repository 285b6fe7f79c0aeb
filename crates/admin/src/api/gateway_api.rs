//! Interface of the admin API to the rest of the gateway: authentication of tokens, the issuers and their keys, the
//! routes, and explain.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use narthex_directory::{ActiveIssuers, Principal, Realm, TagList};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::time::Time;
use narthex_engine::ConnectionSettings;
use narthex_engine::Explanation;
use narthex_engine::respond::Refusal;
use narthex_fetch::keys::{IssuerHealth, Moment};

/// The rest of the gateway.
#[async_trait]
pub trait GatewayApi: Send + Sync {
    /// Authenticates a token, through the same verifier and directory as at every door.
    ///
    /// # Errors
    ///
    /// The reason for which it is refused.
    async fn authenticate(&self, token: &str, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal>;

    /// Returns a user's context, as far as it may be told.
    fn context(&self, principal: &Principal) -> Map<String, Value>;

    /// The realms of the configured issuers, each once.
    fn realms(&self) -> Vec<Realm>;

    /// The issuers whose grants count: those that are configured and enabled.
    fn issuers_in_force(&self) -> Arc<ActiveIssuers>;

    /// The configured issuers.
    fn issuers(&self) -> Vec<IssuerBody>;

    /// The tags that make platform admins, of each issuer.
    fn platform_tags(&self) -> Vec<PlatformTags>;

    /// The keys of the issuer of this name.
    fn keys(&self, issuer: &str) -> Option<KeyHealthBody>;

    /// Fetches the issuer's keys now. A failed fetch is no error here: the health reports it.
    ///
    /// # Errors
    ///
    /// The reason for which nothing was fetched.
    async fn refresh(&self, issuer: &str) -> Result<KeyHealthBody, RefreshRefusal>;

    /// The routes, in the order of the configuration.
    fn routes(&self) -> Vec<RouteBody>;

    /// Settings for the connections that are held for organizations.
    fn connections(&self) -> Arc<ConnectionSettings>;

    /// Explains all effects of a token, and optionally of a request with it. Nothing is written.
    ///
    /// SECURITY: the answer must not hold the token's signature.
    ///
    /// # Errors
    ///
    /// When the directory could not be read.
    async fn explain(&self, request: ExplainRequest) -> Result<Explanation, Refusal>;
}

/// An issuer's tags that make platform admins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformTags {
    /// The issuer's configured name.
    pub issuer: String,
    /// Realm in which they count.
    pub realm: Realm,
    /// The tags.
    pub tags: TagList,
}

/// Reason for which an issuer's keys were not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshRefusal {
    /// There is no issuer of this name.
    UnknownIssuer,
    /// Its keys come from the configuration, not from a URL.
    NothingToFetch,
    /// They were fetched a moment ago.
    TooSoon,
}

/// A trusted issuer, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IssuerBody {
    /// Its configured name.
    #[schema(example = "corporate")]
    pub name: String,
    /// Value of `iss` in its tokens; `null` for the shared-secret issuer of tokens without `iss`.
    pub issuer: Option<String>,
    /// Other accepted values of `iss`.
    pub aliases: Vec<String>,
    /// Realm in which its external ids are unique and its tags count.
    pub realm: String,
    /// `true` if its tokens are accepted.
    pub enabled: bool,
    /// Signature algorithms accepted in its tokens.
    pub algorithms: Vec<String>,
    /// Audiences accepted in its tokens.
    pub audiences: Vec<String>,
    /// Source of its keys: `jwks_url`, `discovery`, `jwks_file`, `public_key_file` or `secret`.
    pub key_source: String,
    /// URL or path of its keys, where there is one.
    pub key_location: Option<String>,
    /// `create`, `link_only` or `off`.
    pub provision: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// Health of its keys.
    pub key_health: KeySummary,
}

/// Summary of the health of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeySummary {
    /// `true` if tokens can be verified now.
    pub serving: bool,
    /// Number of keys that can be used.
    pub usable_keys: usize,
    /// Time at which the set was fetched.
    pub fetched_at: Option<Time>,
    /// Age of the set, in seconds.
    pub age_seconds: Option<i64>,
    /// Time of the next fetch.
    pub next_refresh_at: Option<Time>,
    /// Number of fetches that failed since the last that succeeded.
    pub failures_in_a_row: u32,
    /// The last failure, kept after later successes.
    pub last_error: Option<KeyErrorBody>,
}

/// A failed fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyErrorBody {
    /// Time of the failure.
    pub at: Time,
    /// Reason for the failure.
    pub why: String,
}

/// The keys of an issuer, and their health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyHealthBody {
    /// Summary of the health.
    #[serde(flatten)]
    pub summary: KeySummary,
    /// The keys of the set, and the last keys that left it. Shared secrets are not listed.
    pub keys: Vec<KeyBody>,
    /// Keys of the set that are not used.
    pub refused: Vec<RefusedKeyBody>,
    /// Time until which the set is fresh.
    pub fresh_until: Option<Time>,
    /// Time until which the set may be used if the issuer cannot be reached.
    pub usable_until: Option<Time>,
    /// `true` if a fetch is in progress.
    pub fetching: bool,
    /// Number of key ids that are remembered as unknown.
    pub unknown_keys: usize,
}

/// History of one public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyBody {
    /// Its `kid`.
    pub kid: Option<String>,
    /// Its type and size, such as `RSA 2048`.
    #[schema(example = "RSA 2048")]
    pub kind: String,
    /// Algorithms that it may verify.
    pub algorithms: Vec<String>,
    /// Time at which a fetch first returned it.
    #[schema(required)]
    pub first_seen_at: Option<Time>,
    /// Time at which a fetch last returned it.
    #[schema(required)]
    pub last_seen_at: Option<Time>,
    /// `true` if it is in the set now.
    pub present: bool,
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedKeyBody {
    /// Its position in the set, from 0.
    pub position: usize,
    /// Its `kid`, if it has one.
    pub kid: Option<String>,
    /// Reason for which it is not used.
    pub why: String,
}

/// A route, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteBody {
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// Path patterns.
    #[schema(example = json!(["/v1/algo/{organization}/{algorithm}/{*version}"]))]
    pub paths: Vec<String>,
    /// Methods that it matches; empty for all.
    pub methods: Vec<String>,
    /// Hosts that it matches; empty for all.
    pub hosts: Vec<String>,
    /// Requirements. A request must meet at least one of them.
    #[schema(example = json!(["organization:member"]))]
    pub require: Vec<String>,
    /// Address that its requests are forwarded to; `null` for routes that only forward-auth uses.
    pub upstream: Option<String>,
    /// Value of `aud` in its assertions.
    #[schema(example = "https://reports.example.com")]
    pub audience: String,
}

/// A token to explain.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The token, expired or not; it may be pasted from a header, with `Bearer` in front.
    pub token: String,
    /// The request that carries it.
    pub request: Option<RequestToExplain>,
    /// Time as of which the token is explained; by default now.
    pub at: Option<Time>,
}

/// SECURITY: not the token.
impl std::fmt::Debug for ExplainRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExplainRequest")
            .field("request", &self.request)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A request to explain a token with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestToExplain {
    /// Its method.
    #[schema(example = "POST")]
    pub method: String,
    /// Its path, with its query if it has one.
    #[schema(example = "/v1/algo/acme/echo/1.0")]
    pub path: String,
    /// Its host. A `Host` header may name it instead.
    pub host: Option<String>,
    /// Its other headers, for templates that read `headers`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl From<IssuerHealth> for KeyHealthBody {
    fn from(health: IssuerHealth) -> Self {
        let time = |moment: Moment| Time(moment.0);
        let keys = health.keys.into_iter().map(|key| KeyBody {
            kid: key.kid,
            kind: key.kind,
            algorithms: key.algorithms,
            first_seen_at: key.first_seen_at.map(time),
            last_seen_at: key.last_seen_at.map(time),
            present: key.present,
        });
        let refused = health.refused.into_iter().map(|key| RefusedKeyBody {
            position: key.position,
            kid: key.kid,
            why: key.why,
        });
        Self {
            summary: KeySummary {
                serving: health.serving,
                usable_keys: health.usable_count,
                fetched_at: health.fetched_at.map(time),
                age_seconds: health.age_seconds,
                next_refresh_at: health.next_refresh_at.map(time),
                failures_in_a_row: health.failures_in_a_row,
                last_error: health.last_error.map(|error| KeyErrorBody {
                    at: time(error.at),
                    why: error.message,
                }),
            },
            keys: keys.collect(),
            refused: refused.collect(),
            fresh_until: health.fresh_until.map(time),
            usable_until: health.usable_until.map(time),
            fetching: health.fetching,
            unknown_keys: health.unknown_keys,
        }
    }
}
