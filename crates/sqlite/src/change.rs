//! Writing: the eleven changes, their audit events, and the numbers that move.

use narthex_directory::{
    AuditEvent, Change, Grant, Mark, Organization, StoreError, StoredSource, Stripe, Team, Touch, User, UserId, fold,
};
use rusqlite::{OptionalExtension, params};

use super::deletion;
use super::error::{Fault, Outcome};
use super::writer::Tx;
use narthex_tables::columns::{integer, object_to_json, scope_columns, texts_to_json};
use narthex_tables::consequences::{EventRow, Written};
use narthex_tables::marks::mark_columns;

/// The beginning of a statement that writes a row of `user_issuers`.
macro_rules! insert_issuer {
    () => {
        "INSERT INTO user_issuers (user_id, issuer, last_issued_at_ms, newest_issued_at_ms, said, tags) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    };
}
/// Writes out the marks that are written in short.
macro_rules! carry_over_sql {
    () => {
        concat!(
            "INSERT INTO user_issuers (user_id, issuer, last_issued_at_ms, newest_issued_at_ms, said) \
             SELECT m.value ->> 0, m.value ->> 1, m.value ->> 2, m.value ->> 3, m.value ->> 4 \
             FROM token_marks t, json_each(t.marks) m WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = m.value ->> 0)",
            narthex_tables::note_use!(crate::change::newest!())
        )
    };
}
/// The newer `iat` of the row's and the token's.
macro_rules! newest {
    () => {
        "max(coalesce(user_issuers.newest_issued_at_ms, user_issuers.last_issued_at_ms, excluded.newest_issued_at_ms), \
         coalesce(excluded.newest_issued_at_ms, user_issuers.newest_issued_at_ms, user_issuers.last_issued_at_ms))"
    };
}
pub(super) use {carry_over_sql, newest};

/// Makes changes, writes their events, and moves the numbers.
pub(super) fn write(tx: &mut Tx<'_>, changes: &[Change], written: &Written) -> Outcome<()> {
    for change in changes {
        make(tx, change)?;
    }
    for event in &written.events {
        write_event(tx, event)?;
    }
    for user in &written.moves.users {
        if !changes.iter().any(|change| change.writes(*user)) {
            let mut statement = tx.prepare_cached("UPDATE users SET version = version + 1 WHERE id = ?1")?;
            statement.execute([user.to_string()])?;
        }
        tx.move_stripe(Stripe::of(*user))?;
    }
    if written.moves.policy {
        tx.move_policy()?;
    }
    Ok(())
}

fn make(tx: &Tx<'_>, change: &Change) -> Outcome<()> {
    let made = match change {
        Change::CreateUser(user) => create_user(tx, user),
        Change::UpdateUser { before, after, .. } | Change::EraseUser { before, after, .. } => {
            update_user(tx, before, after)
        }
        Change::CreateOrganization(organization) => create_organization(tx, organization),
        Change::UpdateOrganization { before, after, .. } => update_organization(tx, before, after),
        Change::DeleteOrganization { before, at_ms, .. } => deletion::delete_organization(tx, before, *at_ms),
        Change::DeleteTeam { before, at_ms } => deletion::delete_team(tx, before, *at_ms),
        Change::CreateTeam(team) => create_team(tx, team),
        Change::UpdateTeam { before, after } => update_team(tx, before, after),
        Change::OpenGrant(grant) => open_grant(tx, grant),
        Change::CloseGrant(grant) => close_grant(tx, grant),
    };
    match made {
        Err(Fault::Constraint) => Err(broken(tx, change)?.into()),
        made => made,
    }
}

/// Finds the constraint that a change broke, afterwards and in one order: every store gives the same answer.
fn broken(tx: &Tx<'_>, change: &Change) -> Outcome<StoreError> {
    let owner = |sql: &str, values: &[&str]| -> Outcome<Option<String>> {
        let mut statement = tx.prepare_cached(sql)?;
        Ok(statement
            .query_row(rusqlite::params_from_iter(values), |row| row.get(0))
            .optional()?)
    };
    let exists = |what, field, owner| Ok(StoreError::AlreadyExists { what, field, owner });
    match change {
        Change::CreateUser(user) | Change::UpdateUser { after: user, .. } | Change::EraseUser { after: user, .. } => {
            let (realm, id) = (user.realm.as_str(), user.id.to_string());
            let sql = "SELECT id FROM users WHERE realm = ?1 AND external_id = ?2 AND id <> ?3";
            if let Some(owner) = owner(sql, &[realm, user.external_id.as_str(), &id])? {
                return exists("user", "external_id", Some(owner));
            }
            let sql = "SELECT id FROM users WHERE realm = ?1 AND username = ?2 AND id <> ?3";
            exists("user", "username", owner(sql, &[realm, user.username.as_str(), &id])?)
        }
        Change::CreateOrganization(after) | Change::UpdateOrganization { after, .. } => {
            let id = after.id.to_string();
            let sql = "SELECT id FROM organizations WHERE name = ?1 AND id <> ?2";
            if let Some(owner) = owner(sql, &[after.name.as_str(), &id])? {
                return exists("organization", "name", Some(owner));
            }
            let external_id = after.external_id.as_ref().map_or("", |id| id.as_str());
            let sql = "SELECT id FROM organizations WHERE realm = ?1 AND external_id = ?2 AND id <> ?3";
            let owner = owner(sql, &[after.realm.as_str(), external_id, &id])?;
            exists("organization", "external_id", owner)
        }
        Change::CreateTeam(team) | Change::UpdateTeam { after: team, .. } => {
            let external_id = team.external_id.as_ref().map_or("", |id| id.as_str());
            let sql = "SELECT id FROM teams WHERE realm = ?1 AND external_id = ?2 AND id <> ?3";
            match owner(sql, &[team.realm.as_str(), external_id, &team.id.to_string()])? {
                Some(owner) => exists("team", "external_id", Some(owner)),
                None => Ok(StoreError::NotFound { what: "organization" }),
            }
        }
        Change::OpenGrant(grant) => {
            let mut statement = tx.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?;
            let (organization, team) = scope_columns(grant.scope());
            let mut scope = tx.prepare_cached(
                "SELECT (?1 IS NULL OR EXISTS (SELECT 1 FROM organizations WHERE id = ?1)) \
                 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM teams WHERE id = ?2))",
            )?;
            match (
                scope.query_row([organization, team], |row| row.get(0))?,
                statement.exists([grant.user.to_string()])?,
            ) {
                (true, true) => exists("grant", "scope", None),
                (true, false) => Ok(StoreError::NotFound { what: "user" }),
                (false, _) => Ok(StoreError::NotFound {
                    what: grant.scope().kind(),
                }),
            }
        }
        Change::DeleteOrganization { .. } | Change::DeleteTeam { .. } | Change::CloseGrant(_) => {
            Ok(StoreError::Conflict)
        }
    }
}

fn create_user(tx: &Tx<'_>, user: &User) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO users (id, realm, external_id, username, email, name, country, timezone, locale, language, \
         status, context, tokens_not_before_ms, last_seen_at_ms, created_at_ms, updated_at_ms, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    let [email, name, country, timezone, locale, language] = user.profile.fields();
    statement.execute(params![
        user.id.to_string(),
        user.realm.as_str(),
        user.external_id.as_str(),
        user.username.as_str(),
        email,
        name,
        country,
        timezone,
        locale,
        language,
        user.status.as_str(),
        object_to_json(&user.context),
        user.tokens_not_before_ms,
        user.last_seen_at_ms,
        user.created_at_ms,
        user.updated_at_ms,
        integer(user.version),
    ])?;
    Ok(())
}

/// An index is rewritten whenever its column is named in an update, changed or not: so e-mail, username and
/// external id are named only where they change. The realm never does.
fn update_user(tx: &Tx<'_>, before: &User, after: &User) -> Outcome<()> {
    let id = after.id.to_string();
    let mut statement = tx.prepare_cached(
        "UPDATE users SET name = ?3, country = ?4, timezone = ?5, locale = ?6, language = ?7, status = ?8, \
         context = ?9, tokens_not_before_ms = ?10, updated_at_ms = ?11, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
    )?;
    let [email, name, country, timezone, locale, language] = after.profile.fields();
    let rows = statement.execute(params![
        id,
        integer(before.version),
        name,
        country,
        timezone,
        locale,
        language,
        after.status.as_str(),
        object_to_json(&after.context),
        after.tokens_not_before_ms,
        after.updated_at_ms,
    ])?;
    one(rows)?;
    if after.profile.email != before.profile.email {
        tx.prepare_cached("UPDATE users SET email = ?2 WHERE id = ?1")?
            .execute(params![id, email])?;
    }
    if after.external_id != before.external_id {
        let mut statement = tx.prepare_cached("UPDATE users SET external_id = ?2 WHERE id = ?1")?;
        statement.execute(params![id, after.external_id.as_str()])?;
    }
    if after.username != before.username {
        let mut statement = tx.prepare_cached("UPDATE users SET username = ?2 WHERE id = ?1")?;
        statement.execute(params![id, after.username.as_str()])?;
    }
    Ok(())
}

fn create_organization(tx: &Tx<'_>, organization: &Organization) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO organizations (id, name, label, realm, external_id, contact_name, contact_email, website, \
         timezone, admin_tags, member_tags, executor_tags, membership, status, origin, has_logo, created_at_ms, \
         updated_at_ms, version, tag_patterns) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?;
    statement.execute(params![
        organization.id.to_string(),
        organization.name.as_str(),
        organization.label,
        organization.realm.as_str(),
        organization
            .external_id
            .as_ref()
            .map(narthex_directory::ExternalId::as_str),
        organization.details.contact_name,
        organization.details.contact_email,
        organization.details.website,
        organization.details.timezone,
        texts_to_json(organization.tags.admin.texts()),
        texts_to_json(organization.tags.member.texts()),
        texts_to_json(organization.tags.executor.texts()),
        organization.membership.as_str(),
        organization.status.as_str(),
        organization.origin.as_str(),
        organization.has_logo,
        organization.created_at_ms,
        organization.updated_at_ms,
        integer(organization.version),
        organization.tag_patterns,
    ])?;
    index_tags(tx, organization)
}

fn update_organization(tx: &Tx<'_>, before: &Organization, after: &Organization) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE organizations SET name = ?3, label = ?4, external_id = ?5, contact_name = ?6, contact_email = ?7, \
         website = ?8, timezone = ?9, admin_tags = ?10, member_tags = ?11, executor_tags = ?12, membership = ?13, \
         status = ?14, origin = ?15, has_logo = ?16, updated_at_ms = ?17, tag_patterns = ?18, version = version + 1 \
         WHERE id = ?1 AND version = ?2",
    )?;
    let rows = statement.execute(params![
        after.id.to_string(),
        integer(before.version),
        after.name.as_str(),
        after.label,
        after.external_id.as_ref().map(narthex_directory::ExternalId::as_str),
        after.details.contact_name,
        after.details.contact_email,
        after.details.website,
        after.details.timezone,
        texts_to_json(after.tags.admin.texts()),
        texts_to_json(after.tags.member.texts()),
        texts_to_json(after.tags.executor.texts()),
        after.membership.as_str(),
        after.status.as_str(),
        after.origin.as_str(),
        after.has_logo,
        after.updated_at_ms,
        after.tag_patterns,
    ])?;
    one(rows)?;
    if after.name != before.name {
        let sql = "INSERT INTO former_organization_names (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
        tx.prepare_cached(sql)?.execute([before.name.as_str()])?;
    }
    if after.tags != before.tags {
        let mut statement = tx.prepare_cached("DELETE FROM organization_tags WHERE organization_id = ?1")?;
        statement.execute([after.id.to_string()])?;
        index_tags(tx, after)?;
    }
    Ok(())
}

