//! Interface of the operations to the rest of the gateway: authentication of tokens, the issuers and their keys, the
//! routes, and explain.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use narthex_directory::{ActiveIssuers, IssuerName, Principal, Realm, StandingSession, TagList};
use narthex_engine::issuer_refusals::IssuerRefusal;
use narthex_engine::respond::Refusal;
use narthex_engine::{Bucket, ConnectionSettings, Step};
use narthex_explain::Explanation;
use narthex_fetch::keys::IssuerHealth;
use narthex_issuers::RunTimeIssuers;
use narthex_session::cookie::Secret;
use serde_json::{Map, Value};

use super::issuer_tags::IssuerTagRules;
use super::sessions::SessionLimits;

/// The rest of the gateway.
#[async_trait]
pub trait GatewayApi: Send + Sync {
    /// Authenticates a token, through the same verifier and directory as at every door.
    ///
    /// # Errors
    ///
    /// The reason for which it is refused.
    async fn authenticate(&self, token: &str, headers: &HeaderMap) -> Result<TokenHolder, Refusal>;

    /// Returns a user's context, as far as it may be told.
    fn context(&self, principal: &Principal) -> Map<String, Value>;

    /// The realms of the configured issuers, each once.
    fn realms(&self) -> Vec<Realm>;

    /// The issuers whose grants count: those that are configured and enabled.
    fn active_issuers(&self) -> Arc<ActiveIssuers>;

    /// The issuers made at run time; `None` where the gateway takes its issuers from the file alone.
    fn run_time_issuers(&self) -> Option<Arc<RunTimeIssuers>> {
        None
    }

    /// The issuers in use.
    fn issuers(&self) -> Vec<IssuerSummary>;

    /// The tags that make platform admins, of each issuer.
    fn platform_tags(&self) -> Vec<PlatformTags>;

    /// The tags of the issuer of this name that give roles by themselves.
    fn tag_rules(&self, issuer: &str) -> Option<IssuerTagRules>;

    /// The keys of the issuer of this name.
    fn keys(&self, issuer: &str) -> Option<IssuerHealth>;

    /// The last refused tokens of the issuer of this name on this node, the newest first.
    fn refusals(&self, issuer: &str) -> Option<Vec<IssuerRefusal>>;

    /// Fetches the issuer's keys now. A failed fetch is no error here: the health reports it.
    ///
    /// # Errors
    ///
    /// The reason for which nothing was fetched.
    async fn refresh(&self, issuer: &str) -> Result<IssuerHealth, RefreshRefusal>;

    /// The routes, in the order of the configuration.
    fn routes(&self) -> Vec<RouteSummary>;

    /// Counts of this node's decisions in buckets that begin from a time on and before another, the oldest first.
    fn decisions(&self, step: Step, from_ms: i64, until_ms: i64) -> Vec<Bucket>;

    /// Names of the issuers that browsers can sign in at.
    fn sign_in_issuers(&self) -> Vec<String>;

