//! `/search`: users, organizations and issuers by a part of their name or by their id.

use askama::Template;
use axum::Router;
use axum::routing::get;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::{access, number};
use narthex_decision::Action;
use narthex_ops::organizations::{self, OrganizationQuery};
use narthex_ops::users::{self, UserQuery};
use narthex_ops::{OpError, PageRequest, issuers};

/// Maximum number of records of each kind.
const FOUND_MAX: usize = 20;

/// Length from which a text in three parts is taken for a token.
const TOKEN_LENGTH_MIN: usize = 40;

pub(super) fn routes() -> Router {
    Router::new().route("/search", get(search))
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: &'a Frame,
    /// The text; empty if it is a credential.
    q: &'a str,
    is_credential: bool,
    found: Vec<Found>,
    count: String,
}

/// A record that was found.
struct Found {
    href: String,
    name: String,
    /// Kind of the record, and a further name of it.
    kind: &'static str,
    more: String,
}

/// Shows the records that a text is found in.
async fn search(visit: Visit) -> Answer {
    visit.needs(Action::ReadUsers, None)?;
    let q = visit.query().text("q").trim();
    // SECURITY: a credential is neither searched for nor shown. It should not be in an address at all, and the page says
    // where to put it.
    let is_credential = is_credential(q);
    let found = if q.is_empty() || is_credential {
        Vec::new()
    } else {
        find(&visit, q).await?
    };
    page(&SearchPage {
        frame: visit.frame(),
        q: if is_credential { "" } else { q },
        is_credential,
        count: number::grouped(found.len()),
        found,
    })
}

/// Tests whether a text looks like an API key or a token.
fn is_credential(text: &str) -> bool {
    let text = text.strip_prefix("Bearer ").unwrap_or(text);
    text.starts_with("nx_")
        || text.starts_with("nxk_")
        || (text.len() >= TOKEN_LENGTH_MIN && text.split('.').count() == 3)
}

async fn find(visit: &Visit, q: &str) -> Result<Vec<Found>, Failed> {
    let caller = visit.caller();
    let few = || PageRequest {
        cursor: None,
        limit: Some(FOUND_MAX),
    };
    let mut found = Vec::new();
    let of_users = UserQuery {
        q: Some(q.to_owned()),
        ..UserQuery::default()
    };
    let mut known = users::list(caller, of_users, few()).await?.items;
    known.extend(or_none(users::read(caller, q).await)?);
    found.extend(known.iter().map(|entry| Found {
        href: paths::user(entry.user.id),
        name: access::name(&entry.user).to_owned(),
        kind: "User",
        more: entry.user.username.to_string(),
    }));
    let of_organizations = OrganizationQuery {
        q: Some(q.to_owned()),
        ..OrganizationQuery::default()
    };
    let mut known = organizations::list(caller, of_organizations, few()).await?.items;
    let tagged = OrganizationQuery {
        tag: Some(q.to_owned()),
        ..OrganizationQuery::default()
    };
    known.extend(organizations::list(caller, tagged, few()).await?.items);
    known.extend(or_none(organizations::read(caller, q).await)?);
    known.sort_by_key(|organization| organization.id);
    known.dedup_by_key(|organization| organization.id);
    found.extend(known.into_iter().map(|organization| Found {
        href: paths::organization(organization.name.as_str()),
        more: organization.name.to_string(),
        name: organization.label,
        kind: "Organization",
    }));
    found.extend(or_none(issuers::read(caller, q))?.map(|issuer| Found {
        href: paths::issuer(&issuer.name) + "/keys",
        more: issuer.realm,
        name: issuer.name,
        kind: "Issuer",
    }));
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
        assert!(is_credential("nxk_abc"));
        for text in ["ada", "ada@mail.example.com", "a.b.c", "CN=Ops,DC=corp"] {
            assert!(!is_credential(text), "{text}");
        }
    }
}
