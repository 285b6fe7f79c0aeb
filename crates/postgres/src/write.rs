//! Statements that write, each for many records at once: one statement per table, whatever the number of rows.
//!
//! Rows travel as one array for each column. Only the texts of this file become SQL. An update names its rows twice, by
//! `= ANY` and by the join, and shares no words with a partial index: so it finds them by their ids whatever statistics
//! the table has.

use std::borrow::Cow;

use narthex_directory::{
    ExternalId, Grant, GrantId, IssuerName, Mark, Organization, OrganizationId, OrganizationName, Profile, SeenTag,
    StoredSource, TAG_LENGTH_MAX, Team, Touch, User, UserId, fold,
};

use super::session::Command;
use super::value::{Typed, Value};
use narthex_tables::columns::{integer, object_to_json, scope_columns, texts_to_json};
use narthex_tables::consequences::EventRow;
use narthex_tables::marks::mark_columns;

/// A row of `user_issuers`: whose, which issuer's, the mark and the tags of a token.
pub(super) type IssuerRow<'a> = (UserId, &'a str, Option<Mark>, Option<&'a [String]>);

/// The beginning of a statement that writes rows of `user_issuers`.
macro_rules! insert_issuers {
    () => {
        "INSERT INTO user_issuers (user_id, issuer, last_issued_at_ms, newest_issued_at_ms, said, tags) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])"
    };
}

/// The newest `iat` of the row's and the token's.
macro_rules! newest {
    () => {
        "greatest(user_issuers.newest_issued_at_ms, user_issuers.last_issued_at_ms, excluded.newest_issued_at_ms)"
    };
}

fn boxed<'a, T>(value: T) -> Value<'a>
where
    T: Typed + 'a,
{
    Box::new(value)
}

/// One column of many rows.
fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Value<'a>
where
    Vec<T>: Typed + 'a,
{
    Box::new(rows.iter().map(of).collect::<Vec<T>>())
}

/// PostgreSQL's text holds every character but U+0000.
fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn maybe_kept(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(kept)
}

/// Creates users, unless their id, external id or username is taken or the policy number is no longer the one named (if
/// one is). Returns the ids of those it created.
pub(super) const CREATE_USERS: &str = "INSERT INTO users (id, realm, external_id, username, email, name, country, \
     timezone, locale, language, status, context, tokens_not_before_ms, last_seen_at_ms, created_at_ms, \
     updated_at_ms, version) \
     SELECT n.id, n.realm, n.external_id, n.username, n.email, n.name, n.country, n.timezone, n.locale, n.language, \
     n.status, n.context, n.tokens_not_before_ms, n.last_seen_at_ms, n.created_at_ms, n.updated_at_ms, n.version \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
     $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], \
     $17::bigint[], $18::bigint[]) AS n (id, realm, external_id, username, email, name, country, timezone, locale, \
     language, status, context, tokens_not_before_ms, last_seen_at_ms, created_at_ms, updated_at_ms, version, policy) \
     WHERE n.policy IS NULL OR n.policy = (SELECT c.version FROM change_counters c WHERE c.id = 0) \
     ON CONFLICT DO NOTHING RETURNING id";

