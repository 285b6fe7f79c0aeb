//! Rows of tables as both databases take them.

use std::collections::BTreeMap;

use narthex_directory::{Change, ExternalId, Grant, IssuerName, Organization, StoredSource, Touch, User, fold};

use crate::columns::{integer, object_to_json, scope_columns, texts_to_json};
use crate::consequences::{EventRow, Written};
use crate::marks::mark_columns;

/// A value in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A flag.
    Flag(bool),
    /// Nothing.
    Null,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of one table.
#[derive(Debug)]
pub struct Table {
    /// Its name in both databases.
    pub name: &'static str,
    /// The columns, as SQL names them.
    pub columns: &'static str,
    /// Its rows, each with a cell for every column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    const fn new(name: &'static str, columns: &'static str) -> Self {
        Self {
            name,
            columns,
            rows: Vec::new(),
        }
    }
}

/// Rows of all tables that are written at a time.
#[derive(Debug)]
pub struct Batch {
    users: Table,
    issuers: Table,
    organizations: Table,
    tags: Table,
    grants: Table,
    events: Table,
    seen: Table,
    /// Number by which the policy number moves.
    pub policy: u64,
    /// Number of users and organizations in the batch.
    pub done: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            users: Table::new(
                "users",
                "id, realm, external_id, username, email, name, country, timezone, locale, language, status, context, \
                 tokens_not_before_ms, last_seen_at_ms, created_at_ms, updated_at_ms, version",
            ),
            issuers: Table::new(
                "user_issuers",
                "user_id, issuer, last_issued_at_ms, newest_issued_at_ms, said, tags",
            ),
            organizations: Table::new(
                "organizations",
                "id, name, label, realm, external_id, contact_name, contact_email, website, timezone, admin_tags, \
                 member_tags, executor_tags, tag_patterns, membership, status, origin, has_logo, created_at_ms, updated_at_ms, version",
            ),
            tags: Table::new("organization_tags", "realm, tag, organization_id, role, folded"),
            grants: Table::new(
                "grants",
                "id, user_id, organization_id, team_id, role, source, via, issuer, tag, token_jti, token_sha256, \
                 granted_at_ms, asserted_at_ms, lapses_at_ms, revoked_at_ms, why, revoked_why",
            ),
            events: Table::new(
                "audit_events",
                "sequence, at_ms, actor_kind, actor_name, token_jti, token_sha256, action, user_id, organization_id, \
                 team_id, detail",
            ),
            seen: Table::new("seen_tags", "realm, tag, first_seen_at_ms, last_seen_at_ms"),
            policy: 0,
            done: 0,
        }
    }
}

impl Batch {
    /// The tables, each after those that it refers to.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        let all = [
            &self.users,
            &self.issuers,
            &self.organizations,
            &self.tags,
            &self.grants,
            &self.events,
            &self.seen,
        ];
        all.into_iter().filter(|table| !table.rows.is_empty())
    }

    /// Changes and their events.
    pub fn add(&mut self, changes: &[Change], written: &Written, sequence: &mut i64) {
        for change in changes {
            match change {
                Change::CreateUser(user) => self.users.rows.push(user_row(user)),
                Change::CreateOrganization(organization) => {
                    self.organizations.rows.push(organization_row(organization));
                    self.tags.rows.extend(tag_rows(organization));
                }
                Change::OpenGrant(grant) => self.grants.rows.push(grant_row(grant)),
                // Nothing that only begins has changed yet.
                Change::UpdateUser { .. }
                | Change::EraseUser { .. }
                | Change::DeleteOrganization { .. }
                | Change::DeleteTeam { .. }
                | Change::UpdateOrganization { .. }
                | Change::CreateTeam(_)
                | Change::UpdateTeam { .. }
                | Change::CloseGrant(_) => {}
            }
        }
        for event in &written.events {
            *sequence += 1;
            self.events.rows.push(event_row(event, *sequence));
        }
    }

    /// Adds the row of a token's issuer.
    pub fn add_touch(&mut self, touch: &Touch) {
        let tags = touch.tags.as_ref();
        let (order, newest, said) = mark_columns(touch.mark.as_ref());
        self.issuers.rows.push(vec![
            touch.user.to_string().into(),
            touch.issuer.as_str().into(),
            order.into(),
            newest.into(),
            said.into(),
            tags.map(|tags| texts_to_json(tags.iter().map(String::as_str))).into(),
        ]);
    }

    /// Tags that tokens carried.
    pub fn add_seen(&mut self, seen: &Seen) {
        for ((realm, tag), (first, last)) in seen {
            let row = vec![
                realm.clone().into(),
                tag.clone().into(),
                (*first).into(),
                (*last).into(),
            ];
            self.seen.rows.push(row);
        }
    }
}

