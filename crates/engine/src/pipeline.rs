//! The straight line every request takes, whichever door it came through.
//!
//! ```text
//! path -> route -> token -> claims -> identity -> principal -> decision -> headers
//! ```
//!
//! No status codes, no logging, no configuration look-ups by name happen here; the doors translate, this decides.

use std::sync::Arc;

use http::Method;
use narthex_decision::{
    Decision, IdentityHeaders, Match, Preflight, Reason, RequestHost, RequestPath, Requirement, decide,
};
use narthex_directory::{SyncError, sync};
use narthex_mapping::Identity;
use narthex_token::{Fingerprint, KeySnapshot, VerifiedClaims, VerifyError};

use crate::cache::by_identity::Account;
use crate::cache::by_token::{Caller, Known, Seen, TokenKey};
use crate::cache::prefetch::Prefetched;
use crate::credentials::{self, Place, Token};
use crate::engine::Engine;
use crate::event::Event;
use crate::http_rules;
use crate::identity;
use crate::inbound::Inbound;
use crate::organization;
use crate::origin;
use crate::passed::{Allowed, Answer, Passed};
use crate::request_facts::HeldFacts;
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, MethodOverride, Runtime};
use narthex_clock::NewIds;
use smol_str::SmolStr;

/// Decides one request.
///
/// # Errors
///
/// A [`Refusal`] with the reason; nothing passes then.
pub async fn run(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>) -> Result<Passed, Refusal> {
    http_rules::method(inbound.method)?;
    let path = RequestPath::parse(inbound.path)
        .map_err(|problem| Refusal::because(Reason::RequestPath, problem.to_string()))?;
    let host = inbound
        .host
        .map(RequestHost::parse)
        .transpose()
        .map_err(|problem| http_rules::bad_host(problem.to_string()))?;
    let preflight_for = inbound.preflight_for();
    let matched = runtime
        .routes
        .find(inbound.method, host, path, preflight_for.as_ref())
        .ok_or(Refusal::new(Reason::RouteUnmatched))?;
    refuse_override(runtime, inbound, (host, path), &matched)?;
    if matched.preflight == Preflight::Yes {
        organization::refuse_no_name(&matched)?;
    }
    let Some((token, place)) = token(runtime, inbound, &matched)? else {
        return Ok(anonymous(engine, &matched, None));
    };
    if matched.preflight == Preflight::Yes {
        return Ok(anonymous(engine, &matched, Some(place)));
    }
    if let Place::Cookie(_) = place {
        origin::check(inbound, runtime.cors_origins(matched.route.index))?;
    }
    let now_ms = engine.clock.now_ms();
    let inbound = &Inbound {
        route: Some(matched.route.index),
        ..*inbound
    };
    let here = |refusal: Refusal| refusal.in_organization(matched.organization);
    let kept = kept(engine, runtime, inbound, (token, &place), now_ms)
        .await
        .map_err(here)?;
    let answer = match kept {
        Kept(_, Some(Seen::Again(decided))) if decided.answers(&matched, now_ms) => Answer::Token(decided),
        kept => Box::pin(decided(
            engine,
            runtime,
            inbound,
            (kept, token, &place),
            &matched,
            now_ms,
        ))
        .await
        .map_err(here)?,
    };
    Ok(Passed {
        answer,
        place: Some(place),
        preflight: Preflight::No,
        request_id: engine.request_ids.next(),
    })
}

