//! `Documents` on PostgreSQL.

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Document, DocumentAt, DocumentKind, Documents, Listing, NewDocument, OrganizationId, Page, document,
};

use super::PostgresDirectory;
use super::error::Outcome;
use super::list::Query;
use super::rows::read_maybe;
use super::session::{Command, Session, Tx};
use narthex_tables::columns::{DOCUMENT, integer, object_to_json};
use narthex_tables::rows;

#[async_trait]
impl Documents for PostgresDirectory {
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        Ok(find_document(&self.session().await?, kind, &name).await?)
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        Ok(documents(&self.session().await?, kind, organization, &page).await?)
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        let mut tx = self.begin().await?;
        let saved = save_document(&mut tx, new, at, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(saved)
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let deleted = delete_document(&mut tx, kind, &name, at, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(deleted)
    }
}

async fn find_document(session: &Session, kind: DocumentKind, name: &str) -> Outcome<Option<Document>> {
    if name.contains('\0') {
        return Ok(None);
    }
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.kind = $1 AND d.name = $2");
    let found = session.row(&sql, &[&kind.as_str(), &name]).await?;
    read_maybe(found.as_ref(), rows::document)
}

async fn documents(
    session: &Session,
    kind: DocumentKind,
    organization: Option<OrganizationId>,
    page: &Page,
) -> Outcome<Listing<Document>> {
    let mut query = Query::new(&format!("SELECT {DOCUMENT} FROM documents d"));
    query.text("d.kind = ?", Some(kind.as_str()));
    query.text("d.organization_id = ?", organization.map(|id| id.to_string()));
    query.text("d.name > ?", page.cursor().map(|cursor| cursor.as_str().to_owned()));
    let items = query.list(session, "d.name", page, rows::document).await?;
    Ok(Listing::cut(items, page, |document: &Document| document.name.clone()))
}

async fn save_document(tx: &mut Tx, new: NewDocument, at: DocumentAt, by: &By) -> Outcome<Document> {
    if let Some(organization) = new.organization {
        tx.organization_in(organization).await?;
    }
    let before = find_document(tx, new.kind, &new.name).await?;
    let done = if before.is_some() { "updated" } else { "created" };
    let saved = new.over(before.as_ref(), at, by.at_ms)?;
    let command = Command::new(
        "INSERT INTO documents (kind, name, organization_id, body, secret, created_at_ms, updated_at_ms, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kind, name) DO UPDATE SET \
         organization_id = excluded.organization_id, body = excluded.body, secret = excluded.secret, \
         updated_at_ms = excluded.updated_at_ms, version = excluded.version",
        vec![
            Box::new(saved.kind.as_str()),
            Box::new(saved.name.clone()),
            Box::new(saved.organization.map(|id| id.to_string())),
            Box::new(object_to_json(&saved.body)),
            Box::new(saved.secret.as_ref().map(|secret| secret.0.clone())),
            Box::new(saved.created_at_ms),
            Box::new(saved.updated_at_ms),
            Box::new(integer(saved.version)),
        ],
    );
    tx.run(command).await?;
    tell(tx, &saved, done, by).await?;
    Ok(saved)
}

pub(super) async fn delete_document(
    tx: &mut Tx,
    kind: DocumentKind,
    name: &str,
    at: DocumentAt,
    by: &By,
) -> Outcome<bool> {
    let before = find_document(tx, kind, name).await?;
    document::check(kind, before.as_ref(), at)?;
    let Some(before) = before else {
        return Ok(false);
    };
    let command = Command::new(
        "DELETE FROM documents WHERE kind = $1 AND name = $2",
        vec![Box::new(kind.as_str()), Box::new(name.to_owned())],
    );
    tx.run(command).await?;
    tell(tx, &before, "deleted", by).await?;
    Ok(true)
}

async fn tell(tx: &mut Tx, document: &Document, done: &str, by: &By) -> Outcome<()> {
    tx.record(document::event(document, done, by)).await?;
    if document.kind.decides() {
        tx.move_counters(&[0]).await?;
    }
    Ok(())
}
