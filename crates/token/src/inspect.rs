//! The same rules, one by one, for explaining. Nothing is decided here.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::{KeyMatch, UnverifiedClaims, VerifiedClaims};
use crate::codec::sanitize;
use crate::error::{VerifyError, quoted};
use crate::issuer::{BoundTokens, Expiry, Issuers, RequiredClaim, TrustedIssuer};
use crate::keys::{HintRef, KeySet, MatchingKeys};
use crate::parse::{Limits, ParsedToken, parse};
use crate::verify;

/// One rule of the verifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Size, segments, JSON.
    Form,
    /// `alg` is in the issuer's list.
    Algorithm,
    /// `crit`, `b64`, `typ`, and the types of `kid` and thumbprints.
    Header,
    /// `iss` chooses the issuer.
    Issuer,
    /// The key is found.
    Key,
    /// The signature is the key's.
    Signature,
    /// The issuer was asked about an opaque token.
    Introspection,
    /// `exp`.
    Expiry,
    /// `nbf`.
    NotBefore,
    /// `iat`.
    IssuedAt,
    /// `max_token_age`.
    Age,
    /// `sub` and `jti`, and that the token is neither bound nor a logout token.
    Subject,
    /// The audience.
    Audience,
    /// One required claim.
    RequiredClaim(String),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "form",
            Self::Algorithm => "algorithm",
            Self::Header => "header",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Introspection => "introspection",
            Self::Expiry => "expiry",
            Self::NotBefore => "not_before",
            Self::IssuedAt => "issued_at",
            Self::Age => "age",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::RequiredClaim(claim) => return write!(f, "required_claim `{claim}`"),
        })
    }
}

/// Outcome of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds. The text says what was concluded.
    Passed(String),
    /// It does not hold.
    Failed(VerifyError),
    /// It could not be tried, because an earlier rule failed.
    NotTried,
}

/// One rule with its expectation, its finding and its outcome. `found` repeats claim values, shortened and made
/// printable: it is for the bearer of the token and for administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The rule.
    pub rule: Rule,
    /// The configuration's expectation.
    pub expected: String,
    /// The token's value.
    pub found: String,
    /// The outcome.
    pub outcome: Outcome,
}

/// The claims of an inspected token, by what is proved about them.
#[derive(Debug, Clone, PartialEq)]
pub enum InspectedClaims {
    /// Every rule passed.
    Verified(Box<VerifiedClaims>),
    /// The signature holds, another rule does not: an expired token, say.
    Refused(UnverifiedClaims),
    /// The signature does not hold or was not tried: an attacker may have written this.
    Unproved(UnverifiedClaims),
    /// The token could not be read.
    Unreadable,
}

/// Everything there is to say about a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Every rule, in order.
    pub steps: Vec<Step>,
    /// The configured name of the issuer, if one was found.
    pub issuer: Option<String>,
    /// The key that verified the signature, if one did.
    pub key: Option<KeyMatch>,
    /// The claims.
    pub claims: InspectedClaims,
}

impl Inspection {
    /// The first failure, which is the verifier's answer; `None` if the token is good.
    pub fn error(&self) -> Option<&VerifyError> {
        self.steps.iter().find_map(|step| match &step.outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Passed(_) | Outcome::NotTried => None,
        })
    }
}

/// Runs every rule and reports each. Goes on after a failed rule as far as the next can be tried at all; once an issuer is
/// found, the rules about claims always are.
///
/// `keys` gives the keys held for an issuer, or says that there are none.
pub fn inspect(
    compact: &str,
    issuers: &Issuers,
    keys: impl Fn(&TrustedIssuer) -> Result<Arc<KeySet>, VerifyError>,
    limits: &Limits,
    now_ms: i64,
) -> Inspection {
    inspect_with(
        compact,
        |token| issuers.find(token).map(Arc::as_ref),
        keys,
        limits,
        now_ms,
    )
}

