//! Listings: filters as optional parameters, order and cursor by the last key.

use narthex_directory::{
    Among, Answer, Carrier, CarrierFilter, Cursor, ExternalId, Grant, GrantFilter, GrantsWhen, Listing, Member,
    Organization, OrganizationFilter, OrganizationId, Page, PlatformRole, Realm, Scope, SeenTag, Team, TeamFilter,
    TeamId, User, UserEntry, UserFilter, UserId, rules,
};

use super::error::Outcome;
use super::rows::{Values, read_maybe};
use super::session::{Session, Value, borrowed};
use narthex_tables::columns::{GRANT, ORGANIZATION, SEEN_TAG, TEAM, USER, USER_COLUMNS, scope_columns};
use narthex_tables::rows::{self, Columns, Row, corrupt};

/// A query put together from the conditions that are asked for. Only text of this file becomes SQL; values are
/// always parameters.
pub(super) struct Query {
    sql: String,
    values: Vec<Value<'static>>,
    /// A value that no row can have: the answer is known.
    nothing: bool,
}

impl Query {
    pub(super) fn new(select: &str) -> Self {
        Self {
            sql: format!("{select} WHERE true"),
            values: Vec::new(),
            nothing: false,
        }
    }

    /// A condition on one text, which it names `?`.
    pub(super) fn text(&mut self, condition: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            let value: String = value.into();
            // PostgreSQL has no such text, and refuses to be asked for it.
            self.nothing |= value.contains('\0');
            self.with(condition, Box::new(value));
        }
    }

    /// A condition on one number, which it names `?`.
    pub(super) fn number(&mut self, condition: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.with(condition, Box::new(value));
        }
    }

    fn with(&mut self, condition: &str, value: Value<'static>) {
        self.values.push(value);
        self.push(&condition.replace('?', &format!("${}", self.values.len())));
    }

    fn push(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// The condition that begins a page of a list in the order of its ids.
    pub(super) fn after(&mut self, column: &str, page: &Page) -> Outcome<()> {
        self.text(&format!("{column} > ?"), page.after_id()?.map(str::to_owned));
        Ok(())
    }

    /// Reads one row more than the page holds, so that the end of the list is known.
    pub(super) async fn list<T>(
        mut self,
        session: &Session,
        order: &str,
        page: &Page,
        read: impl Fn(&dyn Row) -> Answer<T>,
    ) -> Outcome<Vec<T>> {
        if self.nothing {
            return Ok(Vec::new());
        }
        self.values.push(Box::new(one_more(page)));
        let sql = format!("{} ORDER BY {order} LIMIT ${}", self.sql, self.values.len());
        collect(session, &sql, &self.values, read).await
    }
}

fn one_more(page: &Page) -> i64 {
    i64::try_from(page.limit() + 1).unwrap_or(i64::MAX)
}

