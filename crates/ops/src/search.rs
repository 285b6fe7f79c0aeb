//! Search in all kinds of records at once, by a part of a name or by an id.

use narthex_decision::Action;
use narthex_directory::{Organization, TeamId, User};

use super::caller::Caller;
use super::error::OpError;
use super::organizations::{self, OrganizationQuery};
use super::paging::PageRequest;
use super::users::{self, UserQuery};
use super::{denials, issuers, teams};

/// Maximum number of records of each kind.
pub const FOUND_MAX: usize = 20;

/// Length from which a text in three parts is taken for a token.
const TOKEN_LENGTH_MIN: usize = 40;

/// Kind of a record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// A team.
    Team,
    /// An issuer.
    Issuer,
    /// A permission tag that tokens carried.
    Tag,
    /// A refused request of the last hour.
    Denial,
}

impl FoundKind {
    /// Returns its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "organization",
            Self::Team => "team",
            Self::Issuer => "issuer",
            Self::Tag => "tag",
            Self::Denial => "denial",
        }
    }
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Kind of the record.
    pub kind: FoundKind,
    /// Its id: of an issuer the configured name, of a tag the tag, of a denial the id of the request.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// A further fact: the username of a user, the name in paths of an organization, the organization of a team, the realm of
    /// an issuer or a tag, the reason of a denial.
    pub also: Option<String>,
}

/// Tests whether a text looks like an API key, a machine key or a token.
///
/// SECURITY: a search is in an address, and addresses end up in logs. So no way to search takes a credential.
pub fn is_credential(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text);
    text.starts_with("nx_")
        || text.starts_with("nxk_")
        || (text.len() >= TOKEN_LENGTH_MIN && text.split('.').count() == 3)
}

/// Finds users, organizations, teams, issuers, tags and refused requests: by a part of a name or e-mail address, by a tag,
/// or by an id. At most [`FOUND_MAX`] of each kind.
///
/// # Errors
///
/// When the caller may not, the text is a credential, or the directory fails.
pub async fn find(caller: &Caller, q: &str) -> Result<Vec<Found>, OpError> {
    caller.permit(Action::ReadUsers, None)?;
    let q = q.trim();
    if is_credential(q) {
        let advice = "it looks like a token or a key, which is never searched for; explain tells what a token does";
        return Err(OpError::invalid("q", advice));
    }
    if q.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = find_users(caller, q).await?;
    found.extend(find_organizations(caller, q).await?);
    found.extend(find_team(caller, q).await?);
    found.extend(or_none(issuers::read(caller, q))?.map(|issuer| Found {
        kind: FoundKind::Issuer,
        id: issuer.name.clone(),
        name: issuer.name,
        also: Some(issuer.realm),
    }));
    found.extend(find_tags(caller, q).await?);
    found.extend(or_none(denials::read(caller, q).await)?.map(|denial| {
        let reason = denial.facts.get("reason").and_then(|reason| reason.as_str());
        Found {
            kind: FoundKind::Denial,
            also: reason.map(str::to_owned),
            name: denial.request_id.clone(),
            id: denial.request_id,
        }
    }));
    Ok(found)
}

fn few() -> PageRequest {
    PageRequest {
        cursor: None,
        limit: Some(FOUND_MAX),
    }
}

async fn find_users(caller: &Caller, q: &str) -> Result<Vec<Found>, OpError> {
    let query = UserQuery {
        q: Some(q.to_owned()),
        ..UserQuery::default()
    };
    let mut known = users::list(caller, query, few()).await?.items;
    known.extend(or_none(users::read(caller, q).await)?);
    known.sort_by_key(|entry| entry.user.id);
    known.dedup_by_key(|entry| entry.user.id);
    Ok(known.into_iter().map(|entry| of_user(&entry.user)).collect())
}

fn of_user(user: &User) -> Found {
    let username = user.username.to_string();
    Found {
        kind: FoundKind::User,
        id: user.id.to_string(),
        name: user.profile.name.clone().unwrap_or_else(|| username.clone()),
        also: Some(username),
    }
}

async fn find_organizations(caller: &Caller, q: &str) -> Result<Vec<Found>, OpError> {
    let named = OrganizationQuery {
        q: Some(q.to_owned()),
        ..OrganizationQuery::default()
    };
    let listing_the_tag = OrganizationQuery {
        tag: Some(q.to_owned()),
        ..OrganizationQuery::default()
    };
    let mut known = organizations::list(caller, named, few()).await?.items;
    known.extend(organizations::list(caller, listing_the_tag, few()).await?.items);
    known.extend(or_none(organizations::read(caller, q).await)?);
    known.sort_by_key(|organization| organization.id);
    known.dedup_by_key(|organization| organization.id);
    let of_organization = |organization: Organization| Found {
        kind: FoundKind::Organization,
        id: organization.id.to_string(),
        also: Some(organization.name.to_string()),
        name: organization.label,
    };
    Ok(known.into_iter().map(of_organization).collect())
}

/// Finds a team by its id.
async fn find_team(caller: &Caller, q: &str) -> Result<Option<Found>, OpError> {
    if q.parse::<TeamId>().is_err() {
        return Ok(None);
    }
    let Some(team) = or_none(teams::read(caller, q).await)? else {
        return Ok(None);
    };
    let organization = match team.organization {
        Some(id) => or_none(organizations::read(caller, &id.to_string()).await)?,
        None => None,
    };
    Ok(Some(Found {
        kind: FoundKind::Team,
        id: team.id.to_string(),
        name: team.name,
        also: organization.map(|organization| organization.name.to_string()),
    }))
}

/// Finds the realms in which tokens carried exactly this tag.
async fn find_tags(caller: &Caller, q: &str) -> Result<Vec<Found>, OpError> {
    let permit = caller.permit(Action::ReadTags, None)?;
    let mut found = Vec::new();
    for realm in permit.gateway().realms() {
        let seen = permit
            .directory()
            .tags_ever_seen(realm.clone(), vec![q.to_owned()])
            .await?;
        found.extend(seen.into_iter().map(|tag| Found {
            kind: FoundKind::Tag,
            id: tag.clone(),
            name: tag,
            also: Some(realm.to_string()),
        }));
    }
    Ok(found)
}

/// Returns a record that was asked for by its id or name; `None` if there is none.
fn or_none<T>(found: Result<T, OpError>) -> Result<Option<T>, OpError> {
    match found {
        Ok(record) => Ok(Some(record)),
        Err(OpError::Unknown { .. } | OpError::NotAnId { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_credentials_are_not_searched_for() {
        let token = format!("{}.{}.{}", "e".repeat(20), "y".repeat(20), "J".repeat(20));
        assert!(is_credential(&token) && is_credential(&format!("Bearer {token}")) && is_credential("nx_abc"));
        assert!(is_credential("nxk_abc") && is_credential(" nx_abc"));
        for text in ["ada", "ada@mail.example.com", "a.b.c", "CN=Ops,DC=corp"] {
            assert!(!is_credential(text), "{text}");
        }
    }
}
