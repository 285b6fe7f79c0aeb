//! Logout tokens, with which an issuer says that a session has ended: the rules of every token, and those of their own.

use serde_json::{Map, Value};

use super::{
    LOGOUT_EVENT, check_algorithm, check_audience, check_header_of, check_issuer, check_signature, check_status,
    check_times, choose_key, invalid, missing,
};
use crate::error::VerifyError;
use crate::header::is_same_type;
use crate::issuer::TrustedIssuer;
use crate::keys::KeySet;
use crate::parse::ParsedToken;

/// The type of logout tokens.
const LOGOUT_TYPE: &str = "logout+jwt";
/// Largest number of characters of a `sid`, a `sub` and a `jti`.
const TEXT_CHARS_MAX: usize = 256;

/// Contents of a verified logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4). Only
/// [`ParsedToken::verify_logout`] makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedLogout {
    subject: Option<String>,
    session: Option<String>,
    token_id: String,
    issued_at_ms: i64,
    expires_at_ms: Option<i64>,
}

impl VerifiedLogout {
    /// The user at the issuer (`sub`), if the token names one.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The session at the issuer (`sid`), if the token names one. It names at least one of the two.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Id of the token (`jti`), by which a second use is found.
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// Time of issue (`iat`), in milliseconds since the epoch.
    pub const fn issued_at_ms(&self) -> i64 {
        self.issued_at_ms
    }

    /// Time of expiry (`exp`), in milliseconds since the epoch; `None` if the issuer's tokens may lack it.
    pub const fn expires_at_ms(&self) -> Option<i64> {
        self.expires_at_ms
    }
}

impl std::fmt::Debug for VerifiedLogout {
    /// Without claim values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedLogout")
            .field("issued_at_ms", &self.issued_at_ms)
            .finish_non_exhaustive()
    }
}

impl ParsedToken<'_> {
    /// Proves a logout token against one issuer and its keys at one moment, `now_ms` milliseconds since the epoch.
    ///
    /// `required_claims` do not apply, because a logout token has no claims about its user. A second use of the same
    /// token is not found here: the caller keeps [`VerifiedLogout::token_id`].
    ///
    /// # Errors
    ///
    /// The first rule that the token breaks.
    ///
    /// SPEC: OpenID Connect Back-Channel Logout 1.0 section 2.6.
    pub fn verify_logout(
        self,
        issuer: &TrustedIssuer,
        keys: &KeySet,
        now_ms: i64,
    ) -> Result<VerifiedLogout, VerifyError> {
        let algorithm = check_algorithm(&self, Some(issuer))?;
        let hint = check_header_of(&self, |typ| is_same_type(typ, LOGOUT_TYPE))?;
        check_issuer(&self, issuer)?;
        check_status(issuer)?;
        let chosen = choose_key(&hint, keys, algorithm)?;
        check_signature(&self, &hint, &chosen, algorithm)?;
        let times = check_times(&self.claims, issuer, now_ms)?;
        check_audience(&self.claims, issuer)?;
        check_event(&self.claims)?;
        let subject = text(&self.claims, "sub")?;
        let session = text(&self.claims, "sid")?;
        if subject.is_none() && session.is_none() {
            return Err(missing(&self.claims, "sid"));
        }
        Ok(VerifiedLogout {
            subject,
            session,
            token_id: text(&self.claims, "jti")?.ok_or_else(|| missing(&self.claims, "jti"))?,
            issued_at_ms: times.issued_at_ms.ok_or_else(|| missing(&self.claims, "iat"))?,
            expires_at_ms: times.expires_at_ms,
        })
    }
}

/// Checks what tells a logout token from an ID token: the event, and no `nonce`.
///
/// SECURITY: an ID token that ends sessions would let every application that ever got one sign its user out.
fn check_event(claims: &Map<String, Value>) -> Result<(), VerifyError> {
    let events = claims.get("events").ok_or_else(|| missing(claims, "events"))?;
    if !events.get(LOGOUT_EVENT).is_some_and(Value::is_object) {
        return Err(invalid("events", "an object with the event of back-channel logout"));
    }
    if claims.contains_key("nonce") {
        return Err(invalid("nonce", "absent in a logout token"));
    }
    Ok(())
}

/// Returns a claim that is text of a sensible length, if it is there.
fn text(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(invalid(name, "text of 1 to 256 characters")),
    }
}
