//! Rules of commands: from a record and a wish to changes. Pure, so that every store decides alike. For stores; all
//! other callers go through [`crate::Directory`].

use narthex_names::{NAME_LENGTH_MAX, NameError, Realm};

use crate::audit::{AuditEvent, By};
use crate::change::Change;
use crate::command::{ApiKey, NewGrant, NewOrganization, NewTeam, NewUser, OrganizationEdit, TeamEdit, UserEdit};
use crate::erasure::RemovedIdentity;
use crate::error::StoreError;
use crate::grant::{Grant, GrantSource, SourceKind, TokenFingerprint};
use crate::machine_key::MachineKey;
use crate::organization::{MembershipRule, Organization, Origin};
use crate::role::{Scope, ScopedRole};
use crate::team::Team;
use crate::user::{Profile, User, UserStatus};

/// Creates a user by hand.
pub fn new_user(new: NewUser, at_ms: i64) -> Result<User, StoreError> {
    check_profile(&new.profile)?;
    Ok(User {
        id: new.id,
        realm: new.realm,
        external_id: new.external_id,
        username: new.username,
        profile: new.profile,
        status: UserStatus::Active,
        context: serde_json::Map::new(),
        tokens_not_before_ms: None,
        last_seen_at_ms: None,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        version: 1,
    })
}

/// Tests whether a change of a user disables it.
///
/// SECURITY: its sessions end with that. One that stayed would be good again when the user is enabled.
pub fn disables(change: &Change) -> bool {
    matches!(change, Change::UpdateUser { before, after, .. }
        if before.status == UserStatus::Active && after.status == UserStatus::Disabled)
}

/// Edits a user; `None` if nothing differs.
pub fn edit_user(
    before: &User,
    version: Option<u64>,
    edit: UserEdit,
    at_ms: i64,
) -> Result<Option<Change>, StoreError> {
    check_version("user", version, before.version)?;
    if before.is_erased() {
        return Err(StoreError::Refused(
            "the user is erased; nothing of the record can be changed",
        ));
    }
    let mut after = before.clone();
    if let Some(external_id) = edit.external_id {
        after.external_id = external_id;
    }
    if let Some(username) = edit.username {
        after.username = username;
    }
    if let Some(status) = edit.status {
        after.status = status;
    }
    // SECURITY: a client that holds one of those tokens may use it again until it expires. Only an administrator asks
    // for this: for a user whose tokens do not say when they were issued, being signed out would otherwise last for
    // good.
    if edit.accept_older_tokens {
        after.tokens_not_before_ms = None;
    }
    let edits = [
        edit.email,
        edit.name,
        edit.country,
        edit.timezone,
        edit.locale,
        edit.language,
    ];
    for (field, edit) in after.profile.fields_mut().into_iter().zip(edits) {
        edit.apply(field);
    }
    check_profile(&after.profile)?;
    Ok(updated_user(before, after, edit.why, at_ms))
}

/// Signs a user out everywhere. The moment never moves back; only [`edit_user`] lifts it. `newest_issued_at_ms` is the
/// newest `iat` of all tokens that were seen of the user.
///
/// SECURITY: where an issuer's clock runs ahead, the token in use is dated after this moment. It is refused all the same.
pub fn revoke_tokens(before: &User, newest_issued_at_ms: Option<i64>, at_ms: i64) -> Option<Change> {
    let mut after = before.clone();
    let after_newest = newest_issued_at_ms.map(|newest| newest.saturating_add(1));
    after.tokens_not_before_ms = before.tokens_not_before_ms.max(after_newest).max(Some(at_ms));
    updated_user(before, after, None, at_ms)
}

fn updated_user(before: &User, mut after: User, why: Option<String>, at_ms: i64) -> Option<Change> {
    if after == *before {
        return None;
    }
    after.version += 1;
    after.updated_at_ms = at_ms;
    Some(Change::UpdateUser {
        before: Box::new(before.clone()),
        after: Box::new(after),
        why,
    })
}

