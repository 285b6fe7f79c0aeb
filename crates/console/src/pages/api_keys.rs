//! `/api-keys`: the programs that may use the admin API.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::routing::get;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, Pager, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{ApiKey, OrganizationId, ScopedRole};
use narthex_ops::api_keys::{self, KeyRole, NewApiKey};
use narthex_ops::{OpError, PageRequest, organizations};

use super::confirm::{self, Again, Consequence, Crumb, Question};
use super::notice::{self, Notice};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;

/// Time before its end from which a key is shown with a warning.
pub(super) const ENDS_SOON_MS: i64 = 14 * DAY_MS;

/// Choice of the role: value and label.
const ROLES: [(&str, &str); 2] = [
    ("viewer", "Read everything (viewer)"),
    ("admin", "Read and change (admin)"),
];

/// Choice of the end: number of days and label. `0` is for a key that does not end.
const ENDS: [(&str, &str); 3] = [("90", "In 90 days"), ("365", "In 1 year"), ("0", "Never")];

pub(super) fn routes() -> Router {
    Router::new()
        .route("/api-keys", get(list).post(create))
        .route("/api-keys/{id}/revoke", get(question).post(revoke))
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct KeysPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    faults: &'a Faults,
    fresh: Option<Fresh<'a>>,
    rows: Vec<Row>,
    pager: Pager,
    form: Option<KeyForm>,
}

/// A key that was just created.
///
/// SECURITY: the one page that holds a secret. It is the answer to the form, so it is in no address and in no history, and
/// no cache keeps it.
struct Fresh<'a> {
    name: &'a str,
    key: &'a str,
}

struct KeyForm {
    name: Input,
    roles: Options,
    organization: Input,
    ends: Options,
}

struct Row {
    name: String,
    id: String,
    role: &'static str,
    /// Name of the one organization that it reaches.
    organization: Option<String>,
    created: Moment,
    last_used: Option<Moment>,
    ends: Option<Moment>,
    ends_soon: bool,
    has_ended: bool,
    is_revoked: bool,
    /// Address of the page that revokes it.
    revoke: Option<String>,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let (fields, none) = (Fields::default(), Faults::default());
    show(&visit, StatusCode::OK, (&fields, &none), None).await
}

/// Creates a key, and shows it once.
async fn create(visit: Visit, Form(fields): Form) -> Answer {
    api_keys::may_create(visit.caller())?;
    let role = match fields.text("role") {
        "viewer" => KeyRole::Viewer,
        "admin" => KeyRole::Admin,
        _ => return Err(Failed::NotAForm),
    };
    let new = NewApiKey {
        name: fields.text("name").to_owned(),
        role,
        organization: fields.filled("organization"),
        expires_at_ms: expiry(&visit, &fields)?,
    };
    let error = match api_keys::create(visit.caller(), new).await {
        Ok(created) => {
            let fresh = Fresh {
                name: &created.record.name,
                key: created.key.text(),
            };
            let (empty, none) = (Fields::default(), Faults::default());
            return show(&visit, StatusCode::OK, (&empty, &none), Some(fresh)).await;
        }
        Err(error) => error,
    };
    let (status, faults) = match error {
        OpError::Unknown { .. } => {
            let faults = Faults::at("organization", "there is no such organization");
            (StatusCode::UNPROCESSABLE_ENTITY, faults)
        }
        error => match not_done(error)? {
            NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
            NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
        },
    };
    show(&visit, status, (&fields, &faults), None).await
}

