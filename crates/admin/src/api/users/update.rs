//! `PATCH /api/v1/users/{id}`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, Patch, RequestCaller, UserBody, UserStatus};
use crate::api::extract::{Body, IfMatch};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::{OpError, users};

/// Change of a user. The next token overwrites the members that are mapped from its claims.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// New id at the identity provider, used exactly as given. Tokens with it belong to this user from now on, and tokens
    /// with the former one no longer do.
    #[serde(default)]
    #[schema(value_type = String, example = "9b1f0c")]
    external_id: Patch<String>,
    /// New username.
    #[serde(default)]
    #[schema(value_type = String)]
    username: Patch<String>,
    /// `active` or `disabled`. Provisioning never enables a disabled user again.
    #[serde(default)]
    #[schema(value_type = UserStatus)]
    status: Patch<UserStatus>,
    /// Only `null` is accepted; use `POST …/revoke-tokens` to set it. `null` accepts again the tokens that were issued
    /// before they were revoked. Use it for a user whose tokens have no `iat`, who would otherwise stay locked out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tokens_not_before: Patch<String>,
    /// E-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Patch<String>,
    /// Display name.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<String>,
    /// Country code of two or three letters (ISO 3166-1).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    country: Patch<String>,
    /// Name of a time zone in the tz database.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    timezone: Patch<String>,
    /// Language tag (BCP 47).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    locale: Patch<String>,
    /// Language tag (BCP 47).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    language: Patch<String>,
    /// Reason for the change, kept in its audit event.
    #[serde(default)]
    why: Option<String>,
}

/// Updates a user
#[utoipa::path(
    patch, path = "/users/{id}", tag = "users", operation_id = "update_user", request_body = UserChange,
    params(
        ("id" = String, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must still have."),
    ),
    responses((status = 200, description = "The user now.", body = UserBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn update(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<UserChange>,
) -> Result<VersionedRecord<UserBody>, ApiError> {
    Ok(users::update(&caller, &id, &expected, change.checked()?).await?.into())
}

impl UserChange {
    fn checked(self) -> Result<users::UserChange, ApiError> {
        let accept_older_tokens = match self.tokens_not_before {
            Patch::Keep => false,
            Patch::Clear => true,
            Patch::Set(_) => {
                let detail = "only `null` is taken here; `POST` to the user's `revoke-tokens` sets it";
                return Err(OpError::invalid("tokens_not_before", detail).into());
            }
        };
        Ok(users::UserChange {
            external_id: self.external_id.into_edit(),
            username: self.username.into_edit(),
            status: self.status.into_edit(),
            accept_older_tokens,
            email: self.email.into_edit(),
            name: self.name.into_edit(),
            country: self.country.into_edit(),
            timezone: self.timezone.into_edit(),
            locale: self.locale.into_edit(),
            language: self.language.into_edit(),
            why: self.why,
        })
    }
}
