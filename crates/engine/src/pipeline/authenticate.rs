//! Token, claims, identity, principal: the stretch of the line that the caches shorten.

use std::sync::Arc;

use narthex_clock::NewIds;
use narthex_decision::{Match, Reason};
use narthex_directory::{MachineKeyError, SyncError, load_machine_key, sync};
use narthex_listener::clients::counted_as;
use narthex_mapping::Identity;
use narthex_revocation::{TokenFacts, content_name};
use narthex_token::{Fingerprint, KeySnapshot, Limits, VerifiedClaims, VerifyError};
use serde_json::Value;
use tracing::Instrument as _;

use crate::cache::by_identity::Account;
use crate::cache::by_token::{CachedToken, Caller, KnownCaller, TokenKey};
use crate::cache::prefetch::Prefetched;
use crate::credentials::{self, FoundAt, Place, Token};
use crate::dpop::prove;
use crate::engine::Engine;
use crate::event::Event;
use crate::inbound::Inbound;
use crate::machine_key::{WRONG_PLACE, is_api_key, is_machine_key, machine_key_hash};
use crate::opaque;
use crate::request_facts::OwnedRequestFacts;
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, Runtime};
use crate::session;
use crate::trace::step;

/// Returns the one token of the request; `None` if there is none.
pub(super) fn token<'r>(
    runtime: &Runtime,
    inbound: &Inbound<'r>,
    matched: &Match<'_>,
) -> Result<Option<(Token<'r>, FoundAt)>, Refusal> {
    let places = runtime.places_on(matched.route.index);
    // SECURITY: only a request without a token passes as anonymous; one with a bad token never does. A preflight
    // carries none (Fetch standard); if one does, the token is not verified, and is removed.
    credentials::present(inbound.headers, inbound.query, places).one()
}

/// Time for which an account is cached whose token names a record that is not there, in milliseconds.
const UNKNOWN_NAMES_MS: i64 = 1_000;

/// Lookup of a request's token in the cache.
pub(super) struct CacheLookup<'r> {
    token: Token<'r>,
    at: &'r FoundAt,
    /// Cache key of the token.
    pub(super) key: TokenKey,
    /// The cached answer while it stands.
    pub(super) cached: Option<CachedToken>,
    /// True if the proof that a cached token needs was checked.
    proved: bool,
}

/// Looks up the cached answer of a token.
pub(super) async fn look_up<'r>(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (Token<'r>, &'r FoundAt),
    now_ms: i64,
) -> Result<CacheLookup<'r>, Refusal> {
    engine.contact.ensure(&*engine.directory, &engine.clock, now_ms).await?;
    let key = match at.session_issuer() {
        Some(_) => engine.callers.session_key(token),
        None => engine.callers.key(token),
    };
    let cached = engine.callers.fresh(key, runtime.generation, &engine.versions, now_ms);
    if let Some(cached) = &cached {
        match cached.caller().issuer() {
            Some(issuer) => accept(runtime, inbound, issuer, at)?,
            None => accept_machine_key(at)?,
        }
        // SECURITY: a cached answer is for the holder of the key, not for the holder of the token.
        let bound_to = cached.caller().bound_to();
        if bound_to.is_some() || is_dpop(at) {
            let presented = (token.word()?, at);
            Box::pin(prove(engine, runtime, inbound, presented, bound_to, now_ms)).await?;
        }
    }
    Ok(CacheLookup {
        token,
        at,
        key,
        proved: cached.is_some(),
        cached,
    })
}

