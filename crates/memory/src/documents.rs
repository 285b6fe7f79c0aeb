//! `Documents` in memory.

use async_trait::async_trait;

use super::{MemoryDirectory, missing};
use narthex_directory::By;
use narthex_directory::OrganizationId;
use narthex_directory::document;
use narthex_directory::{Answer, Documents};
use narthex_directory::{Document, DocumentAt, DocumentKind, NewDocument};
use narthex_directory::{Listing, Page};

#[async_trait]
impl Documents for MemoryDirectory {
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        Ok(self.lock().documents.get(&(kind, name)).cloned())
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        Ok(self.lock().documents(kind, organization, &page))
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        let mut state = self.lock();
        if new
            .organization
            .is_some_and(|id| !state.organizations.contains_key(&id))
        {
            return Err(missing("organization"));
        }
        let key = (new.kind, new.name.clone());
        let before = state.documents.get(&key);
        let done = if before.is_some() { "updated" } else { "created" };
        let saved = new.over(before, at, by.at_ms)?;
        state.record(document::event(&saved, done, &by));
        state.documents.insert(key, saved.clone());
        if saved.kind.decides() {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        Ok(saved)
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        let mut state = self.lock();
        let key = (kind, name);
        document::check(kind, state.documents.get(&key), at)?;
        let Some(gone) = state.documents.remove(&key) else {
            return Ok(false);
        };
        state.record(document::event(&gone, "deleted", &by));
        if kind.decides() {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        Ok(true)
    }
}
