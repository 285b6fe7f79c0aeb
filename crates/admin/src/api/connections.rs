//! `/connections`: requests to other services, made for an organization. The organization's admins write the document
//! and set the secrets, its members use the connection, and no caller reads a secret back.

use narthex_engine::ConnectionSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::response::VersionedRecord;
use super::time::Time;
use narthex_ops::connections::record::Held;
use narthex_ops::connections::{ConnectionView, HeldMetadata, Need};

mod create;
mod delete;
mod headers;
mod list;
mod read;
mod test;
mod update;

pub use test::{ShownMessage, TestedConnection};

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update, delete::delete))
        .routes(routes!(headers::headers))
        .routes(routes!(test::test))
}

/// A connection: its document, and the names of its secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Id of the organization that it belongs to.
    pub organization_id: String,
    /// Display name.
    #[schema(example = "billing")]
    pub name: String,
    /// Its document, as it was written; `null` for callers who may only use the connection.
    #[schema(required)]
    pub document: Option<String>,
    /// Parameters that its templates read or that are set, without their values.
    pub parameters: Vec<NeededBody>,
    /// The same for the common data, which all connections of this kind share, such as a client secret.
    pub common: Vec<NeededBody>,
    /// Names of the values that earlier runs stored.
    pub data: Vec<String>,
    /// Id of the account at the service, learned by the last run.
    #[schema(required)]
    pub uid: Option<String>,
    /// Display label of the account, learned by the last run.
    #[schema(required)]
    pub metadata: Option<ConnectionMetadata>,
    /// Time at which the credentials that the last run obtained expire.
    #[schema(required)]
    pub expires_at: Option<Time>,
    /// Time at which it was created.
    pub created_at: Time,
    /// Time of the last change.
    pub updated_at: Time,
}

/// A value that a connection needs, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionNeed)]
pub struct NeededBody {
    /// Its name in templates: `parameters.NAME` or `common.NAME`.
    #[schema(example = "clientSecret")]
    pub name: String,
    /// `true` if a template reads it.
    pub needed: bool,
    /// `true` if a value is stored. The value itself is never shown.
    pub given: bool,
}

/// Display label of a connection, with its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConnectionMetadata {
    /// `text` or `email`.
    #[serde(rename = "type")]
    #[schema(example = "email")]
    pub kind: String,
    /// The label.
    pub value: String,
}

impl From<HeldMetadata> for ConnectionMetadata {
    fn from(HeldMetadata { kind, value }: HeldMetadata) -> Self {
        Self { kind, value }
    }
}

impl From<Need> for NeededBody {
    fn from(Need { name, needed, given }: Need) -> Self {
        Self { name, needed, given }
    }
}

impl From<ConnectionView> for ConnectionBody {
    fn from(view: ConnectionView) -> Self {
        let needs = |needs: Vec<Need>| needs.into_iter().map(NeededBody::from).collect();
        Self {
            id: view.id.to_string(),
            organization_id: view.organization.to_string(),
            name: view.name,
            document: view.document,
            parameters: needs(view.parameters),
            common: needs(view.common),
            data: view.data,
            uid: view.uid,
            metadata: view.metadata.map(ConnectionMetadata::from),
            expires_at: view.expires_at_ms.map(Time),
            created_at: Time(view.created_at_ms),
            updated_at: Time(view.updated_at_ms),
        }
    }
}

impl From<ConnectionView> for VersionedRecord<ConnectionBody> {
    fn from(view: ConnectionView) -> Self {
        Self {
            version: view.version,
            body: view.into(),
        }
    }
}

impl ConnectionBody {
    /// Shows a connection as its organization's admins see it.
    pub fn whole(held: Held, settings: &ConnectionSettings) -> Self {
        ConnectionView::whole(held, settings).into()
    }
}

/// A connection document, as the client sends it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a document is a JSON object, an array of them, or their text")]
pub(crate) enum DocumentText {
    /// Its text, in which comments and trailing commas are allowed.
    Text(String),
    /// A JSON object: one request.
    #[schema(value_type = Object)]
    One(Map<String, Value>),
    /// A JSON array: requests in their order.
    #[schema(value_type = Vec<Object>)]
    Several(Vec<Map<String, Value>>),
}

impl From<DocumentText> for String {
    fn from(document: DocumentText) -> Self {
        match document {
            DocumentText::Text(text) => text,
            // Written over several lines, for the next reader.
            DocumentText::One(request) => serde_json::to_string_pretty(&request).unwrap_or_default(),
            DocumentText::Several(requests) => serde_json::to_string_pretty(&requests).unwrap_or_default(),
        }
    }
}
