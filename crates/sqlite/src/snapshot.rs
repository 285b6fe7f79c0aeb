//! Reading everything about one user at one moment.

use std::collections::BTreeSet;

use narthex_directory::{
    Desired, DesiredTags, Detail, Grant, Lookups, Mark, NearMiss, OrganizationBrief, OrganizationRole, Snapshot, Stamp,
    Standing, Stripe, TagMatch, Team, User, UserId, Username, settle, spellings,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::change::counter;
use super::erasure;
use super::error::Outcome;
use super::list::{collect, organization_known_as};
use super::rows::Values;
use narthex_tables::columns::{
    BRIEF, BRIEF_COLUMNS, GRANT, GRANT_COLUMNS, ORGANIZATION, TEAM, USER, USER_COLUMNS, texts_to_json,
};
use narthex_tables::erasure::erased_user;
use narthex_tables::marks::{MARK, mark};
use narthex_tables::rows::{self, Columns, corrupt};
use narthex_tables::tag_cache::{Listing, TagCache};

/// Reads what planning needs. What [`narthex_usage::UsageBuffer`] remembers is laid over it by the caller.
pub(super) fn snapshot(
    connection: &Connection,
    cache: &TagCache,
    desired: &Desired,
    detail: Detail,
) -> Outcome<Snapshot> {
    let policy = counter(connection, 0)?;
    let mut snapshot = Snapshot {
        detail,
        policy,
        ..Snapshot::empty()
    };
    if let Some(found) = find_user(connection, desired)? {
        snapshot.last = found.last;
        snapshot.refused_before_ms = found.refused_before_ms;
        snapshot.tags_differ = found.tags_differ;
        snapshot.standing = Some(standing_of(connection, found.user, policy)?);
    } else {
        snapshot.refused_before_ms = refused_before_ms(connection, desired)?;
        snapshot.erased = erasure::refused(connection, &erased_user(desired))?;
        // Nothing is stored of a user that does not exist yet.
        snapshot.tags_differ = desired.tags.noted().is_some();
    }
    let username = desired.user.new_username();
    snapshot.username_owner = match &snapshot.standing {
        Some(standing) if standing.user.username == username => Some(standing.user.id),
        _ => username_owner(connection, desired, &username)?,
    };
    if let Some(wanted) = &desired.organization {
        snapshot.organization = organization_known_as(connection, &desired.realm, &wanted.external_id)?;
        if let (None, Some(name)) = (&snapshot.organization, wanted.suggested_name()) {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM organizations WHERE name = ?1 \
                 UNION ALL SELECT 1 FROM former_organization_names WHERE name = ?1",
            )?;
            snapshot.organization_name_taken = statement.exists([name.as_str()])?;
        }
    }
    if let Some(wanted) = &desired.team {
        let sql = format!("SELECT {TEAM} FROM teams t WHERE t.realm = ?1 AND t.external_id = ?2");
        let values = [desired.realm.as_str(), wanted.external_id.as_str()];
        snapshot.team = collect(connection, &sql, values, rows::team)?.pop();
    }
    let lookups = Lookups::of(desired);
    if !lookups.is_empty() {
        look_up(connection, desired.realm.as_str(), &lookups, &mut snapshot)?;
    }
    for identity in snapshot.unknown_organizations(desired) {
        if erasure::refused(connection, &identity)?.is_some_and(|refused| refused.all) {
            snapshot
                .deleted_organizations
                .insert(identity.external_id.as_str().to_owned());
        }
    }
    if let DesiredTags::Exactly(tags) = &desired.tags {
        let tags: BTreeSet<&str> = tags.iter().map(String::as_str).filter(|tag| !tag.is_empty()).collect();
        snapshot.tag_matches = tag_matches(connection, cache, policy, desired.realm.as_str(), &tags)?;
        if detail == Detail::Explain {
            snapshot.near_misses = near_misses(connection, desired.realm.as_str(), &tags)?;
        }
    }
    Ok(snapshot)
}

