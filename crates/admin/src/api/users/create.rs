//! `POST /api/v1/users`

use narthex_decision::Action;
use narthex_directory::{ExternalId, NewUser, PlatformRole, Profile, UserEntry, UserId, Username};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Admin, ApiError, UserBody, tidy};
use crate::api::answer::{Created, Kept};
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::problems::CreateProblems;
use narthex_clock::NewIds;

/// A user to make by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserBody {
    /// Its realm: one that an issuer has. Needed where there is more than one.
    realm: Option<String>,
    /// What the identity provider calls it, taken exactly: the tokens with this id will be this user's.
    #[schema(example = "7f2c9a")]
    external_id: String,
    /// Its username; by default the external id.
    username: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// Display name.
    name: Option<String>,
    /// ISO 3166-1, two or three letters.
    country: Option<String>,
    /// A tz database name.
    timezone: Option<String>,
    /// BCP 47.
    locale: Option<String>,
    /// BCP 47.
    language: Option<String>,
}

/// Makes a user
///
/// Users are usually made by their first token. One made by hand is found by realm and external id, and by nothing else.
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "create_user", request_body = NewUserBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's name for this attempt.")),
    responses(
        (status = 201, description = "It is made.", body = UserBody, headers(("location"), ("etag"))),
        CreateProblems,
    ),
)]
pub(crate) async fn create(admin: Admin, key: IdempotencyKey, body: Body<NewUserBody>) -> Result<Kept, ApiError> {
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
                    email: tidy::given("email", body.email, tidy::text)?,
                    name: tidy::given("name", body.name, tidy::text)?,
                    country: tidy::given("country", body.country, tidy::country)?,
                    timezone: tidy::given("timezone", body.timezone, tidy::timezone)?,
                    locale: tidy::given("locale", body.locale, tidy::language)?,
                    language: tidy::given("language", body.language, tidy::language)?,
                },
            };
            let user = permit.directory().create_user(new, permit.by()).await?;
            let (location, version) = (format!("/api/v1/users/{}", user.id), user.version);
            let body = UserBody::from(UserEntry {
                user,
                platform_role: PlatformRole::User,
            });
            Ok(Created {
                location,
                version: Some(version),
                body,
            })
        })
        .await
}