    /// Begins a sign-in at an issuer, for the console at this origin.
    ///
    /// # Errors
    ///
    /// The reason for which it cannot begin.
    async fn begin_sign_in(&self, begin: SignInBegin<'_>) -> Result<SignInBegun, Refusal>;

    /// Completes a sign-in at an issuer: begins a session of the console.
    ///
    /// # Errors
    ///
    /// The reason for which there is no session.
    async fn complete_sign_in(&self, answer: SignInAnswer<'_>) -> Result<SignInCompleted, Refusal>;

    /// Authenticates the holder of a session that was begun at an issuer; `None` if it stands for nothing any more.
    ///
    /// # Errors
    ///
    /// The reason for which its token is refused.
    async fn authenticate_session(
        &self,
        session: StandingSession,
        headers: &HeaderMap,
    ) -> Result<Option<TokenHolder>, Refusal>;

    /// Limits of the sessions of the console.
    fn session_limits(&self) -> SessionLimits;

    /// Settings for the connections that are held for organizations.
    fn connections(&self) -> Arc<ConnectionSettings>;

    /// Explains all effects of a token, and optionally of a request with it. Nothing is written.
    ///
    /// SECURITY: the answer must not hold the token's signature.
    ///
    /// # Errors
    ///
    /// When the directory could not be read.
    async fn explain(&self, token: TokenToExplain) -> Result<Explanation, Refusal>;
}

/// A sign-in at an issuer to begin.
#[derive(Debug, Clone, Copy)]
pub struct SignInBegin<'r> {
    /// Name of the issuer.
    pub issuer: &'r str,
    /// Origin of the console, as the browser knows it.
    pub origin: &'r str,
    /// Path of the page to come back to.
    pub back: &'r str,
    /// Headers of the request.
    pub headers: &'r HeaderMap,
}

/// A sign-in at an issuer that was begun.
#[derive(Debug)]
pub struct SignInBegun {
    /// Address at the issuer.
    pub location: String,
    /// `Set-Cookie` headers that keep the sign-in in its browser.
    pub cookies: HeaderMap,
}

/// The answer of an issuer to a sign-in, as the browser brings it.
#[derive(Debug, Clone, Copy)]
pub struct SignInAnswer<'r> {
    /// Name of the issuer.
    pub issuer: &'r str,
    /// Origin of the console, as the browser knows it.
    pub origin: &'r str,
    /// Query of the request.
    pub query: &'r str,
    /// Headers of the request.
    pub headers: &'r HeaderMap,
}

/// A sign-in at an issuer that is complete.
#[derive(Debug)]
pub struct SignInCompleted {
    /// Secret of the cookie of the session.
    pub session: Secret,
    /// Path of the page to come back to.
    pub back: String,
    /// `Set-Cookie` headers that remove the sign-in from the browser.
    pub removed: HeaderMap,
}

/// A user, with the issuer of the token that speaks for it.
#[derive(Debug, Clone)]
pub struct TokenHolder {
    /// The issuer's configured name.
    pub issuer: IssuerName,
    /// The user, as the directory agrees.
    pub principal: Arc<Principal>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSummary {
    /// Its configured name.
    pub name: String,
    /// Value of `iss` in its tokens; `None` for the shared-secret issuer of tokens without `iss`.
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
    /// `create`, `link_only` or `off`.
    pub provision: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// Author of its settings.
    pub provenance: IssuerProvenance,
    /// Name of the one organization in which its tokens give roles, for an issuer of one organization.
    pub organization: Option<String>,
    /// Source and health of its keys.
    pub key_health: IssuerHealth,
}

/// Author of the settings of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerProvenance {
    /// The configuration file: read-only elsewhere.
    File,
    /// The API, or a setup link.
    Api,
}

impl IssuerProvenance {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

/// A route, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSummary {
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// Path patterns.
    pub paths: Vec<String>,
    /// Methods that it matches; empty for all.
    pub methods: Vec<String>,
    /// Hosts that it matches; empty for all.
    pub hosts: Vec<String>,
    /// Requirements. A request must meet at least one of them.
    pub require: Vec<String>,
    /// Address that its requests are forwarded to; `None` for routes that only forward-auth uses.
    pub upstream: Option<String>,
    /// Value of `aud` in its assertions.
    pub audience: String,
}

/// A token to explain.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenToExplain {
    /// The token, expired or not, or a machine key; it may be pasted from a header, with `Bearer` in front.
    pub token: String,
    /// The request that carries it.
    pub request: Option<RequestToExplain>,
    /// Time as of which the token is explained, in milliseconds since the epoch; `None` for now.
    pub at_ms: Option<i64>,
}

/// SECURITY: not the token.
impl std::fmt::Debug for TokenToExplain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenToExplain")
            .field("request", &self.request)
            .field("at_ms", &self.at_ms)
            .finish_non_exhaustive()
    }
}

/// A request to explain a token with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestToExplain {
    /// Its method.
    pub method: String,
    /// Its path, with its query if it has one.
    pub path: String,
    /// Its host. A `Host` header may name it instead.
    pub host: Option<String>,
    /// Its other headers, for templates that read `headers`.
    pub headers: BTreeMap<String, String>,
}
