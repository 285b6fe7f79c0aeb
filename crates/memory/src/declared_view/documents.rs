//! `Documents` of a view: those of the directory beneath. Declarations change nothing about them.

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Document, DocumentAt, DocumentKind, Documents, Listing, NewDocument, OrganizationId, Page,
};

use super::DeclaredView;

#[async_trait]
impl Documents for DeclaredView {
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        self.inner.document(kind, name).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        self.inner.documents(kind, organization, page).await
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        self.inner.save_document(new, at, by).await
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        self.inner.delete_document(kind, name, at, by).await
    }
}
