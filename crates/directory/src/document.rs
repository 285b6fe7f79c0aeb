//! Things the edges keep in the directory without the directory looking inside: issuers made at run time,
//! connections, webhooks. A body that is shown, and a secret that is not.

use serde_json::{Map, Value};

use crate::audit::{AuditEvent, By};
use crate::command::SecretBytes;
use crate::error::StoreError;
use crate::id::OrganizationId;
use crate::role::word;

word!(
    /// What a document is.
    DocumentKind, "document", {
        /// An issuer made at run time. Saving one moves the policy number.
        Issuer = "issuer",
        /// A connection of an organization.
        Connection = "connection",
        /// A receiver of directory changes.
        Webhook = "webhook",
    }
);

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name; unique within its kind, compared exactly.
    pub name: String,
    /// Whose it is.
    pub organization: Option<OrganizationId>,
    /// What it says.
    pub body: Map<String, Value>,
    /// What it keeps to itself, as the edge encrypted it.
    pub secret: Option<SecretBytes>,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it was last changed.
    pub updated_at_ms: i64,
    /// Counts every change; starts at 1.
    pub version: u64,
}

/// A document to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub organization: Option<OrganizationId>,
    /// What it says.
    pub body: Map<String, Value>,
    /// What it keeps to itself.
    pub secret: Option<SecretBytes>,
}

/// What must be so for a document to be saved or deleted.
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
    /// Whether a change of such a document may change a cached answer.
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

/// Whether what is expected of a document holds. For stores.
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

/// The event of a document saved or deleted. For stores. Says which, not what it says: a body may be long, and
/// connections hold other people's addresses.
pub fn event(document: &Document, done: &str, by: &By) -> AuditEvent {
    let action = format!("{}.{done}", document.kind);
    let mut event = AuditEvent::new(&action, by.actor.clone(), by.at_ms);
    event.organization = document.organization;
    event.detail.insert("name".to_owned(), document.name.as_str().into());
    event.detail.insert("version".to_owned(), document.version.into());
    event
}
