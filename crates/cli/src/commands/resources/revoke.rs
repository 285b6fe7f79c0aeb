//! `narthex revoke`: tokens that are refused from now on.

use narthex_admin::api::RevocationBody;
use narthex_admin::ops::revocations::TokensToRevoke;
use narthex_directory::{IssuerName, Revocation};

use super::{AdminContext, Answer, usage_error};
use crate::args::RevokeArgs;
use crate::commands::input::token_or_stdin;

/// Revokes them.
pub(super) async fn run(args: RevokeArgs) -> anyhow::Result<Answer> {
    let context = AdminContext::open(&args.common).await?;
    let tokens = match (args.jti, args.token) {
        (Some(id), _) => TokensToRevoke::Id(id),
        (None, Some(token)) => TokensToRevoke::Token(token_or_stdin(token)?),
        (None, None) => TokensToRevoke::All,
    };
    if !context.issuers.contains(&args.issuer) {
        return Err(usage_error(format!(
            "the configuration has no issuer `{}`; it has {}",
            args.issuer,
            context.issuers.join(", ")
        )));
    }
    let expires_at = args
        .expires_at
        .as_deref()
        .map(|text| super::grant::moment_of("--expires-at", text))
        .transpose()?;
    let revocation = Revocation {
        issuer: IssuerName::new(args.issuer)?,
        tokens: tokens.named(context.now_ms())?,
        kept_until_ms: expires_at,
    };
    context.directory.revoke(revocation.clone(), context.by()).await?;
    let body = RevocationBody::from(revocation);
    context.answer(&body, || {
        let what = match (&body.jti, &body.issued_before) {
            (Some(id), _) => format!(
                "The token `{}` of `{}` is",
                narthex_terminal::escape_line(id),
                body.issuer
            ),
            (None, Some(at)) => format!("All tokens that `{}` issued before {at} are", body.issuer),
            (None, None) => format!("This token of `{}` is", body.issuer),
        };
        format!("{what} refused from now on, on every node within a second.\n")
    })
}
