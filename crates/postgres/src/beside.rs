//! Keys, logos, documents, what was noted, and what else is kept beside users and organizations.

use narthex_directory::{
    API_KEY_USE_EVERY_MS, ApiKey, ApiKeyId, AssertionKey, By, Change, Declaring, Document, DocumentAt, DocumentKind,
    IssuerName, Logo, Mark, Met, NewDocument, NewOrganization, Noted, OrganizationId, SavedKeySet, SecretHash,
    StoreError, Touch, UserId, document, rules,
};

use super::Shared;
use super::error::{Fault, Outcome, corrupt};
use super::list::{self, DOCUMENT, Key};
use super::rows::{self, Columns};
use super::session::{Command, Session, Then, Tx};
use super::value::Typed;
use super::write::{self, IssuerRow};
use narthex_tables::record::{API_KEY, integer, object_to_json, scope_columns};

/// Number of uses that one transaction writes: other writers wait for it.
const NOTED_AT_ONCE: usize = 1_000;

/// Writes what was noted since the last time. Writing some of it twice does no harm.
pub(super) async fn write_noted(shared: &Shared, noted: &Noted) -> Outcome<()> {
    for touches in noted.due.chunks(NOTED_AT_ONCE) {
        let touches: Vec<&Touch> = touches.iter().collect();
        let issuers: Vec<IssuerRow<'_>> = touches.iter().map(|touch| issuer_row(touch)).collect();
        let asserted = asserted(&touches);
        let commands = [
            write::see(&touches),
            write::note_uses(&issuers),
            write::assert_again(&asserted),
        ];
        write_all(shared, &commands).await?;
    }
    write_marks(shared, &noted.marks).await?;
    for seen in noted.tags.chunks(NOTED_AT_ONCE) {
        if let Some(command) = write::note_tags(seen) {
            write_all(shared, &[command]).await?;
        }
    }
    Ok(())
}

/// Writes the marks of issuers' tokens for users, which the other nodes look for there.
async fn write_marks(shared: &Shared, marks: &[(UserId, IssuerName, Mark)]) -> Outcome<()> {
    for marks in marks.chunks(NOTED_AT_ONCE) {
        let rows: Vec<IssuerRow<'_>> = marks
            .iter()
            .map(|(user, issuer, mark)| (*user, issuer.as_str(), Some(*mark), None))
            .collect();
        write_all(shared, &[write::note_uses(&rows)]).await?;
    }
    Ok(())
}

/// The newest `iat` of a user's tokens of any issuer, in milliseconds.
pub(super) async fn newest_issued_at_ms(session: &Session, user: UserId) -> Outcome<Option<i64>> {
    let sql = "SELECT max(coalesce(newest_issued_at_ms, last_issued_at_ms)) FROM user_issuers WHERE user_id = $1";
    let found = session.row(sql, &[&user.to_string()]).await?;
    match &found {
        Some(row) => Columns::of(row, "user issuer").maybe_integer(),
        None => Ok(None),
    }
}

async fn write_all(shared: &Shared, commands: &[Command<'_>]) -> Outcome<()> {
    let mut tx = Tx::begin(shared).await?;
    tx.run_all(commands, Then::Commit).await?;
    tx.commit(&shared.versions).await
}

/// Row of a token's issuer.
pub(super) fn issuer_row(touch: &Touch) -> IssuerRow<'_> {
    (touch.user, touch.issuer.as_str(), touch.mark, touch.tags.as_deref())
}

/// The grants that tokens assert, with the time of the assertion and its end.
pub(super) fn asserted(touches: &[&Touch]) -> Vec<(narthex_directory::GrantId, i64, Option<i64>)> {
    let of = |touch: &&Touch| {
        let (at_ms, lapses) = (touch.at_ms, touch.lapses_at_ms);
        touch
            .asserted
            .iter()
            .map(move |grant| (*grant, at_ms, lapses))
            .collect::<Vec<_>>()
    };
    touches.iter().flat_map(of).collect()
}

