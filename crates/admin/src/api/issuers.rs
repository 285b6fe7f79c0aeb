//! `/issuers`: the trusted issuers, those made at run time, setup links, and the health of keys.

use narthex_fetch::keys::{IssuerHealth, Moment};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use narthex_ops::IssuerSummary;

mod documents;
mod keys;
mod list;
mod preview;
mod propose;
mod read;
mod refresh;
mod refusals;
mod setup_links;

pub use documents::{FieldProblemBody, IssuerDocumentBody};
pub use propose::{ProposalBody, ProposedSettingBody, ProviderBody};
pub use setup_links::{FreshSetupLinkBody, SetupLinkBody};

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, documents::create))
        .routes(routes!(propose::propose))
        .routes(routes!(read::read, documents::delete))
        .routes(routes!(documents::list))
        .routes(routes!(documents::read, documents::replace))
        .routes(routes!(keys::keys))
        .routes(routes!(refresh::refresh))
        .routes(routes!(refusals::list))
        .routes(routes!(preview::preview))
        .routes(routes!(setup_links::list, setup_links::create))
        .routes(routes!(setup_links::revoke))
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
    /// Author of its settings: `file` or `api`. An issuer of the file is read-only here.
    #[schema(example = "file")]
    pub provenance: &'static str,
    /// Name of the one organization in which its tokens give roles; `null` for an issuer of all.
    #[schema(required)]
    pub organization: Option<String>,
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

impl From<IssuerSummary> for IssuerBody {
    fn from(issuer: IssuerSummary) -> Self {
        Self {
            name: issuer.name,
            issuer: issuer.issuer,
            aliases: issuer.aliases,
            realm: issuer.realm,
            enabled: issuer.enabled,
            algorithms: issuer.algorithms,
            audiences: issuer.audiences,
            key_source: issuer.key_health.source.as_str().to_owned(),
            key_location: issuer.key_health.location.clone(),
            provision: issuer.provision,
            mode: issuer.mode,
            provenance: issuer.provenance.as_str(),
            organization: issuer.organization,
            key_health: KeyHealthBody::from(issuer.key_health).summary,
        }
    }
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
