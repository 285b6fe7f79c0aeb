//! Documents of issuers in the directory: read for use, and saved after the check that they can be used.

use narthex_config::{FieldProblem, Limits};
use narthex_directory::{
    By, Directory, Document, DocumentAt, DocumentKind, NewDocument, OrganizationFilter, OrganizationId, PAGE_LIMIT_MAX,
    Page, Realm, StoreError, UserFilter,
};
use serde_json::{Map, Value};

use crate::choice::{Candidate, FileIssuer, OffReason, choose};
use crate::document::compile;

/// Upper limit of documents.
pub const ISSUERS_MAX: usize = 1_000;
/// Largest document, in bytes of JSON.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1_024;

/// Directory, and the issuers of the file that documents are held against.
#[derive(Clone, Copy)]
pub struct IssuerStore<'s> {
    /// The directory.
    pub directory: &'s dyn Directory,
    /// The issuers of the file.
    pub file: &'s [FileIssuer],
    /// Limits of the file.
    pub limits: &'s Limits,
}

impl std::fmt::Debug for IssuerStore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuerStore")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// An issuer to save.
#[derive(Debug, Clone)]
pub struct NewIssuer {
    /// Its name.
    pub name: String,
    /// Its document.
    pub document: Map<String, Value>,
    /// The organization that it belongs to, for an issuer from a setup link.
    pub organization: Option<OrganizationId>,
}

/// An issuer that was saved.
#[derive(Debug, Clone)]
pub struct SavedIssuer {
    /// Its document.
    pub document: Document,
    /// Warnings about it.
    pub warnings: Vec<FieldProblem>,
}

/// Reason why an issuer is not saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveError {
    /// The document has these problems.
    Invalid(Vec<FieldProblem>),
    /// It would not be in use.
    Off(OffReason),
    /// It is an issuer of one organization, and its realm has users or organizations of others.
    RealmInUse(Realm),
    /// The document is too large.
    TooLarge,
    /// There are as many issuers as there may be.
    TooMany,
    /// The directory refused or failed.
    Store(StoreError),
}

impl From<StoreError> for SaveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for SaveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(problems) => {
                for (at, problem) in problems.iter().enumerate() {
                    let separator = if at == 0 { "" } else { "; " };
                    write!(f, "{separator}`{}`: {}", problem.field, problem.message)?;
                    if let [help, ..] = problem.help.as_slice() {
                        write!(f, " ({help})")?;
                    }
                }
                Ok(())
            }
            Self::Off(reason) => reason.fmt(f),
            Self::RealmInUse(realm) => write!(
                f,
                "the realm `{realm}` has users or organizations already, and the users of an issuer of one organization have a realm \
                 of their own; choose another `realm`"
            ),
            Self::TooLarge => write!(f, "the document is larger than {} KiB", DOCUMENT_BYTES_MAX / 1_024),
            Self::TooMany => write!(
                f,
                "there are {ISSUERS_MAX} issuers already; delete one that is not needed"
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

/// Reads all documents of issuers, each with the name of the organization that it belongs to.
///
/// # Errors
///
/// The error of the store.
pub async fn candidates(directory: &dyn Directory) -> Result<Vec<Candidate>, StoreError> {
    let mut candidates = Vec::new();
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let listing = directory.documents(DocumentKind::Issuer, None, page).await?;
        for document in listing.items {
            candidates.push(candidate(directory, document).await?);
        }
        page = match listing.next_cursor {
            Some(cursor) => Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Ok(candidates),
        };
    }
}

/// Finds the name of the organization that a document belongs to.
///
/// # Errors
///
/// The error of the store.
pub async fn candidate(directory: &dyn Directory, document: Document) -> Result<Candidate, StoreError> {
    let organization = match document.organization {
        Some(id) => directory.organization(id).await?.map(|found| found.name),
        None => None,
    };
    Ok(Candidate { document, organization })
}

