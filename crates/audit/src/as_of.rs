//! Roles at a past time, each with its origin: the tag or claim, the token, the actor and the reason.

use narthex_directory::{
    Actor, Answer, Directory, EventFilter, Grant, Listing, Member, PAGE_LIMIT_MAX, Page, Scope, ScopedRole, SourceKind,
    User,
};
use serde_json::Value;

use crate::csv::csv_row;
use crate::record::time_text;

/// First line of a table of roles, with its line end.
pub const ROLES_CSV_HEADER: &str = "user_id,username,name,email,role,granted_role,source,issuer,tag,token_jti,\
     token_sha256_prefix,granted_at,granted_by,why,revoked_at,revoked_by,revoked_why\r\n";

/// A grant that was held, with the actors of its beginning and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// Actor that granted it; `None` where the audit trail no longer has the event.
    pub granted_by: Option<Actor>,
    /// Actor that closed it since; `None` while it is open.
    pub revoked_by: Option<Actor>,
}

/// A user who held a role.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldRole {
    /// The user, as it is now.
    pub user: User,
    /// The highest role held.
    pub role: ScopedRole,
    /// The grants that were held.
    pub grants: Vec<HeldGrant>,
}

/// Returns the users who held a role on a scope at a time, by user id.
///
/// # Errors
///
/// When the page cannot be used, or the directory fails.
pub async fn held_roles(directory: &dyn Directory, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<HeldRole>> {
    let Listing { items, next_cursor } = directory.members_as_of(scope, at_ms, page).await?;
    let mut roles = Vec::with_capacity(items.len());
    for Member { user, role, grants } in items {
        let mut held = Vec::with_capacity(grants.len());
        for grant in grants {
            held.push(with_actors(directory, grant).await?);
        }
        roles.push(HeldRole {
            user,
            role,
            grants: held,
        });
    }
    Ok(Listing {
        items: roles,
        next_cursor,
    })
}

/// Looks up the actors of a grant.
async fn with_actors(directory: &dyn Directory, grant: Grant) -> Answer<HeldGrant> {
    let granted_by = match grant.source.issuer() {
        Some(issuer) => Some(Actor::Token {
            issuer: issuer.clone(),
            token: grant.token.clone(),
        }),
        None => actor(directory, &grant, "grant.opened", grant.granted_at_ms).await?,
    };
    let revoked_by = match grant.revoked_at_ms {
        Some(at_ms) => actor(directory, &grant, "grant.closed", at_ms).await?,
        None => None,
    };
    Ok(HeldGrant {
        grant,
        granted_by,
        revoked_by,
    })
}

/// Returns the actor of an event of a grant, at a time or (for one that lapsed, whose end is written down later) after it.
async fn actor(directory: &dyn Directory, grant: &Grant, action: &str, at_ms: i64) -> Answer<Option<Actor>> {
    let filter = EventFilter {
        user: Some(grant.user),
        action: Some(action.to_owned()),
        text: Some(grant.id.to_string()),
        from_ms: Some(at_ms),
        ..EventFilter::default()
    };
    let events = directory.events(filter, Page::first(PAGE_LIMIT_MAX)).await?.items;
    let id = grant.id.to_string();
    let of_grant = |value: Option<&Value>| value.and_then(Value::as_str) == Some(id.as_str());
    let found = events
        .into_iter()
        .find(|recorded| of_grant(recorded.event.detail.get("grant")));
    Ok(found.map(|recorded| recorded.event.actor))
}

/// Returns the lines of a user: one for each grant.
pub fn roles_csv(held: &HeldRole) -> String {
    let HeldRole { user, role, grants } = held;
    let line = |held: &HeldGrant| {
        let grant = &held.grant;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        csv_row(&[
            user.id.to_string(),
            user.username.to_string(),
            text(user.profile.name.as_deref()),
            text(user.profile.email.as_deref()),
            role.role_str().to_owned(),
            grant.role.role_str().to_owned(),
            grant.source.kind().as_str().to_owned(),
            grant.source.issuer().map(ToString::to_string).unwrap_or_default(),
            text(grant.source.tag()),
            text(grant.token.jti.as_deref()),
            text(grant.token.sha256_prefix.as_deref()),
            time_text(grant.granted_at_ms),
            named(held.granted_by.as_ref()),
            text(grant.why.as_deref()),
            grant.revoked_at_ms.map(time_text).unwrap_or_default(),
            named(held.revoked_by.as_ref()),
            text(grant.revoked_why.as_deref()),
        ])
    };
    grants.iter().map(line).collect()
}

/// Name of an actor, or its kind where it has none.
fn named(actor: Option<&Actor>) -> String {
    let name = |actor: &Actor| actor.name().unwrap_or_else(|| actor.kind().to_owned());
    actor.map(name).unwrap_or_default()
}

/// Source of a grant in words: for tables of people.
pub fn origin(held: &HeldGrant) -> String {
    let grant = &held.grant;
    let issuer = || grant.source.issuer().map(ToString::to_string).unwrap_or_default();
    match grant.source.kind() {
        SourceKind::Manual => {
            let by = named(held.granted_by.as_ref());
            match &grant.why {
                Some(why) => format!("by hand, by {by}: {why}"),
                None => format!("by hand, by {by}"),
            }
        }
        SourceKind::Claim => format!("claim of {}", issuer()),
        SourceKind::Tag => format!("tag \"{}\" of {}", grant.source.tag().unwrap_or_default(), issuer()),
        SourceKind::Pattern => format!(
            "tag \"{}\" of {}, by a tag pattern",
            grant.source.tag().unwrap_or_default(),
            issuer()
        ),
    }
}