/// Refuses a request that asks the application for another method than the one it is decided by.
///
/// SECURITY: many frameworks carry out the method of `X-HTTP-Method-Override`. A preflight loses such a header.
fn refuse_override(
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (host, path): (Option<RequestHost<'_>>, RequestPath<'_>),
    matched: &Match<'_>,
) -> Result<(), Refusal> {
    let route = matched.route;
    let mut others = http_rules::overriding_methods(inbound.headers, inbound.method).peekable();
    if others.peek().is_none()
        || matched.preflight == Preflight::Yes
        || runtime.method_override(route.index) == MethodOverride::Allow
    {
        return Ok(());
    }
    let is_for_methods = !route.spec.methods.is_empty();
    let leads_elsewhere = |method: Option<Method>| {
        let found = method.and_then(|method| runtime.routes.find(&method, host, path, None));
        found.is_none_or(|found| found.route.index != route.index)
    };
    if is_for_methods || others.any(leads_elsewhere) {
        return Err(Refusal::because(
            Reason::RequestUnforwardable,
            "a header (`X-HTTP-Method-Override` or the like) names another method than the request's own",
        ));
    }
    Ok(())
}

/// A decision that is not kept with the token: the account's, or a new one.
async fn decided(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    presented: (Kept, Token<'_>, &Place),
    matched: &Match<'_>,
    now_ms: i64,
) -> Result<Answer, Refusal> {
    let Kept(key, ref seen) = presented.0;
    let seen_before = seen.is_some();
    let known = known(engine, runtime, inbound, presented, now_ms).await?;
    let allowed = match known.allowed(matched, now_ms) {
        Some(allowed) => allowed,
        None => allow(engine, runtime, &known, matched, now_ms).await?,
    };
    if seen_before {
        engine.callers.decide(key, &known.seen, &allowed, now_ms);
    }
    Ok(Answer::Account(allowed, known.seen))
}

/// The one token of the request; `None` where there is none and the route does not ask for one.
fn token<'r>(
    runtime: &Runtime,
    inbound: &Inbound<'r>,
    matched: &Match<'_>,
) -> Result<Option<(Token<'r>, Place)>, Refusal> {
    let places = runtime.places_on(matched.route.index);
    match credentials::present(inbound.headers, inbound.query, &places).one()? {
        // SECURITY: only "nothing presented" passes as nobody; a bad token never falls back to it. A preflight carries none
        // (Fetch standard); one that does is not asked whose it is, and loses it.
        None if !matched.route.is_public() && matched.preflight == Preflight::No => {
            Err(Refusal::new(Reason::TokenMissing))
        }
        presented => Ok(presented),
    }
}

/// What is kept of a token, while it stands.
struct Kept(TokenKey, Option<Seen>);

/// Looks what is kept of a token.
async fn kept(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, place): (Token<'_>, &Place),
    now_ms: i64,
) -> Result<Kept, Refusal> {
    engine.contact.ensure(&*engine.directory, &engine.clock, now_ms).await?;
    let key = engine.callers.key(token);
    let seen = engine.callers.fresh(key, runtime.generation, &engine.versions, now_ms);
    if let Some(seen) = &seen {
        accept(runtime, inbound, seen.caller(), place)?;
    }
    Ok(Kept(key, seen))
}

/// Who the token speaks for.
pub async fn who(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, place): (Token<'_>, &Place),
    now_ms: i64,
) -> Result<Known, Refusal> {
    let kept = kept(engine, runtime, inbound, (token, place), now_ms).await?;
    known(engine, runtime, inbound, (kept, token, place), now_ms).await
}

