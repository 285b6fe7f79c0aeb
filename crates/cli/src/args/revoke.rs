//! `narthex revoke`

use clap::Args;

use super::directory::Common;

/// `narthex revoke`
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct RevokeArgs {
    /// Token to revoke, or `-` to read it from standard input. It may have expired.
    #[arg(required_unless_present_any = ["jti", "all"], conflicts_with_all = ["jti", "all"])]
    pub(crate) token: Option<String>,
    /// Name of the issuer of the token.
    #[arg(long)]
    pub(crate) issuer: String,
    /// `jti` of the token, instead of the token.
    #[arg(long, conflicts_with = "all")]
    pub(crate) jti: Option<String>,
    /// Revoke all tokens that the issuer has issued until now, and all without `iat`.
    #[arg(long)]
    pub(crate) all: bool,
    /// Time by which the last of these tokens has expired (RFC 3339): after it, the revocation is deleted. By default it stays
    /// for ever.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

const NOTES: &str = "\
Examples:
  narthex revoke --issuer corp --jti 7f2c9a0e
  narthex revoke --issuer corp - < token.txt
  narthex revoke --issuer corp --all

A revoked token is refused with `token.revoked`, on every node within a second, also in another
spelling or with another signature over the same content. It cannot be undone: its holder gets a new
token. `narthex user revoke-tokens` revokes all tokens of a user.";