/// The values of [`CREATE_USERS`]: users, each with the policy number that it rests on.
pub(super) fn new_users<'a>(users: &'a [(&'a User, Option<u64>)]) -> Vec<Value<'a>> {
    let mut values = vec![
        column(users, |(user, _)| user.id.to_string()),
        column(users, |(user, _)| user.realm.as_str()),
        column(users, |(user, _)| user.external_id.as_str()),
        column(users, |(user, _)| user.username.as_str()),
    ];
    for field in 0..Profile::FIELDS.len() {
        values.push(column(users, move |(user, _)| {
            maybe_kept(user.profile.fields().get(field).and_then(|value| value.as_deref()))
        }));
    }
    values.extend([
        column(users, |(user, _)| user.status.as_str()),
        column(users, |(user, _)| object_to_json(&user.context)),
        column(users, |(user, _)| user.tokens_not_before_ms),
        column(users, |(user, _)| user.last_seen_at_ms),
        column(users, |(user, _)| user.created_at_ms),
        column(users, |(user, _)| user.updated_at_ms),
        column(users, |(user, _)| integer(user.version)),
        column(users, |(_, policy)| policy.map(integer)),
    ]);
    values
}

/// An index is rewritten whenever its column changes, so PostgreSQL is told of all of them: it compares.
pub(super) fn update_user<'a>(before: &'a User, after: &'a User) -> Command<'a> {
    let [email, name, country, timezone, locale, language] = after.profile.fields();
    let text = |field: &'a Option<String>| boxed(maybe_kept(field.as_deref()));
    let values = vec![
        boxed(after.id.to_string()),
        boxed(integer(before.version)),
        boxed(after.username.as_str()),
        text(email),
        text(name),
        text(country),
        text(timezone),
        text(locale),
        text(language),
        boxed(after.status.as_str()),
        boxed(object_to_json(&after.context)),
        boxed(after.tokens_not_before_ms),
        boxed(after.updated_at_ms),
        boxed(after.external_id.as_str()),
    ];
    Command::new(
        "UPDATE users SET username = $3, email = $4, name = $5, country = $6, timezone = $7, locale = $8, \
         language = $9, status = $10, context = $11, tokens_not_before_ms = $12, updated_at_ms = $13, \
         external_id = $14, version = version + 1 WHERE id = $1 AND version = $2",
        values,
    )
    .exactly(1)
}

/// Users whose version moves because of their grants.
pub(super) fn move_versions(users: &[UserId]) -> Command<'_> {
    Command::new(
        "UPDATE users SET version = version + 1 WHERE id = ANY($1)",
        vec![column(users, UserId::to_string)],
    )
}

pub(super) fn create_organization(organization: &Organization) -> Command<'_> {
    let values = vec![
        boxed(organization.id.to_string()),
        boxed(organization.name.as_str()),
        boxed(kept(&organization.label)),
        boxed(organization.realm.as_str()),
        boxed(organization.external_id.as_ref().map(ExternalId::as_str)),
        boxed(maybe_kept(organization.details.contact_name.as_deref())),
        boxed(maybe_kept(organization.details.contact_email.as_deref())),
        boxed(maybe_kept(organization.details.website.as_deref())),
        boxed(maybe_kept(organization.details.timezone.as_deref())),
        boxed(texts_to_json(organization.tags.admin.texts())),
        boxed(texts_to_json(organization.tags.member.texts())),
        boxed(texts_to_json(organization.tags.executor.texts())),
        boxed(organization.membership.as_str()),
        boxed(organization.status.as_str()),
        boxed(organization.origin.as_str()),
        boxed(organization.has_logo),
        boxed(organization.created_at_ms),
        boxed(organization.updated_at_ms),
        boxed(integer(organization.version)),
        boxed(organization.tag_patterns),
    ];
    Command::new(
        "INSERT INTO organizations (id, name, label, realm, external_id, contact_name, contact_email, website, \
         timezone, admin_tags, member_tags, executor_tags, membership, status, origin, has_logo, created_at_ms, \
         updated_at_ms, version, tag_patterns) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        values,
    )
}

pub(super) fn update_organization<'a>(before: &'a Organization, after: &'a Organization) -> Command<'a> {
    let values = vec![
        boxed(after.id.to_string()),
        boxed(integer(before.version)),
        boxed(after.name.as_str()),
        boxed(kept(&after.label)),
        boxed(after.external_id.as_ref().map(ExternalId::as_str)),
        boxed(maybe_kept(after.details.contact_name.as_deref())),
        boxed(maybe_kept(after.details.contact_email.as_deref())),
        boxed(maybe_kept(after.details.website.as_deref())),
        boxed(maybe_kept(after.details.timezone.as_deref())),
        boxed(texts_to_json(after.tags.admin.texts())),
        boxed(texts_to_json(after.tags.member.texts())),
        boxed(texts_to_json(after.tags.executor.texts())),
        boxed(after.membership.as_str()),
        boxed(after.status.as_str()),
        boxed(after.origin.as_str()),
        boxed(after.has_logo),
        boxed(after.updated_at_ms),
        boxed(after.tag_patterns),
    ];
    Command::new(
        "UPDATE organizations SET name = $3, label = $4, external_id = $5, contact_name = $6, contact_email = $7, \
         website = $8, timezone = $9, admin_tags = $10, member_tags = $11, executor_tags = $12, membership = $13, \
         status = $14, origin = $15, has_logo = $16, updated_at_ms = $17, tag_patterns = $18, version = version + 1 \
         WHERE id = $1 AND version = $2",
        values,
    )
    .exactly(1)
}