/// Who the token speaks for: what is kept, or the whole way.
async fn known(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (Kept(key, seen), token, place): (Kept, Token<'_>, &Place),
    now_ms: i64,
) -> Result<Known, Refusal> {
    if let Some(known) = seen.and_then(Known::of) {
        return Ok(known);
    }
    let (caller, account) = authenticate(engine, runtime, inbound, token, now_ms).await?;
    engine.callers.remember(key, &caller);
    accept(runtime, inbound, &caller, place)?;
    Ok(Known {
        seen: Seen::Once(caller),
        account,
    })
}

/// SECURITY: a place that only one issuer's tokens may come in is no place for another's.
fn accept(runtime: &Runtime, inbound: &Inbound<'_>, caller: &Caller, place: &Place) -> Result<(), Refusal> {
    let accepted =
        caller.issuer.places.contains(place) || inbound.route.is_some_and(|route| runtime.route_accepts(route, place));
    if accepted {
        Ok(())
    } else {
        Err(Refusal::because(
            Reason::TokenMissing,
            "the token is in a place where this issuer's tokens are not accepted",
        ))
    }
}

/// Token, claims, identity, principal.
async fn authenticate(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    token: Token<'_>,
    now_ms: i64,
) -> Result<(Arc<Caller>, Prefetched<Account>), Refusal> {
    let token = token.word()?;
    let (issuer, claims, keys) = verify(runtime, token, now_ms).await?;
    let facts = HeldFacts::new(&issuer.mapping, inbound.headers, inbound.query);
    let identity = issuer
        .mapping
        .map(&claims, &facts.facts(), now_ms)
        .map_err(|error| Refusal::from(&error).of_issuer(&issuer.name))?;
    let account = account(engine, runtime, &issuer, identity, (token, now_ms))
        .await
        .map_err(|refusal| refusal.of_issuer(&issuer.name))?;
    let caller = Arc::new(Caller::new(
        issuer,
        &account,
        &claims,
        (runtime.generation, &keys),
        now_ms,
    ));
    Ok((caller, account))
}

/// The claims of a good token, and the keys they were verified with. Where the right key was not there, the issuer is
/// asked for newer ones and the token is verified once more, if the key cache allows it.
async fn verify(
    runtime: &Runtime,
    token: &str,
    now_ms: i64,
) -> Result<(Arc<IssuerRuntime>, VerifiedClaims, Arc<KeySnapshot>), Refusal> {
    let refused = |error: VerifyError| Refusal::from(&error);
    let parsed = narthex_token::parse(token, &runtime.token_limits).map_err(refused)?;
    let trusted = runtime.issuers.select(&parsed).map_err(refused)?;
    let issuer = runtime.issuer(trusted).map_err(refused)?;
    let mut first = Some(parsed);
    let (claims, keys) = issuer
        .keys
        .verify_with(now_ms, |keys| match first.take() {
            Some(parsed) => parsed.verify(trusted, keys, now_ms),
            None => narthex_token::parse(token, &runtime.token_limits)?.verify(trusted, keys, now_ms),
        })
        .await
        .map_err(|error| refused(error).of_issuer(&issuer.name))?;
    Ok((Arc::clone(issuer), claims, keys))
}

/// Who the directory agrees this is. A fresh token that says the same as the last one costs no look into the store.
async fn account(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &IssuerRuntime,
    identity: Identity,
    (token, now_ms): (&str, i64),
) -> Result<Prefetched<Account>, Refusal> {
    let generation = runtime.generation;
    let mut desired = identity.into_desired();
    let key = engine.accounts.key(&desired);
    let touch_every_ms = issuer.policy.touch_interval_ms();
    let unchanged = engine
        .accounts
        .unchanged((&desired, key), generation, &*engine.directory, touch_every_ms, now_ms);
    if let Some(unchanged) = unchanged {
        return Ok(unchanged);
    }
    desired.token.sha256_prefix = Some(Fingerprint::of(token).to_string());
    let mut ids = NewIds::new().map_err(|_| Refusal::new(Reason::StoreUnavailable))?;
    let in_force = &runtime.in_force;
    let synced = sync(&*engine.directory, &desired, &issuer.policy, in_force, now_ms, &mut ids)
        .await
        .map_err(|error| refuse_sync(engine, &error))?;
    Event::Synced {
        issuer: issuer.name.as_str(),
        plan: &synced.plan,
    }
    .tell(&engine.metrics);
    let principal = Arc::clone(&synced.principal);
    // SECURITY: an older token gets what the directory says and is not what was agreed on; were it kept, a newer token
    // that says the same as it would be taken for unchanged, and what it takes away would stay. One that was given less than
    // it asks for, because the user was changed too often, asks again.
    if synced.plan.stale_token || synced.plan.observed || synced.plan.limited {
        return Ok(Prefetched::new(Account::new(principal)));
    }
    let told = (principal, &synced.plan.touch);
    Ok(engine.accounts.agree((&desired, key), told, generation))
}

fn refuse_sync(engine: &Engine, error: &SyncError) -> Refusal {
    match error {
        SyncError::Refused(refusal) => refusal.into(),
        // The details of a failing store are for the log, not for the caller.
        other => {
            if let Some(unsaid) = engine.no_answer.due() {
                tracing::error!(error = %other, unsaid, "the directory gave no answer");
            }
            Refusal::new(Reason::StoreUnavailable)
        }
    }
}

/// Decides, and builds what the upstream will see.
async fn allow(
    engine: &Engine,
    runtime: &Runtime,
    known: &Known,
    matched: &Match<'_>,
    now_ms: i64,
) -> Result<Prefetched<Allowed>, Refusal> {
    let principal = &known.account.principal;
    let organization = organization::facts(&*engine.directory, Some(principal), matched)
        .await
        .map_err(|error| refuse_sync(engine, &SyncError::Store(error)))?;
    match decide(matched, Some(principal), &organization) {
        Decision::Allow(permit) => {
            let allowed = Prefetched::new(identity::allowed(engine, runtime, known, matched, &permit, now_ms));
            known.account.remember(matched, &allowed);
            Ok(allowed)
        }
        Decision::Deny(denial) => {
            let required: Vec<String> = denial.required.iter().map(Requirement::to_string).collect();
            let refusal = Refusal::denied(&denial, format!("needs {}", required.join(" or ")));
            let issuer = &known.seen.caller().issuer.name;
            Err(refusal.of_issuer(issuer).of_user(principal.user().id))
        }
    }
}

/// Somebody who is not asked for a token. What was presented all the same is at `place`.
fn anonymous(engine: &Engine, matched: &Match<'_>, place: Option<Place>) -> Passed {
    let allowed = Allowed {
        route: matched.route.index,
        organization: matched.organization.map(SmolStr::new),
        rule: Requirement::Public,
        user: None,
        patch: IdentityHeaders::new().into_patch(),
        assertion_ends_ms: i64::MAX,
        assertion_lifetime_ms: 0,
    };
    Passed {
        answer: Answer::Anonymous(Prefetched::new(allowed)),
        place,
        preflight: matched.preflight,
        request_id: engine.request_ids.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decision serves another token only while its assertion lasts about as long as one made for that token would.
    #[test]
    fn a_kept_assertion_serves_a_token_for_which_a_new_one_would_last_little_longer() {
        let signed = |ends_ms| Allowed {
            route: 0,
            organization: None,
            rule: Requirement::Public,
            user: None,
            patch: IdentityHeaders::new().into_patch(),
            assertion_ends_ms: ends_ms,
            assertion_lifetime_ms: 300_000,
        };
        for (assertion_ends, token_ends, now, serves) in [
            // The token that it was signed for, to its end: a new one would end then too.
            (3_000, Some(3_000), 0, true),
            (3_000, Some(3_000), 2_900, true),
            // One that lasts an hour.
            (3_000, Some(3_600_000), 0, false),
            (300_000, Some(3_600_000), 239_000, true),
            (300_000, Some(3_600_000), 241_000, false),
            (3_000, None, 0, false),
            (300_000, None, 239_000, true),
            (300_000, None, 241_000, false),
            // One that ends sooner.
            (300_000, Some(299_999), 0, false),
            // What has ended.
            (3_000, Some(3_000), 3_000, false),
            (3_000, Some(63_000), 4_000, false),
        ] {
            assert_eq!(
                signed(assertion_ends).serves(token_ends, now),
                serves,
                "assertion {assertion_ends}, token {token_ends:?}, now {now}"
            );
        }
    }
}
