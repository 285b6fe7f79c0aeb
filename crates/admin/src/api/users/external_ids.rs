//! `POST /api/v1/users/external-ids`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiError, RequestCaller};
use crate::api::extract::Body;
use crate::api::openapi_errors::ChangeErrors;
use narthex_ops::external_ids::{self, ExternalIdChange, PlannedChange};

/// A list of external ids to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalIdsBody {
    /// Realm of the users. Required if there is more than one.
    #[schema(example = "corp")]
    realm: Option<String>,
    /// The entries. All of them are carried out in one step, or none.
    changes: Vec<ExternalIdEntry>,
    /// `true` to carry the list out; otherwise the response is a preview.
    #[serde(default)]
    apply: bool,
    /// Reason for the change, kept in the audit event of each user.
    #[schema(example = "another identity provider")]
    why: Option<String>,
}

/// The external id that a user has, and the one that the user gets. Both are used exactly as given.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalIdEntry {
    /// The external id that the user has.
    #[schema(example = "ann")]
    from: String,
    /// The external id that the user gets.
    #[schema(example = "9b1f0c")]
    to: String,
}

/// Entries and their effects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExternalIdEffects {
    /// `true` if the list was carried out.
    applied: bool,
    /// Number of entries that keep the list from being carried out.
    obstacles: usize,
    /// The entries, in the order of the list.
    items: Vec<ExternalIdEffect>,
}

/// An entry and its effect.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExternalIdEffect {
    /// The entry.
    #[serde(flatten)]
    entry: ExternalIdEntry,
    /// The user's id; `null` where no user is meant.
    #[schema(required)]
    user_id: Option<String>,
    /// `changes` or `same`; `unknown`, `taken`, `repeated` or `unusable` for an obstacle.
    #[schema(example = "changes")]
    effect: &'static str,
    /// Remedy for an obstacle.
    #[schema(required)]
    advice: Option<String>,
}

impl From<PlannedChange> for ExternalIdEffect {
    fn from(PlannedChange { change, effect }: PlannedChange) -> Self {
        Self {
            entry: ExternalIdEntry {
                from: change.from,
                to: change.to,
            },
            user_id: effect.user().map(|id| id.to_string()),
            effect: effect.as_str(),
            advice: effect.advice(),
        }
    }
}

/// Changes the external ids of several users
///
/// For a change of the identity provider: the users keep their ids, roles and history, and tokens with the new external
/// ids are theirs. Without `apply`, the response is a preview and nothing is written. With it, the list is carried out as a
/// whole, or not at all (409) while an entry is an obstacle.
#[utoipa::path(
    post, path = "/users/external-ids", tag = "users", operation_id = "change_external_ids",
    request_body = ExternalIdsBody,
    responses((status = 200, description = "The effect of each entry.", body = ExternalIdEffects), ChangeErrors),
)]
pub(crate) async fn change(
    RequestCaller(caller): RequestCaller,
    Body { value: body, .. }: Body<ExternalIdsBody>,
) -> Result<Json<ExternalIdEffects>, ApiError> {
    let changes = body
        .changes
        .into_iter()
        .map(|ExternalIdEntry { from, to }| ExternalIdChange { from, to })
        .collect();
    let planned = external_ids::change(&caller, body.realm, changes, body.why, body.apply).await?;
    Ok(Json(ExternalIdEffects {
        applied: body.apply,
        obstacles: planned.iter().filter(|planned| planned.effect.is_obstacle()).count(),
        items: planned.into_iter().map(ExternalIdEffect::from).collect(),
    }))
}
