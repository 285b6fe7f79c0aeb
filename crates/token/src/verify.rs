//! The verifier: steps three to ten, in order, the first failure being the reason.
//!
//! Each rule is one function that [`crate::inspect()`] calls as well.

mod introspected;
mod logout;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::{KeyMatch, Times, VerifiedClaims};
use crate::codec::sanitize;
use crate::error::{VerifyError, quoted};
use crate::header::{TextMember, is_same_type};
use crate::issuer::{Binding, BoundTokens, Expiry, IssuerStatus, RequiredClaim, TrustedIssuer};
use crate::keys::{HintRef, KeySet, MatchingKeys};
use crate::parse::ParsedToken;

pub use introspected::verify_introspected;
pub use logout::VerifiedLogout;

/// The last second of the year 9999 (RFC 3339). Beyond it lies nothing but milliseconds taken for seconds.
const SECONDS_MAX: i64 = 253_402_300_799;
/// The first second of the year 1.
const SECONDS_MIN: i64 = -62_135_596_800;
/// The member of `events` that makes a token a logout token.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Largest number of claim names that a message lists.
const NAMES_SHOWN_MAX: usize = 20;

impl ParsedToken<'_> {
    /// Proves the token against one issuer and its keys at one moment, `now_ms` milliseconds since the epoch.
    ///
    /// The issuer is checked again here, so a token that was not [selected](crate::Issuers::select) for it is refused:
    /// a key that happens to be found never binds a token to the wrong issuer.
    pub fn verify(self, issuer: &TrustedIssuer, keys: &KeySet, now_ms: i64) -> Result<VerifiedClaims, VerifyError> {
        let algorithm = check_algorithm(&self, Some(issuer))?;
        let hint = check_header(&self, Some(issuer))?;
        check_issuer(&self, issuer)?;
        check_status(issuer)?;
        let chosen = choose_key(&hint, keys, algorithm)?;
        let key = check_signature(&self, &hint, &chosen, algorithm)?;
        let times = check_times(&self.claims, issuer, now_ms)?;
        let bound_to = check_subject(&self.claims, issuer)?.map(Box::from);
        check_audience(&self.claims, issuer)?;
        for required in &issuer.policy.required_claims {
            check_required_claim(&self, required)?;
        }
        Ok(VerifiedClaims {
            header: self.header,
            claims: self.claims,
            issuer: Arc::clone(&issuer.name),
            key,
            times,
            bound_to,
        })
    }
}

/// Rule 3. With no issuer found, an algorithm that exists at all.
///
/// SECURITY: comes before any key is looked at; the list is the issuer's, never the token's.
/// SPEC: RFC 8725 3.1.
pub(crate) fn check_algorithm(
    token: &ParsedToken<'_>,
    issuer: Option<&TrustedIssuer>,
) -> Result<Algorithm, VerifyError> {
    token
        .header
        .facts()
        .algorithm
        .filter(|algorithm| issuer.is_none_or(|issuer| issuer.algorithms.contains(*algorithm)))
        .ok_or_else(|| VerifyError::Algorithm {
            presented: token.header.members().get("alg").and_then(Value::as_str).map(sanitize),
            allowed: issuer
                .map(|issuer| issuer.policy.algorithms.clone())
                .unwrap_or_default(),
        })
}

/// Rule 4: nothing in the header that changes what the token means. Gives the name of the key, which is read on the way.
///
/// SPEC: RFC 7515 4.1.9 and 4.1.11, RFC 7797 section 6, RFC 8725 3.11.
pub(crate) fn check_header<'t>(
    token: &'t ParsedToken<'_>,
    issuer: Option<&TrustedIssuer>,
) -> Result<HintRef<'t>, VerifyError> {
    check_header_of(token, |typ| is_accepted_type(typ, issuer))
}