/// Tests whether a user holds a grant in an organization or its teams, or got one there by a token.
pub(super) async fn has_met(session: &Session, organization: OrganizationId, user: UserId) -> Outcome<bool> {
    let sql = "SELECT 1 FROM grants g LEFT JOIN teams t ON t.id = g.team_id WHERE g.user_id = $2 \
               AND (g.organization_id = $1 OR t.organization_id = $1) \
               AND (g.revoked_at_ms IS NULL OR g.source <> 'manual') LIMIT 1";
    let found = session
        .row(sql, &[&organization.to_string(), &user.to_string()])
        .await?;
    Ok(found.is_some())
}

/// Returns the changes that bring the declared organizations to their declared state.
pub(super) async fn declare(tx: &Tx, declared: Vec<NewOrganization>, at_ms: i64) -> Outcome<Vec<Change>> {
    let mut declaring = Declaring::new(at_ms);
    for new in declared {
        let named = list::organization(tx, Key::Name, new.name.as_str()).await?;
        let manual = match &named {
            Some(named) => list::manual_grants(tx, named.id).await?,
            None => Vec::new(),
        };
        let known_as = match &new.external_id {
            Some(external_id) => list::organization_known_as(tx, &new.realm, external_id).await?,
            None => None,
        };
        let met = Met {
            named,
            manual,
            known_as,
        };
        declaring.add(new, met)?;
    }
    Ok(declaring.finish(&list::declared(tx).await?))
}

pub(super) async fn logo(session: &Session, organization: OrganizationId) -> Outcome<Option<Logo>> {
    let sql = "SELECT bytes FROM organization_logos WHERE organization_id = $1";
    let Some(row) = session.row(sql, &[&organization.to_string()]).await? else {
        return Ok(None);
    };
    let bytes = Columns::of(&row, "logo").bytes()?.to_vec();
    let logo = Logo::new(bytes).ok_or_else(|| corrupt("logo", "it is neither PNG nor JPEG"))?;
    Ok(Some(logo))
}

/// Sets or removes a logo's bytes.
pub(super) async fn keep_logo(tx: &mut Tx, organization: OrganizationId, bytes: Option<Vec<u8>>) -> Outcome<()> {
    let id = Box::new(organization.to_string());
    let command = match bytes {
        Some(bytes) => Command::new(
            "INSERT INTO organization_logos (organization_id, bytes) VALUES ($1, $2) \
             ON CONFLICT (organization_id) DO UPDATE SET bytes = excluded.bytes",
            vec![id, Box::new(bytes)],
        ),
        None => Command::new("DELETE FROM organization_logos WHERE organization_id = $1", vec![id]),
    };
    tx.run(command).await
}

/// Turns a broken constraint into the error of the one field that can break it.
fn taken(made: Outcome<()>, what: &'static str, field: &'static str) -> Outcome<()> {
    match made {
        Err(Fault::Constraint) => Err(StoreError::AlreadyExists {
            what,
            field,
            owner: None,
        }
        .into()),
        made => made,
    }
}

pub(super) async fn create_api_key(tx: &mut Tx, key: &ApiKey) -> Outcome<()> {
    let (organization, team) = scope_columns(key.role.scope());
    let command = Command::new(
        "INSERT INTO api_keys (id, name, hash, organization_id, team_id, role, created_at_ms, expires_at_ms, \
         revoked_at_ms, last_used_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            Box::new(key.id.to_string()),
            Box::new(key.name.clone()),
            Box::new(key.hash.0.to_vec()),
            Box::new(organization),
            Box::new(team),
            Box::new(key.role.role_str()),
            Box::new(key.created_at_ms),
            Box::new(key.expires_at_ms),
            Box::new(key.revoked_at_ms),
            Box::new(key.last_used_at_ms),
        ],
    );
    taken(tx.run(command).await, "api key", "hash")
}

pub(super) async fn api_key(session: &Session, hash: SecretHash) -> Outcome<Option<ApiKey>> {
    let sql = format!("SELECT {API_KEY} FROM api_keys k WHERE k.hash = $1");
    let found = session.row(&sql, &[&&hash.0[..]]).await?;
    found.as_ref().map(rows::api_key).transpose()
}

