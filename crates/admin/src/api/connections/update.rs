//! `PATCH /api/v1/connections/{connection}`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::DocumentAt;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionBody, DocumentText, Sight, found, name};
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{Body, IfMatch};
use crate::api::merge_patch::Patch;
use crate::api::openapi_errors::SecretChangeErrors;
use crate::api::response::VersionedRecord;
use crate::connections::{self, HeldSecrets, SecretNames};

/// Change of a connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionChange {
    /// New name.
    #[serde(default)]
    #[schema(value_type = String)]
    name: Patch<String>,
    /// New document. Every stored secret has to be sent again with it.
    #[serde(default)]
    #[schema(value_type = DocumentText)]
    document: Patch<DocumentText>,
    /// Parameters to set. A member that is `null` is deleted, an absent member stays. `null` deletes all.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    parameters: Patch<Map<String, Value>>,
    /// Common data to set, in the same way.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    common: Patch<Map<String, Value>>,
}

/// Updates a connection
///
/// A changed document could show or send the stored secrets elsewhere. So with another document, you have to send every
/// stored parameter and all stored common data again, or delete them with `null`. The values that earlier runs stored
/// are deleted. Setting secrets needs `If-Match` (428 otherwise): the document that you read, and no other, decides
/// where they go.
#[utoipa::path(
    patch, path = "/connections/{connection}", tag = "connections", operation_id = "update_connection",
    request_body = ConnectionChange,
    params(
        ("connection" = String, Path, description = "The connection's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the connection must still have."),
    ),
    responses((status = 200, description = "The connection now.", body = ConnectionBody, headers(("etag"))), SecretChangeErrors),
)]
pub(crate) async fn update(
    admin: Admin,
    Path(connection): Path<String>,
    if_match: IfMatch,
    Body { value: change, .. }: Body<ConnectionChange>,
) -> Result<VersionedRecord<ConnectionBody>, ApiError> {
    let (permit, held) = admin.connection(Action::WriteConnections, &connection).await?;
    if_match.expect(held.version)?;
    let (new_name, document) = (
        change.name.never_empty("name")?,
        change.document.never_empty("document")?,
    );
    // SECURITY: otherwise another admin could put another document there just before, and be given the secrets meant
    // for this one.
    if !if_match.is_given() && (gives(&change.parameters) || gives(&change.common)) && document.is_none() {
        return Err(ApiError::Unconditional {
            what: "connection",
            why: "its document decides where these secrets go",
        });
    }
    let settings = permit.gateway().connections();
    let mut shown = held.body.clone();
    if let Some(text) = &new_name {
        shown.name = name(text)?;
    }
    let document = document.map(|text| text.checked(permit)).transpose()?;
    let is_other = document.as_ref().is_some_and(|(text, _)| *text != shown.document);
    let mut secrets = held.secrets(settings.sealing.as_deref())?;
    if is_other {
        // SECURITY: the promise that no caller reads a secret back would be empty if the author of the document could
        // point it elsewhere. The names come from the secrets themselves: the names stored beside them could have been
        // altered.
        let missing = not_given_again(&secrets.names(), &change.parameters, &change.common);
        if !missing.is_empty() {
            let detail = format!(
                "another document could show or send elsewhere what is kept; give {} again with it, or forget with null",
                missing.join(", ")
            );
            return Err(ApiError::invalid("document", detail));
        }
    }
    merge(&mut secrets.parameters, change.parameters);
    merge(&mut secrets.common, change.common);
    if let Some((text, _)) = document.filter(|_| is_other) {
        shown.document = text;
        secrets.data = Map::new();
        (shown.uid, shown.metadata, shown.expires_at_ms) = (None, None, None);
    }
    let saved = save(permit, &held, shown, &secrets).await?;
    permit.compiled().forget(&held);
    Ok(found(permit, saved, Sight::Whole))
}

/// Saves over the version that was read: the secrets were derived from it.
async fn save(
    permit: crate::api::access::Permit<'_>,
    held: &connections::Held,
    shown: connections::HeldBody,
    secrets: &HeldSecrets,
) -> Result<connections::Held, ApiError> {
    let settings = permit.gateway().connections();
    let saved = connections::save(
        permit.directory(),
        settings.sealing.as_deref(),
        (held.id, held.organization),
        (shown, secrets),
        DocumentAt::Version(held.version),
        permit.by(),
    );
    Ok(saved.await?)
}

/// Tests whether a change sets any value.
fn gives(patch: &Patch<Map<String, Value>>) -> bool {
    matches!(patch, Patch::Set(members) if members.values().any(|value| !value.is_null()))
}

/// Lists the secrets that a change neither sets again nor deletes.
fn not_given_again(
    kept: &SecretNames,
    parameters: &Patch<Map<String, Value>>,
    common: &Patch<Map<String, Value>>,
) -> Vec<String> {
    let missing = |root: &str, kept: &[String], patch: &Patch<Map<String, Value>>| -> Vec<String> {
        let told = |name: &String| match patch {
            Patch::Keep => false,
            Patch::Clear => true,
            Patch::Set(members) => members.contains_key(name),
        };
        let left = kept.iter().filter(|name| !told(name));
        left.map(|name| format!("`{root}.{name}`")).collect()
    };
    let mut all = missing("parameters", &kept.parameters, parameters);
    all.extend(missing("common", &kept.common, common));
    all
}

/// Merges a patch into the stored values.
///
/// SPEC: RFC 7396, one level deep: a value sets, `null` deletes.
fn merge(kept: &mut Map<String, Value>, patch: Patch<Map<String, Value>>) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => kept.clear(),
        Patch::Set(members) => {
            for (name, value) in members {
                if value.is_null() {
                    kept.remove(&name);
                } else {
                    kept.insert(name, value);
                }
            }
        }
    }
}
