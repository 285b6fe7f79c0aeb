//! Listings: filters as optional parameters, order and cursor by the last key.

use narthex_directory::{
    Among, Answer, Carrier, CarrierFilter, Cursor, ExternalId, Grant, GrantFilter, GrantsWhen, Listing, Member,
    Organization, OrganizationFilter, OrganizationId, Page, PlatformRole, Realm, Scope, SeenTag, Team, TeamFilter,
    User, UserEntry, UserFilter, UserId, rules,
};
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params};

use super::error::Outcome;
use super::rows::Values;
use narthex_tables::columns::{GRANT, ORGANIZATION, SEEN_TAG, TEAM, USER, USER_COLUMNS, scope_columns, texts_to_json};
use narthex_tables::rows::{self, Columns, Row};

/// A query put together from the conditions that are asked for. Only text of this file becomes SQL; values are
/// always parameters.
pub(super) struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    pub(super) fn new(select: &str) -> Self {
        Self {
            sql: format!("{select} WHERE true"),
            values: Vec::new(),
        }
    }

    /// A condition on one value, which it names `?`.
    pub(super) fn and(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.values.push(value.into());
            self.push(&condition.replace('?', &format!("?{}", self.values.len())));
        }
    }

    fn push(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// The condition that begins a page of a list in the order of its ids.
    pub(super) fn after(&mut self, column: &str, page: &Page) -> Outcome<()> {
        self.and(&format!("{column} > ?"), page.after_id()?.map(str::to_owned));
        Ok(())
    }

    pub(super) fn list<T>(
        self,
        connection: &Connection,
        order: &str,
        page: &Page,
        read: impl Fn(&dyn Row) -> Answer<T>,
    ) -> Outcome<Vec<T>> {
        let sql = format!("{} ORDER BY {order} LIMIT {}", self.sql, page.limit() + 1);
        collect(connection, &sql, rusqlite::params_from_iter(self.values), read)
    }
}

/// Runs a query and reads its rows.
pub(super) fn collect<T>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl Fn(&dyn Row) -> Answer<T>,
) -> Outcome<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(read(&Values(row))?);
    }
    Ok(items)
}

fn text(value: Option<&impl AsRef<str>>) -> Option<String> {
    value.map(|value| value.as_ref().to_owned())
}

/// `instr` and ASCII `lower` mean the same in every database, and a text to look for holds no wildcards.
fn holds(columns: &[&str]) -> String {
    let each: Vec<String> = columns
        .iter()
        .map(|column| format!("instr(lower(coalesce({column}, '')), ?) > 0"))
        .collect();
    format!("({})", each.join(" OR "))
}

/// The highest open platform role, as a column.
const PLATFORM_ROLE: &str = "(SELECT max(CASE g.role WHEN 'admin' THEN 2 WHEN 'viewer' THEN 1 ELSE 0 END) \
     FROM grants g WHERE g.user_id = u.id AND g.organization_id IS NULL AND g.team_id IS NULL \
     AND g.revoked_at_ms IS NULL)";

fn entry(row: &dyn Row) -> Answer<UserEntry> {
    let role = match Columns::from(row, USER_COLUMNS, "user").maybe_integer()? {
        Some(2) => PlatformRole::Admin,
        Some(1) => PlatformRole::Viewer,
        _ => PlatformRole::User,
    };
    Ok(UserEntry {
        user: rows::user(row)?,
        platform_role: role,
    })
}

pub(super) fn user(connection: &Connection, id: &str) -> Outcome<Option<UserEntry>> {
    let sql = format!("SELECT {USER}, {PLATFORM_ROLE} FROM users u WHERE u.id = ?1");
    Ok(collect(connection, &sql, [id], entry)?.pop())
}

pub(super) fn users(connection: &Connection, filter: &UserFilter, page: &Page) -> Outcome<Listing<UserEntry>> {
    let mut query = Query::new(&format!("SELECT {USER}, {PLATFORM_ROLE} FROM users u"));
    query.and("u.realm = ?", text(filter.realm.as_ref()));
    query.and("u.external_id = ?", filter.external_id.clone());
    query.and("u.username = ?", filter.username.clone());
    query.and("u.email = ?", filter.email.clone());
    let q = filter.q.as_ref().map(|q| q.to_ascii_lowercase());
    query.and(&holds(&["u.username", "u.external_id", "u.email", "u.name"]), q);
    query.after("u.id", page)?;
    let items = query.list(connection, "u.id", page, entry)?;
    Ok(Listing::cut(items, page, |entry: &UserEntry| entry.user.id.to_string()))
}