impl IssuerStore<'_> {
    /// Checks that an issuer can be used beside all others, and saves it.
    ///
    /// # Errors
    ///
    /// [`SaveError`].
    pub async fn save(&self, new: NewIssuer, at: DocumentAt, by: By) -> Result<SavedIssuer, SaveError> {
        let warnings = self.check(&new, by.at_ms).await?;
        let new = NewDocument {
            kind: DocumentKind::Issuer,
            name: new.name,
            organization: new.organization,
            body: new.document,
            secret: None,
        };
        let document = self.directory.save_document(new, at, by).await?;
        Ok(SavedIssuer { document, warnings })
    }

    /// Checks that an issuer can be used beside all others, without a change. Returns the warnings about it.
    ///
    /// # Errors
    ///
    /// [`SaveError`].
    pub async fn check(&self, new: &NewIssuer, now_ms: i64) -> Result<Vec<FieldProblem>, SaveError> {
        let bytes = serde_json::to_vec(&new.document).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(SaveError::TooLarge);
        }
        let mut others = candidates(self.directory).await?;
        let before = others.iter().position(|other| other.document.name == new.name);
        let before = before.map(|at| others.swap_remove(at));
        if before.is_none() && others.len() >= ISSUERS_MAX {
            return Err(SaveError::TooMany);
        }
        let made = candidate(self.directory, document_of(new, before.as_ref(), now_ms)).await?;
        if new.organization.is_some() && made.organization.is_none() {
            return Err(SaveError::Off(OffReason::OrganizationGone));
        }
        let compiled = compile(&new.name, &new.document, made.organization.as_ref(), self.limits);
        let compiled = compiled.map_err(SaveError::Invalid)?;
        if compiled.issuer.policy.organization.is_some() {
            self.own_realm(&compiled.issuer.realm, before.as_ref()).await?;
        }
        others.push(made);
        let mut choice = choose(self.file, others, &|_| false, self.limits);
        match choice.off.remove(&new.name) {
            Some(reason) => Err(SaveError::Off(reason)),
            None => Ok(compiled.warnings),
        }
    }

    /// Refuses a realm in which there is something already, unless the issuer had it before.
    ///
    /// SECURITY: the realm may be that of an issuer that is gone, whose users still hold manual roles anywhere. An issuer that
    /// has the realm speaks for them.
    async fn own_realm(&self, realm: &Realm, before: Option<&Candidate>) -> Result<(), SaveError> {
        let earlier = before.and_then(|before| {
            let document = &before.document;
            let organization = before.organization.as_ref();
            let compiled = compile(&document.name, &document.body, organization, self.limits).ok()?;
            let is_of_one = compiled.issuer.policy.organization.is_some();
            is_of_one.then_some(compiled.issuer.realm)
        });
        if earlier.as_ref() == Some(realm) {
            return Ok(());
        }
        let users = UserFilter {
            realm: Some(realm.clone()),
            ..UserFilter::default()
        };
        let organizations = OrganizationFilter {
            realm: Some(realm.clone()),
            ..OrganizationFilter::default()
        };
        let users = self.directory.users(users, Page::first(1)).await?;
        let organizations = self.directory.organizations(organizations, Page::first(1)).await?;
        if users.items.is_empty() && organizations.items.is_empty() {
            Ok(())
        } else {
            Err(SaveError::RealmInUse(realm.clone()))
        }
    }
}

/// The document as it would be kept.
fn document_of(new: &NewIssuer, before: Option<&Candidate>, now_ms: i64) -> Document {
    let before = before.map(|before| &before.document);
    Document {
        kind: DocumentKind::Issuer,
        name: new.name.clone(),
        organization: new.organization,
        body: new.document.clone(),
        secret: None,
        created_at_ms: before.map_or(now_ms, |before| before.created_at_ms),
        updated_at_ms: now_ms,
        version: before.map_or(1, |before| before.version.saturating_add(1)),
    }
}