/// [`inspect()`] for one issuer, whatever `iss` the token carries.
pub fn inspect_for(
    compact: &str,
    issuer: &TrustedIssuer,
    keys: impl Fn(&TrustedIssuer) -> Result<Arc<KeySet>, VerifyError>,
    limits: &Limits,
    now_ms: i64,
) -> Inspection {
    inspect_with(
        compact,
        |token| verify::check_issuer(token, issuer).map(|()| issuer),
        keys,
        limits,
        now_ms,
    )
}

fn inspect_with<'i>(
    compact: &str,
    find: impl Fn(&ParsedToken<'_>) -> Result<&'i TrustedIssuer, VerifyError>,
    keys: impl Fn(&TrustedIssuer) -> Result<Arc<KeySet>, VerifyError>,
    limits: &Limits,
    now_ms: i64,
) -> Inspection {
    let mut report = Report { steps: Vec::new() };
    let form = format!(
        "three segments, at most {} bytes, JSON objects at most {} deep",
        limits.token_bytes_max, limits.depth_max
    );
    let found = format!("{} bytes", compact.len());
    let Some(token) = report.add(Rule::Form, form, found, parse(compact, limits), |_| {
        "a signed token".to_owned()
    }) else {
        return Inspection {
            steps: report.steps,
            issuer: None,
            key: None,
            claims: InspectedClaims::Unreadable,
        };
    };
    let candidate = find(&token);
    let issuer = candidate.as_ref().ok().copied();
    let algorithm = report.algorithm(&token, issuer);
    let hint = report.header(&token, issuer);
    report.issuer(&token, candidate);
    let held = issuer.map(&keys);
    let key = report.key_and_signature(&token, held.as_ref(), algorithm, hint);
    if let Some(issuer) = issuer {
        report.times(&token, issuer, now_ms);
        report.claims(&token, issuer);
    }
    let name = issuer.map(|issuer| issuer.name().to_owned());
    let mut inspection = Inspection {
        steps: report.steps,
        issuer: name,
        key,
        claims: InspectedClaims::Unreadable,
    };
    let signed = inspection.key.is_some();
    inspection.claims = match (inspection.error(), issuer, held) {
        // INVARIANT: even here only `verify` makes verified claims.
        (None, Some(issuer), Some(Ok(held))) => match token.verify(issuer, &held, now_ms) {
            Ok(verified) => InspectedClaims::Verified(Box::new(verified)),
            Err(_) => InspectedClaims::Unreadable,
        },
        _ if signed => InspectedClaims::Refused(token.into_unverified()),
        _ => InspectedClaims::Unproved(token.into_unverified()),
    };
    inspection
}

/// Steps as they come.
struct Report {
    steps: Vec<Step>,
}

impl Report {
    fn add<T>(
        &mut self,
        rule: Rule,
        expected: String,
        found: String,
        result: Result<T, VerifyError>,
        concluded: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let (outcome, value) = match result {
            Ok(value) => (Outcome::Passed(concluded(&value)), Some(value)),
            Err(error) => (Outcome::Failed(error), None),
        };
        self.steps.push(Step {
            rule,
            expected,
            found,
            outcome,
        });
        value
    }

    fn not_tried(&mut self, rule: Rule) {
        self.steps.push(Step {
            rule,
            expected: String::new(),
            found: String::new(),
            outcome: Outcome::NotTried,
        });
    }

    fn algorithm(&mut self, token: &ParsedToken<'_>, issuer: Option<&TrustedIssuer>) -> Option<Algorithm> {
        let expected = match issuer {
            Some(issuer) => quoted(&issuer.policy().algorithms, ", "),
            None => "any supported algorithm, as long as no issuer is found".to_owned(),
        };
        let result = verify::check_algorithm(token, issuer);
        self.add(
            Rule::Algorithm,
            expected,
            shown(token.header.members().get("alg")),
            result,
            ToString::to_string,
        )
    }