pub(super) fn organizations(
    connection: &Connection,
    filter: &OrganizationFilter,
    page: &Page,
) -> Outcome<Listing<Organization>> {
    let mut query = Query::new(&format!("SELECT {ORGANIZATION} FROM organizations o"));
    query.push("o.deleted_at_ms IS NULL");
    query.and("o.realm = ?", text(filter.realm.as_ref()));
    query.and("o.external_id = ?", filter.external_id.clone());
    let listing = "o.id IN (SELECT x.organization_id FROM organization_tags x WHERE x.tag = ?)";
    query.and(listing, filter.tag.clone());
    query.and(
        &holds(&["o.name", "o.label"]),
        filter.q.as_ref().map(|q| q.to_ascii_lowercase()),
    );
    query.after("o.id", page)?;
    let items = query.list(connection, "o.id", page, rows::organization)?;
    Ok(Listing::cut(items, page, |organization: &Organization| {
        organization.id.to_string()
    }))
}

/// The organizations that the configuration declares.
pub(super) fn declared(connection: &Connection) -> Outcome<Vec<Organization>> {
    let sql = format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.origin = 'config' ORDER BY o.id");
    collect(connection, &sql, [], rows::organization)
}

/// One organization by its id or its name.
pub(super) fn organization(connection: &Connection, column: Key, value: &str) -> Outcome<Option<Organization>> {
    let sql = match column {
        Key::Id => format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.id = ?1 AND o.deleted_at_ms IS NULL"),
        Key::Name => {
            format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.name = ?1 AND o.deleted_at_ms IS NULL")
        }
    };
    Ok(collect(connection, &sql, [value], rows::organization)?.pop())
}

/// The organization of a realm with this external id.
pub(super) fn organization_known_as(
    connection: &Connection,
    realm: &Realm,
    external_id: &ExternalId,
) -> Outcome<Option<Organization>> {
    let sql = format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.realm = ?1 AND o.external_id = ?2");
    let values = [realm.as_str(), external_id.as_str()];
    Ok(collect(connection, &sql, values, rows::organization)?.pop())
}

/// Column by which an organization is looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Id,
    Name,
}

pub(super) fn team(connection: &Connection, id: &str) -> Outcome<Option<Team>> {
    let sql = format!("SELECT {TEAM} FROM teams t WHERE t.id = ?1 AND t.deleted_at_ms IS NULL");
    Ok(collect(connection, &sql, [id], rows::team)?.pop())
}

pub(super) fn teams(connection: &Connection, filter: &TeamFilter, page: &Page) -> Outcome<Listing<Team>> {
    let mut query = Query::new(&format!("SELECT {TEAM} FROM teams t"));
    query.push("t.deleted_at_ms IS NULL");
    query.and("t.realm = ?", text(filter.realm.as_ref()));
    query.and("t.organization_id = ?", filter.organization.map(|id| id.to_string()));
    query.and("t.external_id = ?", filter.external_id.clone());
    query.after("t.id", page)?;
    let items = query.list(connection, "t.id", page, rows::team)?;
    Ok(Listing::cut(items, page, |team: &Team| team.id.to_string()))
}

pub(super) fn grants(connection: &Connection, filter: &GrantFilter, page: &Page) -> Outcome<Listing<Grant>> {
    let mut query = Query::new(&format!("SELECT {GRANT} FROM grants g"));
    query.and("g.user_id = ?", filter.user.map(|id| id.to_string()));
    match filter.scope {
        Some(Scope::Platform) => query.push("g.organization_id IS NULL AND g.team_id IS NULL"),
        Some(Scope::Organization(id)) => query.and("g.organization_id = ?", Some(id.to_string())),
        Some(Scope::Team(id)) => query.and("g.team_id = ?", Some(id.to_string())),
        None => {}
    }
    match filter.when {
        GrantsWhen::Open => query.push("g.revoked_at_ms IS NULL"),
        GrantsWhen::AsOf(at_ms) => {
            query.and("g.granted_at_ms <= ?", Some(at_ms));
            query.and("(g.revoked_at_ms IS NULL OR g.revoked_at_ms > ?)", Some(at_ms));
            query.and("(g.lapses_at_ms IS NULL OR g.lapses_at_ms > ?)", Some(at_ms));
        }
        GrantsWhen::Ever => {}
    }
    query.after("g.id", page)?;
    let items = query.list(connection, "g.id", page, rows::grant)?;
    Ok(Listing::cut(items, page, |grant: &Grant| grant.id.to_string()))
}

/// A user's open manual grant on a scope.
pub(super) fn manual_grant(connection: &Connection, user: &str, scope: Scope) -> Outcome<Option<Grant>> {
    let (organization, team) = scope_columns(scope);
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.user_id = ?1 AND g.source = 'manual' AND g.revoked_at_ms IS NULL \
         AND coalesce(g.organization_id, g.team_id, '') = ?2"
    );
    let scope = organization.or(team).unwrap_or_default();
    Ok(collect(connection, &sql, [user, &scope], rows::grant)?.pop())
}

