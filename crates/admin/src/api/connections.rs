//! `/connections`: requests to other services, made for an organization. The organization's admins write the document
//! and set the secrets, its members use the connection, and no caller reads a secret back.

use std::collections::BTreeSet;
use std::sync::Arc;

use narthex_connection::{Connection, DocumentProblems};
use narthex_directory::Actor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::access::{Admin, Permit};
use super::error::ApiError;
use super::input_rules;
use super::response::VersionedRecord;
use super::time::Time;
use crate::connections::{Compiled, Held, HeldMetadata, RunContext};
use narthex_engine::ConnectionSettings;

mod create;
mod delete;
mod headers;
mod list;
mod read;
mod test;
mod turns;
mod update;

pub use test::{ShownMessage, TestedConnection};
pub(super) use turns::AllTurns;

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
    pub metadata: Option<HeldMetadata>,
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

/// Part of a connection that the caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Its name and its needs.
    Outside,
    /// The same, and its document.
    Whole,
}

impl Sight {
    /// Returns the part of this organization's connections that the caller may see.
    fn of(admin: &Admin, held: &Held) -> Self {
        let whole = admin.permit(narthex_decision::Action::ReadConnections, Some(held.organization));
        if whole.is_ok() { Self::Whole } else { Self::Outside }
    }
}

fn body(held: Held, connection: Option<&Connection>, sight: Sight) -> ConnectionBody {
    let needed = |names: Vec<&str>, given: &[String]| -> Vec<NeededBody> {
        let all: BTreeSet<&str> = names.iter().copied().chain(given.iter().map(String::as_str)).collect();
        let need = |name: &str| NeededBody {
            name: name.to_owned(),
            needed: names.contains(&name),
            given: given.iter().any(|given| given == name),
        };
        all.into_iter().map(need).collect()
    };
    let kept = &held.body.kept;
    let parameters = connection.map_or_else(Vec::new, |connection| connection.parameter_names().collect());
    let common = connection.map_or_else(Vec::new, |connection| connection.common_names().collect());
    ConnectionBody {
        id: held.id.to_string(),
        organization_id: held.organization.to_string(),
        parameters: needed(parameters, &kept.parameters),
        common: needed(common, &kept.common),
        data: kept.data.clone(),
        name: held.body.name,
        document: (sight == Sight::Whole).then_some(held.body.document),
        uid: held.body.uid,
        metadata: held.body.metadata,
        expires_at: held.body.expires_at_ms.map(Time),
        created_at: Time(held.created_at_ms),
        updated_at: Time(held.updated_at_ms),
    }
}

impl ConnectionBody {
    /// Shows a connection as its organization's admins see it.
    pub fn whole(held: Held, settings: &ConnectionSettings) -> Self {
        let connection = Compiled::default().of(&held, settings).ok();
        body(held, connection.as_ref(), Sight::Whole)
    }
}

/// Builds the response for a connection.
fn found(permit: Permit<'_>, held: Held, sight: Sight) -> VersionedRecord<ConnectionBody> {
    // A document that an older version accepted and this one does not is shown all the same, so that an administrator
    // can fix it.
    let connection = permit.compiled().of(&held, &permit.gateway().connections()).ok();
    VersionedRecord {
        version: held.version,
        body: body(held, connection.as_ref(), sight),
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

impl DocumentText {
    /// Compiles the document; returns its text and the compiled connection, or the errors.
    fn checked(self, permit: Permit<'_>) -> Result<(String, Connection), ApiError> {
        let text = match self {
            Self::Text(text) => text,
            // Written over several lines, for the next reader.
            Self::One(request) => serde_json::to_string_pretty(&request).unwrap_or_default(),
            Self::Several(requests) => serde_json::to_string_pretty(&requests).unwrap_or_default(),
        };
        let settings = permit.gateway().connections();
        let connection = crate::connections::compile(&text, settings.outbound.limits.response_bytes)
            .map_err(|problems| refused(&problems))?;
        Ok((text, connection))
    }
}

/// Lists everything that is wrong with a document, in one sentence each.
pub(super) fn refused(problems: &DocumentProblems) -> ApiError {
    let told: Vec<String> = problems
        .problems()
        .iter()
        .map(|problem| match &problem.help {
            Some(help) => format!("{problem} ({help})"),
            None => problem.to_string(),
        })
        .collect();
    ApiError::invalid("document", told.join("; "))
}

/// Checks a name, which must not be empty.
fn name(text: &str) -> Result<String, ApiError> {
    input_rules::text("name", text)?.ok_or_else(|| ApiError::invalid("name", "it is empty"))
}

/// A caller that uses a connection.
struct Using<'a> {
    permit: Permit<'a>,
    actor: Actor,
    context: Map<String, Value>,
}

impl<'a> Using<'a> {
    fn new(admin: &Admin, permit: Permit<'a>) -> Self {
        Self {
            permit,
            actor: permit.by().actor,
            context: admin.context(),
        }
    }

    fn settings(&self) -> Arc<ConnectionSettings> {
        self.permit.gateway().connections()
    }

    fn context<'u>(&'u self, settings: &'u (dyn Fn() -> Arc<ConnectionSettings> + Send + Sync)) -> RunContext<'u> {
        RunContext {
            directory: self.permit.directory(),
            settings,
            compiled: self.permit.compiled(),
            clock: self.permit.clock(),
            actor: &self.actor,
            context: &self.context,
        }
    }
}