/// Returns the time at which a new key ends; `None` for one that does not.
fn expiry(visit: &Visit, fields: &Fields) -> Result<Option<i64>, Failed> {
    let days = ENDS.iter().find(|(days, _)| *days == fields.text("ends"));
    let (days, _) = days.ok_or(Failed::NotAForm)?;
    let days: i64 = days.parse().map_err(|_| Failed::NotAForm)?;
    Ok((days > 0).then(|| visit.now_ms().saturating_add(days * DAY_MS)))
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    (fields, faults): (&Fields, &Faults),
    fresh: Option<Fresh<'_>>,
) -> Answer {
    let query = visit.query();
    let page: PageRequest = query.page();
    let listing = api_keys::list(visit.caller(), page).await?;
    let names = names(visit, &listing.items).await?;
    let may_change = visit.may(Action::WriteApiKeys, None);
    let row_of = |key: &ApiKey| row(visit, key, &names, may_change);
    let page = KeysPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        faults,
        fresh,
        pager: Pager::new(
            "/api-keys",
            query,
            &[],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
        rows: listing.items.iter().map(row_of).collect(),
        form: may_change.then(|| form(fields, faults)),
    };
    html(status, &page)
}

fn form(fields: &Fields, faults: &Faults) -> KeyForm {
    KeyForm {
        name: Input::text("name", "What it is for").required().kept(fields, faults),
        roles: Options::new("role", "May", &ROLES, fields.text("role")),
        organization: Input::text("organization", "Reaches only the organization")
            .code()
            .hint("Its name in paths. If you leave it out, everything.")
            .kept(fields, faults),
        ends: Options::new("ends", "Ends", &ENDS, fields.text("ends")),
    }
}

/// Returns the names of the organizations that keys reach.
async fn names(visit: &Visit, keys: &[ApiKey]) -> Result<HashMap<OrganizationId, String>, Failed> {
    let mut names = HashMap::new();
    for key in keys {
        let ScopedRole::Organization(id, _) = key.role else {
            continue;
        };
        if names.contains_key(&id) {
            continue;
        }
        let organization = organizations::read(visit.caller(), &id.to_string()).await?;
        names.insert(id, organization.name.to_string());
    }
    Ok(names)
}

fn row(visit: &Visit, key: &ApiKey, names: &HashMap<OrganizationId, String>, may_change: bool) -> Row {
    let left_ms = key.expires_at_ms.map(|at_ms| at_ms.saturating_sub(visit.now_ms()));
    let works = key.works_at(visit.now_ms());
    Row {
        name: key.name.clone(),
        id: key.id.to_string(),
        role: access::role(key.role),
        organization: match key.role {
            ScopedRole::Organization(id, _) => names.get(&id).cloned(),
            ScopedRole::Platform(_) | ScopedRole::Team(..) => None,
        },
        created: visit.moment(key.created_at_ms),
        last_used: key.last_used_at_ms.map(|at_ms| visit.moment(at_ms)),
        ends: key.expires_at_ms.map(|at_ms| visit.moment(at_ms)),
        ends_soon: left_ms.is_some_and(|left_ms| left_ms <= ENDS_SOON_MS),
        has_ended: !works && key.revoked_at_ms.is_none(),
        is_revoked: key.revoked_at_ms.is_some(),
        revoke: (works && may_change).then(|| format!("/api-keys/{}/revoke", key.id)),
    }
}

/// Asks before a key is revoked.
async fn question(visit: Visit, Named(id): Named) -> Answer {
    ask(&visit, &id, Again::First).await
}

/// Revokes a key.
async fn revoke(visit: Visit, Named(id): Named) -> Answer {
    match api_keys::revoke(visit.caller(), &id).await {
        Ok(()) => Ok(see(&notice::after("/api-keys", "revoked"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &id, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &id, Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, id: &str, again: Again) -> Answer {
    visit.needs(Action::WriteApiKeys, None)?;
    let key = api_keys::read(visit.caller(), id).await?;
    let name = &key.name;
    let refused = Consequence::ends("The next request with it is refused").text(" with ");
    let question = Question {
        crumbs: vec![Crumb::new("/api-keys", "API keys")],
        title: format!("Revoke the key {name}?"),
        line: "A revoked key never works again.".to_owned(),
        heading: "What happens when you revoke it".to_owned(),
        consequences: vec![
            refused.code("api_key.revoked", "."),
            Consequence::stays("What it changed stays").text(". The audit keeps its ID."),
        ],
        button: format!("Revoke {name}"),
        back: "/api-keys".to_owned(),
        version: None,
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