/// A user's open grants on a scope that an administrator can take: by hand and by claims.
pub(super) fn revocable_grants(connection: &Connection, user: &str, scope: Scope) -> Outcome<Vec<Grant>> {
    let (organization, team) = scope_columns(scope);
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.user_id = ?1 AND g.source IN ('manual', 'claim') \
         AND g.revoked_at_ms IS NULL AND coalesce(g.organization_id, g.team_id, '') = ?2 ORDER BY g.id"
    );
    let scope = organization.or(team).unwrap_or_default();
    collect(connection, &sql, [user, &scope], rows::grant)
}

/// The open manual grants on an organization and on its teams.
pub(super) fn manual_grants(connection: &Connection, organization: &str) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.organization_id = ?1 AND g.source = 'manual' AND g.revoked_at_ms IS NULL \
         UNION ALL SELECT {GRANT} FROM grants g JOIN teams t ON t.id = g.team_id \
         WHERE t.organization_id = ?1 AND g.source = 'manual' AND g.revoked_at_ms IS NULL ORDER BY 1"
    );
    collect(connection, &sql, [organization], rows::grant)
}

/// The open manual grants on a team.
pub(super) fn manual_team_grants(connection: &Connection, team: &str) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.team_id = ?1 AND g.source = 'manual' AND g.revoked_at_ms IS NULL \
         ORDER BY g.id"
    );
    collect(connection, &sql, [team], rows::grant)
}

/// Open grants that have lapsed.
pub(super) fn lapsed(connection: &Connection, now_ms: i64, limit: usize) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.revoked_at_ms IS NULL AND g.lapses_at_ms IS NOT NULL \
         AND g.lapses_at_ms <= ?1 ORDER BY g.lapses_at_ms, g.id LIMIT ?2"
    );
    collect(
        connection,
        &sql,
        params![now_ms, i64::try_from(limit).unwrap_or(i64::MAX)],
        rows::grant,
    )
}

pub(super) fn members(connection: &Connection, scope: Scope, now_ms: i64, page: &Page) -> Outcome<Listing<Member>> {
    let counts = "g.revoked_at_ms IS NULL AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > ?2)";
    holders(connection, scope, (counts, now_ms), page)
}

pub(super) fn members_as_of(
    connection: &Connection,
    scope: Scope,
    at_ms: i64,
    page: &Page,
) -> Outcome<Listing<Member>> {
    let held = "g.granted_at_ms <= ?2 AND (g.revoked_at_ms IS NULL OR g.revoked_at_ms > ?2) \
                AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > ?2)";
    holders(connection, scope, (held, at_ms), page)
}

/// Users who hold grants that count, by a condition on a time, which it names `?2`.
fn holders(
    connection: &Connection,
    scope: Scope,
    (counts, at_ms): (&str, i64),
    page: &Page,
) -> Outcome<Listing<Member>> {
    let on = match scope {
        Scope::Platform => "g.organization_id IS NULL AND g.team_id IS NULL AND ?1 IS NULL",
        Scope::Organization(_) => "g.organization_id = ?1",
        Scope::Team(_) => "g.team_id = ?1",
    };
    let (organization, team) = scope_columns(scope);
    let scope_id = organization.or(team);
    let sql = format!(
        "SELECT {USER} FROM users u WHERE u.id IN (SELECT DISTINCT g.user_id FROM grants g WHERE {on} AND {counts} \
         AND g.user_id > ?3 ORDER BY g.user_id LIMIT ?4) ORDER BY u.id"
    );
    let after = page.after_id()?.unwrap_or_default();
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX);
    let values: [&dyn ToSql; 4] = [&scope_id, &at_ms, &after, &limit];
    let users = collect(connection, &sql, values, rows::user)?;
    let sql = format!("SELECT {GRANT} FROM grants g WHERE {on} AND {counts} AND g.user_id = ?3 ORDER BY g.id");
    let mut members = Vec::with_capacity(users.len());
    for user in users {
        let values = params![scope_id, at_ms, user.id.to_string()];
        let grants = collect(connection, &sql, values, rows::grant)?;
        if let Some(role) = rules::highest_role(&grants) {
            members.push(Member { user, role, grants });
        }
    }
    Ok(Listing::cut(members, page, |member: &Member| {
        member.user.id.to_string()
    }))
}

pub(super) fn tags_ever_seen(connection: &Connection, realm: &str, tags: &[String]) -> Outcome<Vec<String>> {
    let sql = "SELECT s.tag FROM seen_tags s WHERE s.realm = ?1 AND s.tag IN (SELECT value FROM json_each(?2)) \
               ORDER BY s.tag";
    let values = params![realm, texts_to_json(tags.iter().map(String::as_str))];
    collect(connection, sql, values, |row| {
        Ok(Columns::of(row, "seen tag").text()?.to_owned())
    })
}