fn index_tags(tx: &Tx<'_>, organization: &Organization) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO organization_tags (realm, tag, organization_id, role, folded) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (tag, role) in organization.tags.roles() {
        let (realm, id) = (organization.realm.as_str(), organization.id.to_string());
        statement.execute(params![realm, tag.as_str(), id, role.as_str(), fold(tag.as_str())])?;
    }
    Ok(())
}

fn create_team(tx: &Tx<'_>, team: &Team) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO teams (id, realm, organization_id, external_id, name, created_at_ms, updated_at_ms, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        team.id.to_string(),
        team.realm.as_str(),
        team.organization.map(|id| id.to_string()),
        team.external_id.as_ref().map(narthex_directory::ExternalId::as_str),
        team.name,
        team.created_at_ms,
        team.updated_at_ms,
        integer(team.version),
    ])?;
    Ok(())
}

fn update_team(tx: &Tx<'_>, before: &Team, after: &Team) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE teams SET organization_id = ?3, external_id = ?4, name = ?5, updated_at_ms = ?6, \
         version = version + 1 WHERE id = ?1 AND version = ?2",
    )?;
    let rows = statement.execute(params![
        after.id.to_string(),
        integer(before.version),
        after.organization.map(|id| id.to_string()),
        after.external_id.as_ref().map(narthex_directory::ExternalId::as_str),
        after.name,
        after.updated_at_ms,
    ])?;
    one(rows)
}

