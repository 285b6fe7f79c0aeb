//! Proof of possession (DPoP, RFC 9449) of the token of a request.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderName;
use narthex_decision::Reason;
use narthex_directory::{OneTimeKind, OneTimeValue, SecretBytes, SecretHash, StoreError, SyncError};
use narthex_dpop::{Nonces, Proof, ProofError, ProvenRequest, check};

use crate::credentials::{FoundAt, Place};
use crate::engine::Engine;
use crate::http_rules;
use crate::inbound::Inbound;
use crate::origin::own_origins;
use crate::pipeline::refuse_sync;
use crate::respond::Refusal;
use crate::runtime::Runtime;

/// Header of the proof (RFC 9449 section 4.1).
pub(crate) const PROOF_HEADER: HeaderName = HeaderName::from_static("dpop");

/// Use of tokens that are bound to a key of their sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DpopUse {
    /// They are refused.
    Off,
    /// They pass with a proof.
    Accept,
    /// They pass with a proof, and bearer tokens are refused.
    Require,
}

/// Note of one request whether its proof has been recorded: it may be decided more than once, because of a reload.
#[derive(Debug, Default)]
pub struct ProofUse(AtomicBool);

/// Checks that the sender of a request holds the key that its token is bound to, and records the use of the proof.
///
/// SECURITY: called for each use of a token, cached or not, before anything is answered or changed.
///
/// # Errors
///
/// `token.bound` for such a token without a proof, `token.proof` for a proof that does not count, `store.unavailable` if its
/// use could not be recorded.
pub(crate) async fn prove(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (&str, &FoundAt),
    bound_to: Option<&str>,
    now_ms: i64,
) -> Result<(), Refusal> {
    let has_scheme = at.iter().any(|place| *place == Place::Dpop);
    let (Some(thumbprint), Some(used)) = (bound_to, inbound.proof) else {
        return match bound_to {
            Some(_) => Err(Refusal::new(Reason::TokenBound)),
            None if has_scheme => Err(Refusal {
                remedy: Some("send it as `Authorization: Bearer`, or ask for one that is bound".to_owned()),
                ..Refusal::because(
                    Reason::TokenProof,
                    "the token is bound to no key, and came as `Authorization: DPoP`",
                )
            }),
            None => Ok(()),
        };
    };
    if !has_scheme {
        return Err(Refusal {
            remedy: Some("send it as `Authorization: DPoP …` with a proof in the header `DPoP`".to_owned()),
            ..Refusal::because(
                Reason::TokenBound,
                "the token is bound to a key of its sender, and came without a proof",
            )
        });
    }
    let nonces = runtime.dpop_nonces.as_ref().unwrap_or(&engine.dpop_nonces);
    let proof = proof_of(inbound, token, nonces, now_ms)?;
    if proof.thumbprint != thumbprint {
        return Err(Refusal::because(
            Reason::TokenProof,
            "the proof was made with another key than the one that the token is bound to",
        ));
    }
    record(engine, &proof, used, now_ms).await
}

/// Reads and checks the proof of a request.
fn proof_of(inbound: &Inbound<'_>, token: &str, nonces: &Nonces, now_ms: i64) -> Result<Proof, Refusal> {
    let single = http_rules::single(inbound.headers, &PROOF_HEADER);
    let single = single.map_err(|_| Refusal::because(Reason::TokenProof, "the header `DPoP` is there twice"))?;
    let missing = || Refusal::because(Reason::TokenProof, "the request has no proof in the header `DPoP`");
    let text = single.ok_or_else(missing)?.to_str();
    let text = text.map_err(|_| Refusal::because(Reason::TokenProof, ProofError::Malformed.to_string()))?;
    let origins: Vec<String> = own_origins(inbound).iter().map(ToString::to_string).collect();
    let request = ProvenRequest {
        method: inbound.method.as_str(),
        origins: &origins,
        path: std::str::from_utf8(inbound.path).unwrap_or_default(),
        token,
    };
    check(text, request, nonces, now_ms).map_err(|error| {
        let refusal = Refusal::because(Reason::TokenProof, error.to_string());
        if error.asks_for_nonce() {
            let remedy = "send a new one with the nonce in the answer's header `DPoP-Nonce`";
            return Refusal {
                remedy: Some(remedy.to_owned()),
                ..refusal
            }
            .with_nonce(nonces.issue(now_ms));
        }
        refusal
    })
}

/// Time for which the use of a proof is remembered after the proof's end, in milliseconds.
///
/// SECURITY: the nodes' clocks differ. A node that is ahead must not forget what one that is behind still accepts.
const KEPT_MS: i64 = 300_000;

/// Records the use of a proof, before anything is answered: the one write in the path of a request.
async fn record(engine: &Engine, proof: &Proof, used: &ProofUse, now_ms: i64) -> Result<(), Refusal> {
    if used.0.load(Ordering::Relaxed) {
        return Ok(());
    }
    let value = OneTimeValue {
        kind: OneTimeKind::DpopProof,
        hash: SecretHash(proof.use_hash),
        sealed: SecretBytes(Vec::new()),
        expires_at_ms: proof.ends_at_ms.saturating_add(KEPT_MS),
    };
    match engine.directory.put_once(value, usize::MAX, now_ms).await {
        Ok(()) => {
            used.0.store(true, Ordering::Relaxed);
            Ok(())
        }
        Err(StoreError::AlreadyExists { .. }) => Err(Refusal {
            remedy: Some("make a new one for each request".to_owned()),
            ..Refusal::because(Reason::TokenProof, "the proof was used before")
        }),
        Err(error) => Err(refuse_sync(engine, &SyncError::Store(error))),
    }
}