/// Realm and tag, with the first and the last time.
pub(crate) type Seen = BTreeMap<(String, String), (i64, i64)>;

/// Notes the tags of a token.
pub(crate) fn see(seen: &mut Seen, touch: &Touch) {
    for tag in touch.tags.iter().flatten() {
        let key = (touch.realm.as_str().to_owned(), tag.clone());
        let times = seen.entry(key).or_insert((touch.at_ms, touch.at_ms));
        times.1 = touch.at_ms.max(times.1);
    }
}

fn user_row(user: &User) -> Vec<Cell> {
    let mut row = vec![
        user.id.to_string().into(),
        user.realm.as_str().into(),
        user.external_id.as_str().into(),
        user.username.as_str().into(),
    ];
    row.extend(user.profile.fields().map(|field| Cell::from(field.as_deref())));
    row.extend([
        user.status.as_str().into(),
        object_to_json(&user.context).into(),
        user.tokens_not_before_ms.into(),
        user.last_seen_at_ms.into(),
        user.created_at_ms.into(),
        user.updated_at_ms.into(),
        integer(user.version).into(),
    ]);
    row
}

fn organization_row(organization: &Organization) -> Vec<Cell> {
    let external_id = organization.external_id.as_ref();
    let details = &organization.details;
    vec![
        organization.id.to_string().into(),
        organization.name.as_str().into(),
        organization.label.as_str().into(),
        organization.realm.as_str().into(),
        external_id.map(ExternalId::as_str).into(),
        details.contact_name.as_deref().into(),
        details.contact_email.as_deref().into(),
        details.website.as_deref().into(),
        details.timezone.as_deref().into(),
        texts_to_json(organization.tags.admin.texts()).into(),
        texts_to_json(organization.tags.member.texts()).into(),
        texts_to_json(organization.tags.executor.texts()).into(),
        organization.tag_patterns.into(),
        organization.membership.as_str().into(),
        organization.status.as_str().into(),
        organization.origin.as_str().into(),
        organization.has_logo.into(),
        organization.created_at_ms.into(),
        organization.updated_at_ms.into(),
        integer(organization.version).into(),
    ]
}

fn tag_rows(organization: &Organization) -> Vec<Vec<Cell>> {
    let row = |(tag, role): (&str, &str)| {
        vec![
            organization.realm.as_str().into(),
            tag.into(),
            organization.id.to_string().into(),
            role.into(),
            fold(tag).into(),
        ]
    };
    let roles = organization.tags.roles();
    roles
        .iter()
        .map(|(tag, role)| row((tag.as_str(), role.as_str())))
        .collect()
}

fn grant_row(grant: &Grant) -> Vec<Cell> {
    let (organization, team) = scope_columns(grant.scope());
    let stored = StoredSource::of(&grant.source);
    vec![
        grant.id.to_string().into(),
        grant.user.to_string().into(),
        organization.into(),
        team.into(),
        grant.role.role_str().into(),
        stored.source.as_str().into(),
        stored.via.into(),
        grant.source.issuer().map_or("", IssuerName::as_str).into(),
        grant.source.tag().unwrap_or("").into(),
        grant.token.jti.as_deref().into(),
        grant.token.sha256_prefix.as_deref().into(),
        grant.granted_at_ms.into(),
        grant.asserted_at_ms.into(),
        grant.lapses_at_ms.into(),
        grant.revoked_at_ms.into(),
        grant.why.as_deref().into(),
        grant.revoked_why.as_deref().into(),
    ]
}

fn event_row(row: &EventRow, sequence: i64) -> Vec<Cell> {
    let (jti, sha256) = row.token();
    vec![
        sequence.into(),
        row.event.at_ms.into(),
        row.event.actor.kind().into(),
        row.actor_name.clone().into(),
        jti.into(),
        sha256.into(),
        row.event.action.as_str().into(),
        row.event.user.map(|id| id.to_string()).into(),
        row.event.organization.map(|id| id.to_string()).into(),
        row.event.team.map(|id| id.to_string()).into(),
        row.detail.as_str().into(),
    ]
}