/// Returns the user that the token speaks for.
pub async fn who(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (Token<'_>, &FoundAt),
    now_ms: i64,
) -> Result<KnownCaller, Refusal> {
    let lookup = look_up(engine, runtime, inbound, (token, at), now_ms).await?;
    known(engine, runtime, inbound, lookup, now_ms).await
}

/// Returns the user that the token speaks for: from the cache, or through all steps.
pub(super) async fn known(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    lookup: CacheLookup<'_>,
    now_ms: i64,
) -> Result<KnownCaller, Refusal> {
    let CacheLookup {
        token,
        at,
        key,
        cached,
        proved,
    } = lookup;
    if let Some(known) = cached.and_then(KnownCaller::of) {
        return Ok(known);
    }
    // SECURITY: a credential with the form of a machine key is never tried as a token, and never looked up from another
    // place than its own. One with the form of an API key is shown to no issuer, which would be asked about it as an opaque token.
    let (caller, account) = if is_api_key(token.bytes()) {
        return Err(Refusal::because(
            Reason::TokenMalformed,
            "this is a key of the admin API, and no token",
        ));
    } else if is_machine_key(token.bytes()) {
        accept_machine_key(at)?;
        of_machine_key(engine, runtime, token, now_ms).await?
    } else {
        authenticate(engine, runtime, inbound, (token, at, proved), now_ms).await?
    };
    engine.callers.remember(key, &caller);
    Ok(KnownCaller {
        seen: CachedToken::Once(caller),
        account,
    })
}

/// SECURITY: a place that is only for one issuer's tokens is no place for another issuer's. A token there counts as absent: it
/// is neither proved nor does it change the directory.
fn accept(runtime: &Runtime, inbound: &Inbound<'_>, issuer: &IssuerRuntime, at: &FoundAt) -> Result<(), Refusal> {
    let allowed = &issuer.places;
    let of_session = at.session_issuer().is_some_and(|of| *of == issuer.name);
    let accepted = of_session
        || inbound.route.is_some_and(|route| runtime.has_own_places(route))
        || at.iter().any(|place| allowed.contains(place));
    if accepted {
        return Ok(());
    }
    Err(Refusal {
        problem: Some("the token is in a place where this issuer's tokens are not accepted".to_owned()),
        ..allowed.missing()
    })
}

/// SECURITY: a machine key lives for months, so it must not be where addresses are logged and pages are shared: it counts
/// in `Authorization` alone, whatever places a route or an issuer has for tokens. At the admin port it counts nowhere.
fn accept_machine_key(at: &FoundAt) -> Result<(), Refusal> {
    if at.iter().any(|place| *place == Place::Authorization) {
        return Ok(());
    }
    Err(Refusal {
        problem: Some(WRONG_PLACE.to_owned()),
        ..Refusal::new(Reason::TokenMissing)
    })
}

/// Returns the caller with a machine key: found by the hash of the key, with the role of its record.
async fn of_machine_key(
    engine: &Engine,
    runtime: &Runtime,
    token: Token<'_>,
    now_ms: i64,
) -> Result<(Arc<Caller>, Prefetched<Account>), Refusal> {
    let hash = machine_key_hash(token.word()?).ok_or_else(|| Refusal::from(&MachineKeyError::Unknown))?;
    let loaded = load_machine_key(&*engine.directory, hash, now_ms)
        .await
        .map_err(|error| match error {
            MachineKeyError::Store(error) => refuse_sync(engine, &SyncError::Store(error)),
            error => Refusal::from(&error),
        })?;
    let key = loaded.key;
    engine.machine_key_uses.note(&key, now_ms);
    let account = engine.accounts.keep(Account::new(loaded.principal, Box::default()));
    let caller = Caller::of_machine_key(key.id, &account, key.expires_at_ms, runtime.generation, now_ms);
    Ok((Arc::new(caller), account))
}

/// Runs the steps from the token to claims, identity and principal.
async fn authenticate(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at, proved): (Token<'_>, &FoundAt, bool),
    now_ms: i64,
) -> Result<(Arc<Caller>, Prefetched<Account>), Refusal> {
    let token = token.word()?;
    let verified = verify_presented(runtime, inbound, (token, at), now_ms)
        .instrument(step!("verify"))
        .await?;
    if !proved {
        let bound_to = verified.claims.bound_to();
        prove(engine, runtime, inbound, (token, at), bound_to, now_ms)
            .await
            .map_err(|refusal| refusal.of_issuer(&verified.issuer.name))?;
    }
    identified(engine, runtime, inbound, verified, (token, at.login_body(), now_ms)).await
}

/// Verifies the token of a request: as an ID token if it is the one of a session.
async fn verify_presented(
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (&str, &FoundAt),
    now_ms: i64,
) -> Result<VerifiedToken, Refusal> {
    match at.session_issuer() {
        Some(issuer) if at.is_embedded() => {
            let verified = verify_embedded(runtime, token, now_ms).await?;
            // SECURITY: a session is one of its issuer for good, also if another one takes over its `iss`.
            Some(verified)
                .filter(|verified| verified.issuer.name == *issuer)
                .ok_or_else(session::ended)
        }
        Some(issuer) => {
            let (issuer, _) = runtime.sign_in_at(issuer.as_str()).ok_or_else(session::ended)?;
            verify_id_token(issuer, token, &runtime.token_limits, now_ms).await
        }
        None => verify(runtime, inbound, (token, at), now_ms).await,
    }
}

/// Tests whether a token came as one that is bound to a key.
fn is_dpop(at: &FoundAt) -> bool {
    at.iter().any(|place| *place == Place::Dpop)
}

/// Runs the steps from the claims of a token to identity and principal.
pub(crate) async fn identified(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    verified: VerifiedToken,
    (token, body, now_ms): (&str, Option<&Value>, i64),
) -> Result<(Arc<Caller>, Prefetched<Account>), Refusal> {
    let VerifiedToken { issuer, claims, keys } = verified;
    // SECURITY: before anything of the token counts, and again when its account is known: cached answers rest on the account,
    // and a revocation that came meanwhile is not older than that.
    refuse_revoked(engine, &issuer, &claims, token).await?;
    let facts = OwnedRequestFacts::new(&issuer.mapping, inbound.headers, inbound.query);
    let facts = facts.with_body(&issuer.mapping, body);
    let identity = step!("map")
        .in_scope(|| issuer.mapping.map(&claims, &facts.facts(), now_ms))
        .map_err(|error| Refusal::from(&error).of_issuer(&issuer.name))?;
    let account = account(engine, runtime, &issuer, identity, (token, now_ms))
        .instrument(step!("sync"))
        .await
        .map_err(|refusal| refusal.of_issuer(&issuer.name))?;
    refuse_revoked(engine, &issuer, &claims, token).await?;
    let basis = (runtime.generation, keys.as_deref());
    let caller = Caller::new(issuer, &account, &claims, basis, now_ms);
    let caller = caller.with_scopes(runtime.kept_scopes.among(claims.claims()));
    Ok((Arc::new(caller), account))
}

/// Refuses a token that an administrator revoked.
async fn refuse_revoked(
    engine: &Engine,
    issuer: &IssuerRuntime,
    claims: &VerifiedClaims,
    token: &str,
) -> Result<(), Refusal> {
    let learned = engine.revocations.learn(&*engine.directory).await;
    learned.map_err(|error| refuse_sync(engine, &SyncError::Store(error)))?;
    let facts = TokenFacts {
        issuer: &issuer.name,
        id: claims.token_id(),
        issued_at_ms: claims.issued_at_ms(),
    };
    if engine.revocations.refuses(facts, || content_name(token)) {
        return Err(revoked().of_issuer(&issuer.name));
    }
    Ok(())
}

/// Returns the refusal of a token that an administrator revoked.
pub fn revoked() -> Refusal {
    Refusal::because(Reason::TokenRevoked, "an administrator has revoked this token")
}

/// A token that an issuer's keys verified.
pub(crate) struct VerifiedToken {
    pub(crate) issuer: Arc<IssuerRuntime>,
    pub(crate) claims: VerifiedClaims,
    /// Keys that verified it; `None` for an opaque token.
    keys: Option<Arc<KeySnapshot>>,
}

/// Verifies an ID token for the client of an issuer (OpenID Connect Core 1.0 section 3.1.3.7).
///
/// SECURITY: the client id is the audience of these tokens alone. The same token sent as a bearer token goes through
/// [`verify`], with the audiences of the issuer.
pub(crate) async fn verify_id_token(
    issuer: &Arc<IssuerRuntime>,
    token: &str,
    limits: &Limits,
    now_ms: i64,
) -> Result<VerifiedToken, Refusal> {
    let sign_in = issuer.sign_in.as_ref().ok_or_else(session::ended)?;
    let refused = |error: VerifyError| Refusal::from(&error).of_issuer(&issuer.name);
    let (claims, keys) = issuer
        .keys
        .verify_with(now_ms, |keys| {
            narthex_token::parse(token, limits)?.verify(&sign_in.trusted, keys, now_ms)
        })
        .await
        .map_err(refused)?;
    if !is_for(&claims, sign_in.client.client_id()) {
        let why = "the ID token was issued to another client (claim `azp`)";
        return Err(Refusal::because(Reason::TokenAudience, why).of_issuer(&issuer.name));
    }
    Ok(VerifiedToken {
        issuer: Arc::clone(issuer),
        claims,
        keys: Some(keys),
    })
}

/// Verifies the token of an embedded login: as every token, by the rules of its issuer, which has to allow such logins.
///
/// SECURITY: a token that is bound to a key of its sender is refused: no browser has that key in a frame.
pub(crate) async fn verify_embedded(runtime: &Runtime, token: &str, now_ms: i64) -> Result<VerifiedToken, Refusal> {
    let issuer = embedded_issuer(runtime, token)?;
    let refused = |error: VerifyError| Refusal::from(&error).of_issuer(&issuer.name);
    let (claims, keys) = issuer
        .keys
        .verify_with(now_ms, |keys| {
            narthex_token::parse(token, &runtime.token_limits)?.verify(&issuer.trusted, keys, now_ms)
        })
        .await
        .map_err(refused)?;
    if claims.bound_to().is_some() {
        return Err(Refusal::new(Reason::TokenBound).of_issuer(&issuer.name));
    }
    Ok(VerifiedToken {
        issuer: Arc::clone(issuer),
        claims,
        keys: Some(keys),
    })
}

/// Returns the issuer that a token names, if it allows embedded logins. Nothing about the token is proved by that.
pub(crate) fn embedded_issuer<'r>(runtime: &'r Runtime, token: &str) -> Result<&'r Arc<IssuerRuntime>, Refusal> {
    let refused = |error: VerifyError| Refusal::from(&error);
    let parsed = narthex_token::parse(token, &runtime.token_limits).map_err(refused)?;
    let trusted = runtime.issuers.select(&parsed).map_err(refused)?;
    let issuer = runtime.issuer(trusted).map_err(refused)?;
    if issuer.embedding.is_some() {
        return Ok(issuer);
    }
    let refusal = Refusal {
        detail: Some("the issuer has no `frame_ancestors`, so its tokens begin no session in a frame".to_owned()),
        ..Refusal::because(Reason::SignInRefused, "tokens of this issuer do not sign in here")
    };
    Err(refusal.of_issuer(&issuer.name))
}

