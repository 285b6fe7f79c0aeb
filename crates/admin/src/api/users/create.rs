//! `POST /api/v1/users`

use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, RequestCaller, UserBody};
use crate::api::extract::Body;
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use narthex_ops::users::{self, NewUser};

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
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewUserBody>,
) -> Result<StoredResponse, ApiError> {
    let create = async {
        let entry = users::create(&caller, body.into()).await?;
        Ok(CreatedRecord {
            location: format!("/api/v1/users/{}", entry.user.id),
            version: Some(entry.user.version),
            body: UserBody::from(entry),
        })
    };
    key.once(&caller, digest, async { users::may_create(&caller) }, create)
        .await
}

impl From<NewUserBody> for NewUser {
    fn from(body: NewUserBody) -> Self {
        Self {
            realm: body.realm,
            external_id: body.external_id,
            username: body.username,
            email: body.email,
            name: body.name,
            country: body.country,
            timezone: body.timezone,
            locale: body.locale,
            language: body.language,
        }
    }
}