/// Records a use, unless one of the same minute is recorded.
pub(super) async fn note_api_key_use(session: &Session, key: ApiKeyId, at_ms: i64) -> Outcome<bool> {
    let sql = "UPDATE api_keys SET last_used_at_ms = $2 WHERE id = $1 \
               AND (last_used_at_ms IS NULL OR abs($2 - last_used_at_ms) >= $3) RETURNING 1";
    let values: [&dyn Typed; 3] = [&key.to_string(), &at_ms, &API_KEY_USE_EVERY_MS];
    Ok(session.row(sql, &values).await?.is_some())
}

/// Revokes a key. Returns it as it is now, if it was still open.
pub(super) async fn revoke_api_key(tx: &Tx, key: ApiKeyId, at_ms: i64) -> Outcome<Option<ApiKey>> {
    let sql = format!(
        "UPDATE api_keys k SET revoked_at_ms = $2 WHERE k.id = $1 AND k.revoked_at_ms IS NULL RETURNING {API_KEY}"
    );
    let found = tx.row(&sql, &[&key.to_string(), &at_ms]).await?;
    found.as_ref().map(rows::api_key).transpose()
}

pub(super) async fn assertion_keys(session: &Session) -> Outcome<Vec<AssertionKey>> {
    let sql = "SELECT kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms FROM assertion_keys \
               ORDER BY created_at_ms DESC, kid DESC";
    session.rows(sql, &[]).await?.iter().map(rows::assertion_key).collect()
}

pub(super) async fn rotate_assertion_key(
    tx: &mut Tx,
    key: &AssertionKey,
    newer_than_ms: i64,
    by: &By,
) -> Outcome<Vec<AssertionKey>> {
    let newest = assertion_keys(tx).await?.first().map(|key| key.created_at_ms);
    if newest.is_none_or(|newest| newest <= newer_than_ms) {
        let command = Command::new(
            "INSERT INTO assertion_keys (kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            vec![
                Box::new(key.kid.clone()),
                Box::new(key.private.0.clone()),
                Box::new(key.public_jwk.clone()),
                Box::new(key.created_at_ms),
                Box::new(key.signs_until_ms),
                Box::new(key.published_until_ms),
            ],
        );
        taken(tx.run(command).await, "assertion key", "kid")?;
        tx.record(rules::assertion_key_event(&key.kid, by)).await?;
    }
    let old = "DELETE FROM assertion_keys WHERE published_until_ms <= $1";
    tx.run(Command::new(old, vec![Box::new(by.at_ms)])).await?;
    assertion_keys(tx).await
}

pub(super) async fn key_sets(session: &Session) -> Outcome<Vec<SavedKeySet>> {
    let sql = "SELECT issuer, source, body, fetched_at_ms FROM key_sets ORDER BY issuer";
    session.rows(sql, &[]).await?.iter().map(rows::key_set).collect()
}

/// Writes one row that nothing else depends on: it needs no place in the order of writers.
pub(super) async fn save_key_set(session: &Session, set: &SavedKeySet) -> Outcome<()> {
    let sql = "INSERT INTO key_sets (issuer, source, body, fetched_at_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (issuer) DO UPDATE SET source = excluded.source, body = excluded.body, \
               fetched_at_ms = excluded.fetched_at_ms";
    let values: [&dyn Typed; 4] = [&set.issuer.as_str(), &set.source, &set.body, &set.fetched_at_ms];
    session.rows(sql, &values).await?;
    Ok(())
}

pub(super) async fn find_document(session: &Session, kind: DocumentKind, name: &str) -> Outcome<Option<Document>> {
    if name.contains('\0') {
        return Ok(None);
    }
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.kind = $1 AND d.name = $2");
    let found = session.row(&sql, &[&kind.as_str(), &name]).await?;
    found.as_ref().map(rows::document).transpose()
}

pub(super) async fn save_document(tx: &mut Tx, new: NewDocument, at: DocumentAt, by: &By) -> Outcome<Document> {
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