/// Rule 4, for tokens of these types beside the usual ones.
fn check_header_of<'t>(
    token: &'t ParsedToken<'_>,
    is_accepted: impl Fn(&str) -> bool,
) -> Result<HintRef<'t>, VerifyError> {
    let facts = token.header.facts();
    // SECURITY: no extension is understood, so every critical one is refused, whatever its shape.
    if facts.critical {
        return Err(bad_header("crit", "names extensions that are not supported"));
    }
    if facts.unencoded {
        return Err(bad_header(
            "b64",
            "asks for an unencoded payload, which is not supported",
        ));
    }
    if let Some(found) = text(&facts.typ, "typ")?
        && !is_accepted(found)
    {
        let found = sanitize(found);
        let problem = format!("is `{found}`, which is not accepted; list it in `token_types` if it should be");
        return Err(bad_header("typ", &problem));
    }
    let kid = text(&facts.kid, "kid")?;
    let sha256 = text(&facts.x5t_s256, "x5t#S256")?;
    let sha1 = text(&facts.x5t, "x5t")?;
    Ok(match (kid, sha256, sha1) {
        (Some(kid), _, _) => HintRef::Kid(kid),
        (None, None, None) => HintRef::None,
        (None, sha256, sha1) => HintRef::Thumbprint { sha256, sha1 },
    })
}

fn text<'h>(member: &'h TextMember, name: &'static str) -> Result<Option<&'h str>, VerifyError> {
    match member {
        TextMember::Absent => Ok(None),
        TextMember::Text(text) => Ok(Some(text)),
        TextMember::NotText => Err(bad_header(name, "must be text")),
    }
}

fn bad_header(member: &'static str, problem: &str) -> VerifyError {
    VerifyError::Header {
        member,
        problem: problem.to_owned(),
    }
}

/// Beside the usual types, those the issuer lists.
fn is_accepted_type(found: &str, issuer: Option<&TrustedIssuer>) -> bool {
    let configured = issuer
        .map(|issuer| issuer.policy.token_types.as_slice())
        .unwrap_or_default();
    configured.iter().any(|accepted| is_same_type(accepted, found))
}

/// The `iss` claim, which must be text if it is there.
pub(crate) fn issuer_claim<'c>(token: &'c ParsedToken<'_>) -> Result<Option<&'c str>, VerifyError> {
    match token.claims.get("iss") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid("iss", "text")),
    }
}

/// Rule 5, seen from the issuer.
pub(crate) fn check_issuer(token: &ParsedToken<'_>, issuer: &TrustedIssuer) -> Result<(), VerifyError> {
    let presented = issuer_claim(token)?;
    if issuer.binding == Binding::DangerWhereNamed && issuer.policy.issuer.is_none() {
        return Ok(());
    }
    let unknown = || VerifyError::IssuerUnknown {
        missing: presented.is_none(),
    };
    if let Some(tenancy) = &issuer.tenancy {
        let tenant = presented.and_then(|text| tenancy.tenant_in(text));
        return tenancy.check(token, tenant.ok_or_else(unknown)?);
    }
    let agrees = match presented {
        Some(text) => issuer.issuer_texts().any(|own| own == text),
        None => issuer.policy.issuer.is_none(),
    };
    if agrees { Ok(()) } else { Err(unknown()) }
}

/// A disabled issuer's tokens are refused before any key is looked at.
pub(crate) fn check_status(issuer: &TrustedIssuer) -> Result<(), VerifyError> {
    match issuer.policy.status {
        IssuerStatus::Enabled => Ok(()),
        IssuerStatus::Disabled => Err(VerifyError::IssuerDisabled {
            issuer: issuer.name().to_owned(),
        }),
    }
}

/// Rule 6.
pub(crate) fn choose_key<'k>(
    hint: &HintRef<'_>,
    keys: &'k KeySet,
    algorithm: Algorithm,
) -> Result<MatchingKeys<'k>, VerifyError> {
    keys.choose(hint, algorithm).map_err(|usable| VerifyError::KeyUnknown {
        hint: (*hint).to_owned(),
        usable,
        why_not: if usable == 0 {
            keys.why_not(hint, algorithm)
        } else {
            None
        },
    })
}

/// Rule 7.
pub(crate) fn check_signature(
    token: &ParsedToken<'_>,
    hint: &HintRef<'_>,
    chosen: &MatchingKeys<'_>,
    algorithm: Algorithm,
) -> Result<KeyMatch, VerifyError> {
    chosen
        .verify(algorithm, token.signing_input.as_bytes(), &token.signature)
        .ok_or_else(|| VerifyError::Signature {
            hint: (*hint).to_owned(),
            nonce: token.header.members().contains_key("nonce"),
        })
}

