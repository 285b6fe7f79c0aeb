//! Changes: the one vocabulary in which sync and every command say what happens. A store knows how to write these
//! eleven and nothing else; audit events, version numbers and explain's diff are all read off them.

use std::collections::BTreeSet;

use narthex_names::{IssuerName, UserId};
use serde_json::{Map, Value, json};

use crate::audit::{Actor, AuditEvent};
use crate::grant::Grant;
use crate::organization::{Organization, Origin};
use crate::role::Scope;
use crate::team::Team;
use crate::user::User;

/// One change of the directory.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new user.
    CreateUser(Box<User>),
    /// Fields of a user that differ. `after.version` is `before.version + 1`.
    UpdateUser {
        /// As it is.
        before: Box<User>,
        /// As it will be.
        after: Box<User>,
        /// The administrator's reason.
        why: Option<String>,
    },
    /// A user erased: the record under a pseudonym. `after.version` is `before.version + 1`.
    EraseUser {
        /// As it is.
        before: Box<User>,
        /// As it will be.
        after: Box<User>,
        /// True if every later token of the user is refused.
        refuses_all: bool,
        /// The administrator's reason.
        why: Option<String>,
    },
    /// A new organization.
    CreateOrganization(Box<Organization>),
    /// Fields of an organization that differ. `after.version` is `before.version + 1`.
    UpdateOrganization {
        /// As it is.
        before: Box<Organization>,
        /// As it will be.
        after: Box<Organization>,
        /// The administrator's reason.
        why: Option<String>,
    },
    /// An organization deleted: only its name stays, which is never another's.
    DeleteOrganization {
        /// As it is.
        before: Box<Organization>,
        /// Time of the deletion, in milliseconds.
        at_ms: i64,
        /// The administrator's reason.
        why: Option<String>,
    },
    /// A new team.
    CreateTeam(Box<Team>),
    /// Fields of a team that differ, its organization among them. `after.version` is `before.version + 1`.
    UpdateTeam {
        /// As it is.
        before: Box<Team>,
        /// As it will be.
        after: Box<Team>,
    },
    /// A team deleted.
    DeleteTeam {
        /// As it is.
        before: Box<Team>,
        /// Time of the deletion, in milliseconds.
        at_ms: i64,
    },
    /// A role granted.
    OpenGrant(Box<Grant>),
    /// A role revoked: the grant with its end (`revoked_at_ms`, `revoked_why`) set.
    CloseGrant(Box<Grant>),
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDiff {
    /// Its name, as in answers.
    pub field: &'static str,
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}

/// Version numbers that a set of changes moves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// The policy number.
    pub policy: bool,
    /// The stripes of these users.
    pub users: BTreeSet<UserId>,
}

impl Moves {
    /// Returns the numbers that these changes move.
    ///
    /// A new user moves nothing, for nothing can have been cached about a user who was not there; nor does an
    /// organization made by claims, which lists no tags: first uses must not empty everybody's cache.
    pub fn of(changes: &[Change]) -> Self {
        let mut moves = Self::default();
        let mut created = BTreeSet::new();
        for change in changes {
            match change {
                Change::CreateUser(user) => {
                    created.insert(user.id);
                }
                Change::UpdateUser { after, .. } | Change::EraseUser { after, .. } => {
                    moves.users.insert(after.id);
                }
                Change::CreateOrganization(organization) => {
                    moves.policy |= organization.origin != Origin::Claim;
                }
                Change::UpdateOrganization { before, after, .. } => {
                    moves.policy |= decides_differently(before, after);
                }
                Change::CreateTeam(_) => {}
                Change::UpdateTeam { .. } | Change::DeleteTeam { .. } | Change::DeleteOrganization { .. } => {
                    moves.policy = true;
                }
                Change::OpenGrant(grant) | Change::CloseGrant(grant) => {
                    moves.users.insert(grant.user);
                }
            }
        }
        moves.users.retain(|user| !created.contains(user));
        moves
    }
}

fn decides_differently(before: &Organization, after: &Organization) -> bool {
    before.name != after.name
        || before.realm != after.realm
        || before.external_id != after.external_id
        || before.tags != after.tags
        || before.tag_patterns != after.tag_patterns
        || before.membership != after.membership
        || before.status != after.status
        || before.origin != after.origin
}

