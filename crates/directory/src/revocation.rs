//! Tokens that an administrator revoked.

use narthex_names::IssuerName;

use crate::audit::{AuditEvent, By};
use crate::error::StoreError;
use crate::rules::check_text;

/// Tokens of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RevokedTokens {
    /// The one with this `jti`.
    Id(String),
    /// The one with this content and no `jti`: the SHA-256, in hexadecimal digits, of the bytes that its signature covers.
    Content(String),
    /// All that were issued before a time, in milliseconds, and those that do not say when.
    IssuedBefore(i64),
}

/// Revocation of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The issuer.
    pub issuer: IssuerName,
    /// The tokens.
    pub tokens: RevokedTokens,
    /// Time by which the last of them has expired, in milliseconds: it is kept until then. `None` where that is not known.
    pub kept_until_ms: Option<i64>,
}

impl Revocation {
    /// Word for its kind, the value that it names, and the time before which tokens must have been issued. For stores.
    pub fn parts(&self) -> (&'static str, &str, Option<i64>) {
        match &self.tokens {
            RevokedTokens::Id(id) => ("jti", id, None),
            RevokedTokens::Content(hash) => ("content", hash, None),
            RevokedTokens::IssuedBefore(before_ms) => ("issuer", "", Some(*before_ms)),
        }
    }

    /// Tests whether tokens can be revoked by this `jti`. Others count as without one.
    pub fn is_id(text: &str) -> bool {
        check_text("jti", text).is_ok()
    }

    /// The event of the revocation, after a check. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a `jti` that none can be revoked by.
    pub fn event(&self, by: &By) -> Result<AuditEvent, StoreError> {
        let (name, value) = match &self.tokens {
            RevokedTokens::Id(id) => {
                check_text("jti", id)?;
                ("jti", id.as_str().into())
            }
            RevokedTokens::Content(hash) => ("content", hash.as_str().into()),
            RevokedTokens::IssuedBefore(before_ms) => ("issued_before_ms", (*before_ms).into()),
        };
        let mut event = AuditEvent::new("token.revoked", by.actor.clone(), by.at_ms);
        event.detail.insert("issuer".to_owned(), self.issuer.as_str().into());
        event.detail.insert(name.to_owned(), value);
        Ok(event)
    }
}
