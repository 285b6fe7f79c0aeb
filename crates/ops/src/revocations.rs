//! Revocation of tokens: a single one, or all older ones of an issuer.

use narthex_decision::Action;
use narthex_directory::{IssuerName, Listing, Page, Revocation, RevokedTokens, StoreError};
use narthex_engine::tokens_named_by;
use narthex_explain::nearest;

use super::caller::Caller;
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;

/// Tokens to revoke.
#[derive(Debug, Clone)]
pub enum TokensToRevoke {
    /// The one with this `jti`.
    Id(String),
    /// This one, whole.
    Token(String),
    /// All that the issuer has issued until now, and those that do not say when.
    All,
}

impl TokensToRevoke {
    /// Names them for the directory. The command line calls it without a caller.
    ///
    /// # Errors
    ///
    /// When there is no such `jti`.
    pub fn named(self, now_ms: i64) -> Result<RevokedTokens, OpError> {
        match self {
            Self::Id(id) if Revocation::is_id(&id) => Ok(RevokedTokens::Id(id)),
            Self::Id(_) => Err(OpError::invalid(
                "jti",
                "tokens cannot be revoked by it: it is empty, longer than 256 characters or has a control character; \
                 give the token itself",
            )),
            Self::Token(token) => Ok(tokens_named_by(token.trim())),
            Self::All => Ok(RevokedTokens::IssuedBefore(now_ms)),
        }
    }
}

/// Maximum number of issuers proposed in place of an unknown one.
const NEAR_MAX: usize = 3;

/// Revokes tokens of an issuer: from now on they are refused at every door, on every node within a second. The revocation stays
/// until `expires_at_ms`, by which the last of them has expired; without it, for ever.
///
/// # Errors
///
/// When the caller may not, there is no such issuer, a value breaks its rule, or the directory fails.
pub async fn revoke(
    caller: &Caller,
    issuer: &str,
    tokens: TokensToRevoke,
    expires_at_ms: Option<i64>,
) -> Result<Revocation, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let known = permit.gateway().issuers();
    let names = || known.iter().map(|known| known.name.as_str());
    if !names().any(|name| name == issuer) {
        let near = nearest(issuer, names(), NEAR_MAX);
        let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        let meant = match near.as_slice() {
            [] => String::new(),
            near => format!("; did you mean {}?", near.join(" or ")),
        };
        return Err(OpError::invalid("issuer", format!("there is no such issuer{meant}")));
    }
    let revocation = Revocation {
        issuer: IssuerName::new(issuer).map_err(input_rules::name("issuer"))?,
        tokens: tokens.named(permit.now_ms())?,
        kept_until_ms: expires_at_ms,
    };
    permit.directory().revoke(revocation.clone(), permit.by()).await?;
    Ok(revocation)
}

/// Lists revocations, the oldest first.
///
/// # Errors
///
/// When the caller may not, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, page: PageRequest) -> Result<Listing<(u64, Revocation)>, OpError> {
    let permit = caller.permit(Action::ReadUsers, None)?;
    let page: Page = page.page()?;
    let after = match page.cursor() {
        Some(cursor) => cursor.as_str().parse().map_err(|_| StoreError::Cursor)?,
        None => 0,
    };
    let found = permit.directory().revocations(after, page.limit() + 1).await?;
    Ok(Listing::cut(found, &page, |(number, _)| number.to_string()))
}