impl Change {
    /// Tests whether the change writes this user's record, and so moves its version by itself.
    pub fn writes(&self, user: UserId) -> bool {
        match self {
            Self::UpdateUser { after, .. } | Self::EraseUser { after, .. } => after.id == user,
            _ => false,
        }
    }

    /// Tests whether the change only ends something.
    pub const fn takes_away(&self) -> bool {
        matches!(self, Self::CloseGrant(_))
    }

    /// The action's code in the audit trail.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::CreateUser(_) => "user.created",
            Self::UpdateUser { .. } => "user.updated",
            Self::EraseUser { .. } => "user.erased",
            Self::CreateOrganization(_) => "organization.created",
            Self::UpdateOrganization { .. } => "organization.updated",
            Self::DeleteOrganization { .. } => "organization.deleted",
            Self::CreateTeam(_) => "team.created",
            Self::UpdateTeam { .. } => "team.updated",
            Self::DeleteTeam { .. } => "team.deleted",
            Self::OpenGrant(_) => "grant.opened",
            Self::CloseGrant(_) => "grant.closed",
        }
    }

    /// The fields that differ, for updates; for what is new, the fields that are set.
    pub fn diff(&self) -> Vec<FieldDiff> {
        match self {
            Self::CreateUser(user) => differences(&[], &user_fields(user)),
            Self::UpdateUser { before, after, .. } => differences(&user_fields(before), &user_fields(after)),
            Self::CreateOrganization(after) => differences(&[], &organization_fields(after)),
            Self::UpdateOrganization { before, after, .. } => {
                differences(&organization_fields(before), &organization_fields(after))
            }
            Self::CreateTeam(after) => differences(&[], &team_fields(after)),
            Self::UpdateTeam { before, after } => differences(&team_fields(before), &team_fields(after)),
            // The values that an erasure or a deletion takes away are told nowhere.
            Self::EraseUser { .. }
            | Self::DeleteOrganization { .. }
            | Self::DeleteTeam { .. }
            | Self::OpenGrant(_)
            | Self::CloseGrant(_) => Vec::new(),
        }
    }

    /// The audit event that tells of this change.
    pub fn event(&self, actor: &Actor, at_ms: i64) -> AuditEvent {
        let mut event = AuditEvent::new(self.action(), actor.clone(), at_ms);
        match self {
            Self::CreateUser(user) | Self::UpdateUser { after: user, .. } => {
                event.user = Some(user.id);
            }
            Self::EraseUser {
                after: user,
                refuses_all,
                why,
                ..
            } => {
                event.user = Some(user.id);
                let refuses = if *refuses_all { "all_tokens" } else { "older_tokens" };
                event.detail.insert("refuses".to_owned(), refuses.into());
                if let Some(why) = why {
                    event.detail.insert("why".to_owned(), why.as_str().into());
                }
                return event;
            }
            Self::CreateOrganization(organization)
            | Self::UpdateOrganization {
                after: organization, ..
            } => {
                event.organization = Some(organization.id);
            }
            Self::DeleteOrganization { before, why, .. } => {
                event.organization = Some(before.id);
                event.detail.insert("name".to_owned(), before.name.as_str().into());
                if let Some(why) = why {
                    event.detail.insert("why".to_owned(), why.as_str().into());
                }
                return event;
            }
            Self::CreateTeam(team) | Self::UpdateTeam { after: team, .. } | Self::DeleteTeam { before: team, .. } => {
                event.team = Some(team.id);
                event.organization = team.organization;
            }
            Self::OpenGrant(grant) | Self::CloseGrant(grant) => {
                event.user = Some(grant.user);
                match grant.scope() {
                    Scope::Platform => {}
                    Scope::Organization(id) => event.organization = Some(id),
                    Scope::Team(id) => event.team = Some(id),
                }
                event.detail = grant_detail(grant);
                return event;
            }
        }
        event.detail = self
            .diff()
            .into_iter()
            .map(|diff| match diff.from {
                Value::Null => (diff.field.to_owned(), json!({ "to": diff.to })),
                from => (diff.field.to_owned(), json!({ "from": from, "to": diff.to })),
            })
            .collect();
        if let Self::UpdateUser { why: Some(why), .. } | Self::UpdateOrganization { why: Some(why), .. } = self {
            event.detail.insert("why".to_owned(), why.as_str().into());
        }
        event
    }
}

