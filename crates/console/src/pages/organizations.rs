//! `/organizations`: the organizations, and the pages of each.

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_decision::Action;
use narthex_directory::{Organization, OrganizationStatus, Origin};
use narthex_ops::organizations::{self, OrganizationQuery};

use super::notice::Notice;
use super::realms;

mod add_person;
mod delete;
mod edit;
mod form;
mod head;
mod logo;
mod machine_keys;
mod meets;
mod merge;
mod new;
mod people;
mod person;
mod preview;
mod suspend;
mod team;
mod teams;

pub(super) use head::{Head, Tab};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/organizations", get(list))
        .route("/organizations/new", get(new::form).post(new::create))
        .route("/organizations/{name}", get(edit::form).post(edit::save))
        .route(
            "/organizations/{name}/suspend",
            get(suspend::question).post(suspend::suspend),
        )
        .route("/organizations/{name}/open", post(suspend::open))
        .route(
            "/organizations/{name}/delete",
            get(delete::question).post(delete::delete),
        )
        .route("/organizations/{name}/preview", post(preview::preview))
        .route("/organizations/{name}/people", get(people::list))
        .route(
            "/organizations/{name}/people/add",
            get(add_person::form).post(add_person::add),
        )
        .route("/organizations/{name}/people/{id}", get(person::read))
        .route(
            "/organizations/{name}/people/{id}/end",
            get(person::question).post(person::end),
        )
        .route(
            "/organizations/{name}/logo",
            get(logo::read)
                .post(logo::set)
                .layer(DefaultBodyLimit::max(logo::LOGO_FORM_BYTES_MAX)),
        )
        .route("/organizations/{name}/logo/delete", post(logo::delete))
        .route(
            "/organizations/{name}/machine-keys",
            get(machine_keys::list).post(machine_keys::create),
        )
        .route(
            "/organizations/{name}/machine-keys/{id}/revoke",
            get(machine_keys::question).post(machine_keys::revoke),
        )
        .route("/organizations/{name}/teams", get(teams::list).post(teams::create))
        .route("/organizations/{name}/teams/{id}", get(team::read).post(team::rename))
        .route("/organizations/{name}/teams/{id}/people", post(team::add))
        .route(
            "/organizations/{name}/teams/{id}/people/{user}/end",
            get(team::question).post(team::end),
        )
}

#[derive(Template)]
#[template(path = "organizations.html")]
struct OrganizationsPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    q: &'a str,
    realm: &'a str,
    realms: Vec<String>,
    rows: Vec<Row>,
    pager: Pager,
    is_filtered: bool,
    may_create: bool,
}

struct Row {
    href: String,
    label: String,
    name: String,
    admin_tags: Vec<String>,
    member_tags: Vec<String>,
    created_by: &'static str,
    is_suspended: bool,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let filter = OrganizationQuery {
        realm: query.filled("realm"),
        q: query.filled("q"),
        ..OrganizationQuery::default()
    };
    let is_filtered = filter.realm.is_some() || filter.q.is_some();
    let listing = organizations::list(visit.caller(), filter, query.page()).await?;
    page(&OrganizationsPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        q: query.text("q"),
        realm: query.text("realm"),
        realms: if visit.may(Action::ReadIssuers, None) {
            realms(visit.caller())?
        } else {
            Vec::new()
        },
        pager: Pager::new(
            "/organizations",
            query,
            &["q", "realm"],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
        rows: listing.items.into_iter().map(row).collect(),
        is_filtered,
        may_create: visit.may(Action::CreateOrganization, None),
    })
}

fn row(organization: Organization) -> Row {
    let tags = &organization.tags;
    Row {
        href: paths::organization(organization.name.as_str()),
        name: organization.name.to_string(),
        admin_tags: tags.admin.texts().map(str::to_owned).collect(),
        member_tags: tags.member.texts().map(str::to_owned).collect(),
        created_by: match organization.origin {
            Origin::Api => "Manual",
            Origin::Claim => "Token",
            Origin::Config => "Configuration",
        },
        is_suspended: organization.status == OrganizationStatus::Suspended,
        label: organization.label,
    }
}
