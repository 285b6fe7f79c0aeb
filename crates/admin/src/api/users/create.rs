//! `POST /api/v1/users`

use narthex_decision::Action;
use narthex_directory::{ExternalId, NewUser, PlatformRole, Profile, UserEntry, UserId, Username};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Admin, ApiError, UserBody, input_rules};
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use narthex_clock::NewIds;

/// A user to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserBody {
    /// Its realm: one that an issuer has. Required if there is more than one.
    realm: Option<String>,
    /// Its id at the identity provider, used exactly as given: tokens with this id belong to this user.
    #[schema(example = "7f2c9a")]
    external_id: String,
    /// Its username; by default the external id.
    username: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// Display name.
    name: Option<String>,
    /// Country code of two or three letters (ISO 3166-1).
    country: Option<String>,
    /// Name of a time zone in the tz database.
    timezone: Option<String>,
    /// Language tag (BCP 47).
    locale: Option<String>,
    /// Language tag (BCP 47).
    language: Option<String>,
}

/// Creates a user
///
/// Users are usually created by their first token. A user created here is found by realm and external id, and by
/// nothing else.
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "create_user", request_body = NewUserBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses(
        (status = 201, description = "Created.", body = UserBody, headers(("location"), ("etag"))),
        CreateErrors,
    ),
)]
pub(crate) async fn create(
    admin: Admin,
    key: IdempotencyKey,
    body: Body<NewUserBody>,
) -> Result<StoredResponse, ApiError> {
    let permit = admin.permit(Action::WriteUsers, None)?;
    let Body { value: body, digest } = body;
    permit
        .once(key, digest, async {
            let username = body.username.unwrap_or_else(|| body.external_id.clone());
            let new = NewUser {
                id: UserId::new(permit.now_ms(), &mut NewIds::new()?),
                realm: permit.realm(body.realm)?,
                external_id: ExternalId::new(body.external_id).map_err(ApiError::name("external_id"))?,
                username: Username::new(username).map_err(ApiError::name("username"))?,
                profile: Profile {
                    email: input_rules::given("email", body.email, input_rules::text)?,
                    name: input_rules::given("name", body.name, input_rules::text)?,
                    country: input_rules::given("country", body.country, input_rules::country)?,
                    timezone: input_rules::given("timezone", body.timezone, input_rules::timezone)?,
                    locale: input_rules::given("locale", body.locale, input_rules::language)?,
                    language: input_rules::given("language", body.language, input_rules::language)?,
                },
            };
            let user = permit.directory().create_user(new, permit.by()).await?;
            let (location, version) = (format!("/api/v1/users/{}", user.id), user.version);
            let body = UserBody::from(UserEntry {
                user,
                platform_role: PlatformRole::User,
            });
            Ok(CreatedRecord {
                location,
                version: Some(version),
                body,
            })
        })
        .await
}
