//! `/issuer-documents` and `/issuers/{name}/document`: issuers made at run time, as their authors wrote them.

use axum::extract::Path;
use http::StatusCode;
use narthex_config::{FieldProblem, Severity};
use narthex_issuers::{DocumentState, IssuerDocument};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, IfMatch, PageQuery, QueryParameters, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::{ChangeErrors, CreateErrors, ListErrors, RemoveErrors};
use crate::api::response::{CreatedRecord, List, StoredResponse, VersionedRecord};
use crate::api::time::Time;
use narthex_ops::issuers::documents::{self, IssuerRecord};

/// Document of an issuer to create, or in place of the one before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerDocumentChange {
    /// The issuer: the keys of an `[[issuer]]` of the configuration file. It may name no file, no environment variable, no proxy
    /// and no host at a private address.
    #[schema(value_type = Object)]
    document: IssuerDocument,
}

/// An issuer made at run time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct IssuerDocumentBody {
    /// Its name.
    #[schema(example = "partners")]
    pub name: String,
    /// The document: the keys of an `[[issuer]]` of the configuration file.
    #[schema(value_type = Object)]
    pub document: Value,
    /// Name of the organization that it belongs to, for an issuer from a setup link; `null` for any other.
    #[schema(required)]
    pub organization: Option<String>,
    /// `in_use`, `off`, or `pending` for at most a second after a change.
    #[schema(example = "in_use")]
    pub state: &'static str,
    /// Reason why it is off.
    #[schema(required)]
    pub off_because: Option<String>,
    /// Warnings about the document, in the response to a change.
    pub warnings: Vec<FieldProblemBody>,
    /// Time of creation.
    pub created_at: Time,
    /// Time of the last change.
    pub updated_at: Time,
}

/// A warning about a field of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblemBody {
    /// JSON Pointer to the field (RFC 6901).
    #[schema(example = "/mapping/user/external_id")]
    pub field: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The problem.
    pub message: String,
    /// Advice on how to solve it.
    pub help: Vec<String>,
}

impl From<FieldProblem> for FieldProblemBody {
    fn from(problem: FieldProblem) -> Self {
        Self {
            field: problem.field,
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: problem.message,
            help: problem.help,
        }
    }
}

impl From<IssuerRecord> for IssuerDocumentBody {
    fn from(record: IssuerRecord) -> Self {
        let version = record.document.version;
        let (state, off_because) = match record.state {
            Some(DocumentState::InUse(in_use)) if in_use == version => ("in_use", None),
            Some(DocumentState::Off(reason)) => ("off", Some(reason.to_string())),
            _ => ("pending", None),
        };
        Self {
            name: record.document.name,
            document: Value::Object(record.document.body),
            organization: record.organization.map(|name| name.to_string()),
            state,
            off_because,
            warnings: record.warnings.into_iter().map(FieldProblemBody::from).collect(),
            created_at: Time(record.document.created_at_ms),
            updated_at: Time(record.document.updated_at_ms),
        }
    }
}

impl From<IssuerRecord> for VersionedRecord<IssuerDocumentBody> {
    fn from(record: IssuerRecord) -> Self {
        Self {
            version: record.document.version,
            body: record.into(),
        }
    }
}

/// Lists issuers made at run time
///
/// Sorted by name, those that are off too, each with its document.
#[utoipa::path(
    get, path = "/issuer-documents", tag = "issuers", operation_id = "list_issuer_documents", params(PageQuery),
    responses((status = 200, description = "A page of issuers.", body = List<IssuerDocumentBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<IssuerDocumentBody>, ApiError> {
    let page = query.into();
    Ok(List::of(
        documents::list(&caller, page).await?,
        IssuerDocumentBody::from,
    ))
}

/// Reads the document of an issuer made at run time
///
/// An issuer that the configuration file declares has none: it is answered with 409.
#[utoipa::path(
    get, path = "/issuers/{name}/document", tag = "issuers", operation_id = "read_issuer_document",
    params(("name" = String, Path, description = "The issuer's name.")),
    responses((status = 200, description = "The issuer.", body = IssuerDocumentBody, headers(("etag"))), RemoveErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
) -> Result<VersionedRecord<IssuerDocumentBody>, ApiError> {
    Ok(documents::read(&caller, &name).await?.into())
}

/// Creates an issuer
///
/// All nodes have it in use within a second. A document with a problem is answered 422; the response lists all problems at once,
/// each with its field. A name or an `iss` of the configuration file is refused too.
#[utoipa::path(
    post, path = "/issuers", tag = "issuers", operation_id = "create_issuer", request_body = IssuerDocumentChange,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses(
        (status = 201, description = "Created.", body = IssuerDocumentBody, headers(("location"), ("etag"))),
        CreateErrors,
    ),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<IssuerDocumentChange>,
) -> Result<StoredResponse, ApiError> {
    let create = Box::pin(async {
        let record = documents::create(&caller, body.document.0).await?;
        Ok(CreatedRecord {
            location: format!("/api/v1/issuers/{}/document", record.document.name),
            version: Some(record.document.version),
            body: IssuerDocumentBody::from(record),
        })
    });
    key.once(&caller, digest, async { documents::may_create(&caller) }, create)
        .await
}

/// Replaces the document of an issuer made at run time
///
/// All nodes have it in use within a second. An issuer that the configuration file declares is answered with 409.
#[utoipa::path(
    put, path = "/issuers/{name}/document", tag = "issuers", operation_id = "replace_issuer_document",
    request_body = IssuerDocumentChange,
    params(
        ("name" = String, Path, description = "The issuer's name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the issuer must still have."),
    ),
    responses((status = 200, description = "The issuer now.", body = IssuerDocumentBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn replace(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<IssuerDocumentChange>,
) -> Result<VersionedRecord<IssuerDocumentBody>, ApiError> {
    let document = change.document.0;
    Ok(documents::replace(&caller, &name, document, &expected).await?.into())
}

/// Deletes an issuer made at run time
///
/// Its tokens are refused within a second on all nodes, and the roles that they gave have no effect.
#[utoipa::path(
    delete, path = "/issuers/{name}", tag = "issuers", operation_id = "delete_issuer",
    params(
        ("name" = String, Path, description = "The issuer's name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the issuer must still have."),
    ),
    responses((status = 204, description = "Deleted."), RemoveErrors),
)]
pub(crate) async fn delete(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, ApiError> {
    documents::delete(&caller, &name, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
