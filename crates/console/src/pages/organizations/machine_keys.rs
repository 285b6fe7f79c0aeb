//! `/organizations/{name}/machine-keys`: the keys of an organization's programs, for its routes.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, Pager, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, TwoNamed, Visit, html, see};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{MachineKey, Organization, OrganizationRole, ScopedRole};
use narthex_ops::machine_keys::{self, LIFETIME_DEFAULT_MS, LIFETIME_MAX_MS, NewMachineKey};
use narthex_ops::organizations;

use super::head::{Head, Tab};
use crate::pages::api_keys::ENDS_SOON_MS;
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice::{self, Notice};

/// Choice of the role: value and label.
const ROLES: [(&str, &str); 3] = [("executor", "Executor"), ("member", "Member"), ("admin", "Admin")];

/// Choice of the end: value, label, and lifetime in milliseconds.
const ENDS: [(&str, &str, i64); 3] = [
    ("30", "In 30 days", 30 * 24 * 3_600_000),
    ("90", "In 90 days", LIFETIME_DEFAULT_MS),
    ("366", "In 366 days", LIFETIME_MAX_MS),
];

#[derive(Template)]
#[template(path = "machine_keys.html")]
struct KeysPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    faults: &'a Faults,
    fresh: Option<Fresh<'a>>,
    rows: Vec<Row>,
    pager: Pager,
    form: Option<KeyForm>,
}

/// A key that was just created.
///
/// SECURITY: this page holds a secret. It is the answer to the form, so it is in no address and in no history, and no cache
/// keeps it.
struct Fresh<'a> {
    name: &'a str,
    key: &'a str,
}

struct KeyForm {
    name: Input,
    roles: Options,
    ends: Options,
}

struct Row {
    name: String,
    id: String,
    role: &'static str,
    created: Moment,
    last_used: Option<Moment>,
    ends: Moment,
    ends_soon: bool,
    has_ended: bool,
    is_revoked: bool,
    /// Address of the page that revokes it.
    revoke: Option<String>,
}

fn address(organization: &Organization) -> String {
    paths::in_organization(organization.name.as_str(), "machine-keys")
}

/// Shows the list.
pub(super) async fn list(visit: Visit, Named(name): Named) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let (fields, none) = (Fields::parse(b"role=member&ends=90"), Faults::default());
    show(&visit, &organization, StatusCode::OK, (&fields, &none, None)).await
}

/// Creates a key, and shows it once.
pub(super) async fn create(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    machine_keys::may_create(visit.caller(), &name).await?;
    let role: OrganizationRole = fields.text("role").parse().map_err(|_| Failed::NotAForm)?;
    let ends = ENDS.iter().find(|(value, _, _)| *value == fields.text("ends"));
    let (_, _, lifetime_ms) = ends.ok_or(Failed::NotAForm)?;
    let new = NewMachineKey {
        name: fields.text("name").to_owned(),
        role,
        expires_at_ms: Some(visit.now_ms().saturating_add(*lifetime_ms)),
    };
    let error = match machine_keys::create(visit.caller(), &name, new).await {
        Ok(created) => {
            let fresh = Fresh {
                name: &created.record.name,
                key: created.key.text(),
            };
            let (empty, none) = (Fields::parse(b"role=member&ends=90"), Faults::default());
            return show(&visit, &organization, StatusCode::OK, (&empty, &none, Some(fresh))).await;
        }
        Err(error) => error,
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    show(&visit, &organization, status, (&fields, &faults, None)).await
}

async fn show(
    visit: &Visit,
    organization: &Organization,
    status: StatusCode,
    (fields, faults, fresh): (&Fields, &Faults, Option<Fresh<'_>>),
) -> Answer {
    let query = visit.query();
    let listing = machine_keys::list(visit.caller(), organization.name.as_str(), query.page()).await?;
    let may_change = visit.may(Action::WriteMachineKeys, Some(organization.id));
    let path = address(organization);
    let ends = ENDS.map(|(value, label, _)| (value, label));
    let page = KeysPage {
        frame: visit.frame(),
        head: Head::new(organization, Tab::MachineKeys),
        notice: Notice::of(query),
        faults,
        fresh,
        pager: Pager::new(&path, query, &[], listing.items.len(), listing.next_cursor.as_ref()),
        rows: listing
            .items
            .iter()
            .map(|key| row(visit, key, may_change.then_some(path.as_str())))
            .collect(),
        form: may_change.then(|| KeyForm {
            name: Input::text("name", "What it is for").required().kept(fields, faults),
            roles: Options::new("role", "As", &ROLES, fields.text("role")),
            ends: Options::new("ends", "Ends", &ends, fields.text("ends")),
        }),
    };
    html(status, &page)
}

/// Builds the row of a key. `path` is the address of the page, for a caller who may revoke.
fn row(visit: &Visit, key: &MachineKey, path: Option<&str>) -> Row {
    let left_ms = key.expires_at_ms.saturating_sub(visit.now_ms());
    let works = key.ended_at(visit.now_ms()).is_none();
    Row {
        name: key.name.clone(),
        id: key.id.to_string(),
        role: access::role(ScopedRole::Organization(key.organization, key.role)),
        created: visit.moment(key.created_at_ms),
        last_used: key.last_used_at_ms.map(|at_ms| visit.moment(at_ms)),
        ends: visit.moment(key.expires_at_ms),
        ends_soon: left_ms <= ENDS_SOON_MS,
        has_ended: !works && key.revoked_at_ms.is_none(),
        is_revoked: key.revoked_at_ms.is_some(),
        revoke: path.filter(|_| works).map(|path| format!("{path}/{}/revoke", key.id)),
    }
}

/// Asks before a key is revoked.
pub(super) async fn question(visit: Visit, TwoNamed(name, id): TwoNamed) -> Answer {
    ask(&visit, (name.as_str(), id.as_str()), Again::First).await
}

/// Revokes a key.
pub(super) async fn revoke(visit: Visit, TwoNamed(name, id): TwoNamed) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    match machine_keys::revoke(visit.caller(), &name, &id).await {
        Ok(()) => Ok(see(&notice::after(&address(&organization), "revoked"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, (name.as_str(), id.as_str()), Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, (name.as_str(), id.as_str()), Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, (name, id): (&str, &str), again: Again) -> Answer {
    let organization = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::WriteMachineKeys, Some(organization.id))?;
    let key = machine_keys::read(visit.caller(), name, id).await?;
    let (key, back) = (&key.name, address(&organization));
    let refused = Consequence::ends("The next request with it is refused").text(" with ");
    let question = Question {
        crumbs: vec![Crumb::new(back.clone(), "Machine keys")],
        title: format!("Revoke the key {key}?"),
        line: "A revoked key never works again.".to_owned(),
        heading: "What happens when you revoke it".to_owned(),
        consequences: vec![
            refused.code("key.revoked", ", on all nodes within a second."),
            Consequence::stays("What it did stays").text(". The audit keeps its ID."),
        ],
        button: format!("Revoke {key}"),
        back,
        version: None,
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