/// Rule 8. The order is `exp`, `nbf`, `iat`, age.
fn check_times(claims: &Map<String, Value>, issuer: &TrustedIssuer, now_ms: i64) -> Result<Times, VerifyError> {
    let expires_at_ms = check_expiry(claims, issuer, now_ms)?;
    let not_before_ms = check_not_before(claims, issuer, now_ms)?;
    let issued_at_ms = check_issued_at(claims, issuer, now_ms)?;
    Ok(Times {
        expires_at_ms,
        not_before_ms,
        issued_at_ms,
        too_old_at_ms: check_age(claims, issuer, now_ms)?,
    })
}

/// `exp`: required, and refused from the very moment on.
///
/// SPEC: RFC 7519 4.1.4 ("on or after").
pub(crate) fn check_expiry(
    claims: &Map<String, Value>,
    issuer: &TrustedIssuer,
    now_ms: i64,
) -> Result<Option<i64>, VerifyError> {
    match (time(claims, "exp")?, issuer.policy.expiry) {
        (Some(expires_at), _) if now_ms >= expires_at.saturating_add(issuer.leeway_ms) => Err(VerifyError::Expired),
        (None, Expiry::Required) => Err(missing(claims, "exp")),
        (expires_at, _) => Ok(expires_at),
    }
}

/// `nbf`. SPEC: RFC 7519 4.1.5.
pub(crate) fn check_not_before(
    claims: &Map<String, Value>,
    issuer: &TrustedIssuer,
    now_ms: i64,
) -> Result<Option<i64>, VerifyError> {
    match time(claims, "nbf")? {
        Some(not_before) if not_before > now_ms.saturating_add(issuer.leeway_ms) => Err(VerifyError::NotYetValid),
        not_before => Ok(not_before),
    }
}

/// `iat`. SPEC: RFC 7519 4.1.6.
pub(crate) fn check_issued_at(
    claims: &Map<String, Value>,
    issuer: &TrustedIssuer,
    now_ms: i64,
) -> Result<Option<i64>, VerifyError> {
    match time(claims, "iat")? {
        Some(issued_at) if issued_at > now_ms.saturating_add(issuer.leeway_ms) => Err(VerifyError::IssuedInFuture),
        issued_at => Ok(issued_at),
    }
}

/// The optional `max_token_age`, for which `iat` is then required. Gives the time at which the token is older than that.
pub(crate) fn check_age(
    claims: &Map<String, Value>,
    issuer: &TrustedIssuer,
    now_ms: i64,
) -> Result<Option<i64>, VerifyError> {
    let Some(max_token_age_seconds) = issuer.policy.max_token_age_seconds else {
        return Ok(None);
    };
    let issued_at = time(claims, "iat")?.ok_or_else(|| missing(claims, "iat"))?;
    let age_ms_max = i64::try_from(max_token_age_seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1000);
    if now_ms.saturating_sub(issued_at) > age_ms_max.saturating_add(issuer.leeway_ms) {
        return Err(VerifyError::TooOld { max_token_age_seconds });
    }
    Ok(Some(issued_at.saturating_add(age_ms_max)))
}

/// A `NumericDate` in milliseconds, rounded down.
///
/// SECURITY: anything but a number in range is a refusal. A verifier that takes text for "absent" never expires it
/// (CVE-2026-25537).
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<i64>, VerifyError> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    let milliseconds = match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) => Some(seconds.saturating_mul(1000)),
            (None, Some(seconds)) => fractional(seconds),
            _ => None,
        },
        _ => None,
    };
    match milliseconds {
        Some(milliseconds) => Ok(Some(milliseconds)),
        None => Err(invalid(
            claim,
            "a number of seconds since 1970 (not milliseconds) before the year 10000",
        )),
    }
}

/// Seconds with a fraction, in milliseconds. NaN and the infinities are in no range.
fn fractional(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "both bounds are far below 2^53")]
    let range = SECONDS_MIN as f64..=SECONDS_MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the range check keeps it within 2.6e14")]
    range.contains(&seconds).then(|| (seconds * 1000.0).floor() as i64)
}

