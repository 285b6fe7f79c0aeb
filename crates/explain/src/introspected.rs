//! Opaque tokens in an explanation: the issuer is asked, and the rules of its answer are shown as one step.

use narthex_decision::Reason;
use narthex_token::{InspectedClaims, Inspection, Outcome, Rule, Step};

use super::cure::{Cure, CureKind, Problem};
use narthex_engine::opaque::{self, Introspecting};

/// Asks the issuer about a token, and presents its answer as an inspection.
///
/// # Errors
///
/// The problem, with its cure, if the token is not active, if its claims break a rule, or if the issuer gives no answer.
pub(super) async fn explained_opaque(
    asked: Introspecting<'_>,
    token: &str,
    now_ms: i64,
) -> Result<Inspection, Box<Problem>> {
    let verified = opaque::verify(asked, token, None, now_ms).await;
    let claims = verified.map_err(|refusal| {
        let cure = match refusal.reason {
            Reason::TokenInactive => Cure::new(
                CureKind::Token,
                "send a token that is active; the issuer also says so of tokens that the client of `introspection` may not see",
            ),
            Reason::KeysUnavailable | Reason::RateLimited => Cure::new(
                CureKind::Later,
                format!("see to the introspection endpoint: {}", refusal.private().unwrap_or_default()),
            ),
            _ => Cure::new(
                CureKind::Token,
                format!(
                    "have the issuer give other claims for it at its introspection endpoint: {}",
                    refusal.private().unwrap_or_default()
                ),
            ),
        };
        Box::new(Problem::new(refusal, Some(cure)))
    })?;
    Ok(Inspection {
        steps: vec![Step {
            rule: Rule::Introspection,
            expected: "active, and claims that meet the rules".to_owned(),
            found: "active".to_owned(),
            outcome: Outcome::Passed("the issuer was asked".to_owned()),
        }],
        issuer: Some(asked.0.name.to_string()),
        key: Some(claims.key().clone()),
        claims: InspectedClaims::Verified(Box::new(claims)),
    })
}
