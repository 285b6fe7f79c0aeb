//! Principal, decision, headers: the end of the line.

use narthex_decision::{Bearer, Decision, IdentityHeaders, Match, Requirement, decide};
use narthex_directory::SyncError;
use smol_str::SmolStr;
use tracing::Instrument as _;

use super::authenticate::{CacheLookup, known, look_up, refuse_sync};
use crate::cache::by_token::{CachedToken, KnownCaller};
use crate::cache::prefetch::Prefetched;
use crate::credentials::{FoundAt, Token};
use crate::engine::Engine;
use crate::identity;
use crate::inbound::Inbound;
use crate::organization;
use crate::passed::{Allowed, Answer, Passed};
use crate::respond::Refusal;
use crate::runtime::Runtime;
use crate::trace::step;

/// Returns the decision for a token: the one that is cached with it, or the result of the steps.
pub(super) async fn answered(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (Token<'_>, &FoundAt),
    matched: &Match<'_>,
) -> Result<Answer, Refusal> {
    let now_ms = engine.clock.now_ms();
    let lookup = look_up(engine, runtime, inbound, (token, at), now_ms).await?;
    match lookup.cached {
        Some(CachedToken::Again(decided)) if decided.answers(matched, now_ms) => Ok(Answer::Token(decided)),
        _ => Box::pin(decided(engine, runtime, inbound, lookup, matched, now_ms)).await,
    }
}

/// Returns a decision that is not cached with the token: the one of the account, or a new one.
async fn decided(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    lookup: CacheLookup<'_>,
    matched: &Match<'_>,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    let (key, seen_before) = (lookup.key, lookup.cached.is_some());
    let known = known(engine, runtime, inbound, lookup, now_ms).await?;
    // SECURITY: the account's decisions are those of all tokens with its content, and the content leaves scopes out.
    let scopes = known.seen.caller().scopes();
    let allowed = match known.allowed(matched, now_ms) {
        Some(allowed) if matched.route.has_scopes(scopes) => allowed,
        _ => {
            allow(engine, runtime, &known, matched, now_ms)
                .instrument(step!("decide"))
                .await?
        }
    };
    if seen_before {
        engine.callers.decide(key, &known.seen, &allowed, now_ms);
    }
    Ok(Answer::Account(allowed, known.seen))
}

/// Decides, and builds the headers that the upstream receives.
async fn allow(
    engine: &Engine,
    runtime: &Runtime,
    known: &KnownCaller,
    matched: &Match<'_>,
    now_ms: i64,
) -> Result<Prefetched<Allowed>, Refusal> {
    let principal = &known.account.principal;
    let issuer = known.seen.caller().issuer_name();
    let of_one = issuer.and_then(|issuer| runtime.organization_of(issuer));
    let organization = organization::facts(&*engine.directory, (principal, of_one), matched)
        .await
        .map_err(|error| refuse_sync(engine, &SyncError::Store(error)))?;
    let bearer = Bearer {
        principal,
        issuer,
        issuer_organization: of_one,
        tags: &known.account.tags,
        scopes: known.seen.caller().scopes(),
    };
    match decide(matched, Some(&bearer), &organization) {
        Decision::Allow(permit) => {
            let allowed = Prefetched::new(identity::allowed(
                engine,
                runtime,
                known,
                (matched, &organization),
                &permit,
                now_ms,
            ));
            known.account.remember(matched, &allowed);
            Ok(allowed)
        }
        Decision::Deny(denial) => {
            let refusal = Refusal::denied(&denial, matched);
            let refusal = refusal.in_organization(organization::name(matched, &organization));
            let refusal = refusal.of_user(principal.user().id);
            Err(match issuer {
                Some(issuer) => refusal.of_issuer(issuer),
                None => refusal,
            })
        }
    }
}

/// Returns the result for a caller that needs no token. A token that it presented anyway is at `token_at`.
pub(super) fn anonymous(engine: &Engine, matched: &Match<'_>, token_at: Option<FoundAt>) -> Passed {
    let allowed = Allowed {
        route: matched.route.index,
        organization: matched.organization_name().map(SmolStr::new),
        asked_for: matched.organization.as_deref().map(SmolStr::new),
        rule: Requirement::Public,
        user: None,
        patch: IdentityHeaders::new().into_patch(),
        assertion_ends_ms: i64::MAX,
        assertion_lifetime_ms: 0,
    };
    Passed {
        answer: Answer::Anonymous(Prefetched::new(allowed)),
        token_at,
        preflight: matched.preflight,
        request_id: engine.request_ids.next(),
        session: None,
    }
}
