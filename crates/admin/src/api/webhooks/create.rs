//! `POST /api/v1/webhooks`

use serde::Deserialize;
use utoipa::ToSchema;

use super::{WebhookSecretBody, responses};
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::StoredResponse;
use crate::api::wire_enums::SignatureScheme;
use narthex_ops::webhooks::{self, NewWebhook};

/// A webhook to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookBody {
    /// Name of the webhook: lower-case letters, digits and `-`.
    #[schema(example = "crm")]
    name: String,
    /// Address of the receiver.
    #[schema(example = "https://crm.example.com/hooks/narthex")]
    url: String,
    /// Actions to send, such as `grant.opened`, or `user.*` for all of a kind. By default all.
    #[serde(default)]
    actions: Vec<String>,
    /// Scheme of the signatures: by default `v1`.
    signature: Option<SignatureScheme>,
    /// Secret that the receiver has: `whsec_` and 24 to 64 bytes in base64. One is made if it is missing. `v1a` takes none.
    secret: Option<String>,
}

/// Creates a webhook
///
/// It sends the events after its creation. The response shows the secret, this once, or the public key. A retry with the
/// same `Idempotency-Key` returns `"secret": null`.
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", operation_id = "create_webhook", request_body = NewWebhookBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses((status = 201, description = "Created.", body = WebhookSecretBody, headers(("location"), ("etag"))), CreateErrors),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewWebhookBody>,
) -> Result<StoredResponse, ApiError> {
    let new = NewWebhook {
        name: body.name,
        url: body.url,
        actions: body.actions,
        signature: body.signature.map(Into::into).unwrap_or_default(),
        secret: body.secret.map(Into::into),
    };
    let create = async {
        webhooks::create(&caller, new)
            .await
            .map(responses)
            .map_err(ApiError::from)
    };
    key.once_showing(&caller, digest, async { webhooks::may_create(&caller) }, create)
        .await
}
