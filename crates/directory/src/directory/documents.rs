//! Store operations on documents, of which the directory knows only kind, name and organization.

use async_trait::async_trait;
use narthex_names::OrganizationId;

use crate::audit::By;
use crate::directory::Answer;
use crate::document::{Document, DocumentAt, DocumentKind, NewDocument};
use crate::page::{Listing, Page};

/// Documents: what other parts of the program keep, by kind and name.
#[async_trait]
pub trait Documents: Send + Sync {
    /// One document.
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>>;

    /// Documents of a kind (of one organization, if given), by name.
    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>>;

    /// Creates or changes a document.
    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document>;

    /// Deletes a document. `false` if there is none.
    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool>;
}
