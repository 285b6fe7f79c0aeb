//! Explanation of a token, and of a request with it.

use narthex_decision::Action;
use narthex_explain::Explanation;

use super::caller::Caller;
use super::error::OpError;
use super::gateway_api::TokenToExplain;

/// Explains all effects of a token. Nothing is written.
///
/// # Errors
///
/// When the caller may not, or the directory could not be read.
pub async fn explain(caller: &Caller, token: TokenToExplain) -> Result<Explanation, OpError> {
    let permit = caller.permit(Action::Explain, None)?;
    Ok(permit.gateway().explain(token).await?)
}
