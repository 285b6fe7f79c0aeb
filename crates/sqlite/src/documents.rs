//! Documents of the edges.

use narthex_directory::{By, Document, DocumentAt, DocumentKind, Listing, NewDocument, OrganizationId, Page, document};
use rusqlite::{Connection, Row, params};

use super::change::record;
use super::error::{Outcome, corrupt};
use super::list::Query;
use super::rows::Columns;
use super::work::organization_in;
use super::writer::Tx;
use narthex_tables::record::{integer, object_from_json, object_to_json};

const DOCUMENT: &str =
    "d.kind, d.name, d.organization_id, d.body, d.secret, d.created_at_ms, d.updated_at_ms, d.version";

fn read(row: &Row<'_>) -> Outcome<Document> {
    let mut columns = Columns::of(row, "document");
    Ok(Document {
        kind: columns.parse()?,
        name: columns.text()?.to_owned(),
        organization: columns.maybe_parse()?,
        body: object_from_json(columns.text()?).ok_or_else(|| corrupt("document", "its body is not JSON"))?,
        secret: columns
            .maybe_bytes()?
            .map(|secret| narthex_directory::SecretBytes(secret.to_vec())),
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    })
}

pub(super) fn find(connection: &Connection, kind: DocumentKind, name: &str) -> Outcome<Option<Document>> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.kind = ?1 AND d.name = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([kind.as_str(), name])?;
    found.next()?.map(read).transpose()
}

pub(super) fn list(
    connection: &Connection,
    kind: DocumentKind,
    organization: Option<OrganizationId>,
    page: &Page,
) -> Outcome<Listing<Document>> {
    let mut query = Query::new(&format!("SELECT {DOCUMENT} FROM documents d"));
    query.and("d.kind = ?", Some(kind.as_str().to_owned()));
    query.and("d.organization_id = ?", organization.map(|id| id.to_string()));
    query.and("d.name > ?", page.cursor().map(|cursor| cursor.as_str().to_owned()));
    let items = query.list(connection, "d.name", page, read)?;
    Ok(Listing::cut(items, page, |document: &Document| document.name.clone()))
}

pub(super) fn save(tx: &mut Tx<'_>, new: NewDocument, at: DocumentAt, by: &By) -> Outcome<Document> {
    if let Some(organization) = new.organization {
        organization_in(tx, organization)?;
    }
    let before = find(tx, new.kind, &new.name)?;
    let done = if before.is_some() { "updated" } else { "created" };
    let saved = new.over(before.as_ref(), at, by.at_ms)?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO documents (kind, name, organization_id, body, secret, created_at_ms, updated_at_ms, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (kind, name) DO UPDATE SET \
         organization_id = excluded.organization_id, body = excluded.body, secret = excluded.secret, \
         updated_at_ms = excluded.updated_at_ms, version = excluded.version",
    )?;
    statement.execute(params![
        saved.kind.as_str(),
        saved.name,
        saved.organization.map(|id| id.to_string()),
        object_to_json(&saved.body),
        saved.secret.as_ref().map(|secret| &secret.0),
        saved.created_at_ms,
        saved.updated_at_ms,
        integer(saved.version),
    ])?;
    drop(statement);
    record(tx, document::event(&saved, done, by))?;
    if saved.kind.decides() {
        tx.move_policy()?;
    }
    Ok(saved)
}

pub(super) fn delete(tx: &mut Tx<'_>, kind: DocumentKind, name: &str, at: DocumentAt, by: &By) -> Outcome<bool> {
    let before = find(tx, kind, name)?;
    document::check(kind, before.as_ref(), at)?;
    let Some(before) = before else {
        return Ok(false);
    };
    tx.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND name = ?2")?
        .execute([kind.as_str(), name])?;
    record(tx, document::event(&before, "deleted", by))?;
    if kind.decides() {
        tx.move_policy()?;
    }
    Ok(true)
}
