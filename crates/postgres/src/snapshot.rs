//! Reading everything about one user at one moment, in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use narthex_directory::{
    Desired, DesiredOrganization, DesiredTags, Detail, Lookups, Mark, NearMiss, OrganizationBrief, OrganizationName,
    Recent, STRIPES, Snapshot, Stamp, Standing, Stripe, TagMatch, Team, UserId, Versions, settle, spellings,
};
use tokio_postgres::Row;

use super::erasure::KeyCache;
use super::error::Outcome;
use super::rows::{Values, read_maybe};
use super::session::Session;
use super::value::{Typed, Value};
use super::write::tags_text;
use narthex_tables::columns::{
    BRIEF, BRIEF_COLUMNS, GRANT, GRANT_COLUMNS, ORGANIZATION, TEAM, TEAM_COLUMNS, USER, USER_COLUMNS,
};
use narthex_tables::marks::mark;
use narthex_tables::rows::{self, Columns, corrupt};
use narthex_tables::tag_cache::{Listing, TagCache};

/// Number of tries in which cached tags may turn out to be stale before all of them are looked up.
const TRIES: usize = 3;

/// One row for each open grant of the user, or one without; or, without a user, one with the first columns only. After
/// them come `more`.
///
/// The policy number is read by the same statement as everything else, and so at the same moment. Each table is looked
/// into by its own subquery, which `OFFSET 0` keeps apart: joined freely, a planner that has no statistics yet (a new
/// database on its first day) reads whole tables, and goes on doing so while they grow.
fn standing_sql(columns: &str, joins: &str, of: &str, more: &str) -> String {
    let looked_up = |table: &str, name: &str, condition: &str| {
        format!("LEFT JOIN LATERAL (SELECT * FROM {table} x WHERE {condition} OFFSET 0) {name} ON true")
    };
    let [users, grants, organizations, teams] = [
        looked_up("users", "u", of),
        looked_up("grants", "g", "x.user_id = u.id AND x.revoked_at_ms IS NULL"),
        looked_up("organizations", "o", "x.id = g.organization_id"),
        looked_up("teams", "t", "x.id = g.team_id"),
    ];
    format!(
        "SELECT c.version, {columns}, {USER}, {GRANT}, {BRIEF}, {TEAM}{more} FROM change_counters c \
         {users} {joins} {grants} {organizations} {teams} WHERE c.id = 0"
    )
}

/// Number of columns before the user.
const BEFORE: usize = 7;
const GRANT_AT: usize = BEFORE + USER_COLUMNS;
const BRIEF_AT: usize = GRANT_AT + GRANT_COLUMNS;
const TEAM_AT: usize = BRIEF_AT + BRIEF_COLUMNS;
const TAG_AT: usize = TEAM_AT + TEAM_COLUMNS;

/// One row for each organization that lists one of `tags`: the organization, the tag and its role.
fn tags_sql(before: &str, between: &str, tags: &str) -> String {
    format!(
        "SELECT {before}{BRIEF}{between}, x.tag, x.role \
         FROM (SELECT * FROM organization_tags l WHERE l.realm = $1 AND l.tag = ANY({tags}) OFFSET 0) x \
         JOIN organizations o ON o.id = x.organization_id"
    )
}

/// The statements, put together once.
#[derive(Debug)]
pub(super) struct Texts {
    by_external_id: String,
    by_external_id_with_tags: String,
    by_id: String,
    organization: String,
    name: &'static str,
    team: String,
    looked_up: String,
    names_taken: &'static str,
    teams_looked_up: String,
    tags: String,
    near: String,
}