fn grant_detail(grant: &Grant) -> Map<String, Value> {
    let mut detail = Map::new();
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            detail.insert(name.to_owned(), value.into());
        }
    };
    set("grant", Some(&grant.id.to_string()));
    set("scope", Some(grant.scope().kind()));
    set("role", Some(grant.role.role_str()));
    set("source", Some(grant.source.kind().as_str()));
    set("issuer", grant.source.issuer().map(IssuerName::as_str));
    set("tag", grant.source.tag());
    set("why", grant.revoked_why.as_deref().or(grant.why.as_deref()));
    detail
}

type Fields = Vec<(&'static str, Value)>;

/// Fields of `after` whose value differs from the one in `before` (null where there is none).
fn differences(before: &[(&'static str, Value)], after: &[(&'static str, Value)]) -> Vec<FieldDiff> {
    let was = |field: &str| {
        before
            .iter()
            .find(|(name, _)| *name == field)
            .map_or(Value::Null, |(_, v)| v.clone())
    };
    after
        .iter()
        .map(|(field, to)| FieldDiff {
            field,
            from: was(field),
            to: to.clone(),
        })
        .filter(|diff| diff.from != diff.to)
        .collect()
}

fn user_fields(user: &User) -> Fields {
    let mut fields: Fields = vec![
        ("realm", user.realm.as_str().into()),
        ("external_id", user.external_id.as_str().into()),
        ("username", user.username.as_str().into()),
    ];
    for (name, value) in crate::user::Profile::FIELDS.into_iter().zip(user.profile.fields()) {
        fields.push((name, value.as_deref().map_or(Value::Null, Value::from)));
    }
    fields.push(("status", user.status.as_str().into()));
    let context = if user.context.is_empty() {
        Value::Null
    } else {
        Value::Object(user.context.clone())
    };
    fields.push(("context", context));
    fields.push((
        "tokens_not_before",
        user.tokens_not_before_ms.map_or(Value::Null, Value::from),
    ));
    fields
}

fn organization_fields(organization: &Organization) -> Fields {
    let text = |value: &Option<String>| value.as_deref().map_or(Value::Null, Value::from);
    let details = &organization.details;
    let mut fields: Fields = vec![
        ("name", organization.name.as_str().into()),
        ("label", organization.label.as_str().into()),
        ("realm", organization.realm.as_str().into()),
        (
            "external_id",
            organization
                .external_id
                .as_ref()
                .map_or(Value::Null, |id| id.as_str().into()),
        ),
        ("contact_name", text(&details.contact_name)),
        ("contact_email", text(&details.contact_email)),
        ("website", text(&details.website)),
        ("timezone", text(&details.timezone)),
    ];
    let lists = [
        "external_admin_groups",
        "external_member_groups",
        "external_executor_groups",
    ];
    for (field, (_, list)) in lists.into_iter().zip(organization.tags.by_role()) {
        fields.push((
            field,
            if list.is_empty() {
                Value::Null
            } else {
                list.texts().collect()
            },
        ));
    }
    // Told where it differs from every organization's beginning.
    if !organization.tag_patterns {
        fields.push(("tag_patterns", false.into()));
    }
    fields.push(("membership", organization.membership.as_str().into()));
    fields.push(("status", organization.status.as_str().into()));
    fields.push(("origin", organization.origin.as_str().into()));
    fields.push(("logo", organization.has_logo.into()));
    fields
}

fn team_fields(team: &Team) -> Fields {
    vec![
        ("realm", team.realm.as_str().into()),
        (
            "external_id",
            team.external_id.as_ref().map_or(Value::Null, |id| id.as_str().into()),
        ),
        ("name", team.name.as_str().into()),
        (
            "organization",
            team.organization.map_or(Value::Null, |id| id.to_string().into()),
        ),
    ]
}
