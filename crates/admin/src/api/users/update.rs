//! `PATCH /api/v1/users/{id}`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{UserEdit, Username};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Admin, ApiError, Edit, Patch, UserBody, UserStatus, find, input_rules, shown};
use crate::api::extract::{Body, IfMatch};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;

/// Change of a user. The next token overwrites the members that are mapped from its claims.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
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
    admin: Admin,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body { value: change, .. }: Body<UserChange>,
) -> Result<VersionedRecord<UserBody>, ApiError> {
    let permit = admin.permit(Action::WriteUsers, None)?;
    let user = find(permit, &id).await?.user;
    let profile = |field, patch: Patch<String>, rule: input_rules::Rule| -> Result<Edit<String>, ApiError> {
        patch.checked(|text| rule(field, &text))
    };
    let username = change
        .username
        .never_empty("username")?
        .map(|name| Username::new(name).map_err(ApiError::name("username")));
    let edit = UserEdit {
        username: username.transpose()?,
        status: change.status.never_empty("status")?.map(Into::into),
        accept_older_tokens: match change.tokens_not_before {
            Patch::Keep => false,
            Patch::Clear => true,
            Patch::Set(_) => {
                let detail = "only `null` is taken here; `POST` to the user's `revoke-tokens` sets it";
                return Err(ApiError::invalid("tokens_not_before", detail));
            }
        },
        email: profile("email", change.email, input_rules::text)?,
        name: profile("name", change.name, input_rules::text)?,
        country: profile("country", change.country, input_rules::country)?,
        timezone: profile("timezone", change.timezone, input_rules::timezone)?,
        locale: profile("locale", change.locale, input_rules::language)?,
        language: profile("language", change.language, input_rules::language)?,
    };
    permit
        .directory()
        .update_user(user.id, if_match.expect(user.version)?, edit, permit.by())
        .await?;
    shown(permit, user.id).await
}
