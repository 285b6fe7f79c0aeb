//! Connections: requests to other services, made for an organization. The organization's admins write the document and
//! set the secrets, its members use the connection, and no caller reads a secret back.

use std::collections::BTreeSet;
use std::sync::Arc;

use narthex_connection::{Connection, Request, Step};
use narthex_decision::Action;
use narthex_directory::{Actor, ConnectionId, DocumentAt, DocumentKind, Listing, OrganizationId};
use narthex_engine::ConnectionSettings;
use serde_json::{Map, Value};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;
use super::precondition::ExpectedVersion;

pub mod record;
pub(crate) mod turns;
mod update;

use record::{Compiled, Held, RunContext, Running};
pub use record::{HeldMetadata, NewConnection, Tested};
pub use update::{ConnectionChange, update};

/// A connection: its document, and the names of its secrets.
#[derive(Debug, Clone)]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// The organization that it belongs to.
    pub organization: OrganizationId,
    /// Display name.
    pub name: String,
    /// Its document, as it was written; `None` for callers who may only use the connection.
    pub document: Option<String>,
    /// Parameters that its templates read or that are set, without their values.
    pub parameters: Vec<Need>,
    /// The same for the common data, which all connections of this kind share, such as a client secret.
    pub common: Vec<Need>,
    /// Names of the values that earlier runs stored.
    pub data: Vec<String>,
    /// Id of the account at the service, learned by the last run.
    pub uid: Option<String>,
    /// Display label of the account, learned by the last run.
    pub metadata: Option<HeldMetadata>,
    /// Time at which the credentials that the last run obtained expire, in milliseconds since the epoch.
    pub expires_at_ms: Option<i64>,
    /// Time at which it was created, in milliseconds since the epoch.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds since the epoch.
    pub updated_at_ms: i64,
    /// Its version.
    pub version: u64,
}

/// A value that a connection needs, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name in templates: `parameters.NAME` or `common.NAME`.
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
    fn of(caller: &Caller, held: &Held) -> Self {
        if caller.may(Action::ReadConnections, Some(held.organization)) {
            Self::Whole
        } else {
            Self::Outside
        }
    }
}

impl ConnectionView {
    /// Shows a connection as its organization's admins see it.
    pub fn whole(held: Held, settings: &ConnectionSettings) -> Self {
        Self::new(held, &Compiled::default(), settings, Sight::Whole)
    }

    /// A document that an older version accepted and this one does not is shown all the same, so that an administrator
    /// can fix it.
    fn new(held: Held, compiled: &Compiled, settings: &ConnectionSettings, sight: Sight) -> Self {
        let connection = compiled.of(&held, settings).ok();
        let connection = connection.as_ref();
        let names = &held.body.kept;
        let parameters = connection.map_or_else(Vec::new, |connection| connection.parameter_names().collect());
        let common = connection.map_or_else(Vec::new, |connection| connection.common_names().collect());
        Self {
            id: held.id,
            organization: held.organization,
            parameters: needs(&parameters, &names.parameters),
            common: needs(&common, &names.common),
            data: names.data.clone(),
            name: held.body.name,
            document: (sight == Sight::Whole).then_some(held.body.document),
            uid: held.body.uid,
            metadata: held.body.metadata,
            expires_at_ms: held.body.expires_at_ms,
            created_at_ms: held.created_at_ms,
            updated_at_ms: held.updated_at_ms,
            version: held.version,
        }
    }
}

fn needs(names: &[&str], given: &[String]) -> Vec<Need> {
    let all: BTreeSet<&str> = names.iter().copied().chain(given.iter().map(String::as_str)).collect();
    let need = |name: &str| Need {
        name: name.to_owned(),
        needed: names.contains(&name),
        given: given.iter().any(|given| given == name),
    };
    all.into_iter().map(need).collect()
}

fn view(permit: Permit<'_>, held: Held, sight: Sight) -> ConnectionView {
    ConnectionView::new(held, permit.compiled(), &permit.gateway().connections(), sight)
}

/// Compiles a document's text.
fn compiled(permit: Permit<'_>, text: &str) -> Result<Connection, OpError> {
    let settings = permit.gateway().connections();
    record::compile(text, settings.outbound.limits.response_bytes).map_err(|problems| OpError::document(&problems))
}

/// Checks a name, which must not be empty.
fn connection_name(text: &str) -> Result<String, OpError> {
    input_rules::required("name", text, "it is empty")
}

/// Lists the connections of an organization, sorted by time of creation; of all organizations for callers who may read
/// everything.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the page cannot be used, a record is damaged, or the
/// directory fails.
pub async fn list(
    caller: &Caller,
    organization: Option<&str>,
    page: PageRequest,
) -> Result<Listing<ConnectionView>, OpError> {
    let (permit, organization) = match organization {
        Some(text) => {
            let (permit, organization) = caller.organization(Action::ListConnections, text).await?;
            (permit, Some(organization.id))
        }
        None => (caller.permit(Action::ListConnections, None)?, None),
    };
    let page = page.page()?;
    // A connection's cursor is its id; documents of other kinds have other cursors.
    page.after_id()?;
    let documents = permit
        .directory()
        .documents(DocumentKind::Connection, organization, page)
        .await?;
    let items = documents.items.into_iter().map(|document| {
        let held = Held::of(document)?;
        let sight = Sight::of(caller, &held);
        Ok(view(permit, held, sight))
    });
    Ok(Listing {
        items: items.collect::<Result<_, OpError>>()?,
        next_cursor: documents.next_cursor,
    })
}