/// Runs a query and reads its rows.
pub(super) async fn collect<T>(
    session: &Session,
    sql: &str,
    values: &[Value<'_>],
    read: impl Fn(&dyn Row) -> Answer<T>,
) -> Outcome<Vec<T>> {
    let rows = session.rows(sql, &borrowed(values)).await?;
    let records = rows.iter().map(|row| read(&Values(row)));
    Ok(records.collect::<Answer<_>>()?)
}

fn text(value: Option<&impl AsRef<str>>) -> Option<String> {
    value.map(|value| value.as_ref().to_owned())
}

/// `strpos` and, in the collation "C", ASCII `lower` mean the same in every database, and a text to look for holds no
/// wildcards.
fn holds(columns: &[&str]) -> String {
    let each: Vec<String> = columns
        .iter()
        .map(|column| format!("strpos(lower(coalesce({column}, '')), ?) > 0"))
        .collect();
    format!("({})", each.join(" OR "))
}

/// Condition of an open grant. It shares no words with the index of open grants: without statistics of the table, the
/// server would read all of that index for the few grants of one organization.
const OPEN: &str = "coalesce(g.revoked_at_ms, -1) = -1";

/// The highest open platform role, as a column.
const PLATFORM_ROLE: &str = "(SELECT max(CASE g.role WHEN 'admin' THEN 2 WHEN 'viewer' THEN 1 ELSE 0 END)::bigint \
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

pub(super) async fn user(session: &Session, id: UserId) -> Outcome<Option<UserEntry>> {
    let sql = format!("SELECT {USER}, {PLATFORM_ROLE} FROM users u WHERE u.id = $1");
    let found = session.row(&sql, &[&id.to_string()]).await?;
    read_maybe(found.as_ref(), entry)
}

pub(super) async fn users(session: &Session, filter: &UserFilter, page: &Page) -> Outcome<Listing<UserEntry>> {
    let mut query = Query::new(&format!("SELECT {USER}, {PLATFORM_ROLE} FROM users u"));
    query.text("u.realm = ?", text(filter.realm.as_ref()));
    query.text("u.external_id = ?", filter.external_id.clone());
    query.text("u.username = ?", filter.username.clone());
    query.text("u.email = ?", filter.email.clone());
    let q = filter.q.as_ref().map(|q| q.to_ascii_lowercase());
    query.text(&holds(&["u.username", "u.external_id", "u.email", "u.name"]), q);
    query.after("u.id", page)?;
    let items = query.list(session, "u.id", page, entry).await?;
    Ok(Listing::cut(items, page, |entry: &UserEntry| entry.user.id.to_string()))
}

pub(super) async fn organizations(
    session: &Session,
    filter: &OrganizationFilter,
    page: &Page,
) -> Outcome<Listing<Organization>> {
    let mut query = Query::new(&format!("SELECT {ORGANIZATION} FROM organizations o"));
    query.push("o.deleted_at_ms IS NULL");
    query.text("o.realm = ?", text(filter.realm.as_ref()));
    query.text("o.external_id = ?", filter.external_id.clone());
    let listing = "EXISTS (SELECT 1 FROM organization_tags x WHERE x.organization_id = o.id AND x.tag = ?)";
    query.text(listing, filter.tag.clone());
    query.text(
        &holds(&["o.name", "o.label"]),
        filter.q.as_ref().map(|q| q.to_ascii_lowercase()),
    );
    query.after("o.id", page)?;
    let items = query.list(session, "o.id", page, rows::organization).await?;
    Ok(Listing::cut(items, page, |organization: &Organization| {
        organization.id.to_string()
    }))
}

/// The organizations that the configuration declares.
pub(super) async fn declared(session: &Session) -> Outcome<Vec<Organization>> {
    let sql = format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.origin = 'config' ORDER BY o.id");
    collect(session, &sql, &[], rows::organization).await
}

/// The organization of a realm with this external id.
pub(super) async fn organization_known_as(
    session: &Session,
    realm: &Realm,
    external_id: &ExternalId,
) -> Outcome<Option<Organization>> {
    let sql = format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.realm = $1 AND o.external_id = $2");
    let found = session.row(&sql, &[&realm.as_str(), &external_id.as_str()]).await?;
    read_maybe(found.as_ref(), rows::organization)
}

/// Column by which an organization is looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Id,
    Name,
}

/// One organization by its id or its name.
pub(super) async fn organization(session: &Session, column: Key, value: &str) -> Outcome<Option<Organization>> {
    let sql = match column {
        Key::Id => format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.id = $1 AND o.deleted_at_ms IS NULL"),
        Key::Name => {
            format!("SELECT {ORGANIZATION} FROM organizations o WHERE o.name = $1 AND o.deleted_at_ms IS NULL")
        }
    };
    let found = session.row(&sql, &[&value]).await?;
    read_maybe(found.as_ref(), rows::organization)
}

pub(super) async fn team(session: &Session, id: TeamId) -> Outcome<Option<Team>> {
    let sql = format!("SELECT {TEAM} FROM teams t WHERE t.id = $1 AND t.deleted_at_ms IS NULL");
    let found = session.row(&sql, &[&id.to_string()]).await?;
    read_maybe(found.as_ref(), rows::team)
}

pub(super) async fn teams(session: &Session, filter: &TeamFilter, page: &Page) -> Outcome<Listing<Team>> {
    let mut query = Query::new(&format!("SELECT {TEAM} FROM teams t"));
    query.push("t.deleted_at_ms IS NULL");
    query.text("t.realm = ?", text(filter.realm.as_ref()));
    query.text("t.organization_id = ?", filter.organization.map(|id| id.to_string()));
    query.text("t.external_id = ?", filter.external_id.clone());
    query.after("t.id", page)?;
    let items = query.list(session, "t.id", page, rows::team).await?;
    Ok(Listing::cut(items, page, |team: &Team| team.id.to_string()))
}

