//! `Documents` and `Trail` of a view: those of the directory beneath. Declarations change nothing about them.

use async_trait::async_trait;
use narthex_directory::{
    Answer, AuditEvent, By, Document, DocumentAt, DocumentKind, Documents, EventFilter, Listing, NewDocument,
    OrganizationId, Page, RecordedEvent, Trail,
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

#[async_trait]
impl Trail for DeclaredView {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.inner.events(filter, page).await
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.inner.record(event).await
    }
}