impl Texts {
    pub(super) fn new() -> Self {
        let by_external_id = |more| {
            standing_sql(
                // The owner of the username is looked up only where it is not this user; it nearly always is.
                "i.last_issued_at_ms, i.newest_issued_at_ms, i.said, \
                 greatest((SELECT m.issued_before_ms FROM logout_marks m WHERE m.value = $6 AND m.issuer = $3 AND m.claim = 'sid'), \
                 (SELECT m.issued_before_ms FROM logout_marks m WHERE m.value = $7 AND m.issuer = $3 AND m.claim = 'sub')), \
                 $5::text IS NOT NULL AND i.tags IS DISTINCT FROM $5::text, CASE WHEN u.username = $4 THEN u.id \
                 ELSE (SELECT n.id FROM users n WHERE n.realm = $1 AND n.username = $4) END",
                "LEFT JOIN LATERAL (SELECT * FROM user_issuers x WHERE x.user_id = u.id AND x.issuer = $3 OFFSET 0) i \
                 ON true",
                "x.realm = $1 AND x.external_id = $2",
                more,
            )
        };
        let (before, between) = ("NULL, ".repeat(BRIEF_AT), ", NULL".repeat(TEAM_COLUMNS));
        Self {
            by_external_id: by_external_id(""),
            by_external_id_with_tags: format!(
                "{} UNION ALL {}",
                by_external_id(", NULL, NULL"),
                tags_sql(&before, &between, "$8")
            ),
            by_id: standing_sql(
                "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, false, NULL::text",
                "",
                "x.id = $1",
                "",
            ),
            organization: format!(
                "SELECT {ORGANIZATION} FROM organizations o WHERE o.realm = $1 AND o.external_id = $2"
            ),
            name: "SELECT 1 FROM organizations WHERE name = $1 \
                   UNION ALL SELECT 1 FROM former_organization_names WHERE name = $1",
            team: format!("SELECT {TEAM} FROM teams t WHERE t.realm = $1 AND t.external_id = $2"),
            looked_up: format!(
                "SELECT {ORGANIZATION} FROM organizations o WHERE o.realm = $1 AND o.external_id = ANY($2) \
                 UNION SELECT {ORGANIZATION} FROM organizations o WHERE o.name = ANY($3) AND o.realm = $1 \
                 AND o.deleted_at_ms IS NULL ORDER BY 1"
            ),
            names_taken: "SELECT name FROM organizations WHERE name = ANY($1) \
                          UNION SELECT name FROM former_organization_names WHERE name = ANY($1)",
            teams_looked_up: format!(
                "SELECT {TEAM} FROM teams t WHERE t.realm = $1 AND t.external_id = ANY($2) ORDER BY t.id"
            ),
            tags: tags_sql("", "", "$2"),
            near: format!(
                "SELECT n.tag, x.tag, {BRIEF} FROM unnest($2::text[], $3::text[]) WITH ORDINALITY \
                 AS n (tag, folded, position) \
                 CROSS JOIN LATERAL (SELECT * FROM organization_tags l WHERE l.realm = $1 AND l.folded = n.folded \
                 AND l.tag <> n.tag COLLATE \"C\" OFFSET 0) x \
                 JOIN organizations o ON o.id = x.organization_id ORDER BY n.position, x.organization_id, x.tag"
            ),
        }
    }
}

/// Context that reading needs beside a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'r> {
    pub(super) session: &'r Session,
    pub(super) texts: &'r Texts,
    pub(super) versions: &'r Versions,
    pub(super) cache: &'r TagCache,
    pub(super) erasure_key: &'r KeyCache,
}

fn boxed<'a, T>(value: T) -> Value<'a>
where
    T: Typed + 'a,
{
    Box::new(value)
}