pub(super) fn keep_former_name(name: &OrganizationName) -> Command<'_> {
    Command::new(
        "INSERT INTO former_organization_names (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
        vec![boxed(name.as_str())],
    )
}

pub(super) fn forget_tags(organization: OrganizationId) -> Command<'static> {
    Command::new(
        "DELETE FROM organization_tags WHERE organization_id = $1",
        vec![boxed(organization.to_string())],
    )
}

pub(super) fn index_tags(organization: &Organization) -> Command<'_> {
    let roles = organization.tags.roles();
    let tags: Vec<String> = roles.iter().map(|(tag, _)| tag.to_string()).collect();
    let folded: Vec<String> = tags.iter().map(|tag| fold(tag)).collect();
    let values = vec![
        boxed(organization.realm.as_str()),
        boxed(organization.id.to_string()),
        boxed(roles.iter().map(|(_, role)| role.as_str()).collect::<Vec<_>>()),
        boxed(tags),
        boxed(folded),
    ];
    Command::new(
        "INSERT INTO organization_tags (realm, tag, organization_id, role, folded) \
         SELECT $1, n.tag, $2, n.role, n.folded FROM unnest($3::text[], $4::text[], $5::text[]) AS n (role, tag, folded)",
        values,
    )
}

pub(super) fn create_team(team: &Team) -> Command<'_> {
    let values = vec![
        boxed(team.id.to_string()),
        boxed(team.realm.as_str()),
        boxed(team.organization.map(|id| id.to_string())),
        boxed(team.external_id.as_ref().map(ExternalId::as_str)),
        boxed(kept(&team.name)),
        boxed(team.created_at_ms),
        boxed(team.updated_at_ms),
        boxed(integer(team.version)),
    ];
    Command::new(
        "INSERT INTO teams (id, realm, organization_id, external_id, name, created_at_ms, updated_at_ms, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        values,
    )
}

pub(super) fn update_team<'a>(before: &'a Team, after: &'a Team) -> Command<'a> {
    let values = vec![
        boxed(after.id.to_string()),
        boxed(integer(before.version)),
        boxed(after.organization.map(|id| id.to_string())),
        boxed(after.external_id.as_ref().map(ExternalId::as_str)),
        boxed(kept(&after.name)),
        boxed(after.updated_at_ms),
    ];
    Command::new(
        "UPDATE teams SET organization_id = $3, external_id = $4, name = $5, updated_at_ms = $6, \
         version = version + 1 WHERE id = $1 AND version = $2",
        values,
    )
    .exactly(1)
}

