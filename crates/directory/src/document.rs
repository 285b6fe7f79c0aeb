//! Documents that the edges keep in the directory without the directory looking inside: issuers made at run time,
//! connections, webhooks, setup links. Each has a body that is shown, and a secret that is not.

use narthex_names::OrganizationId;
use serde_json::{Map, Value};

use crate::audit::{AuditEvent, By};
use crate::command::SecretBytes;
use crate::error::StoreError;
use crate::role::word;

word!(
    /// Kind of a document.
    DocumentKind, "document", {
        /// An issuer made at run time. Saving one moves the policy number.
        Issuer = "issuer",
        /// A connection of an organization.
        Connection = "connection",
        /// A receiver of directory changes.
        Webhook = "webhook",
        /// A link by which an organization's admin sets an issuer up.
        SetupLink = "setup_link",
    }
);

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its name; unique within its kind, compared exactly.
    pub name: String,
    /// The organization it belongs to.
    pub organization: Option<OrganizationId>,
    /// Its content that is shown.
    pub body: Map<String, Value>,
    /// Its secret, as the edge encrypted it.
    pub secret: Option<SecretBytes>,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds.
    pub updated_at_ms: i64,
    /// Counts every change; starts at 1.
    pub version: u64,
}

/// A document to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// The organization it belongs to.
    pub organization: Option<OrganizationId>,
    /// Its content that is shown.
    pub body: Map<String, Value>,
    /// Its secret.
    pub secret: Option<SecretBytes>,
}

/// Condition for saving or deleting a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentAt {
    /// There is none of this kind and name.
    Absent,
    /// There is one, at this version.
    Version(u64),
    /// Whatever there is.
    Any,
}

impl DocumentKind {
    /// Tests whether a change of such a document may change a cached answer.
    pub const fn decides(self) -> bool {
        matches!(self, Self::Issuer)
    }
}

impl NewDocument {
    /// The document after saving over `before`. For stores.
    pub fn over(self, before: Option<&Document>, at: DocumentAt, now_ms: i64) -> Result<Document, StoreError> {
        check(self.kind, before, at)?;
        Ok(Document {
            kind: self.kind,
            name: self.name,
            organization: self.organization,
            body: self.body,
            secret: self.secret,
            created_at_ms: before.map_or(now_ms, |before| before.created_at_ms),
            updated_at_ms: now_ms,
            version: before.map_or(1, |before| before.version + 1),
        })
    }
}

/// Checks the condition for saving or deleting a document. For stores.
pub fn check(kind: DocumentKind, before: Option<&Document>, at: DocumentAt) -> Result<(), StoreError> {
    let what = kind.as_str();
    match (at, before) {
        (DocumentAt::Absent, Some(_)) => Err(StoreError::AlreadyExists {
            what,
            field: "name",
            owner: None,
        }),
        (DocumentAt::Version(_), None) => Err(StoreError::NotFound { what }),
        (DocumentAt::Version(expected), Some(before)) if before.version != expected => {
            Err(StoreError::VersionMismatch {
                what,
                expected,
                found: before.version,
            })
        }
        _ => Ok(()),
    }
}

/// Returns the event of a document saved or deleted. For stores. It names the document and leaves out its content: a
/// body may be long, and connections hold other people's addresses.
pub fn event(document: &Document, done: &str, by: &By) -> AuditEvent {
    let action = format!("{}.{done}", document.kind);
    let mut event = AuditEvent::new(&action, by.actor.clone(), by.at_ms);
    event.organization = document.organization;
    event.detail.insert("name".to_owned(), document.name.as_str().into());
    event.detail.insert("version".to_owned(), document.version.into());
    event
}