impl Reader<'_> {
    /// Reads what planning needs. The caller lays what [`narthex_usage::UsageBuffer`] remembers over it.
    pub(super) async fn snapshot(&self, desired: &Desired, detail: Detail) -> Outcome<Snapshot> {
        for _ in 0..TRIES {
            if let Some(snapshot) = self.try_snapshot(desired, detail, self.cache).await? {
                return Ok(snapshot);
            }
        }
        let nothing = TagCache::default();
        let snapshot = self.try_snapshot(desired, detail, &nothing).await?;
        Ok(snapshot.ok_or_else(|| corrupt("counter", "the policy number is missing"))?)
    }

    /// `None` if the cached tags were not those of this moment.
    async fn try_snapshot(&self, desired: &Desired, detail: Detail, cache: &TagCache) -> Outcome<Option<Snapshot>> {
        let realm = desired.realm.as_str();
        let guess = self.versions.policy();
        let asked = Asked::of(desired, detail, cache, guess);
        let stripes = Stripes::now(self.versions);
        let mut answers = self
            .session
            .moment(&asked.queries(self.texts, desired))
            .await?
            .into_iter();
        let mut next = |asked: bool| {
            if asked {
                answers.next().unwrap_or_default()
            } else {
                Vec::new()
            }
        };
        let found = next(true);
        let (found, with_tags) = asked.split(&found)?;
        let head = Head::of(&found)?;
        self.versions.raise_policy(head.policy);
        if head.policy != guess && asked.unknown.len() < asked.known.len() {
            return Ok(None);
        }
        let organization = next(desired.organization.is_some());
        let organization = read_maybe(organization.first(), rows::organization)?;
        let taken = next(asked.suggested.is_some());
        let team = next(desired.team.is_some());
        let looked_up = next(!asked.lookups.is_empty());
        let names_taken = next(!asked.lookups.suggested.is_empty());
        let teams_looked_up = next(!asked.lookups.teams.is_empty());
        let teams_looked_up: Vec<Team> = teams_looked_up
            .iter()
            .map(|row| Ok(rows::team(&Values(row))?))
            .collect::<Outcome<_>>()?;
        let tags = next(!asked.unknown.is_empty() && !asked.is_plain());
        let listings = asked.listed(&with_tags, &tags)?;
        for (tag, listing) in &listings {
            cache.keep(head.policy, realm, tag, listing);
        }
        let near_misses = next(asked.near);
        Ok(Some(Snapshot {
            detail,
            policy: head.policy,
            username_owner: head.username_owner,
            last: head.last,
            refused_before_ms: head.refused_before_ms,
            erased: None,
            recent: Recent::NONE,
            tags_differ: head.tags_differ,
            standing: standing(&found, head.policy, &stripes)?,
            deleted_organizations: BTreeSet::new(),
            // Asked for in any case; it counts only where there is no such organization yet.
            organization_name_taken: !taken.is_empty() && organization.is_none(),
            organization,
            team: read_maybe(team.first(), rows::team)?,
            looked_up: looked_up
                .iter()
                .map(|row| Ok(rows::organization(&Values(row))?))
                .collect::<Outcome<_>>()?,
            teams_looked_up,
            names_taken: names_taken.iter().map(name).collect::<Outcome<_>>()?,
            tag_matches: asked.matches(listings),
            near_misses: settle(near_misses.iter().map(near_miss).collect::<Outcome<_>>()?),
        }))
    }

    /// A user with everything held.
    pub(super) async fn standing(&self, user: UserId) -> Outcome<Option<Standing>> {
        let stamps = Stripes::now(self.versions);
        let rows = self.session.rows(&self.texts.by_id, &[&user.to_string()]).await?;
        let rows: Vec<Values<'_>> = rows.iter().map(Values).collect();
        let head = Head::of(&rows)?;
        self.versions.raise_policy(head.policy);
        standing(&rows, head.policy, &stamps)
    }
}

/// Parts of a snapshot that are asked for.
struct Asked<'d> {
    /// The tags that could be listed, each with its listing from the cache.
    known: Vec<(&'d str, Option<Listing>)>,
    /// The tags that the cache does not hold.
    unknown: Vec<&'d str>,
    /// True if an organization or a team is named.
    named: bool,
    /// The name that a new organization would take.
    suggested: Option<OrganizationName>,
    /// Organizations that the token names by tag patterns.
    lookups: Lookups,
    /// True if the tags that nearly match are asked for.
    near: bool,
}

impl<'d> Asked<'d> {
    fn of(desired: &'d Desired, detail: Detail, cache: &TagCache, policy: u64) -> Self {
        let tags = listable(&desired.tags);
        let known = cache.find(policy, desired.realm.as_str(), tags.iter().copied());
        let unknown = known.iter().filter(|(_, found)| found.is_none());
        Self {
            unknown: unknown.map(|(tag, _)| *tag).collect(),
            near: detail == Detail::Explain && !known.is_empty(),
            known,
            named: desired.organization.is_some() || desired.team.is_some(),
            lookups: Lookups::of(desired),
            suggested: desired
                .organization
                .as_ref()
                .and_then(DesiredOrganization::suggested_name),
        }
    }

    /// Tests whether only the user and the tags are asked for, as for most tokens. Then one statement reads both, which
    /// costs little more than the one without tags; a second one and the transaction around both would cost as much
    /// again.
    const fn is_plain(&self) -> bool {
        self.suggested.is_none() && !self.near && !self.named && self.lookups.is_empty()
    }

