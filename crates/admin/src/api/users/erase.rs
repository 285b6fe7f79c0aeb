//! `DELETE /api/v1/users/{id}` and `POST /api/v1/users/lift-erasure`

use axum::Json;
use axum::extract::Path;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, RequestCaller};
use crate::api::extract::{Body, IfMatch, QueryParameters};
use crate::api::openapi_errors::{BodyErrors, ErasureErrors};
use narthex_ops::erasure::{self, ErasedUser, ErasureTerms};

/// Terms of an erasure.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// `true` to refuse every later token of the user until `POST …/users/lift-erasure`. Without it, a token that is issued
    /// after the erasure creates the user anew, unless the user is disabled.
    #[serde(default)]
    refuse_later_tokens: bool,
    /// Reason, recorded with the erasure. Name no person in it: it stays.
    why: Option<String>,
}

/// A user that was erased.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasedUserBody {
    /// The user's id, which its grants and events keep.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// The pseudonym that stands for external id and username.
    #[schema(example = "erased:01hf7yat000000000000000019")]
    pub pseudonym: String,
    /// Tokens that are refused from now on: `older` for those issued before the erasure or without `iat`, `all` for every
    /// one.
    #[schema(example = "older")]
    pub refuses: &'static str,
    /// Names of the webhooks whose receivers may hold copies of personal values.
    pub webhooks: Vec<String>,
    /// Files of `[audit]` that hold copies of personal values.
    pub files: Vec<String>,
    /// Copies that an erasure does not reach.
    pub note: &'static str,
}

impl From<ErasedUser> for ErasedUserBody {
    fn from(erased: ErasedUser) -> Self {
        Self {
            id: erased.user.id.to_string(),
            pseudonym: erased.user.external_id.to_string(),
            refuses: if erased.refuses_all { "all" } else { "older" },
            webhooks: erased.webhooks,
            files: erased.files,
            note: "logs, backups, earlier exports and receivers of webhooks may hold copies; erase them there",
        }
    }
}

/// Erases a user
///
/// Removes profile, context, external id and username from the record, the audit trail and exports, and ends the user's
/// sessions and roles. Grants keep their ids and times under a pseudonym. A keyed hash of realm and external id stays, so
/// that an older token does not bring the user back. It cannot be undone.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users", operation_id = "erase_user",
    params(
        ("id" = String, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must still have."),
        Query,
    ),
    responses((status = 200, description = "Erased.", body = ErasedUserBody), ErasureErrors),
)]
pub(crate) async fn erase(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<Json<ErasedUserBody>, ApiError> {
    let terms = ErasureTerms {
        refuse_later_tokens: query.refuse_later_tokens,
        why: query.why,
    };
    Ok(Json(erasure::erase(&caller, &id, &expected, terms).await?.into()))
}

/// An erased user, by the names that its tokens have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftedErasureBody {
    /// Realm of the user. Required if there is more than one.
    #[schema(example = "corp")]
    realm: Option<String>,
    /// The external id that the user had.
    #[schema(example = "7f2c9a")]
    external_id: String,
}

/// Takes the tokens of an erased user again
///
/// For a user whose tokens are all refused. The next token creates the user anew; tokens from before the erasure stay
/// refused. The external id is compared by its hash: nothing else of it is kept.
#[utoipa::path(
    post, path = "/users/lift-erasure", tag = "users", operation_id = "lift_user_erasure",
    request_body = LiftedErasureBody,
    responses((status = 204, description = "Lifted."), BodyErrors),
)]
pub(crate) async fn lift(
    RequestCaller(caller): RequestCaller,
    Body { value: body, .. }: Body<LiftedErasureBody>,
) -> Result<StatusCode, ApiError> {
    erasure::lift(&caller, body.realm, body.external_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
