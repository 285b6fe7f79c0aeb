//! Preview of a change of an organization's lists of tags: the users whose role would change.

use narthex_decision::Action;
use narthex_directory::{
    Among, Carrier, CarrierFilter, Cursor, EffectiveGrant, Listing, Organization, OrganizationRole, OrganizationTags,
    Scope, ScopedRole, SourceKind, UserId, Username,
};

use super::TagChange;
use crate::caller::{Caller, Permit};
use crate::error::OpError;
use crate::paging::PageRequest;

/// Effect of a change on one user at their next token.
#[derive(Debug, Clone)]
pub struct RoleChange {
    /// The user's id.
    pub user: UserId,
    /// The user's username.
    pub username: Username,
    /// The user's display name.
    pub name: Option<String>,
    /// The user's e-mail address.
    pub email: Option<String>,
    /// The role now; `None` for none.
    pub before: Option<OrganizationRole>,
    /// The role after the change; `None` for none.
    pub after: Option<OrganizationRole>,
    /// The tags of the user's last token that the change affects. Callers who may not read users see only tags that the
    /// organization lists now.
    pub tags: Vec<String>,
}

/// Page of a preview.
#[derive(Debug, Clone, Default)]
pub struct TagPreview {
    /// The users whose role would change.
    pub items: Vec<RoleChange>,
    /// Cursor of the next page; `None` at the end.
    pub next_cursor: Option<Cursor>,
    /// Number of users without a role in the organization who would gain one, counted up to 10,000. Given on the first
    /// page to callers who may not read users, whose items are members only.
    pub others_gaining: Option<usize>,
    /// Tags that the change adds and that no token of the realm ever carried: perhaps misspelt. Given on the first page.
    pub never_seen: Vec<String>,
}

/// Maximum number of others that are counted.
const OTHERS_MAX: usize = 10_000;

/// Previews a change of an organization's tags: the role that each user would gain or lose at their next token, if it
/// carries the same tags as the last one. Nothing is written. The page's limit is the number of users to examine, so a
/// page may show fewer and still not be the last.
///
/// # Errors
///
/// When the caller may not, there is no such organization, a list or the page cannot be used, or the directory fails.
pub async fn preview(
    caller: &Caller,
    organization: &str,
    change: TagChange,
    page: PageRequest,
) -> Result<TagPreview, OpError> {
    let (permit, organization) = caller.organization(Action::ReadMembers, organization).await?;
    let then = change.applied_to(&organization.tags)?;
    let touched = touched(&organization.tags, &then);
    // This node may have noted tags of the last tokens that are not written yet.
    permit.directory().flush().await?;
    let (is_first, page) = (page.cursor.is_none(), page.page()?);
    // SECURITY: a caller can ask about any tag, even another organization's. Members of other organizations are not
    // shown to a caller who may not read users: neither by name nor by the id in a cursor, which would be enough to ask
    // for more.
    let sees_all = permit.reads_users();
    let (members, others) = (
        Among::Members(organization.id, permit.now_ms()),
        Among::Others(organization.id, permit.now_ms()),
    );
    let carrying = |tags, among| CarrierFilter {
        realm: organization.realm.clone(),
        tags,
        among,
    };
    let mut preview = TagPreview::default();
    if is_first && !sees_all {
        let gives = |tag: &&String| then.role_of(tag).is_some();
        let gaining = carrying(touched.iter().filter(gives).cloned().collect(), others);
        preview.others_gaining = Some(permit.directory().count_carriers(gaining, OTHERS_MAX).await?);
    }
    if touched.is_empty() {
        return Ok(preview);
    }
    if is_first {
        preview.never_seen = never_seen(permit, &organization, &then).await?;
    }
    let among = if sees_all { Among::Everybody } else { members };
    let filter = carrying(touched.clone(), among);
    let Listing { items, next_cursor } = permit.directory().carriers(filter, page).await?;
    for carrier in items {
        let changed = difference(permit, &organization, &then, &touched, carrier).await?;
        preview.items.extend(changed);
    }
    preview.next_cursor = next_cursor;
    Ok(preview)
}

/// Returns the tags that a change adds and that no token of the realm ever carried.
async fn never_seen(
    permit: Permit<'_>,
    organization: &Organization,
    then: &OrganizationTags,
) -> Result<Vec<String>, OpError> {
    let is_new = |tag: &String| organization.tags.role_of(tag).is_none() && then.role_of(tag).is_some();
    let mut added = touched(&organization.tags, then);
    added.retain(is_new);
    let seen = permit
        .directory()
        .tags_ever_seen(organization.realm.clone(), added.clone());
    let seen = seen.await?;
    added.retain(|tag| !seen.contains(tag));
    Ok(added)
}

/// Returns the tags whose role changes.
fn touched(now: &OrganizationTags, then: &OrganizationTags) -> Vec<String> {
    let mut touched: Vec<String> = now
        .roles()
        .into_iter()
        .chain(then.roles())
        .map(|(tag, _)| tag.as_str())
        .filter(|tag| now.role_of(tag) != then.role_of(tag))
        .map(str::to_owned)
        .collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

async fn difference(
    permit: Permit<'_>,
    organization: &Organization,
    then: &OrganizationTags,
    touched: &[String],
    carrier: Carrier,
) -> Result<Option<RoleChange>, OpError> {
    let Some(standing) = permit.directory().standing(carrier.user.id).await? else {
        return Ok(None);
    };
    let mut grants = standing.grants;
    grants.retain(|grant| grant.scope() == Scope::Organization(organization.id));
    let in_force = permit.in_force();
    let effective = permit
        .grant_policy(&in_force)
        .effective_grants(&standing.user.realm, grants)
        .await?;
    let before = highest(&effective, |_| true);
    let untagged = highest(&effective, |source| source != SourceKind::Tag);
    let tagged = carrier.tags.iter().filter_map(|tag| then.role_of(tag)).max();
    let after = untagged.max(tagged);
    if before == after {
        return Ok(None);
    }
    let Carrier { user, mut tags } = carrier;
    // SECURITY: an organization's own admins must not learn the other tags that a user carries.
    let told = |tag: &String| permit.reads_users() || organization.tags.role_of(tag).is_some();
    tags.retain(|tag| touched.contains(tag) && told(tag));
    Ok(Some(RoleChange {
        user: user.id,
        username: user.username,
        name: user.profile.name,
        email: user.profile.email,
        before,
        after,
        tags,
    }))
}

/// Returns the highest role in an organization that grants of the counted sources give now.
fn highest(effective: &[EffectiveGrant], counts: impl Fn(SourceKind) -> bool) -> Option<OrganizationRole> {
    let counted = effective
        .iter()
        .filter(|effective| counts(effective.grant.source.kind()));
    let roles = counted.filter_map(|effective| match effective.gives {
        Ok(ScopedRole::Organization(_, role)) => Some(role),
        _ => None,
    });
    roles.max()
}
