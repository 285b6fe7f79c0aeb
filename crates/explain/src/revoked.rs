//! Tokens that an administrator revoked.

use std::sync::Arc;

use narthex_directory::{Directory, SyncError};
use narthex_engine::{IssuerRuntime, Revocations, TokenFacts, content_name, pipeline};
use narthex_token::{InspectedClaims, Inspection};
use serde_json::Value;

use crate::cure::token::claims;
use crate::cure::{Cure, CureKind, Problem};
use crate::{may_be_good, undecided};

/// Returns the problem of a token that an administrator revoked.
pub(super) async fn revoked(
    directory: &dyn Directory,
    issuer: Option<&Arc<IssuerRuntime>>,
    inspection: &Inspection,
    token: &str,
) -> Option<Problem> {
    let issuer = issuer.filter(|_| may_be_good(inspection))?;
    let revocations = Revocations::default();
    if let Err(error) = revocations.learn(directory).await {
        return Some(undecided(&SyncError::Store(error)));
    }
    let claims = claims(inspection)?;
    let issued_at_ms = match &inspection.claims {
        InspectedClaims::Verified(verified) => verified.issued_at_ms(),
        _ => claims
            .get("iat")
            .and_then(Value::as_i64)
            .map(|seconds| seconds.saturating_mul(1_000)),
    };
    let facts = TokenFacts {
        issuer: &issuer.name,
        id: claims.get("jti").and_then(Value::as_str),
        issued_at_ms,
    };
    let is_revoked = revocations.refuses(facts, || content_name(token));
    let cure = || {
        Cure::new(
            CureKind::Token,
            "sign in again, for a new token; this one was revoked for good",
        )
    };
    is_revoked.then(|| Problem::new(pipeline::revoked(), Some(cure())))
}
