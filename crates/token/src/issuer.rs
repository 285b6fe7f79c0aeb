//! Trusted issuers, the terms of their trust, and the choice of the one that a token belongs to.

mod problems;
mod tenants;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::error::{PolicyError, VerifyError};
use crate::parse::ParsedToken;
use crate::verify;
pub use tenants::Tenants;
use tenants::{Tenancy, TenantPattern};

/// The leeway of a new policy. A cache of used token ids must keep them this much past `exp`.
const LEEWAY_SECONDS_DEFAULT: u64 = 60;

/// Source of an issuer's keys, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// Public keys: a JWKS, or one public key.
    KeySet,
    /// One or two shared secrets.
    SharedSecret,
}

/// Status of an issuer: decides whether its tokens are accepted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuerStatus {
    /// They are accepted.
    Enabled,
    /// They are refused with `token.issuer_disabled`.
    Disabled,
}

/// Rule for `exp`: required or optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// A token must carry it.
    Required,
    /// A token may lack it: `danger_tokens_without_exp`, for shared secrets only. An `exp` that is there still counts.
    DangerOptional,
}

/// Rule for a token that is bound to its sender's key and comes without a proof of that key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoundTokens {
    /// It is refused.
    Refused,
    /// It counts as a bearer token: `danger_bound_tokens_as_bearer`.
    DangerAsBearer,
    /// It passes, and the caller has to check the proof of the key that [`crate::VerifiedClaims::bound_to`] names.
    Proved,
    /// The same, and a token that is not bound is refused.
    Required,
}

/// A claim that must have one of some values.
///
/// Looked up among the claims and among the header members, which the signature covers as well: AWS load balancers put
/// `signer` there. A token that has it in both must be right in both (RFC 7519 5.3), unless the name is a parameter of JOSE,
/// such as `typ`: then the claim counts.
#[derive(Debug, Clone, PartialEq)]
pub struct RequiredClaim {
    /// The claim's name.
    pub claim: String,
    /// The values it may have, compared exactly and with their type. Empty: any value but `null`.
    pub one_of: Vec<Value>,
}

/// The terms on which an issuer is trusted, as configured. [`TrustedIssuer::new`] checks them.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerPolicy {
    /// The configured name, unique among issuers.
    pub name: String,
    /// The exact `iss`. `None` only for a shared-secret issuer whose tokens carry none.
    pub issuer: Option<String>,
    /// Other texts that stand for the same issuer.
    pub aliases: Vec<String>,
    /// Tenants of a provider that has an `iss` for each: `issuer` and `aliases` then have one placeholder, such as
    /// `{tid}`, and the claim of that name repeats what stands in its place. `None` for texts without a placeholder.
    pub tenants: Option<Tenants>,
    /// Algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// Audiences of its tokens, which must be meant for one of these.
    pub audiences: Vec<String>,
    /// The claims that may name the audience; all of them, so `aud` must be listed where it counts.
    pub audience_claims: Vec<String>,
    /// Claims with fixed values.
    pub required_claims: Vec<RequiredClaim>,
    /// Values of `typ` beside `JWT` and `at+jwt`, in any case and with or without `application/`. Never `logout+jwt`.
    pub token_types: Vec<String>,
    /// Allowed clock skew, in seconds.
    pub leeway_seconds: u64,
    /// Greatest age of a token by its `iat`, which is then required.
    pub max_token_age_seconds: Option<u64>,
    /// Rule for `exp`.
    pub expiry: Expiry,
    /// Rule for tokens with `cnf`.
    pub bound_tokens: BoundTokens,
    /// Status: decides whether tokens are accepted.
    pub status: IssuerStatus,
    /// Source of the keys.
    pub key_source: KeySource,
}

impl IssuerPolicy {
    /// The defaults for an issuer with public keys: RS256 only, `aud`, 60 s leeway. Needs audiences to be valid.
    pub fn key_set(name: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self::new(name.into(), Some(issuer.into()), KeySource::KeySet, Algorithm::Rs256)
    }