/// Creates an organization by hand or by declaration.
pub fn new_organization(new: NewOrganization, origin: Origin, at_ms: i64) -> Result<Organization, StoreError> {
    check_text("label", &new.label)?;
    Ok(Organization {
        id: new.id,
        name: new.name,
        label: new.label,
        realm: new.realm,
        external_id: new.external_id,
        details: new.details,
        tags: new.tags,
        tag_patterns: new.tag_patterns,
        membership: new.membership,
        status: new.status,
        origin,
        has_logo: false,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        version: 1,
    })
}

/// Edits an organization, if anything differs. `manual` are the open manual grants on it and on its teams: an
/// organization that becomes `external_only` closes them, so that none is ever open on such a one.
pub fn edit_organization(
    before: &Organization,
    version: Option<u64>,
    edit: OrganizationEdit,
    manual: Vec<Grant>,
    at_ms: i64,
) -> Result<Vec<Change>, StoreError> {
    check_version("organization", version, before.version)?;
    let mut after = before.clone();
    if let Some(name) = edit.name {
        after.name = name;
    }
    if let Some(label) = edit.label {
        check_text("label", &label)?;
        after.label = label;
    }
    edit.external_id.apply(&mut after.external_id);
    edit.contact_name.apply(&mut after.details.contact_name);
    edit.contact_email.apply(&mut after.details.contact_email);
    edit.website.apply(&mut after.details.website);
    edit.timezone.apply(&mut after.details.timezone);
    if let Some(tags) = edit.tags {
        after.tags = tags;
    }
    if let Some(tag_patterns) = edit.tag_patterns {
        after.tag_patterns = tag_patterns;
    }
    if let Some(membership) = edit.membership {
        after.membership = membership;
    }
    if let Some(status) = edit.status {
        after.status = status;
    }
    if after != *before && before.origin == Origin::Config {
        return Err(StoreError::DeclaredInConfiguration {
            name: before.name.clone(),
        });
    }
    let mut changes = updated_organization(before, after, manual, at_ms);
    if let Some(Change::UpdateOrganization { why, .. }) = changes.first_mut() {
        *why = edit.why;
    }
    Ok(changes)
}

/// Sets whether an organization has a logo.
pub fn set_logo(before: &Organization, has_logo: bool, at_ms: i64) -> Vec<Change> {
    let mut after = Organization {
        has_logo,
        updated_at_ms: at_ms,
        ..before.clone()
    };
    after.version += 1;
    vec![Change::UpdateOrganization {
        before: Box::new(before.clone()),
        after: Box::new(after),
        why: None,
    }]
}

pub(crate) fn updated_organization(
    before: &Organization,
    mut after: Organization,
    manual: Vec<Grant>,
    at_ms: i64,
) -> Vec<Change> {
    if after == *before {
        return Vec::new();
    }
    after.version += 1;
    after.updated_at_ms = at_ms;
    let closes = before.membership != MembershipRule::ExternalOnly && after.membership == MembershipRule::ExternalOnly;
    let mut changes = vec![Change::UpdateOrganization {
        before: Box::new(before.clone()),
        after: Box::new(after),
        why: None,
    }];
    if closes {
        let why = "the organization became external_only";
        changes.extend(close_all(manual, at_ms, Some(why)).1);
    }
    changes
}

/// Creates a team by hand. `organization` is the one it is to be in.
pub fn new_team(new: NewTeam, organization: Option<&Organization>, at_ms: i64) -> Result<Team, StoreError> {
    check_text("name", &new.name)?;
    check_home(&new.realm, organization)?;
    Ok(Team {
        id: new.id,
        realm: new.realm,
        organization: new.organization,
        external_id: new.external_id,
        name: new.name,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        version: 1,
    })
}

