//! Preview of a change of an organization's lists of tags: the users whose role would change.

use std::collections::HashSet;

use narthex_decision::Action;
use narthex_directory::{
    Among, Carrier, CarrierFilter, Cursor, EffectiveGrant, Listing, Organization, OrganizationRole, OrganizationTags,
    PAGE_LIMIT_MAX, Page, Scope, ScopedRole, SourceKind, UserId, Username,
};

use super::TagChange;
use crate::caller::{Caller, Permit};
use crate::error::OpError;
use crate::members::{self, Group};
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
    /// Number of users who would gain and who would lose. Given on the first page.
    pub totals: Option<PreviewTotals>,
    /// `true` if no admin of the organization would be left. Given on the first page.
    pub loses_last_admin: bool,
}

/// Numbers of users whose role would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PreviewTotals {
    /// Users who would gain a role, or a higher one.
    pub gaining: usize,
    /// Users who would lose their role, or keep a lower one.
    pub losing: usize,
    /// `false` if more users carry the tags than were examined, so that there may be more.
    pub is_exact: bool,
}

/// Number of users who carry touched tags above which a change needs to be confirmed.
pub const CONFIRM_ABOVE: usize = 100;

/// Maximum number of users who are examined for the totals.
const EXAMINED_MAX: usize = 1_000;

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
        preview.totals = is_first.then_some(PreviewTotals {
            is_exact: true,
            ..PreviewTotals::default()
        });
        return Ok(preview);
    }
    if is_first {
        preview.never_seen = never_seen(permit, &organization, &then).await?;
    }
    let among = if sees_all { Among::Everybody } else { members };
    let filter = carrying(touched.clone(), among);
    if is_first {
        let (changes, is_exact) = examine(permit, (&organization, &then), &touched, filter.clone()).await?;
        let losing = changes.iter().filter(|change| change.after < change.before).count();
        preview.totals = Some(PreviewTotals {
            gaining: changes.len().saturating_sub(losing),
            losing,
            is_exact,
        });
        preview.loses_last_admin = loses_last_admin(caller, &organization, &changes).await?;
    }
    let Listing { items, next_cursor } = permit.directory().carriers(filter, page).await?;
    for carrier in items {
        let changed = difference(permit, &organization, &then, &touched, carrier).await?;
        preview.items.extend(changed);
    }
    preview.next_cursor = next_cursor;
    Ok(preview)
}

/// Returns the users whose role would change, among the first that carry touched tags, and whether these are all.
async fn examine(
    permit: Permit<'_>,
    (organization, then): (&Organization, &OrganizationTags),
    touched: &[String],
    filter: CarrierFilter,
) -> Result<(Vec<RoleChange>, bool), OpError> {
    let (mut changes, mut examined, mut page) = (Vec::new(), 0, Page::first(PAGE_LIMIT_MAX));
    loop {
        let Listing { items, next_cursor } = permit.directory().carriers(filter.clone(), page).await?;
        examined += items.len();
        for carrier in items {
            changes.extend(difference(permit, organization, then, touched, carrier).await?);
        }
        match next_cursor {
            None => return Ok((changes, true)),
            Some(_) if examined >= EXAMINED_MAX => return Ok((changes, false)),
            Some(cursor) => page = Page::after(cursor, PAGE_LIMIT_MAX),
        }
    }
}

/// Tests whether no admin of the organization would be left. An organization with more members than fit on a page is
/// taken to have another one.
async fn loses_last_admin(
    caller: &Caller,
    organization: &Organization,
    changes: &[RoleChange],
) -> Result<bool, OpError> {
    let admin = Some(OrganizationRole::Admin);
    let demoted = changes
        .iter()
        .filter(|change| change.before == admin && change.after != admin);
    let demoted: HashSet<UserId> = demoted.map(|change| change.user).collect();
    if demoted.is_empty() || changes.iter().any(|change| change.after == admin) {
        return Ok(false);
    }
    let all = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    let group = Group::Organization(organization.name.as_str());
    let members = members::list(caller, group, all).await?.members;
    let stays = members.items.iter().any(|member| {
        matches!(member.role, ScopedRole::Organization(_, OrganizationRole::Admin))
            && !demoted.contains(&member.user.id)
    });
    Ok(!stays && members.next_cursor.is_none())
}

/// Checks that a change of tags was confirmed if many users carry the tags.
///
/// # Errors
///
/// When it needs to be confirmed, or the directory fails.
pub(super) async fn check_confirmed(
    permit: Permit<'_>,
    organization: &Organization,
    then: &OrganizationTags,
) -> Result<(), OpError> {
    let touched = touched(&organization.tags, then);
    if touched.is_empty() {
        return Ok(());
    }
    let filter = CarrierFilter {
        realm: organization.realm.clone(),
        tags: touched,
        among: Among::Everybody,
    };
    if permit.directory().count_carriers(filter, CONFIRM_ABOVE + 1).await? > CONFIRM_ABOVE {
        return Err(OpError::Conflict(
            "the last tokens of more than 100 users carry these tags; look at the preview, and send `\"confirm\": true`",
        ));
    }
    Ok(())
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
