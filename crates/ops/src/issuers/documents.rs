//! Issuers made at run time: documents that the API creates and changes. Those of the configuration file are read-only here.

use std::sync::Arc;

use narthex_config::FieldProblem;
use narthex_decision::Action;
use narthex_directory::{Document, DocumentAt, DocumentKind, Listing, OrganizationId, OrganizationName};
use narthex_issuers::store::{IssuerStore, NewIssuer, SaveError, candidate};
use narthex_issuers::{DocumentState, RunTimeIssuers};
use serde_json::{Map, Value};

use crate::caller::{Caller, Permit};
use crate::error::OpError;
use crate::paging::PageRequest;
use crate::precondition::ExpectedVersion;

const UNKNOWN: OpError = OpError::Unknown { what: "issuer" };
const DECLARED: OpError = OpError::Conflict(
    "the issuer is declared in the configuration file; change it there, and the file is read again within a second",
);
/// Error of a gateway that takes its issuers from the file alone.
pub(super) const FILE_ONLY: OpError =
    OpError::Conflict("this installation takes its issuers from the configuration file alone");

/// An issuer made at run time.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerRecord {
    /// Its document.
    pub document: Document,
    /// Name of the organization that it belongs to, for an issuer from a setup link.
    pub organization: Option<OrganizationName>,
    /// Its state on the node that is asked; `None` where the node has not read it yet, which takes less than a second.
    pub state: Option<DocumentState>,
    /// Warnings about its document, after a change.
    pub warnings: Vec<FieldProblem>,
}

/// Lists the issuers made at run time, sorted by name, those that are off too.
///
/// # Errors
///
/// When the caller may not, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, page: PageRequest) -> Result<Listing<IssuerRecord>, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    let kind = DocumentKind::Issuer;
    let listing = permit.directory().documents(kind, None, page.page()?).await?;
    let mut items = Vec::with_capacity(listing.items.len());
    for document in listing.items {
        items.push(record(permit, document, Vec::new()).await?);
    }
    Ok(Listing {
        items,
        next_cursor: listing.next_cursor,
    })
}

/// Reads the issuer with this name that was made at run time.
///
/// # Errors
///
/// When the caller may not, there is no such issuer, or the directory fails.
pub async fn read(caller: &Caller, name: &str) -> Result<IssuerRecord, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    let document = find(permit, name).await?;
    record(permit, document, Vec::new()).await
}

/// Checks that the caller may create issuers, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not.
pub fn may_create(caller: &Caller) -> Result<(), OpError> {
    caller.permit(Action::WriteIssuers, None).map(|_| ())
}

/// Creates an issuer from a document with the keys of `[[issuer]]`. All nodes have it in use within a second.
///
/// # Errors
///
/// When the caller may not, the document has a problem, its name or its `iss` is taken, or the directory fails.
pub async fn create(caller: &Caller, document: Map<String, Value>) -> Result<IssuerRecord, OpError> {
    let permit = caller.permit(Action::WriteIssuers, None)?;
    let Some(name) = document.get("name").and_then(Value::as_str).map(str::to_owned) else {
        return Err(OpError::invalid("name", "an issuer needs a name, which is text"));
    };
    if run_time(permit)?.is_declared(&name) {
        return Err(DECLARED);
    }
    save(permit, (name, document, None), DocumentAt::Absent).await
}

/// Replaces the document of an issuer. The organization that it belongs to stays.
///
/// # Errors
///
/// As [`create`]; or it is declared in the file, there is no such issuer, or it is at another version.
pub async fn replace(
    caller: &Caller,
    name: &str,
    document: Map<String, Value>,
    expected: &ExpectedVersion,
) -> Result<IssuerRecord, OpError> {
    let permit = caller.permit(Action::WriteIssuers, None)?;
    let before = find(permit, name).await?;
    expected.check(before.version)?;
    let at = DocumentAt::Version(before.version);
    save(permit, (before.name, document, before.organization), at).await
}

/// Deletes an issuer. Its tokens are refused from then on, and the roles that they gave have no effect.
///
/// # Errors
///
/// When the caller may not, it is declared in the file, there is no such issuer, it is at another version, or the directory fails.
pub async fn delete(caller: &Caller, name: &str, expected: &ExpectedVersion) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteIssuers, None)?;
    let before = find(permit, name).await?;
    let at = expected
        .check(before.version)?
        .map_or(DocumentAt::Any, DocumentAt::Version);
    let directory = permit.directory();
    directory
        .delete_document(DocumentKind::Issuer, before.name, at, permit.by())
        .await?;
    Ok(())
}

/// Finds a document, or says why there is none.
async fn find(permit: Permit<'_>, name: &str) -> Result<Document, OpError> {
    let directory = permit.directory();
    let found = directory.document(DocumentKind::Issuer, name.to_owned()).await?;
    let is_declared = || run_time(permit).is_ok_and(|issuers| issuers.is_declared(name));
    match found {
        Some(document) => Ok(document),
        None if is_declared() => Err(DECLARED),
        None => Err(UNKNOWN),
    }
}

fn run_time(permit: Permit<'_>) -> Result<Arc<RunTimeIssuers>, OpError> {
    permit.gateway().run_time_issuers().ok_or(FILE_ONLY)
}

async fn save(
    permit: Permit<'_>,
    (name, document, organization): (String, Map<String, Value>, Option<OrganizationId>),
    at: DocumentAt,
) -> Result<IssuerRecord, OpError> {
    let issuers = run_time(permit)?;
    let (file, limits) = (issuers.file(), issuers.limits());
    let store = IssuerStore {
        directory: permit.directory(),
        file: &file,
        limits: &limits,
    };
    let new = NewIssuer {
        name,
        document,
        organization,
    };
    let saved = store.save(new, at, permit.by()).await?;
    record(permit, saved.document, saved.warnings).await
}

async fn record(permit: Permit<'_>, document: Document, warnings: Vec<FieldProblem>) -> Result<IssuerRecord, OpError> {
    let candidate = candidate(permit.directory(), document).await?;
    let issuers = permit.gateway().run_time_issuers();
    Ok(IssuerRecord {
        state: issuers.and_then(|issuers| issuers.state(&candidate.document.name)),
        document: candidate.document,
        organization: candidate.organization,
        warnings,
    })
}

impl From<SaveError> for OpError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Store(error) => error.into(),
            SaveError::TooMany => {
                Self::Conflict("there are as many issuers as there may be; delete one that is not needed")
            }
            other => Self::invalid("document", other),
        }
    }
}