/// Reads the organizations and teams that the token states or names by tag patterns, and which names are taken.
fn look_up(connection: &Connection, realm: &str, lookups: &Lookups, snapshot: &mut Snapshot) -> Outcome<()> {
    let texts = |texts: &[String]| texts_to_json(texts.iter().map(String::as_str));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ORGANIZATION} FROM organizations o WHERE o.realm = ?1 AND o.external_id IN (SELECT value FROM json_each(?2)) \
         UNION SELECT {ORGANIZATION} FROM organizations o WHERE o.name IN (SELECT value FROM json_each(?3)) AND o.realm = ?1 AND o.deleted_at_ms IS NULL \
         ORDER BY 1"
    ))?;
    let mut found = statement.query(params![realm, texts(&lookups.external_ids), texts(&lookups.names)])?;
    while let Some(row) = found.next()? {
        snapshot.looked_up.push(rows::organization(&Values(row))?);
    }
    if !lookups.suggested.is_empty() {
        let mut statement = connection.prepare_cached(
            "SELECT name FROM organizations WHERE name IN (SELECT value FROM json_each(?1)) \
             UNION SELECT name FROM former_organization_names WHERE name IN (SELECT value FROM json_each(?1))",
        )?;
        let mut found = statement.query([texts(&lookups.suggested)])?;
        while let Some(row) = found.next()? {
            snapshot
                .names_taken
                .insert(Columns::of(&Values(row), "organization").text()?.to_owned());
        }
    }
    if !lookups.teams.is_empty() {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {TEAM} FROM teams t \
             WHERE t.realm = ?1 AND t.external_id IN (SELECT value FROM json_each(?2)) ORDER BY t.id"
        ))?;
        let mut found = statement.query([realm, texts(&lookups.teams).as_str()])?;
        while let Some(row) = found.next()? {
            snapshot.teams_looked_up.push(rows::team(&Values(row))?);
        }
    }
    Ok(())
}

/// A user with everything held.
pub(super) fn standing(connection: &Connection, user: UserId) -> Outcome<Option<Standing>> {
    let policy = counter(connection, 0)?;
    let sql = format!("SELECT {USER} FROM users u WHERE u.id = ?1");
    let user = collect(connection, &sql, [user.to_string()], rows::user)?.pop();
    user.map(|user| standing_of(connection, user, policy)).transpose()
}

/// A user, and what is known of the issuer's tokens.
struct FoundUser {
    user: User,
    last: Option<Mark>,
    refused_before_ms: Option<i64>,
    tags_differ: bool,
}

/// The marks of logouts that name the token's session: by its `sid`, and by its `sub`. The three are parameters.
fn logout_marks([issuer, sid, subject]: [&str; 3]) -> String {
    let mark = |claim: &str, value: &str| {
        format!(
            "(SELECT m.issued_before_ms FROM logout_marks m \
             WHERE m.issuer = {issuer} AND m.claim = '{claim}' AND m.value = {value})"
        )
    };
    format!("{}, {}", mark("sid", sid), mark("sub", subject))
}

fn find_user(connection: &Connection, desired: &Desired) -> Outcome<Option<FoundUser>> {
    let sql = format!(
        "SELECT {USER}, {MARK}, {}, ?4 IS NOT NULL AND i.tags IS NOT ?4 FROM users u \
         LEFT JOIN user_issuers i ON i.user_id = u.id AND i.issuer = ?3 \
         WHERE u.realm = ?1 AND u.external_id = ?2",
        logout_marks(["?3", "?5", "?6"])
    );
    let tags = desired.tags.noted();
    let tags = tags.map(|tags| texts_to_json(tags.iter().map(String::as_str)));
    let values = params![
        desired.realm.as_str(),
        desired.user.external_id.as_str(),
        desired.issuer.as_str(),
        tags,
        desired.provider_session.sid(),
        desired.provider_session.subject(),
    ];
    let found = collect(connection, &sql, values, |row| {
        let mut columns = Columns::from(row, USER_COLUMNS, "user");
        Ok(FoundUser {
            user: rows::user(row)?,
            last: mark(
                columns.maybe_integer()?,
                columns.maybe_integer()?,
                columns.maybe_integer()?,
            ),
            refused_before_ms: columns.maybe_integer()?.max(columns.maybe_integer()?),
            tags_differ: columns.flag()?,
        })
    });
    Ok(found?.pop())
}

/// The same marks for a user who does not exist yet.
fn refused_before_ms(connection: &Connection, desired: &Desired) -> Outcome<Option<i64>> {
    let (sid, subject) = (desired.provider_session.sid(), desired.provider_session.subject());
    if sid.is_none() && subject.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(&format!("SELECT {}", logout_marks(["?1", "?2", "?3"])))?;
    let values = params![desired.issuer.as_str(), sid, subject];
    let marks = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.max(row.get(1)?));
    Ok(statement.query_row(values, marks)?)
}

