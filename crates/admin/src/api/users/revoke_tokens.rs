//! `POST /api/v1/users/{id}/revoke-tokens`

use axum::extract::Path;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, RequestCaller, UserBody};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::users;

/// A user whose tokens were revoked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TokensRevokedBody {
    /// The user now.
    #[serde(flatten)]
    pub user: UserBody,
    /// Consequence for tokens without `iat`.
    pub note: &'static str,
}

impl From<UserBody> for TokensRevokedBody {
    fn from(user: UserBody) -> Self {
        Self {
            user,
            note: "tokens issued before `tokens_not_before` are refused, and all without `iat`, new ones too, until \
                   `tokens_not_before` is set to null again",
        }
    }
}

/// Revokes all tokens of a user
///
/// This signs the user out everywhere: tokens issued until now are refused. Tokens without `iat` are refused too, even
/// new ones. To accept them again, `PATCH` the user with `"tokens_not_before": null`. Takes no body.
#[utoipa::path(
    post, path = "/users/{id}/revoke-tokens", tag = "users", operation_id = "revoke_user_tokens",
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The user now.", body = TokensRevokedBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn revoke_tokens(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
) -> Result<VersionedRecord<TokensRevokedBody>, ApiError> {
    let VersionedRecord { version, body } =
        VersionedRecord::<UserBody>::from(users::revoke_tokens(&caller, &id).await?);
    Ok(VersionedRecord {
        version,
        body: body.into(),
    })
}