/// Tests whether a client is the one that a token was issued to. With several audiences, the token must say so.
fn is_for(claims: &VerifiedClaims, client_id: &str) -> bool {
    let several = claims.claims().get("aud").and_then(Value::as_array);
    match claims.claims().get("azp") {
        Some(party) => party.as_str() == Some(client_id),
        None => several.is_none_or(|audiences| audiences.len() <= 1),
    }
}

/// Verifies a token. If the right key is missing, the issuer is asked
/// for newer keys and the token is verified once more, if the key cache allows it.
async fn verify(
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (token, at): (&str, &FoundAt),
    now_ms: i64,
) -> Result<VerifiedToken, Refusal> {
    if let Some(asked) = opaque::issuer_of(runtime, inbound.route, token) {
        accept(runtime, inbound, asked.0, at)?;
        let claims = opaque::verify(asked, token, inbound.client().map(counted_as), now_ms).await?;
        return Ok(VerifiedToken {
            issuer: Arc::clone(asked.0),
            claims,
            keys: None,
        });
    }
    let refused = |error: VerifyError| Refusal::from(&error);
    let parsed = narthex_token::parse(token, &runtime.token_limits).map_err(refused)?;
    let trusted = runtime.issuers.select(&parsed).map_err(refused)?;
    let issuer = runtime.issuer(trusted).map_err(refused)?;
    accept(runtime, inbound, issuer, at)?;
    let mut first = Some(parsed);
    let (claims, keys) = issuer
        .keys
        .verify_with(now_ms, |keys| match first.take() {
            Some(parsed) => parsed.verify(trusted, keys, now_ms),
            None => narthex_token::parse(token, &runtime.token_limits)?.verify(trusted, keys, now_ms),
        })
        .await
        .map_err(|error| refused(error).of_issuer(&issuer.name))?;
    Ok(VerifiedToken {
        issuer: Arc::clone(issuer),
        claims,
        keys: Some(keys),
    })
}