/// Reads the connection with this id.
///
/// # Errors
///
/// When the caller may not, there is no such connection, or its record is damaged.
pub async fn read(caller: &Caller, connection: &str) -> Result<ConnectionView, OpError> {
    let (permit, held) = caller.connection(Action::ListConnections, connection).await?;
    let sight = Sight::of(caller, &held);
    Ok(view(permit, held, sight))
}

/// Checks that the caller may create connections in the organization, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not, or there is no such organization.
pub async fn may_create(caller: &Caller, organization: &str) -> Result<(), OpError> {
    creation(caller, organization).await.map(|_| ())
}

async fn creation<'c>(caller: &'c Caller, organization: &str) -> Result<(Permit<'c>, OrganizationId), OpError> {
    let (permit, organization) = caller.organization(Action::WriteConnections, organization).await?;
    Ok((permit, organization.id))
}

/// Creates a connection for an organization. The document is compiled now; its secrets are sealed and never shown again.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the document does not compile, the name is empty, the secrets
/// cannot be sealed, or the directory refuses or fails.
pub async fn create(caller: &Caller, organization: &str, new: NewConnection) -> Result<ConnectionView, OpError> {
    let (permit, organization) = creation(caller, organization).await?;
    compiled(permit, &new.document)?;
    let new = NewConnection {
        name: connection_name(&new.name)?,
        ..new
    };
    let settings = permit.gateway().connections();
    let keys = settings.sealing.as_deref();
    let held = record::create(permit.directory(), keys, organization, new, permit.by()).await?;
    Ok(view(permit, held, Sight::Whole))
}

/// Deletes a connection with its secrets. Its events stay in the audit trail.
///
/// # Errors
///
/// When the caller may not, there is no such connection, it is at another version, or the directory fails.
pub async fn delete(caller: &Caller, connection: &str, expected: &ExpectedVersion) -> Result<(), OpError> {
    let (permit, held) = caller.connection(Action::WriteConnections, connection).await?;
    let at = expected
        .check(held.version)?
        .map_or(DocumentAt::Any, DocumentAt::Version);
    permit
        .directory()
        .delete_document(DocumentKind::Connection, held.id.to_string(), at, permit.by())
        .await?;
    permit.compiled().forget(&held);
    Ok(())
}

/// Renders a connection's request, for the caller to send: mints its tokens, records them in the audit trail, and sends
/// nothing. Of several requests it is the first.
///
/// # Errors
///
/// When the caller may not, there is no such connection, its organization is suspended or uses too many connections at
/// this moment, its secrets cannot be read, its document gives no request, or the directory fails.
pub async fn render(caller: &Caller, connection: &str) -> Result<Request, OpError> {
    let (permit, held) = caller.connection(Action::UseConnections, connection).await?;
    let _turn = permit.turns().renderings.of(&held).await?;
    let run = RunOfCaller::new(caller, permit);
    let settings = || run.settings();
    let mut running = Running::begin(run.context(&settings), &held).await?;
    match running.next().await?.map_err(|error| OpError::Run(error.to_string()))? {
        Step::Send(request) => Ok(*request),
        Step::Wait { .. } | Step::Done(_) => Err(OpError::Conflict(
            "the document's `condition` says that there is nothing to send",
        )),
    }
}

/// Sends a connection's requests, judges the responses as its document says, and stores the results of a valid run.
///
/// # Errors
///
/// As [`render`]. A refusal by the service is in [`Tested::failure`].
pub async fn test(caller: &Caller, connection: &str) -> Result<Tested, OpError> {
    let (caller, connection) = (caller.clone(), connection.to_owned());
    // On a task of its own: if the caller disconnects, the results and the audit event must still be stored.
    let tested = tokio::spawn(async move { tested(&caller, &connection).await }).await;
    tested.unwrap_or_else(|_| Err(OpError::Internal("a test of a connection broke off".to_owned())))
}

async fn tested(caller: &Caller, connection: &str) -> Result<Tested, OpError> {
    let (permit, held) = caller.connection(Action::UseConnections, connection).await?;
    let _turn = permit.turns().runs.of(&held).await?;
    let run = RunOfCaller::new(caller, permit);
    let settings = || run.settings();
    Ok(record::test(run.context(&settings), &held).await?)
}

/// A run of a connection for a caller.
struct RunOfCaller<'a> {
    permit: Permit<'a>,
    actor: Actor,
    context: Map<String, Value>,
}

impl<'a> RunOfCaller<'a> {
    fn new(caller: &Caller, permit: Permit<'a>) -> Self {
        Self {
            permit,
            actor: permit.by().actor,
            context: caller.context(),
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
