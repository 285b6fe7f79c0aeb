//! The engine: the straight line from a request to a decision, and everything it rests on.
//!
//! **In:** a request as a door describes it ([`inbound::Inbound`]) and the configuration in use ([`Runtime`]). **Out:**
//! a request that may pass ([`passed::Passed`]), with the identity headers and the signed assertion, or a [`Refusal`].
//! The line itself is in [`pipeline`].
//!
//! This crate knows nothing of SQL: it is given a [`narthex_directory::Directory`]. It is the only crate that knows the
//! HTTP statuses of reasons ([`respond`]).

pub mod access_log;
pub mod cache;
pub mod credentials;
pub mod decision;
mod dpop;
mod embedding;
mod engine;
pub mod event;
pub mod freshness;
pub mod http_rules;
pub mod identity;
pub mod inbound;
pub mod issuer_refusals;
mod load;
pub mod machine_key;
mod metrics;
pub mod opaque;
pub mod organization;
mod origin;
pub mod passed;
pub mod pipeline;
pub mod protected_resource;
pub mod rate_limit;
pub mod recent_denials;
pub mod request_facts;
pub mod respond;
pub mod return_path;
mod runtime;
mod servers;
pub mod session;
pub mod sign_in;
mod spent_states;
mod switch;
pub mod trace;
mod upstream;
mod via;

pub use access_log::ACCESS_TARGET;
pub use credentials::TokenPlaces;
pub use dpop::{DpopUse, ProofUse};
pub use embedding::Embedding;
pub use engine::{Engine, EngineError, EngineSettings};
pub use event::{Event, FilePlace, ReloadProblem};
pub use identity::IdentityField;
pub use inbound::TrustedProxies;
pub use load::{Load, LoadPermit};
pub use metrics::{METRICS, MetricDescription, MetricKind, Metrics};
pub use narthex_assertion::{AssertionError, AssertionSettings};
pub use narthex_dpop::ALGORITHMS as PROOF_ALGORITHMS;
pub use narthex_revocation::{Revocations, TokenFacts, content_name, tokens_named_by};
pub use narthex_session::cookie as session_cookie;
pub use narthex_session::{OpenError, OpenedSecret, Owner, SealError, SealingKey, SealingKeyProblem, SealingKeys};
pub use narthex_tally::{Bucket, Counted, Step};
pub use origin::{ReadableBy, WebOrigin, check as check_origin, is_cross_site, secure_origin};
pub use rate_limit::{RateLimit, RateLimiter};
pub use respond::{Refusal, status as status_of};
pub use runtime::{
    ConnectionSettings, IssuerRuntime, IssuerSignIn, KeptScopes, KeptTags, MethodOverride, RouteRuntime, Runtime,
    TokenFrom,
};
pub use servers::{Server, ServerUrl, ServerUrlProblem, Servers};
pub use sign_in::{LoginUse, SignInSettings, SignInTarget};
pub use spent_states::SpentStates;
pub use trace::TRACE_TARGET;
pub use upstream::{
    ForwardToken, ProtocolProblem, StreamLimits, UpgradeProtocols, Upstream, UpstreamProtocol, WEBSOCKET,
};
pub use via::Via;