/// Returns the account that the directory agrees on. A fresh token with the same content as the last one needs no
/// look-up in the store.
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
    let active_issuers = &runtime.active_issuers;
    let synced = sync(
        &*engine.directory,
        &desired,
        &issuer.policy,
        active_issuers,
        now_ms,
        &mut ids,
    )
    .await
    .map_err(|error| refuse_sync(engine, &error))?;
    Event::Synced {
        issuer: issuer.name.as_str(),
        plan: &synced.plan,
    }
    .tell(&engine.metrics);
    let principal = Arc::clone(&synced.principal);
    let tags = runtime.kept_tags.among(&desired.tags);
    // SECURITY: an older token gets the directory's present state, and that was not agreed with it. If it were cached,
    // a newer token with the same content would be taken for unchanged, and the roles that it takes away would stay. A
    // token that got less than it asks for, because the user was changed too often, asks again. So does one of a user whom
    // the identity provider has logged out lately: an older token with the same content is refused.
    let plan = &synced.plan;
    if plan.stale_token || plan.observed || plan.limited || plan.refused_before_ms.is_some() {
        return Ok(Prefetched::new(Account::new(principal, tags)));
    }
    // Another token may create what this one names and does not find, without a version that moves.
    let ends_ms = plan.names_unknown().then(|| now_ms.saturating_add(UNKNOWN_NAMES_MS));
    let told = (principal, &plan.touch, tags);
    Ok(engine.accounts.agree_until((&desired, key), told, generation, ends_ms))
}

pub(crate) fn refuse_sync(engine: &Engine, error: &SyncError) -> Refusal {
    match error {
        SyncError::Refused(refusal) => refusal.into(),
        // The details of a failing store are for the log, not for the client.
        other => {
            if let Some(unsaid) = engine.no_answer.due() {
                tracing::error!(error = %other, unsaid, "the directory gave no answer");
            }
            Refusal::new(Reason::StoreUnavailable)
        }
    }
}