pub(super) async fn grants(session: &Session, filter: &GrantFilter, page: &Page) -> Outcome<Listing<Grant>> {
    let mut query = Query::new(&format!("SELECT {GRANT} FROM grants g"));
    query.text("g.user_id = ?", filter.user.map(|id| id.to_string()));
    match filter.scope {
        Some(Scope::Platform) => query.push("g.organization_id IS NULL AND g.team_id IS NULL"),
        Some(Scope::Organization(id)) => query.text("g.organization_id = ?", Some(id.to_string())),
        Some(Scope::Team(id)) => query.text("g.team_id = ?", Some(id.to_string())),
        None => {}
    }
    match filter.when {
        GrantsWhen::Open => query.push(OPEN),
        GrantsWhen::AsOf(at_ms) => {
            query.number("g.granted_at_ms <= ?", Some(at_ms));
            query.number("(g.revoked_at_ms IS NULL OR g.revoked_at_ms > ?)", Some(at_ms));
            query.number("(g.lapses_at_ms IS NULL OR g.lapses_at_ms > ?)", Some(at_ms));
        }
        GrantsWhen::Ever => {}
    }
    query.after("g.id", page)?;
    let items = query.list(session, "g.id", page, rows::grant).await?;
    Ok(Listing::cut(items, page, |grant: &Grant| grant.id.to_string()))
}

/// A user's open manual grant on a scope.
pub(super) async fn manual_grant(session: &Session, user: UserId, scope: Scope) -> Outcome<Option<Grant>> {
    let (organization, team) = scope_columns(scope);
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.user_id = $1 AND g.source = 'manual' AND g.revoked_at_ms IS NULL \
         AND coalesce(g.organization_id, g.team_id, '') = $2"
    );
    let scope = organization.or(team).unwrap_or_default();
    let found = session.row(&sql, &[&user.to_string(), &scope]).await?;
    read_maybe(found.as_ref(), rows::grant)
}

/// A user's open grants on a scope that an administrator can take: by hand and by claims.
pub(super) async fn revocable_grants(session: &Session, user: UserId, scope: Scope) -> Outcome<Vec<Grant>> {
    let (organization, team) = scope_columns(scope);
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.user_id = $1 AND g.source IN ('manual', 'claim') \
         AND g.revoked_at_ms IS NULL AND coalesce(g.organization_id, g.team_id, '') = $2 ORDER BY g.id"
    );
    let scope = organization.or(team).unwrap_or_default();
    collect(
        session,
        &sql,
        &[Box::new(user.to_string()), Box::new(scope)],
        rows::grant,
    )
    .await
}

/// The open manual grants on an organization and on its teams. Those of each team are looked up by themselves: with
/// statistics from before the first grant on a team, the server would read all grants on teams.
pub(super) async fn manual_grants(session: &Session, organization: OrganizationId) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.organization_id = $1 AND g.source = 'manual' AND {OPEN} \
         UNION ALL SELECT {GRANT} FROM teams t CROSS JOIN LATERAL (SELECT * FROM grants x WHERE x.team_id = t.id \
         AND x.source = 'manual' AND coalesce(x.revoked_at_ms, -1) = -1 OFFSET 0) g WHERE t.organization_id = $1 ORDER BY 1"
    );
    collect(session, &sql, &[Box::new(organization.to_string())], rows::grant).await
}

/// The open manual grants on a team.
pub(super) async fn manual_team_grants(session: &Session, team: TeamId) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.team_id = $1 AND g.source = 'manual' AND {OPEN} \
         ORDER BY g.id"
    );
    collect(session, &sql, &[Box::new(team.to_string())], rows::grant).await
}