    /// The rows about the user, and those about tags where one statement asked for both.
    fn split<'r>(&self, rows: &'r [Row]) -> Outcome<(Vec<Values<'r>>, Vec<Values<'r>>)> {
        if self.unknown.is_empty() || !self.is_plain() {
            return Ok((rows.iter().map(Values).collect(), Vec::new()));
        }
        let (mut found, mut tags) = (Vec::new(), Vec::new());
        for row in rows.iter().map(Values) {
            let tag = Columns::from(&row, TAG_AT, "organization tag").maybe_text()?;
            if tag.is_some() { &mut tags } else { &mut found }.push(row);
        }
        Ok((found, tags))
    }

    /// The listings of the tags that the cache does not hold: from the rows that came with the user, or from rows of their own.
    fn listed(&self, with_user: &[Values<'_>], own: &[Row]) -> Outcome<Vec<(&'d str, Listing)>> {
        if self.is_plain() {
            return listings(with_user, (BRIEF_AT, TAG_AT), &self.unknown);
        }
        let own: Vec<Values<'_>> = own.iter().map(Values).collect();
        listings(&own, (0, BRIEF_COLUMNS), &self.unknown)
    }

    fn queries<'q>(&'q self, texts: &'q Texts, desired: &'q Desired) -> Vec<(&'q str, Vec<Value<'q>>)> {
        let realm = desired.realm.as_str();
        let mut user: Vec<Value<'_>> = vec![
            boxed(realm),
            boxed(desired.user.external_id.as_str()),
            boxed(desired.issuer.as_str()),
            boxed(desired.user.new_username().to_string()),
            boxed(tags_text(desired.tags.noted().as_deref())),
            boxed(desired.provider_session.sid()),
            boxed(desired.provider_session.subject()),
        ];
        if self.is_plain() && !self.unknown.is_empty() {
            user.push(boxed(self.unknown.clone()));
            return vec![(&texts.by_external_id_with_tags, user)];
        }
        let mut queries: Vec<(&str, Vec<Value<'_>>)> = vec![(&texts.by_external_id, user)];
        if let Some(wanted) = &desired.organization {
            queries.push((
                &texts.organization,
                vec![boxed(realm), boxed(wanted.external_id.as_str())],
            ));
        }
        if let Some(name) = &self.suggested {
            queries.push((texts.name, vec![boxed(name.as_str())]));
        }
        if let Some(wanted) = &desired.team {
            queries.push((&texts.team, vec![boxed(realm), boxed(wanted.external_id.as_str())]));
        }
        if !self.lookups.is_empty() {
            let (external_ids, names) = (self.lookups.external_ids.clone(), self.lookups.names.clone());
            queries.push((&texts.looked_up, vec![boxed(realm), boxed(external_ids), boxed(names)]));
        }
        if !self.lookups.suggested.is_empty() {
            queries.push((texts.names_taken, vec![boxed(self.lookups.suggested.clone())]));
        }
        if !self.lookups.teams.is_empty() {
            let teams = self.lookups.teams.clone();
            queries.push((&texts.teams_looked_up, vec![boxed(realm), boxed(teams)]));
        }
        if !self.unknown.is_empty() {
            queries.push((&texts.tags, vec![boxed(realm), boxed(self.unknown.clone())]));
        }
        if self.near {
            let tags = self.known.iter().map(|(tag, _)| *tag);
            let spelled = tags.flat_map(|tag| spellings(tag).into_iter().map(move |spelling| (tag, spelling)));
            let (tags, folded): (Vec<&str>, Vec<String>) = spelled.unzip();
            queries.push((&texts.near, vec![boxed(realm), boxed(tags), boxed(folded)]));
        }
        queries
    }

    /// The matches of the tags: those from the cache, and those read, which are in the order of [`Self::unknown`].
    fn matches(self, read: Vec<(&str, Listing)>) -> Vec<TagMatch> {
        let mut read = read.into_iter().map(|(_, listing)| listing);
        let mut matches = Vec::new();
        for (tag, known) in self.known {
            let listing = known.or_else(|| read.next());
            let found = listing.iter().flat_map(|listing| listing.iter());
            matches.extend(found.map(|(organization, role)| TagMatch {
                tag: tag.to_owned(),
                organization: organization.clone(),
                role: *role,
            }));
        }
        matches
    }
}