    fn header<'t>(&mut self, token: &'t ParsedToken<'_>, issuer: Option<&TrustedIssuer>) -> Option<HintRef<'t>> {
        let expected = "no `crit`, no unencoded payload, `typ` absent, `JWT`, `at+jwt` or configured".to_owned();
        let found = quoted(
            &token
                .header
                .members()
                .keys()
                .map(|name| sanitize(name))
                .collect::<Vec<_>>(),
            ", ",
        );
        self.add(
            Rule::Header,
            expected,
            found,
            verify::check_header(token, issuer),
            |_| "nothing unusual".to_owned(),
        )
    }

    fn issuer(&mut self, token: &ParsedToken<'_>, candidate: Result<&TrustedIssuer, VerifyError>) {
        let tenant = candidate.as_ref().ok().and_then(|issuer| issuer.tenancy.as_ref());
        let expected = match tenant {
            Some(tenancy) => format!(
                "`issuer` of a trusted issuer with an accepted tenant, which claim `{}` repeats",
                sanitize(tenancy.claim())
            ),
            None => "`issuer` or one of `aliases` of a trusted issuer, exactly".to_owned(),
        };
        let result = candidate.and_then(|issuer| {
            verify::check_issuer(token, issuer)?;
            verify::check_status(issuer).map(|()| issuer)
        });
        self.add(
            Rule::Issuer,
            expected,
            shown(token.claims.get("iss")),
            result,
            |issuer| format!("issuer `{}`", issuer.name()),
        );
    }

