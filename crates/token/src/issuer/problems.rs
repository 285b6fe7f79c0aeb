//! Problems with an issuer's terms. All of them are reported at once.

use serde_json::Value;

use super::tenants::{Tenancy, Tenants, is_tenant};
use super::{Expiry, IssuerPolicy, KeySource};
use crate::algorithm::Family;
use crate::error::PolicyError;
use crate::header::is_same_type;

/// Largest leeway: clocks that differ by more are broken, not skewed.
const LEEWAY_SECONDS_MAX: u64 = 86_400;
/// Largest `max_token_age`: a hundred years.
const MAX_TOKEN_AGE_SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// The type of logout tokens (OpenID Connect Back-Channel Logout 2.4).
const LOGOUT_TYPE: &str = "logout+jwt";

/// Checks the rules for every issuer.
pub(super) fn of(policy: &IssuerPolicy) -> Vec<PolicyError> {
    let name = || policy.name.clone();
    let mut problems = Vec::new();
    if policy.name.is_empty() {
        problems.push(PolicyError::NameMissing);
    }
    if policy.issuer.is_none() && !policy.aliases.is_empty() {
        problems.push(PolicyError::AliasesWithoutIssuer { name: name() });
    }
    problems.extend(of_lists(policy));
    problems.extend(of_tenants(policy));
    // SECURITY: a logout token has `sub`, `aud` and a signature, and says that a session has ended.
    if policy.token_types.iter().any(|typ| is_same_type(typ, LOGOUT_TYPE)) {
        problems.push(PolicyError::LogoutType { name: name() });
    }
    problems.extend(of_algorithms(policy));
    if policy.audience_claims.is_empty() {
        problems.push(PolicyError::NoAudienceClaims { name: name() });
    }
    for (field, seconds, seconds_max) in [
        ("leeway", policy.leeway_seconds, LEEWAY_SECONDS_MAX),
        (
            "max_token_age",
            policy.max_token_age_seconds.unwrap_or(0),
            MAX_TOKEN_AGE_SECONDS_MAX,
        ),
    ] {
        if seconds > seconds_max {
            problems.push(PolicyError::OutOfRange {
                name: name(),
                field,
                seconds,
                seconds_max,
            });
        }
    }
    for required in &policy.required_claims {
        if required.claim.is_empty() || required.one_of.iter().any(Value::is_null) {
            let claim = required.claim.clone();
            problems.push(PolicyError::RequiredClaimEmpty { name: name(), claim });
        }
    }
    problems
}

/// Checks the rules for issuers that guard a door.
pub(super) fn of_binding(policy: &IssuerPolicy) -> Vec<PolicyError> {
    let name = || policy.name.clone();
    let mut problems = Vec::new();
    if policy.key_source == KeySource::KeySet {
        if policy.issuer.is_none() {
            problems.push(PolicyError::IssuerMissing { name: name() });
        }
        if policy.audiences.is_empty() {
            problems.push(PolicyError::AudienceMissing { name: name() });
        }
        if policy.expiry == Expiry::DangerOptional {
            problems.push(PolicyError::ExpiryRequired { name: name() });
        }
    }
    problems
}

fn of_lists(policy: &IssuerPolicy) -> Vec<PolicyError> {
    let texts: Vec<&String> = policy.issuer.iter().chain(&policy.aliases).collect();
    let tenants = match &policy.tenants {
        Some(Tenants::Listed(tenants)) => tenants.iter().collect(),
        Some(Tenants::Any) | None => Vec::new(),
    };
    let lists: [(&'static str, Vec<&String>); 5] = [
        ("issuer", texts),
        ("audiences", policy.audiences.iter().collect()),
        ("audience_claims", policy.audience_claims.iter().collect()),
        ("token_types", policy.token_types.iter().collect()),
        ("tenants", tenants),
    ];
    lists
        .into_iter()
        .filter(|(_, entries)| {
            let empty = entries.iter().any(|entry| entry.is_empty());
            let repeated = (1..entries.len()).any(|end| match entries.get(..=end) {
                Some([earlier @ .., entry]) => earlier.contains(entry),
                _ => false,
            });
            empty || repeated
        })
        .map(|(field, _)| PolicyError::BadEntry {
            name: policy.name.clone(),
            field,
        })
        .collect()
}

/// Checks that the placeholders of `issuer` and `aliases` are there for the tenants, and that each tenant can be found.
fn of_tenants(policy: &IssuerPolicy) -> Vec<PolicyError> {
    let Some(tenants) = &policy.tenants else {
        return Vec::new();
    };
    let name = || policy.name.clone();
    let mut problems = Vec::new();
    if Tenancy::of(policy).is_none() {
        problems.push(PolicyError::TenantPlaceholder { name: name() });
    }
    if let Tenants::Listed(listed) = tenants {
        if listed.is_empty() {
            problems.push(PolicyError::NoTenants { name: name() });
        }
        let bad = listed.iter().filter(|tenant| !tenant.is_empty() && !is_tenant(tenant));
        problems.extend(bad.map(|tenant| PolicyError::BadTenant {
            name: name(),
            tenant: tenant.clone(),
        }));
    }
    problems
}

/// SECURITY: one issuer never mixes secrets and public keys, so no header can turn one into the other.
fn of_algorithms(policy: &IssuerPolicy) -> Vec<PolicyError> {
    let name = || policy.name.clone();
    if policy.algorithms.is_empty() {
        return vec![PolicyError::NoAlgorithms { name: name() }];
    }
    let (secret, source_kind) = match policy.key_source {
        KeySource::KeySet => (false, "a key set"),
        KeySource::SharedSecret => (true, "a shared secret"),
    };
    policy
        .algorithms
        .iter()
        .copied()
        .filter(|algorithm| (algorithm.family() == Family::Hmac) != secret)
        .map(|algorithm| PolicyError::AlgorithmMismatch {
            name: name(),
            algorithm,
            source_kind,
        })
        .collect()
}