/// Edits a team, if anything differs. `organization` is the one it is to be in, if that is edited; `manual` are then
/// its open manual grants, which an `external_only` organization does not take.
pub fn edit_team(
    before: &Team,
    version: Option<u64>,
    edit: TeamEdit,
    organization: Option<&Organization>,
    manual: Vec<Grant>,
    at_ms: i64,
) -> Result<Vec<Change>, StoreError> {
    check_version("team", version, before.version)?;
    let mut after = before.clone();
    if let Some(name) = edit.name {
        check_text("name", &name)?;
        after.name = name;
    }
    check_home(&before.realm, organization)?;
    edit.organization.apply(&mut after.organization);
    edit.external_id.apply(&mut after.external_id);
    if after == *before {
        return Ok(Vec::new());
    }
    after.version += 1;
    after.updated_at_ms = at_ms;
    let mut changes = vec![Change::UpdateTeam {
        before: Box::new(before.clone()),
        after: Box::new(after),
    }];
    if organization.is_some_and(|organization| organization.membership == MembershipRule::ExternalOnly) {
        let why = "the team came into an organization that is external_only";
        changes.extend(close_all(manual, at_ms, Some(why)).1);
    }
    Ok(changes)
}

/// Grants a role by hand: no change if the same is open already, until the same time. `open` is the open manual grant of
/// the user on the scope, `organization` the one that the scope is or lies in.
pub fn give(
    new: NewGrant,
    open: Option<Grant>,
    organization: Option<&Organization>,
    at_ms: i64,
) -> Result<(Grant, Vec<Change>), StoreError> {
    if let Some(organization) = organization
        && organization.membership == MembershipRule::ExternalOnly
    {
        return Err(StoreError::ExternalOnly {
            organization: organization.name.clone(),
        });
    }
    if new.expires_at_ms.is_some_and(|expires| expires <= at_ms) {
        return Err(NameError::Field {
            field: "expires_at",
            rule: "it has passed already",
        }
        .into());
    }
    // An expired grant stays open until the sweep closes it, and is no role that a person holds.
    let (lapsed, open) = match open {
        Some(open) if open.lapsed_at(at_ms) => (Some(open), None),
        open => (None, open),
    };
    let is_same = |open: &&Grant| open.role == new.role && open.lapses_at_ms == new.expires_at_ms;
    if let Some(open) = open.as_ref().filter(is_same) {
        return Ok((open.clone(), Vec::new()));
    }
    let grant = Grant {
        id: new.id,
        user: new.user,
        role: new.role,
        source: GrantSource::Manual,
        token: TokenFingerprint::default(),
        granted_at_ms: at_ms,
        asserted_at_ms: at_ms,
        lapses_at_ms: new.expires_at_ms,
        revoked_at_ms: None,
        why: new.why,
        revoked_why: None,
    };
    let mut changes = Vec::new();
    changes.extend(lapsed.map(close_lapsed));
    changes.extend(open.map(|open| {
        let why = if open.role == grant.role {
            "the time of its expiry changed"
        } else {
            "the role changed"
        };
        close(open, at_ms, Some(why.to_owned()))
    }));
    changes.push(Change::OpenGrant(Box::new(grant.clone())));
    Ok((grant, changes))
}

/// Closes a grant.
pub fn close(mut grant: Grant, at_ms: i64, why: Option<String>) -> Change {
    grant.revoked_at_ms = Some(at_ms);
    grant.revoked_why = why;
    Change::CloseGrant(Box::new(grant))
}

/// Tests whether an administrator closes such a grant by revoking the role.
///
/// The next token would give a grant by a tag again, and such a grant goes away with the tag. It may give a grant by a
/// claim again too, but claims only add: what the tokens no longer say would otherwise stay for good.
pub const fn is_revocable(source: SourceKind) -> bool {
    matches!(source, SourceKind::Manual | SourceKind::Claim)
}

/// Closes grants in the order in which they were given, whatever the order in which a store found them. Returns them as
/// they are then.
pub fn close_all(mut open: Vec<Grant>, at_ms: i64, why: Option<&str>) -> (Vec<Grant>, Vec<Change>) {
    open.sort_unstable_by_key(|grant| grant.id);
    let mut closed = Vec::with_capacity(open.len());
    for mut grant in open {
        grant.revoked_at_ms = Some(at_ms);
        grant.revoked_why = why.map(str::to_owned);
        closed.push(grant);
    }
    let changes = closed.iter().map(|grant| Change::CloseGrant(Box::new(grant.clone())));
    let changes = changes.collect();
    (closed, changes)
}