/// The numbers of all stripes: the user, and so the stripe, is known only when the data is there.
///
/// INVARIANT: they are read before the data is, so that a stamp is never newer than its data. They are this process's
/// numbers: the notification of another node's change may not have arrived yet, and when it does, what was made under
/// the older number is read again.
pub(super) struct Stripes(Vec<u64>);

impl Stripes {
    pub(super) fn now(versions: &Versions) -> Self {
        let stripes = (0..STRIPES).filter_map(Stripe::from_number);
        Self(stripes.map(|stripe| versions.stripe(stripe)).collect())
    }

    pub(super) fn stamp(&self, stripe: Stripe, policy: u64) -> Stamp {
        Stamp {
            policy,
            stripe,
            user: self.0.get(usize::from(stripe.number())).copied().unwrap_or(0),
        }
    }
}

/// First columns of every row of a standing.
struct Head {
    policy: u64,
    last: Option<Mark>,
    refused_before_ms: Option<i64>,
    tags_differ: bool,
    username_owner: Option<UserId>,
}

impl Head {
    fn of(rows: &[Values<'_>]) -> Outcome<Self> {
        let row = rows
            .first()
            .ok_or_else(|| corrupt("counter", "the policy number is missing"))?;
        let mut columns = Columns::of(row, "user");
        Ok(Self {
            policy: columns.number()?,
            last: mark(
                columns.maybe_integer()?,
                columns.maybe_integer()?,
                columns.maybe_integer()?,
            ),
            refused_before_ms: columns.maybe_integer()?,
            tags_differ: columns.flag()?,
            username_owner: columns.maybe_parse()?,
        })
    }
}

fn standing(rows: &[Values<'_>], policy: u64, stripes: &Stripes) -> Outcome<Option<Standing>> {
    let user = rows.first().map(|row| rows::maybe_user(row, BEFORE)).transpose()?;
    let Some(user) = user.flatten() else {
        return Ok(None);
    };
    let (mut grants, mut organizations, mut teams) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        grants.extend(rows::maybe_grant(row, GRANT_AT)?);
        organizations.extend(rows::brief(row, BRIEF_AT)?);
        teams.extend(rows::maybe_team(row, TEAM_AT)?);
    }
    grants.sort_by_key(|grant| grant.id);
    organizations.sort_by_key(|organization| organization.id);
    organizations.dedup_by_key(|organization| organization.id);
    teams.sort_by_key(|team| team.id);
    teams.dedup_by_key(|team| team.id);
    Ok(Some(Standing {
        stamp: stripes.stamp(Stripe::of(user.id), policy),
        user,
        grants,
        organizations,
        teams,
    }))
}

/// The tags that an organization could list, each once, in order.
fn listable(tags: &DesiredTags) -> BTreeSet<&str> {
    match tags {
        DesiredTags::Exactly(tags) => tags
            .iter()
            .map(String::as_str)
            .filter(|tag| !tag.is_empty() && !tag.contains('\0'))
            .collect(),
        DesiredTags::NotConfigured | DesiredTags::Keep => BTreeSet::new(),
    }
}

/// The organizations that list each of these tags, by id.
fn listings<'t>(
    rows: &[Values<'_>],
    (brief_at, tag_at): (usize, usize),
    tags: &[&'t str],
) -> Outcome<Vec<(&'t str, Listing)>> {
    let mut found: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in rows {
        let mut columns = Columns::from(row, tag_at, "organization tag");
        let (tag, role) = (columns.text()?, columns.parse()?);
        let organization = rows::brief(row, brief_at)?.map(|organization| (organization, role));
        found.entry(tag).or_default().extend(organization);
    }
    let listing = |tag| {
        let mut listing = found.remove(tag).unwrap_or_default();
        listing.sort_by_key(|(organization, _): &(OrganizationBrief, _)| organization.id);
        (tag, Listing::from(listing))
    };
    Ok(tags.iter().copied().map(listing).collect())
}

fn name(row: &Row) -> Outcome<String> {
    Ok(Columns::of(&Values(row), "organization").text()?.to_owned())
}

fn near_miss(row: &Row) -> Outcome<NearMiss> {
    let row = &Values(row);
    let mut columns = Columns::of(row, "organization tag");
    Ok(NearMiss {
        tag: columns.text()?.to_owned(),
        listed: columns.text()?.to_owned(),
        organization: rows::brief(row, 2)?,
    })
}