/// Open grants that have lapsed.
pub(super) async fn lapsed(session: &Session, now_ms: i64, limit: usize) -> Outcome<Vec<Grant>> {
    let sql = format!(
        "SELECT {GRANT} FROM grants g WHERE g.revoked_at_ms IS NULL AND g.lapses_at_ms IS NOT NULL \
         AND g.lapses_at_ms <= $1 ORDER BY g.lapses_at_ms, g.id LIMIT $2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    collect(session, &sql, &[Box::new(now_ms), Box::new(limit)], rows::grant).await
}

pub(super) async fn members(session: &Session, scope: Scope, now_ms: i64, page: &Page) -> Outcome<Listing<Member>> {
    let counts = format!("{OPEN} AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > $2)");
    holders(session, scope, (&counts, now_ms), page).await
}

pub(super) async fn members_as_of(
    session: &Session,
    scope: Scope,
    at_ms: i64,
    page: &Page,
) -> Outcome<Listing<Member>> {
    let held = "g.granted_at_ms <= $2 AND (g.revoked_at_ms IS NULL OR g.revoked_at_ms > $2) \
                AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > $2)";
    holders(session, scope, (held, at_ms), page).await
}

/// Users and the grants that make them members, by a condition on a time, which it names `$2`. One row for each grant: one
/// statement, and so one moment.
async fn holders(
    session: &Session,
    scope: Scope,
    (counts, at_ms): (&str, i64),
    page: &Page,
) -> Outcome<Listing<Member>> {
    let on = match scope {
        Scope::Platform => "g.organization_id IS NULL AND g.team_id IS NULL AND $1::text IS NULL",
        Scope::Organization(_) => "g.organization_id = $1",
        Scope::Team(_) => "g.team_id = $1",
    };
    let sql = format!(
        "SELECT {USER}, {GRANT} FROM users u JOIN grants g ON g.user_id = u.id AND {on} AND {counts} \
         WHERE u.id IN (SELECT DISTINCT g.user_id FROM grants g WHERE {on} AND {counts} \
         AND g.user_id > $3 ORDER BY g.user_id LIMIT $4) ORDER BY u.id, g.id"
    );
    let (organization, team) = scope_columns(scope);
    let values: [Value<'_>; 4] = [
        Box::new(organization.or(team)),
        Box::new(at_ms),
        Box::new(page.after_id()?.unwrap_or_default().to_owned()),
        Box::new(one_more(page)),
    ];
    let held = collect(session, &sql, &values, |row| {
        let grant = rows::maybe_grant(row, USER_COLUMNS)?.ok_or_else(|| corrupt("grant", "its id is missing"))?;
        Ok((rows::user(row)?, grant))
    });
    let mut members: Vec<(User, Vec<Grant>)> = Vec::new();
    for (user, grant) in held.await? {
        match members.last_mut() {
            Some((last, grants)) if last.id == user.id => grants.push(grant),
            _ => members.push((user, vec![grant])),
        }
    }
    let with_role = |(user, grants): (User, Vec<Grant>)| {
        let role = rules::highest_role(&grants)?;
        Some(Member { user, role, grants })
    };
    Ok(Listing::cut(
        members.into_iter().filter_map(with_role).collect(),
        page,
        |member: &Member| member.user.id.to_string(),
    ))
}

pub(super) async fn tags_ever_seen(session: &Session, realm: &str, mut tags: Vec<String>) -> Outcome<Vec<String>> {
    let sql = "SELECT s.tag FROM seen_tags s WHERE s.realm = $1 AND s.tag = ANY($2::text[]) ORDER BY s.tag";
    // PostgreSQL has no such text, and refuses to be asked for it.
    tags.retain(|tag| !tag.contains('\0'));
    let values: [Value<'_>; 2] = [Box::new(realm.to_owned()), Box::new(tags)];
    collect(session, sql, &values, |row| {
        Ok(Columns::of(row, "seen tag").text()?.to_owned())
    })
    .await
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

/// The users `w` of a filter: its realm, tags, organization and moment are the first four values.
fn carrying(filter: &CarrierFilter) -> (String, Vec<Value<'static>>) {
    let members = format!(
        "(SELECT g.user_id FROM grants g WHERE g.organization_id = $3 AND {OPEN} \
         AND (g.lapses_at_ms IS NULL OR g.lapses_at_ms > $4))"
    );
    // Written so that no index of realms serves it: the server looks at the few members, not at all users.
    let (realm, among) = match filter.among {
        Among::Everybody => ("w.realm", "$3::text IS NULL AND $4::bigint IS NULL".to_owned()),
        Among::Members(..) => ("coalesce(w.realm, '')", format!("w.id IN {members}")),
        Among::Others(..) => ("w.realm", format!("w.id NOT IN {members}")),
    };
    let sql = format!(
        "{realm} = $1 AND EXISTS (SELECT 1 \
         FROM user_issuers x CROSS JOIN LATERAL json_array_elements_text(x.tags::json) AS carried (tag) \
         WHERE x.user_id = w.id AND x.tags IS NOT NULL AND carried.tag <> '' AND carried.tag COLLATE \"C\" = ANY($2)) \
         AND {among}"
    );
    let wanted: Vec<String> = filter.tags.iter().filter(|tag| !tag.contains('\0')).cloned().collect();
    let (organization, now_ms) = filter.among.organization().unzip();
    let values: Vec<Value<'static>> = vec![
        Box::new(filter.realm.as_str().to_owned()),
        Box::new(wanted),
        Box::new(organization.map(|id| id.to_string())),
        Box::new(now_ms),
    ];
    (sql, values)
}

pub(super) async fn count_carriers(session: &Session, filter: &CarrierFilter, most: usize) -> Outcome<usize> {
    let (carrying, mut values) = carrying(filter);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM users w WHERE {carrying} LIMIT $5) counted");
    values.push(Box::new(i64::try_from(most).unwrap_or(i64::MAX)));
    let counted = collect(session, &sql, &values, |row| Columns::of(row, "count").number()).await?;
    Ok(counted.first().map_or(0, |count| usize::try_from(*count).unwrap_or(0)))
}

/// Users and the lists of tags of their issuers, one row for each list: one statement, and so one moment.
pub(super) async fn carriers(session: &Session, filter: &CarrierFilter, page: &Page) -> Outcome<Listing<Carrier>> {
    let (carrying, mut values) = carrying(filter);
    let sql = format!(
        "SELECT {USER}, i.tags FROM users u JOIN user_issuers i ON i.user_id = u.id AND i.tags IS NOT NULL \
         WHERE u.id IN (SELECT w.id FROM users w WHERE {carrying} AND w.id > $5 ORDER BY w.id LIMIT $6) \
         ORDER BY u.id, i.issuer"
    );
    values.push(Box::new(page.after_id()?.unwrap_or_default().to_owned()));
    values.push(Box::new(one_more(page)));
    let lists = collect(session, &sql, &values, |row| {
        let tags = Columns::from(row, USER_COLUMNS, "list of tags").texts()?;
        Ok((rows::user(row)?, tags))
    });
    let mut carriers: Vec<Carrier> = Vec::new();
    for (user, tags) in lists.await? {
        let tags = tags.into_iter().filter(|tag| !tag.is_empty());
        match carriers.last_mut() {
            Some(last) if last.user.id == user.id => last.tags.extend(tags),
            _ => carriers.push(Carrier {
                user,
                tags: tags.collect(),
            }),
        }
    }
    for carrier in &mut carriers {
        carrier.tags.sort_unstable();
        carrier.tags.dedup();
    }
    Ok(Listing::cut(carriers, page, |carrier: &Carrier| {
        carrier.user.id.to_string()
    }))
}

pub(super) async fn seen_tags(
    session: &Session,
    realm: Option<&str>,
    after: Option<&(String, String)>,
    page: &Page,
) -> Outcome<Listing<SeenTag>> {
    let mut query = Query::new(&format!("SELECT {SEEN_TAG} FROM seen_tags s"));
    query.text("s.realm = ?", realm.map(str::to_owned));
    if let Some((after_realm, after_tag)) = after {
        // Two values of one condition: the second is the one named here.
        query.values.push(Box::new(after_realm.replace('\0', "")));
        let first = query.values.len();
        query.text(
            &format!("(s.realm, s.tag) > (${first}, ?)"),
            Some(after_tag.replace('\0', "")),
        );
    }
    let items = query.list(session, "s.realm, s.tag", page, rows::seen_tag).await?;
    Ok(Listing::cut(items, page, |seen: &SeenTag| {
        Cursor::of_pair(seen.realm.as_str(), &seen.tag)
    }))
}