/// Closes a lapsed grant, at the moment it lapsed.
pub fn close_lapsed(grant: Grant) -> Change {
    let at_ms = grant.lapses_at_ms.unwrap_or(grant.asserted_at_ms);
    let why = why_lapsed(grant.source.kind());
    close(grant, at_ms, Some(why.to_owned()))
}

/// Returns the reason with which a lapsed grant is closed.
pub(crate) const fn why_lapsed(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Manual => "it expired",
        SourceKind::Claim | SourceKind::Tag | SourceKind::Pattern => "it was not asserted within its lease",
    }
}

/// The event of an API key created or revoked.
pub fn api_key_event(action: &str, key: &ApiKey, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new(action, by.actor.clone(), by.at_ms);
    if let Scope::Organization(organization) = key.role.scope() {
        event.organization = Some(organization);
    }
    event.detail.insert("api_key".to_owned(), key.id.to_string().into());
    event.detail.insert("name".to_owned(), key.name.as_str().into());
    event.detail.insert("role".to_owned(), key.role.role_str().into());
    event
}

/// The event of a machine key created or revoked.
pub fn machine_key_event(action: &str, key: &MachineKey, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new(action, by.actor.clone(), by.at_ms);
    event.organization = Some(key.organization);
    event.detail.insert("machine_key".to_owned(), key.id.to_string().into());
    event.detail.insert("name".to_owned(), key.name.as_str().into());
    event.detail.insert("role".to_owned(), key.role.as_str().into());
    event
        .detail
        .insert("expires_at_ms".to_owned(), key.expires_at_ms.into());
    event
}

/// The event of a removal that was lifted. It does not name the identity, of which nothing is kept.
pub fn lifted_event(identity: &RemovedIdentity, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("erasure.lifted", by.actor.clone(), by.at_ms);
    event.detail.insert("kind".to_owned(), identity.kind.as_str().into());
    event.detail.insert("realm".to_owned(), identity.realm.as_str().into());
    event
}

/// The event of a new assertion key.
pub fn assertion_key_event(kid: &str, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("assertion_key.created", by.actor.clone(), by.at_ms);
    event.detail.insert("kid".to_owned(), kid.into());
    event
}

/// The event of a new key of checkpoints.
pub fn audit_key_event(kid: &str, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("audit_key.created", by.actor.clone(), by.at_ms);
    event.detail.insert("kid".to_owned(), kid.into());
    event
}

/// The highest of a user's open grants on one scope.
pub fn highest_role(grants: &[Grant]) -> Option<ScopedRole> {
    grants.iter().map(|grant| grant.role).max()
}

pub(crate) fn check_version(what: &'static str, expected: Option<u64>, found: u64) -> Result<(), StoreError> {
    match expected {
        Some(expected) if expected != found => Err(StoreError::VersionMismatch { what, expected, found }),
        _ => Ok(()),
    }
}

fn check_home(realm: &Realm, organization: Option<&Organization>) -> Result<(), StoreError> {
    match organization {
        Some(organization) if organization.realm != *realm => {
            Err(StoreError::Refused("a team and its organization belong to one realm"))
        }
        _ => Ok(()),
    }
}

fn check_profile(profile: &Profile) -> Result<(), StoreError> {
    for (name, value) in Profile::FIELDS.into_iter().zip(profile.fields()) {
        if let Some(value) = value {
            check_text(name, value)?;
        }
    }
    Ok(())
}

pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), StoreError> {
    let rule = match text {
        _ if text.trim().is_empty() => "it is empty",
        _ if text.chars().count() > NAME_LENGTH_MAX => "it is longer than 256 characters",
        _ if text.chars().any(char::is_control) => "it holds a control character",
        _ => return Ok(()),
    };
    Err(NameError::Field { field, rule }.into())
}