pub(super) fn open_grants<'a>(grants: &'a [&'a Grant]) -> Command<'a> {
    let values = vec![
        column(grants, |grant| grant.id.to_string()),
        column(grants, |grant| grant.user.to_string()),
        column(grants, |grant| scope_columns(grant.scope()).0),
        column(grants, |grant| scope_columns(grant.scope()).1),
        column(grants, |grant| grant.role.role_str()),
        column(grants, |grant| StoredSource::of(&grant.source).source.as_str()),
        column(grants, |grant| grant.source.issuer().map_or("", IssuerName::as_str)),
        column(grants, |grant| grant.source.tag().unwrap_or("")),
        column(grants, |grant| maybe_kept(grant.token.jti.as_deref())),
        column(grants, |grant| grant.token.sha256_prefix.as_deref()),
        column(grants, |grant| grant.granted_at_ms),
        column(grants, |grant| grant.asserted_at_ms),
        column(grants, |grant| grant.lapses_at_ms),
        column(grants, |grant| grant.revoked_at_ms),
        column(grants, |grant| maybe_kept(grant.why.as_deref())),
        column(grants, |grant| maybe_kept(grant.revoked_why.as_deref())),
        column(grants, |grant| StoredSource::of(&grant.source).via),
    ];
    Command::new(
        "INSERT INTO grants (id, user_id, organization_id, team_id, role, source, issuer, tag, token_jti, \
         token_sha256, granted_at_ms, asserted_at_ms, lapses_at_ms, revoked_at_ms, why, revoked_why, via) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], \
         $15::text[], $16::text[], $17::text[])",
        values,
    )
}

pub(super) fn close_grants<'a>(grants: &'a [&'a Grant]) -> Command<'a> {
    let values = vec![
        column(grants, |grant| grant.id.to_string()),
        column(grants, |grant| grant.revoked_at_ms),
        column(grants, |grant| maybe_kept(grant.revoked_why.as_deref())),
    ];
    Command::new(
        "UPDATE grants SET revoked_at_ms = n.at_ms, revoked_why = n.why \
         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (id, at_ms, why) \
         WHERE grants.id = ANY($1) AND grants.id = n.id AND coalesce(grants.revoked_at_ms, -1) = -1",
        values,
    )
    .exactly(grants.len())
}

/// Audit events, numbered on from the last one: their writer holds the writers' lock.
pub(super) fn events<'a>(rows: &'a [&'a EventRow]) -> Command<'a> {
    let id = |id: Option<String>| id;
    let values = vec![
        column(rows, |row| row.event.at_ms),
        column(rows, |row| row.event.actor.kind()),
        column(rows, |row| row.actor_name.as_deref()),
        column(rows, |row| maybe_kept(row.token().0)),
        column(rows, |row| row.token().1),
        column(rows, |row| row.event.action.as_str()),
        column(rows, |row| id(row.event.user.map(|id| id.to_string()))),
        column(rows, |row| id(row.event.organization.map(|id| id.to_string()))),
        column(rows, |row| id(row.event.team.map(|id| id.to_string()))),
        column(rows, |row| row.detail.as_str()),
    ];
    Command::new(
        "INSERT INTO audit_events (sequence, at_ms, actor_kind, actor_name, token_jti, token_sha256, action, user_id, \
         organization_id, team_id, detail) \
         SELECT l.last + n.position, n.at_ms, n.actor_kind, n.actor_name, n.token_jti, n.token_sha256, n.action, \
         n.user_id, n.organization_id, n.team_id, n.detail \
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
         $9::text[], $10::text[]) WITH ORDINALITY AS n (at_ms, actor_kind, actor_name, token_jti, token_sha256, \
         action, user_id, organization_id, team_id, detail, position), \
         (SELECT coalesce(max(sequence), 0) AS last FROM audit_events) AS l",
        values,
    )
}

/// Writes when users were last seen. Each of them once.
pub(super) fn see<'a>(touches: &'a [&'a Touch]) -> Command<'a> {
    let values = vec![
        column(touches, |touch| touch.user.to_string()),
        column(touches, |touch| touch.at_ms),
    ];
    Command::new(
        "UPDATE users SET last_seen_at_ms = greatest(users.last_seen_at_ms, n.at_ms) \
         FROM (SELECT t.id, max(t.at_ms) AS at_ms FROM unnest($1::text[], $2::bigint[]) AS t (id, at_ms) GROUP BY t.id) \
         AS n WHERE users.id = ANY($1) AND users.id = n.id",
        values,
    )
}

/// The grants that tokens assert again.
pub(super) fn assert_again(grants: &[(GrantId, i64, Option<i64>)]) -> Command<'static> {
    let values = vec![
        boxed(grants.iter().map(|(id, ..)| id.to_string()).collect::<Vec<_>>()),
        boxed(grants.iter().map(|(_, at_ms, _)| *at_ms).collect::<Vec<_>>()),
        boxed(grants.iter().map(|(.., lapses)| *lapses).collect::<Vec<_>>()),
    ];
    Command::new(
        "UPDATE grants SET asserted_at_ms = greatest(grants.asserted_at_ms, n.at_ms), lapses_at_ms = n.lapses_at_ms \
         FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (id, at_ms, lapses_at_ms) \
         WHERE grants.id = ANY($1) AND grants.id = n.id AND coalesce(grants.revoked_at_ms, -1) = -1",
        values,
    )
}

/// A list of tags as it is kept.
pub(super) fn tags_text(tags: Option<&[String]>) -> Option<String> {
    let kept_tags: Vec<Cow<'_, str>> = tags?.iter().map(|tag| kept(tag)).collect();
    Some(texts_to_json(kept_tags.iter().map(|tag| &**tag)))
}

/// The tokens of plans, each in its place in the order of an issuer's tokens for a user. Each pair once. Where one of the users
/// `may_have` had a token before, it may have been a newer one, which another node wrote since the plan was made.
pub(super) fn take_places<'a>(rows: &'a [IssuerRow<'a>], may_have: bool) -> Command<'a> {
    let command = Command::new(
        concat!(insert_issuers!(), narthex_tables::take_place!(newest!())),
        issuer_values(rows),
    );
    if may_have { command.exactly(rows.len()) } else { command }
}

/// Uses of tokens. Each pair once.
pub(super) fn note_uses<'a>(rows: &'a [IssuerRow<'a>]) -> Command<'a> {
    Command::new(
        concat!(insert_issuers!(), narthex_tables::note_use!(newest!())),
        issuer_values(rows),
    )
}

fn issuer_values<'a>(rows: &'a [IssuerRow<'a>]) -> Vec<Value<'a>> {
    let columns = |mark: &Option<Mark>| mark_columns(mark.as_ref());
    vec![
        column(rows, |(user, ..)| user.to_string()),
        column(rows, |(_, issuer, ..)| *issuer),
        column(rows, move |(_, _, mark, _)| columns(mark).0),
        column(rows, move |(_, _, mark, _)| columns(mark).1),
        column(rows, move |(_, _, mark, _)| columns(mark).2),
        column(rows, |(.., list)| tags_text(*list)),
    ]
}

/// Tags that tokens carried. Those that no organization could list are not worth a row.
pub(super) fn note_tags(seen: &[SeenTag]) -> Option<Command<'static>> {
    let could_be_listed = |seen: &&SeenTag| {
        // An index holds some 2,600 bytes of realm and tag.
        seen.tag.len() <= 1_500 && seen.tag.chars().count() <= TAG_LENGTH_MAX && !seen.tag.contains('\0')
    };
    let seen: Vec<&SeenTag> = seen.iter().filter(could_be_listed).collect();
    if seen.is_empty() {
        return None;
    }
    let values = vec![
        boxed(seen.iter().map(|seen| seen.realm.to_string()).collect::<Vec<_>>()),
        boxed(seen.iter().map(|seen| seen.tag.clone()).collect::<Vec<_>>()),
        boxed(seen.iter().map(|seen| seen.first_seen_at_ms).collect::<Vec<_>>()),
        boxed(seen.iter().map(|seen| seen.last_seen_at_ms).collect::<Vec<_>>()),
    ];
    Some(Command::new(
        "INSERT INTO seen_tags (realm, tag, first_seen_at_ms, last_seen_at_ms) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
         ON CONFLICT (realm, tag) DO UPDATE SET \
         last_seen_at_ms = greatest(seen_tags.last_seen_at_ms, excluded.last_seen_at_ms)",
        values,
    ))
}

/// Moves counters and notifies every node that listens that there is something to look at; returns them as they are
/// now.
pub(super) const MOVE: &str = "WITH moved AS (INSERT INTO change_counters (id, version) \
     SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
     ON CONFLICT (id) DO UPDATE SET version = change_counters.version + excluded.version RETURNING id, version), \
     told AS (SELECT pg_notify('narthex_versions', '') AS done) SELECT moved.id, moved.version FROM moved, told";
