//! Codes that stand for the token of an embedded login: once, for a minute.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use narthex_decision::Reason;
use narthex_directory::{IssuerName, ONE_TIME_VALUES_MAX, OneTimeKind, OneTimeValue, SessionId};
use narthex_engine::respond::Refusal;
use narthex_engine::session::{self, EmbeddedLogin};
use narthex_engine::{Engine, Runtime};
use narthex_session::Owner;
use narthex_session::cookie::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::sign_in::keys;

/// Time within which a code is used, in seconds.
pub(crate) const CODE_SECONDS: u32 = 60;

/// Content of a code.
pub(crate) struct CodeContent {
    /// The login that it stands for.
    pub(crate) login: EmbeddedLogin,
    /// Session that its use replaces: one whose cookie the browser may have dropped.
    pub(crate) replaces: Option<SessionId>,
}

/// The content as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    token: String,
    body: Option<Value>,
    replaces: Option<String>,
}

/// Draws a code for a login at an issuer, and stores its content, sealed.
///
/// # Errors
///
/// `store.unavailable`: also while too many codes wait for their use.
pub(crate) async fn put(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &IssuerName,
    content: &CodeContent,
) -> Result<Secret, Refusal> {
    let keys = keys(runtime)?;
    let code = Secret::draw().map_err(|_| Refusal::new(Reason::StoreUnavailable))?;
    let hash = code.hash();
    let sealed = Sealed {
        token: content.login.token.to_string(),
        body: content.login.body.clone(),
        replaces: content.replaces.map(|id| id.to_string()),
    };
    let cannot = || Refusal::logged(Reason::StoreUnavailable, "the token of a code cannot be encrypted");
    let plain = Zeroizing::new(serde_json::to_vec(&sealed).map_err(|_| cannot())?);
    let name = BASE64_URL_SAFE_NO_PAD.encode(hash.0);
    let now_ms = engine.clock.now_ms();
    let value = OneTimeValue {
        kind: OneTimeKind::LoginCode,
        hash,
        sealed: keys.seal(&plain, owner(&name, issuer)).map_err(|_| cannot())?,
        expires_at_ms: now_ms.saturating_add(i64::from(CODE_SECONDS) * 1000),
    };
    let put = engine.directory.put_once(value, ONE_TIME_VALUES_MAX, now_ms).await;
    put.map_err(|error| session::unavailable(engine, error))?;
    Ok(code)
}

/// Takes the content of a code: once, whatever the number of requests and nodes. `None` for a code that was used, is too old
/// or is of another issuer.
pub(crate) async fn take(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &IssuerName,
    code: &Secret,
) -> Result<Option<CodeContent>, Refusal> {
    let hash = code.hash();
    let taken = engine
        .directory
        .take_once(OneTimeKind::LoginCode, hash, engine.clock.now_ms())
        .await;
    let sealed = taken.map_err(|error| session::unavailable(engine, error))?;
    let keys = keys(runtime)?;
    Ok(sealed.and_then(|sealed| {
        let name = BASE64_URL_SAFE_NO_PAD.encode(hash.0);
        let opened = keys.open(&sealed, owner(&name, issuer)).ok()?;
        content(&opened.plain)
    }))
}

fn content(plain: &[u8]) -> Option<CodeContent> {
    let sealed: Sealed = serde_json::from_slice(plain).ok()?;
    Some(CodeContent {
        login: EmbeddedLogin {
            token: Zeroizing::new(sealed.token),
            body: sealed.body,
        },
        replaces: sealed.replaces.and_then(|id| id.parse().ok()),
    })
}

/// SECURITY: a code of one issuer does not open for another, whose parents are others.
fn owner<'a>(name: &'a str, issuer: &'a IssuerName) -> Owner<'a> {
    Owner {
        kind: "login_code",
        name,
        organization: None,
        governed_by: issuer.as_str(),
    }
}