    /// The defaults for an issuer with a shared secret: HS256 only, 60 s leeway.
    pub fn shared_secret(name: impl Into<String>, issuer: Option<String>) -> Self {
        Self::new(name.into(), issuer, KeySource::SharedSecret, Algorithm::Hs256)
    }

    fn new(name: String, issuer: Option<String>, key_source: KeySource, algorithm: Algorithm) -> Self {
        Self {
            name,
            issuer,
            aliases: Vec::new(),
            tenants: None,
            algorithms: vec![algorithm],
            audiences: Vec::new(),
            audience_claims: vec!["aud".to_owned()],
            required_claims: Vec::new(),
            token_types: Vec::new(),
            leeway_seconds: LEEWAY_SECONDS_DEFAULT,
            max_token_age_seconds: None,
            expiry: Expiry::Required,
            bound_tokens: BoundTokens::Refused,
            status: IssuerStatus::Enabled,
            key_source,
        }
    }
}

/// Parts of a policy that must bind a token. Doors bind both; only [`crate::danger`] makes anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Full,
    /// `iss` is checked only where the policy names one, the audience likewise.
    DangerWhereNamed,
}

/// An issuer whose terms passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustedIssuer {
    pub(crate) policy: IssuerPolicy,
    pub(crate) tenancy: Option<Tenancy>,
    pub(crate) name: Arc<str>,
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) leeway_ms: i64,
    pub(crate) binding: Binding,
}

impl TrustedIssuer {
    /// Checks the terms and reports everything that is wrong with them.
    pub fn new(policy: IssuerPolicy) -> Result<Self, Vec<PolicyError>> {
        Self::bound(policy, Binding::Full)
    }

    pub(crate) fn bound(policy: IssuerPolicy, binding: Binding) -> Result<Self, Vec<PolicyError>> {
        let mut problems = problems::of(&policy);
        if binding == Binding::Full {
            problems.extend(problems::of_binding(&policy));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: Arc::from(policy.name.as_str()),
            algorithms: policy.algorithms.iter().copied().collect(),
            // INVARIANT: bounded by the check above.
            leeway_ms: i64::try_from(policy.leeway_seconds).unwrap_or(0).saturating_mul(1000),
            tenancy: Tenancy::of(&policy),
            binding,
            policy,
        })
    }

    /// The configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The terms.
    pub const fn policy(&self) -> &IssuerPolicy {
        &self.policy
    }

    /// Allowed clock skew, in milliseconds.
    pub const fn leeway_ms(&self) -> i64 {
        self.leeway_ms
    }

    /// The claim that names the tenant, for an issuer of more than one: a user's external id must contain it.
    pub fn tenant_claim(&self) -> Option<&str> {
        let several = self.policy.tenants.as_ref().is_some_and(Tenants::are_several);
        self.tenancy.as_ref().filter(|_| several).map(Tenancy::claim)
    }

    /// The `iss` texts it answers to, those of the listed tenants written out.
    fn exact_texts(&self) -> BTreeSet<String> {
        match &self.tenancy {
            Some(tenancy) => tenancy.listed_texts().collect(),
            None => self.issuer_texts().map(str::to_owned).collect(),
        }
    }

    /// The patterns of an issuer that accepts every tenant.
    fn open_patterns(&self) -> &[TenantPattern] {
        self.tenancy.as_ref().map(Tenancy::open_patterns).unwrap_or_default()
    }

    /// The `iss` texts as configured, with their placeholders.
    pub(crate) fn issuer_texts(&self) -> impl Iterator<Item = &str> {
        self.policy
            .issuer
            .iter()
            .chain(&self.policy.aliases)
            .map(String::as_str)
    }
}

