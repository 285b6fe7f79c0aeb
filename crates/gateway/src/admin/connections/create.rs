//! `POST /api/v1/connections`

use narthex_decision::Action;
use narthex_directory::{ConnectionId, DocumentAt};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionBody, DocumentText, Sight, found, name};
use crate::admin::access::Admin;
use crate::admin::answer::{Created, Kept};
use crate::admin::error::ApiError;
use crate::admin::extract::{Body, IdempotencyKey};
use crate::admin::problems::CreateProblems;
use crate::clock::NewIds;
use crate::connections::{self, HeldBody, HeldSecrets};

/// A connection to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConnectionBody {
    /// Whose it is: the organization's id or name.
    #[schema(example = "acme")]
    organization: String,
    /// What people call it.
    #[schema(example = "billing")]
    name: String,
    /// The connection document.
    document: DocumentText,
    /// What its templates read as `parameters`. Never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// What its templates read as `common`. Never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    common: Map<String, Value>,
}

/// Makes a connection
///
/// The document is compiled now: a template that does not compile, a key that is not known, a value of the wrong type are
/// answered 422, all at once. Parameters and common data are encrypted at rest and never shown again.
#[utoipa::path(
    post, path = "/connections", tag = "connections", operation_id = "create_connection",
    request_body = NewConnectionBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's name for this attempt.")),
    responses(
        (status = 201, description = "It is made.", body = ConnectionBody, headers(("location"), ("etag"))),
        CreateProblems,
    ),
)]
pub(crate) async fn create(
    admin: Admin,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewConnectionBody>,
) -> Result<Kept, ApiError> {
    let (permit, organization) = admin.organization(Action::WriteConnections, &body.organization).await?;
    permit
        .once(key, digest, async {
            let (document, _) = body.document.checked(permit)?;
            let secrets = HeldSecrets {
                parameters: body.parameters,
                common: body.common,
                data: Map::new(),
            };
            let shown = HeldBody {
                name: name(&body.name)?,
                document,
                kept: secrets.names(),
                uid: None,
                metadata: None,
                expires_at_ms: None,
            };
            let id = ConnectionId::new(permit.now_ms(), &mut NewIds::new()?);
            let settings = permit.surroundings().connections();
            let held = connections::save(
                permit.directory(),
                settings.sealing.as_deref(),
                (id, organization.id),
                (shown, &secrets),
                DocumentAt::Absent,
                permit.by(),
            )
            .await?;
            let found = found(permit, held, Sight::Whole);
            Ok(Created {
                location: format!("/api/v1/connections/{id}"),
                version: Some(found.version),
                body: found.body,
            })
        })
        .await
}