fn open_grant(tx: &Tx<'_>, grant: &Grant) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO grants (id, user_id, organization_id, team_id, role, source, issuer, tag, token_jti, \
         token_sha256, granted_at_ms, asserted_at_ms, lapses_at_ms, revoked_at_ms, why, revoked_why, via) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    let (organization, team) = scope_columns(grant.scope());
    let stored = StoredSource::of(&grant.source);
    statement.execute(params![
        grant.id.to_string(),
        grant.user.to_string(),
        organization,
        team,
        grant.role.role_str(),
        stored.source.as_str(),
        grant.source.issuer().map_or("", |issuer| issuer.as_str()),
        grant.source.tag().unwrap_or(""),
        grant.token.jti,
        grant.token.sha256_prefix,
        grant.granted_at_ms,
        grant.asserted_at_ms,
        grant.lapses_at_ms,
        grant.revoked_at_ms,
        grant.why,
        grant.revoked_why,
        stored.via,
    ])?;
    Ok(())
}

fn close_grant(tx: &Tx<'_>, grant: &Grant) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE grants SET revoked_at_ms = ?2, revoked_why = ?3 WHERE id = ?1 AND revoked_at_ms IS NULL",
    )?;
    one(statement.execute(params![grant.id.to_string(), grant.revoked_at_ms, grant.revoked_why])?)
}