/// All trusted issuers, found by `iss`, and by the audience where several share one.
#[derive(Debug, Clone, Default)]
pub struct Issuers {
    by_text: HashMap<String, Vec<Arc<TrustedIssuer>>>,
    /// Issuers of every tenant of a provider, which no list of texts stands for: few, and looked at one by one.
    of_any_tenant: Vec<Arc<TrustedIssuer>>,
    without_text: Option<Arc<TrustedIssuer>>,
    all: Vec<Arc<TrustedIssuer>>,
}

impl Issuers {
    /// Gathers the issuers and reports every clash between them. Disabled ones belong in here too.
    pub fn new(issuers: Vec<Arc<TrustedIssuer>>) -> Result<Self, Vec<PolicyError>> {
        let mut problems = Vec::new();
        let mut gathered = Self::default();
        for issuer in issuers {
            gathered.add(issuer, &mut problems);
        }
        if problems.is_empty() {
            Ok(gathered)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, issuer: Arc<TrustedIssuer>, problems: &mut Vec<PolicyError>) {
        let name = || issuer.name().to_owned();
        if issuer.binding != Binding::Full {
            problems.push(PolicyError::Unbound { name: name() });
        }
        if self.all.iter().any(|other| other.name() == issuer.name()) {
            problems.push(PolicyError::NameTaken { name: name() });
        }
        if issuer.policy.issuer.is_none() {
            if let Some(first) = &self.without_text {
                problems.push(PolicyError::WithoutIssuerTaken {
                    first: first.name().to_owned(),
                    second: name(),
                });
            }
            self.without_text = Some(Arc::clone(&issuer));
        }
        problems.extend(self.clashes(&issuer));
        for text in issuer.exact_texts() {
            self.by_text.entry(text).or_default().push(Arc::clone(&issuer));
        }
        if !issuer.open_patterns().is_empty() {
            self.of_any_tenant.push(Arc::clone(&issuer));
        }
        self.all.push(issuer);
    }

    /// Clashes of one more issuer with those that are here: an `iss` of both, and no audiences to tell them apart.
    fn clashes(&self, issuer: &TrustedIssuer) -> Vec<PolicyError> {
        let fits = |one: &TrustedIssuer, text: &str| one.open_patterns().iter().any(|own| own.tenant(text).is_some());
        let mut found: Vec<PolicyError> = Vec::new();
        for text in issuer.exact_texts() {
            let exact = self.by_text.get(&text).into_iter().flatten();
            let open = self.of_any_tenant.iter().filter(|first| fits(first, &text));
            found.extend(
                exact
                    .chain(open)
                    .filter_map(|first| shared_audience(first, issuer, &text)),
            );
        }
        for pattern in issuer.open_patterns() {
            let exact = self.by_text.iter().filter(|(text, _)| pattern.tenant(text).is_some());
            let exact = exact.flat_map(|(text, sharing)| sharing.iter().map(move |first| (first, text.as_str())));
            let overlaps = |first: &TrustedIssuer| first.open_patterns().iter().any(|own| own.may_overlap(pattern));
            let open = self.of_any_tenant.iter().filter(|first| overlaps(first));
            let text = issuer.policy.issuer.as_deref().unwrap_or_default();
            let open = open.map(|first| (first, text));
            found.extend(
                exact
                    .chain(open)
                    .filter_map(|(first, text)| shared_audience(first, issuer, text)),
            );
        }
        // One message for two issuers is enough, however many tenants they share.
        let mut told: Vec<PolicyError> = Vec::new();
        for clash in found {
            if !told.iter().any(|earlier| is_of_the_same(earlier, &clash)) {
                told.push(clash);
            }
        }
        told
    }

    /// The issuers in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TrustedIssuer>> {
        self.all.iter()
    }

