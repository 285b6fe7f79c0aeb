//! `POST /api/v1/webhooks/{webhook}/rotate-secret`

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{WebhookBody, WebhookSecretBody};
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::wire_enums::SignatureScheme;
use narthex_ops::webhooks::{self, NewSigningKey};

/// Another secret, or another key pair.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSecret {
    /// Scheme of the signatures: by default that of the secret before it.
    signature: Option<SignatureScheme>,
    /// Secret that the receiver has: `whsec_` and 24 to 64 bytes in base64. One is made if it is missing. `v1a` takes none.
    secret: Option<String>,
}

/// Puts another secret in use
///
/// The secret before it signs too for a day, so that the receiver can change over. The response shows the new one, this
/// once, or the public key.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/rotate-secret", tag = "webhooks", operation_id = "rotate_webhook_secret",
    request_body = NewSecret,
    params(("webhook" = String, Path, description = "The webhook's name.")),
    responses((status = 200, description = "The webhook and its new secret.", body = WebhookSecretBody), ChangeErrors),
)]
pub(crate) async fn rotate_secret(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    Body { value: new, .. }: Body<NewSecret>,
) -> Result<Json<WebhookSecretBody>, ApiError> {
    let new = NewSigningKey {
        signature: new.signature.map(Into::into),
        secret: new.secret.map(Into::into),
    };
    let rotated = webhooks::rotate_secret(&caller, &webhook, new).await?;
    Ok(Json(WebhookSecretBody {
        about: WebhookBody::from(rotated.webhook),
        secret: rotated.secret.map(|secret| secret.as_str().to_owned()),
    }))
}