    fn key_and_signature(
        &mut self,
        token: &ParsedToken<'_>,
        keys: Option<&Result<Arc<KeySet>, VerifyError>>,
        algorithm: Option<Algorithm>,
        hint: Option<HintRef<'_>>,
    ) -> Option<KeyMatch> {
        let (Some(keys), Some(algorithm), Some(hint)) = (keys, algorithm, hint) else {
            self.not_tried(Rule::Key);
            self.not_tried(Rule::Signature);
            return None;
        };
        let none = |_: &VerifyError| "a key of the issuer, and none is here".to_owned();
        let expected = keys.as_ref().map_or_else(none, |keys| keys_shown(keys));
        let keys = keys.as_ref().map_err(Clone::clone);
        let chosen = keys.and_then(|keys| verify::choose_key(&hint, keys, algorithm));
        let concluded = |chosen: &MatchingKeys<'_>| match chosen.kid() {
            Some(kid) => format!("`{}`, matched by {}", sanitize(kid), chosen.matched_by()),
            None => format!("matched by {}", chosen.matched_by()),
        };
        let found = match hint {
            HintRef::None => "no `kid` and no thumbprint".to_owned(),
            HintRef::Kid(_) | HintRef::Thumbprint { .. } => hint.to_owned().to_string(),
        };
        let Some(chosen) = self.add(Rule::Key, expected, found, chosen, concluded) else {
            self.not_tried(Rule::Signature);
            return None;
        };
        let found = format!("{} bytes", token.signature.len());
        let result = verify::check_signature(token, &hint, &chosen, algorithm);
        self.add(
            Rule::Signature,
            format!("{algorithm} by that key"),
            found,
            result,
            |key| match key.kid() {
                Some(kid) => format!("made by key `{}`", sanitize(kid)),
                None => "made by that key".to_owned(),
            },
        )
    }

    fn times(&mut self, token: &ParsedToken<'_>, issuer: &TrustedIssuer, now_ms: i64) {
        let claims = &token.claims;
        let found = |claim: &str| shown(claims.get(claim));
        let leeway = issuer.policy().leeway_seconds;
        let relative = |time: &Option<i64>| time.map_or_else(|| "absent".to_owned(), |time| distance(time, now_ms));
        let exp = match issuer.policy().expiry {
            Expiry::Required => format!("required, in the future, {leeway} s leeway"),
            Expiry::DangerOptional => format!("in the future if present, {leeway} s leeway"),
        };
        self.add(
            Rule::Expiry,
            exp,
            found("exp"),
            verify::check_expiry(claims, issuer, now_ms),
            relative,
        );
        let past = format!("not in the future if present, {leeway} s leeway");
        self.add(
            Rule::NotBefore,
            past.clone(),
            found("nbf"),
            verify::check_not_before(claims, issuer, now_ms),
            relative,
        );
        self.add(
            Rule::IssuedAt,
            past,
            found("iat"),
            verify::check_issued_at(claims, issuer, now_ms),
            relative,
        );
        if let Some(seconds) = issuer.policy().max_token_age_seconds {
            let expected = format!("`iat` at most {seconds} s ago, {leeway} s leeway");
            let result = verify::check_age(claims, issuer, now_ms);
            self.add(Rule::Age, expected, found("iat"), result, |_| "young enough".to_owned());
        }
    }

    fn claims(&mut self, token: &ParsedToken<'_>, issuer: &TrustedIssuer) {
        let policy = issuer.policy();
        self.subject(token, issuer);
        let expected = match policy.audiences.as_slice() {
            [] => "no audience is configured".to_owned(),
            audiences => format!(
                "one of {} in {}",
                quoted(audiences, ", "),
                quoted(&policy.audience_claims, " or ")
            ),
        };
        let found = policy
            .audience_claims
            .iter()
            .map(|claim| format!("{} {}", sanitize(claim), shown(token.claims.get(claim))))
            .collect::<Vec<_>>()
            .join(", ");
        let result = verify::check_audience(&token.claims, issuer);
        self.add(Rule::Audience, expected, found, result, |()| {
            "meant for this server".to_owned()
        });
        for required in &policy.required_claims {
            self.required_claim(token, required);
        }
    }

    /// Listed where there is something to judge: nearly every token has a `sub` that is text, and no more.
    fn subject(&mut self, token: &ParsedToken<'_>, issuer: &TrustedIssuer) {
        let result = verify::check_subject(&token.claims, issuer);
        let present: Vec<String> = ["sub", "jti", "cnf", "events"]
            .into_iter()
            .filter_map(|claim| Some(format!("{claim} {}", shown(Some(token.claims.get(claim)?)))))
            .collect();
        let usual = usize::from(token.claims.contains_key("sub"));
        if result.is_ok() && present.len() <= usual {
            return;
        }
        let bound = match issuer.policy().bound_tokens {
            BoundTokens::Refused => "no `cnf`",
            BoundTokens::DangerAsBearer => "`cnf` or not",
            BoundTokens::Proved => "no `cnf`, or one with `jkt` alone",
            BoundTokens::Required => "a `cnf` with `jkt` alone",
        };
        let expected = format!("`sub` and `jti` are text if present, {bound}, no logout event");
        self.add(Rule::Subject, expected, present.join(", "), result, |bound_to| {
            match bound_to {
                Some(_) => "a token of a caller, for which each request needs a proof (DPoP)",
                None => "a token of a caller",
            }
            .to_owned()
        });
    }

    fn required_claim(&mut self, token: &ParsedToken<'_>, required: &RequiredClaim) {
        let expected = match required.one_of.as_slice() {
            [] => "present".to_owned(),
            values => format!("one of {}", quoted(values, ", ")),
        };
        let found = shown(
            token
                .claims
                .get(&required.claim)
                .or_else(|| token.header.members().get(&required.claim)),
        );
        let result = verify::check_required_claim(token, required);
        self.add(
            Rule::RequiredClaim(required.claim.clone()),
            expected,
            found,
            result,
            |()| "as required".to_owned(),
        );
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| sanitize(&value.to_string()))
}

fn distance(time_ms: i64, now_ms: i64) -> String {
    let seconds = time_ms.saturating_sub(now_ms) / 1000;
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {seconds} s"),
        _ => format!("{} s ago", seconds.unsigned_abs()),
    }
}

fn keys_shown(keys: &KeySet) -> String {
    let listed: Vec<String> = keys
        .keys()
        .map(|key| match &key.kid {
            Some(kid) => format!("`{}` ({})", sanitize(kid), key.kind),
            None => format!("without kid ({})", key.kind),
        })
        .collect();
    if listed.is_empty() && keys.usable_count() > 0 {
        "a shared secret".to_owned()
    } else {
        listed.join(", ")
    }
}