    /// The issuer a token belongs to, with the rules that come before that choice: algorithm, header, then `iss`.
    ///
    /// The token is still unproved: the answer says whose keys to hold against it.
    pub fn select(&self, token: &ParsedToken<'_>) -> Result<&Arc<TrustedIssuer>, VerifyError> {
        let found = self.find(token);
        let issuer = found.as_ref().ok().copied().map(Arc::as_ref);
        verify::check_algorithm(token, issuer)?;
        verify::check_header(token, issuer)?;
        let issuer = found?;
        if issuer.tenancy.is_some() {
            verify::check_issuer(token, issuer)?;
        }
        verify::check_status(issuer)?;
        Ok(issuer)
    }

    /// The issuer a token belongs to, whatever its algorithm and header: by exact comparison of `iss`, and by the
    /// audience among issuers that share one. The token is still unproved.
    ///
    /// SPEC: RFC 7519 4.1.1: case-sensitive; RFC 8725 3.8.
    pub fn find(&self, token: &ParsedToken<'_>) -> Result<&Arc<TrustedIssuer>, VerifyError> {
        let Some(text) = verify::issuer_claim(token)? else {
            let without = self.without_text.as_ref();
            return without.ok_or(VerifyError::IssuerUnknown { missing: true });
        };
        let exact = self.by_text.get(text).map(Vec::as_slice).unwrap_or_default();
        if let ([only], true) = (exact, self.of_any_tenant.is_empty()) {
            return Ok(only);
        }
        let has_tenant = |issuer: &&Arc<TrustedIssuer>| {
            let tenancy = issuer.tenancy.as_ref();
            tenancy.is_some_and(|tenancy| tenancy.tenant_in(text).is_some())
        };
        let open = self.of_any_tenant.iter().filter(has_tenant);
        let sharing: Vec<&Arc<TrustedIssuer>> = exact.iter().chain(open).collect();
        match sharing.as_slice() {
            [] => Err(VerifyError::IssuerUnknown { missing: false }),
            [only] => Ok(only),
            _ => by_audience(token, &sharing),
        }
    }
}

/// The one issuer of several that a token is meant for.
///
/// SECURITY: a token that names the audiences of two of them could be mapped by the rules of either, so it is refused.
fn by_audience<'i>(
    token: &ParsedToken<'_>,
    sharing: &[&'i Arc<TrustedIssuer>],
) -> Result<&'i Arc<TrustedIssuer>, VerifyError> {
    let is_meant = |issuer: &&Arc<TrustedIssuer>| verify::check_audience(&token.claims, issuer).is_ok();
    let mut meant = sharing.iter().copied().filter(is_meant);
    if let (Some(only), None) = (meant.next(), meant.next()) {
        return Ok(only);
    }
    let (mut claims, mut expected) = (Vec::new(), Vec::new());
    for policy in sharing.iter().map(|issuer| &issuer.policy) {
        for (all, own) in [
            (&mut claims, &policy.audience_claims),
            (&mut expected, &policy.audiences),
        ] {
            for text in own {
                if !all.contains(text) {
                    all.push(text.clone());
                }
            }
        }
    }
    Err(VerifyError::Audience { claims, expected })
}

/// The clash of two issuers that share an `iss`: an audience of both, or an issuer that accepts every audience.
fn shared_audience(first: &TrustedIssuer, second: &TrustedIssuer, text: &str) -> Option<PolicyError> {
    let (ours, theirs) = (&first.policy.audiences, &second.policy.audiences);
    let shared = ours.iter().find(|audience| theirs.contains(audience));
    let unbound = ours.is_empty() || theirs.is_empty();
    (unbound || shared.is_some()).then(|| PolicyError::IssuerTaken {
        first: first.name().to_owned(),
        second: second.name().to_owned(),
        issuer: text.to_owned(),
        audience: shared.cloned(),
    })
}

/// Tests whether two clashes name the same issuers.
fn is_of_the_same(one: &PolicyError, other: &PolicyError) -> bool {
    matches!(
        (one, other),
        (
            PolicyError::IssuerTaken { first, second, .. },
            PolicyError::IssuerTaken { first: other_first, second: other_second, .. },
        ) if first == other_first && second == other_second
    )
}