pub(super) fn has_met(connection: &Connection, organization: OrganizationId, user: UserId) -> Outcome<bool> {
    let mut statement = connection.prepare_cached(HAS_MET_SQL)?;
    Ok(statement.exists([organization.to_string(), user.to_string()])?)
}

const HAS_MET_SQL: &str = "SELECT 1 FROM grants g LEFT JOIN teams t ON t.id = g.team_id WHERE g.user_id = ?2 \
     AND (g.organization_id = ?1 OR t.organization_id = ?1) AND (g.revoked_at_ms IS NULL OR g.source <> 'manual') LIMIT 1";

/// The users `u` of a filter: its realm, tags, organization and moment are the first four values.
fn carrying(filter: &CarrierFilter) -> (String, [Value; 4]) {
    let members = "(SELECT g.user_id FROM grants g WHERE g.organization_id = ?3 AND g.revoked_at_ms IS NULL \
         AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > ?4))";
    // The plus keeps the index of realms out of it: SQLite looks at the few members, not at all users.
    let (realm, among) = match filter.among {
        Among::Everybody => ("u.realm", "?3 IS NULL AND ?4 IS NULL".to_owned()),
        Among::Members(..) => ("+u.realm", format!("u.id IN {members}")),
        Among::Others(..) => ("u.realm", format!("u.id NOT IN {members}")),
    };
    let sql = format!(
        "{realm} = ?1 AND {among} AND EXISTS (SELECT 1 FROM user_issuers i \
         JOIN json_each(i.tags) carried JOIN json_each(?2) wanted ON wanted.value = carried.value \
         WHERE i.user_id = u.id AND carried.value <> '')"
    );
    let (organization, now_ms) = filter.among.organization().unzip();
    let values = [
        filter.realm.as_str().to_owned().into(),
        texts_to_json(filter.tags.iter().map(String::as_str)).into(),
        organization.map(|id| id.to_string()).into(),
        now_ms.into(),
    ];
    (sql, values)
}

pub(super) fn count_carriers(connection: &Connection, filter: &CarrierFilter, most: usize) -> Outcome<usize> {
    let (carrying, values) = carrying(filter);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM users u WHERE {carrying} LIMIT ?5)");
    let most = i64::try_from(most).unwrap_or(i64::MAX).into();
    let values = rusqlite::params_from_iter(values.into_iter().chain([most]));
    let counted = collect(connection, &sql, values, |row| Columns::of(row, "count").number())?;
    Ok(counted.first().map_or(0, |count| usize::try_from(*count).unwrap_or(0)))
}

pub(super) fn carriers(connection: &Connection, filter: &CarrierFilter, page: &Page) -> Outcome<Listing<Carrier>> {
    let (carrying, values) = carrying(filter);
    let sql = format!("SELECT {USER} FROM users u WHERE {carrying} AND u.id > ?5 ORDER BY u.id LIMIT ?6");
    let after = page.after_id()?.unwrap_or_default().to_owned().into();
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX).into();
    let values = rusqlite::params_from_iter(values.into_iter().chain([after, limit]));
    let users: Vec<User> = collect(connection, &sql, values, rows::user)?;
    let mut carriers = Vec::with_capacity(users.len());
    for user in users {
        let sql = "SELECT i.tags FROM user_issuers i WHERE i.user_id = ?1 AND i.tags IS NOT NULL ORDER BY i.issuer";
        let lists = collect(connection, sql, [user.id.to_string()], |row| {
            Columns::of(row, "list of tags").texts()
        })?;
        let mut tags: Vec<String> = lists.into_iter().flatten().filter(|tag| !tag.is_empty()).collect();
        tags.sort_unstable();
        tags.dedup();
        carriers.push(Carrier { user, tags });
    }
    Ok(Listing::cut(carriers, page, |carrier: &Carrier| {
        carrier.user.id.to_string()
    }))
}

pub(super) fn seen_tags(
    connection: &Connection,
    realm: Option<&str>,
    after: Option<&(String, String)>,
    page: &Page,
) -> Outcome<Listing<SeenTag>> {
    let sql = format!(
        "SELECT {SEEN_TAG} FROM seen_tags s \
         WHERE (?1 IS NULL OR s.realm = ?1) AND (s.realm, s.tag) > (?2, ?3) ORDER BY s.realm, s.tag LIMIT ?4"
    );
    let (after_realm, after_tag) = after.map_or(("", ""), |(realm, tag)| (realm, tag));
    let limit = i64::try_from(page.limit() + 1).unwrap_or(i64::MAX);
    let values = params![realm, after_realm, after_tag, limit];
    let items = collect(connection, &sql, values, rows::seen_tag)?;
    Ok(Listing::cut(items, page, |seen: &SeenTag| {
        Cursor::of_pair(seen.realm.as_str(), &seen.tag)
    }))
}