fn username_owner(connection: &Connection, desired: &Desired, username: &Username) -> Outcome<Option<UserId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM users WHERE realm = ?1 AND username = ?2")?;
    let keys = [desired.realm.as_str(), username.as_str()];
    let owner: Option<String> = statement.query_row(keys, |row| row.get(0)).optional()?;
    owner
        .map(|id| Ok(id.parse::<UserId>().map_err(|error| corrupt("user", error))?))
        .transpose()
}

fn standing_of(connection: &Connection, user: User, policy: u64) -> Outcome<Standing> {
    let stripe = Stripe::of(user.id);
    let stamp = Stamp {
        policy,
        stripe,
        user: counter(connection, i64::from(stripe.number()) + 1)?,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {GRANT}, {BRIEF}, {TEAM} FROM grants g \
         LEFT JOIN organizations o ON o.id = g.organization_id LEFT JOIN teams t ON t.id = g.team_id \
         WHERE g.user_id = ?1 AND g.revoked_at_ms IS NULL"
    ))?;
    let mut found = statement.query([user.id.to_string()])?;
    let (mut grants, mut organizations, mut teams): (Vec<Grant>, Vec<OrganizationBrief>, Vec<Team>) =
        Default::default();
    while let Some(row) = found.next()? {
        let row = Values(row);
        grants.push(rows::grant(&row)?);
        organizations.extend(rows::brief(&row, GRANT_COLUMNS)?);
        teams.extend(rows::maybe_team(&row, GRANT_COLUMNS + BRIEF_COLUMNS)?);
    }
    grants.sort_by_key(|grant| grant.id);
    organizations.sort_by_key(|organization| organization.id);
    organizations.dedup_by_key(|organization| organization.id);
    teams.sort_by_key(|team| team.id);
    teams.dedup_by_key(|team| team.id);
    Ok(Standing {
        user,
        grants,
        organizations,
        teams,
        stamp,
    })
}

/// One look into the index per tag of the token, however many organizations there are; none for a tag that was
/// looked up since the last change.
fn tag_matches(
    connection: &Connection,
    cache: &TagCache,
    policy: u64,
    realm: &str,
    tags: &BTreeSet<&str>,
) -> Outcome<Vec<TagMatch>> {
    let mut matches = Vec::new();
    for (tag, known) in cache.find(policy, realm, tags.iter().copied()) {
        let found = if let Some(known) = known {
            known
        } else {
            let read = listing(connection, realm, tag)?;
            cache.keep(policy, realm, tag, &read);
            read
        };
        matches.extend(found.iter().map(|(organization, role)| TagMatch {
            tag: tag.to_owned(),
            organization: organization.clone(),
            role: *role,
        }));
    }
    Ok(matches)
}

/// The organizations of a realm that list a tag, by id.
fn listing(connection: &Connection, realm: &str, tag: &str) -> Outcome<Listing> {
    let sql = format!(
        "SELECT x.role, {BRIEF} FROM organization_tags x JOIN organizations o ON o.id = x.organization_id \
         WHERE x.realm = ?1 AND x.tag = ?2 ORDER BY x.organization_id"
    );
    let listing = collect(connection, &sql, [realm, tag], |row| {
        let role: OrganizationRole = Columns::of(row, "organization tag").parse()?;
        Ok(rows::brief(row, 1)?.map(|organization| (organization, role)))
    });
    Ok(listing?.into_iter().flatten().collect::<Vec<_>>().into())
}

fn near_misses(connection: &Connection, realm: &str, tags: &BTreeSet<&str>) -> Outcome<Vec<NearMiss>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT x.tag, {BRIEF} FROM organization_tags x JOIN organizations o ON o.id = x.organization_id \
         WHERE x.realm = ?1 AND x.folded = ?2 AND x.tag <> ?3 ORDER BY x.organization_id, x.tag"
    ))?;
    let mut misses = Vec::new();
    for tag in tags {
        for spelling in spellings(tag) {
            let mut found = statement.query(params![realm, spelling, tag])?;
            while let Some(row) = found.next()? {
                let row = Values(row);
                misses.push(NearMiss {
                    tag: (*tag).to_owned(),
                    listed: Columns::of(&row, "organization tag").text()?.to_owned(),
                    organization: rows::brief(&row, 1)?,
                });
            }
        }
    }
    Ok(settle(misses))
}
