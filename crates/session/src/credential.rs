//! Credential of a session, and its seal.

use narthex_directory::{SecretBytes, Session, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::seal::{Owner, SealError, SealingKeys};

/// Longest time before the end of a token at which it is renewed, in milliseconds.
const AHEAD_MS_MAX: i64 = 60_000;
/// Share of a token's life before its end at which it is renewed, if that is less.
const AHEAD_SHARE: i64 = 5;

/// Token of a session, and the means to renew it.
pub struct Credential {
    /// The token.
    pub token: Zeroizing<String>,
    /// The refresh token, if there is one.
    pub refresh_token: Option<Zeroizing<String>>,
    /// Nonce of the sign-in, which a later ID token may repeat.
    pub nonce: Zeroizing<String>,
    /// Time at which the token was obtained, in milliseconds.
    pub obtained_at_ms: i64,
    /// Time at which the token ends, in milliseconds.
    pub ends_at_ms: i64,
    /// Body of an embedded login, without the token, if the mapping of its issuer reads it.
    pub body: Option<Value>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(***)")
    }
}

/// The credential as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed<'c> {
    token: std::borrow::Cow<'c, str>,
    refresh_token: Option<std::borrow::Cow<'c, str>>,
    nonce: std::borrow::Cow<'c, str>,
    obtained_at_ms: i64,
    ends_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl Credential {
    /// Tests whether the token is to be renewed now: a while before its end, so that no request waits for it.
    pub fn is_due(&self, now_ms: i64) -> bool {
        let life_ms = self.ends_at_ms.saturating_sub(self.obtained_at_ms);
        let ahead_ms = (life_ms / AHEAD_SHARE).clamp(0, AHEAD_MS_MAX);
        self.refresh_token.is_some() && now_ms >= self.ends_at_ms.saturating_sub(ahead_ms)
    }

    /// Seals the credential of a session.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(&self, keys: &SealingKeys, id: SessionId, issuer: &str) -> Result<SecretBytes, SealError> {
        let sealed = Sealed {
            token: self.token.as_str().into(),
            refresh_token: self.refresh_token.as_ref().map(|token| token.as_str().into()),
            nonce: self.nonce.as_str().into(),
            obtained_at_ms: self.obtained_at_ms,
            ends_at_ms: self.ends_at_ms,
            body: self.body.clone(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&sealed).map_err(|_| SealError::Cipher)?);
        keys.seal(&plain, owner(&id.to_string(), issuer))
    }

    /// Opens the credential of a session; `None` if it was sealed with another key, or for another session.
    pub fn open(keys: &SealingKeys, session: &Session) -> Option<Self> {
        let issuer = session.issuer.as_ref()?;
        let opened = keys
            .open(&session.sealed, owner(&session.id.to_string(), issuer.as_str()))
            .ok()?;
        let sealed: Sealed<'_> = serde_json::from_slice(&opened.plain).ok()?;
        Some(Self {
            token: Zeroizing::new(sealed.token.into_owned()),
            refresh_token: sealed.refresh_token.map(|token| Zeroizing::new(token.into_owned())),
            nonce: Zeroizing::new(sealed.nonce.into_owned()),
            obtained_at_ms: sealed.obtained_at_ms,
            ends_at_ms: sealed.ends_at_ms,
            body: sealed.body,
        })
    }
}

/// SECURITY: the credential of one session does not open in the record of another, nor for another issuer.
const fn owner<'a>(id: &'a str, issuer: &'a str) -> Owner<'a> {
    Owner {
        kind: "session",
        name: id,
        organization: None,
        governed_by: issuer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(obtained_at_ms: i64, ends_at_ms: i64, refresh: Option<&str>) -> Credential {
        Credential {
            token: Zeroizing::new("a.b.c".to_owned()),
            refresh_token: refresh.map(|token| Zeroizing::new(token.to_owned())),
            nonce: Zeroizing::new("n".to_owned()),
            obtained_at_ms,
            ends_at_ms,
            body: None,
        }
    }

    #[test]
    fn a_token_is_renewed_a_minute_or_a_fifth_of_its_life_before_its_end() {
        for (life_ms, due_at_ms) in [(3_600_000, 3_540_000), (300_000, 240_000), (5_000, 4_000), (0, 0)] {
            let long = credential(0, life_ms, Some("r"));
            assert!(!long.is_due(due_at_ms - 1) && long.is_due(due_at_ms), "{life_ms}");
            assert!(!credential(0, life_ms, None).is_due(life_ms), "{life_ms}");
        }
    }
}
