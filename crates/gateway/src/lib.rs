//! The doors: everything that speaks to a network.
//!
//! **In:** requests on the public port, questions of other proxies, the admin API. **Out:** requests to upstreams with
//! a signed identity, answers, metrics. In between every door calls the one straight line in `pipeline`.
//!
//! This crate knows nothing of SQL: it is given a [`narthex_directory::Directory`]. It is the only place that knows
//! HTTP statuses, and the only one that reads the clock and the random source.

mod access_log;
mod account;
pub mod admin;
mod admin_port;
mod ahead;
mod assertion;
mod caller;
pub mod connections;
mod contact;
mod credentials;
mod engine;
mod event;
mod explain;
mod facts;
mod forward_auth;
mod gateway;
mod http_rules;
mod identity;
mod inbound;
mod keyed_hash;
mod label;
mod lifetime;
mod load;
mod me;
mod metrics;
mod organization;
mod origin;
mod passed;
mod pipeline;
mod probe;
mod proxy;
mod rate;
mod respond;
mod runtime;
mod said;
mod seal;
mod server;
mod stream;
mod switch;
mod upgrade;
mod upstream;
mod via;

pub use access_log::ACCESS_TARGET;
pub use admin_port::{router as admin_router, serve_admin};
pub use assertion::{AssertionError, AssertionSettings};
pub use connections::{ConnectionSettings, HeldError, Readability, Resealed, readability, reseal};
pub use credentials::TokenPlaces;
pub use engine::{Engine, EngineError, EngineSettings};
pub use event::Event;
pub use explain::{
    AlsoRow, AnswerRow, ChangeRow, Cure, CureKind, ExplainedRequest, Explanation, FieldRow, IdentityRow, IssuerChoice,
    KeyRow, MembershipRow, NearMissRow, RequestRow, RouteChoice, StepRow, TagChoice, TagRow, explain, parse_request,
    pasted_token,
};
pub use gateway::{Gateway, StartError, UpstreamSettings};
pub use inbound::TrustedProxies;
pub use load::Load;
pub use metrics::Metrics;
pub use origin::WebOrigin;
pub use probe::{UpstreamTrouble, probe_upstream, upstream_addresses};
pub use rate::{RateLimit, RateLimiter};
pub use respond::{Refusal, status as status_of};
pub use runtime::{IssuerRuntime, MethodOverride, RouteRuntime, Runtime};
pub use seal::{OpenError, Opened, Owner, SealError, SealingKey, SealingKeyProblem, SealingKeys};
pub use server::serve;
pub use upstream::{ForwardToken, ProtocolProblem, StreamLimits, UpgradeProtocols, Upstream, UpstreamProtocol};