/// Refuses a change whose record is at another version than it was made from: another writer was quicker.
pub(super) fn one(rows: usize) -> Outcome<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict.into())
    }
}

/// Writes an audit event.
pub(super) fn record(tx: &Tx<'_>, event: AuditEvent) -> Outcome<()> {
    write_event(tx, &EventRow::of(event))
}

fn write_event(tx: &Tx<'_>, row: &EventRow) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO audit_events (at_ms, actor_kind, actor_name, token_jti, token_sha256, action, user_id, \
         organization_id, team_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let event = &row.event;
    let (jti, sha256) = row.token();
    statement.execute(params![
        event.at_ms,
        event.actor.kind(),
        row.actor_name,
        jti,
        sha256,
        event.action,
        event.user.map(|id| id.to_string()),
        event.organization.map(|id| id.to_string()),
        event.team.map(|id| id.to_string()),
        row.detail,
    ])?;
    Ok(())
}

/// Writes when a user was last seen.
pub(super) fn see(tx: &Tx<'_>, touch: &Touch) -> Outcome<()> {
    let mut statement =
        tx.prepare_cached("UPDATE users SET last_seen_at_ms = max(coalesce(last_seen_at_ms, ?2), ?2) WHERE id = ?1")?;
    statement.execute(params![touch.user.to_string(), touch.at_ms])?;
    Ok(())
}