/// Rule 9, who the token is about and who may send it. Gives the thumbprint of the key that the sender has to prove.
///
/// SPEC: RFC 7519 4.1.2 and 4.1.7, RFC 7800 3, OpenID Connect Back-Channel Logout 2.4.
pub(crate) fn check_subject<'c>(
    claims: &'c Map<String, Value>,
    issuer: &TrustedIssuer,
) -> Result<Option<&'c str>, VerifyError> {
    for name in ["sub", "jti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(invalid(name, "text"));
        }
    }
    // SECURITY: it is signed, has `sub` and `aud`, and would open every door to an attacker who intercepts it.
    if claims
        .get("events")
        .is_some_and(|events| events.get(LOGOUT_EVENT).is_some())
    {
        return Err(VerifyError::LogoutToken);
    }
    // SECURITY: without the proof a stolen token would be as good as its owner's, which is what binding it prevents.
    match (claims.get("cnf"), issuer.policy.bound_tokens) {
        (None, BoundTokens::Required) => Err(VerifyError::Unbound),
        (None, _) | (Some(_), BoundTokens::DangerAsBearer) => Ok(None),
        (Some(_), BoundTokens::Refused) => Err(VerifyError::Bound),
        (Some(confirmation), BoundTokens::Proved | BoundTokens::Required) => {
            key_thumbprint(confirmation).map(Some).ok_or(VerifyError::Bound)
        }
    }
}

/// The thumbprint in a confirmation that names exactly this one way of proof.
///
/// SECURITY: with another way beside it (a certificate), the token asks for two proofs, and one of them is not checked.
/// SPEC: RFC 9449 6.1, RFC 7800 3.1.
fn key_thumbprint(confirmation: &Value) -> Option<&str> {
    let members = confirmation.as_object().filter(|members| members.len() == 1)?;
    members.get("jkt")?.as_str().filter(|thumbprint| !thumbprint.is_empty())
}

/// Rule 9, for whom the token is meant.
///
/// SPEC: RFC 7519 4.1.3; compared as text, whole, case-sensitively.
pub(crate) fn check_audience(claims: &Map<String, Value>, issuer: &TrustedIssuer) -> Result<(), VerifyError> {
    let expected = &issuer.policy.audiences;
    let mut shared = false;
    for claim in &issuer.policy.audience_claims {
        let found = match claims.get(claim) {
            None => continue,
            Some(Value::String(text)) => expected.contains(text),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => items
                .iter()
                .filter_map(Value::as_str)
                .any(|item| expected.iter().any(|own| own == item)),
            Some(_) => return Err(invalid(claim, "text or an array of text")),
        };
        shared |= found;
    }
    // A key-set issuer always has audiences; only a shared-secret issuer (or a tool) may have none to compare with.
    if shared || expected.is_empty() {
        Ok(())
    } else {
        Err(VerifyError::Audience {
            claims: issuer.policy.audience_claims.clone(),
            expected: expected.clone(),
        })
    }
}

/// Rule 10, for one claim.
pub(crate) fn check_required_claim(token: &ParsedToken<'_>, required: &RequiredClaim) -> Result<(), VerifyError> {
    let name = required.claim.as_str();
    let in_claims = token.claims.get(name);
    // A parameter of JOSE has a meaning of its own, as `typ` has, and repeats no claim.
    let is_parameter = HEADER_PARAMETERS.contains(&name);
    let in_header = token.header.members().get(name);
    let in_header = in_header.filter(|_| in_claims.is_none() || !is_parameter);
    if in_claims.is_none() && in_header.is_none() {
        return Err(missing(&token.claims, name));
    }
    // SECURITY: a load balancer signs what another server says of a user into the claims, and its own name into the
    // header. Where both have the claim, both must be right (RFC 7519 5.3).
    for value in in_claims.into_iter().chain(in_header) {
        if value.is_null() {
            return Err(missing(&token.claims, name));
        }
        if !required.one_of.is_empty() && !required.one_of.contains(value) {
            return Err(VerifyError::ClaimValue {
                claim: name.to_owned(),
                expected: one_of(&required.one_of),
            });
        }
    }
    Ok(())
}

/// Parameters of a JWS header (RFC 7515 4.1, RFC 7797 3).
const HEADER_PARAMETERS: [&str; 12] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "b64",
];

fn one_of(values: &[Value]) -> String {
    match values {
        [value] => format!("`{value}`"),
        _ => format!("one of {}", quoted(values, ", ")),
    }
}

pub(crate) fn invalid(claim: &str, expected: &str) -> VerifyError {
    VerifyError::ClaimInvalid {
        claim: claim.to_owned(),
        expected: expected.to_owned(),
    }
}

pub(crate) fn missing(claims: &Map<String, Value>, claim: &str) -> VerifyError {
    let present_names = claims.keys().take(NAMES_SHOWN_MAX).map(|name| sanitize(name)).collect();
    VerifyError::ClaimMissing {
        claim: claim.to_owned(),
        present_names,
    }
}