/// Writes what a token asserts.
pub(super) fn note(tx: &Tx<'_>, touch: &Touch) -> Outcome<()> {
    note_issuer(
        tx,
        touch.user,
        touch.issuer.as_str(),
        touch.mark.as_ref(),
        touch.tags.as_deref(),
    )?;
    assert_again(tx, touch)
}

/// Writes what the token of a plan asserts. A newer one may have been written since the plan was made.
pub(super) fn note_plan(tx: &Tx<'_>, touch: &Touch) -> Outcome<()> {
    let mut statement = tx.prepare_cached(concat!(insert_issuer!(), narthex_tables::take_place!(newest!())))?;
    let (order, newest, said) = mark_columns(touch.mark.as_ref());
    let tags = touch
        .tags
        .as_deref()
        .map(|tags| texts_to_json(tags.iter().map(String::as_str)));
    one(statement.execute(params![
        touch.user.to_string(),
        touch.issuer.as_str(),
        order,
        newest,
        said,
        tags
    ])?)?;
    assert_again(tx, touch)
}

fn assert_again(tx: &Tx<'_>, touch: &Touch) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE grants SET asserted_at_ms = max(asserted_at_ms, ?2), lapses_at_ms = ?3 \
         WHERE id = ?1 AND revoked_at_ms IS NULL",
    )?;
    for grant in &touch.asserted {
        statement.execute(params![grant.to_string(), touch.at_ms, touch.lapses_at_ms])?;
    }
    Ok(())
}

/// Writes the mark of an issuer's token for a user, and its tags if it counts.
pub(super) fn note_issuer(
    tx: &Tx<'_>,
    user: UserId,
    issuer: &str,
    mark: Option<&Mark>,
    tags: Option<&[String]>,
) -> Outcome<()> {
    let mut statement = tx.prepare_cached(concat!(insert_issuer!(), narthex_tables::note_use!(newest!())))?;
    let (order, newest, said) = mark_columns(mark);
    let tags = tags.map(|tags| texts_to_json(tags.iter().map(String::as_str)));
    statement.execute(params![user.to_string(), issuer, order, newest, said, tags])?;
    Ok(())
}

/// The newest `iat` of a user's tokens of any issuer, in milliseconds.
pub(super) fn newest_issued_at_ms(tx: &Tx<'_>, user: UserId) -> Outcome<Option<i64>> {
    let mut statement = tx.prepare_cached(
        "SELECT max(coalesce(newest_issued_at_ms, last_issued_at_ms)) FROM user_issuers WHERE user_id = ?1",
    )?;
    Ok(statement.query_row([user.to_string()], |row| row.get(0))?)
}

/// A user's version, if there is such a user.
pub(super) fn version_of(tx: &Tx<'_>, user: UserId) -> Outcome<Option<u64>> {
    let mut statement = tx.prepare_cached("SELECT version FROM users WHERE id = ?1")?;
    Ok(statement
        .query_row([user.to_string()], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
        .optional()?)
}

/// A counter's number.
pub(super) fn counter(connection: &rusqlite::Connection, id: i64) -> Outcome<u64> {
    let mut statement = connection.prepare_cached("SELECT version FROM change_counters WHERE id = ?1")?;
    let number: Option<i64> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(number.map_or(0, i64::unsigned_abs))
}
