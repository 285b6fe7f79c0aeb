//! `/users`: the users that are known.

use askama::Template;
use axum::Router;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::address::Address;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{PlatformRole, UserEntry, UserStatus};
use narthex_ops::users::{self, UserQuery};

use super::notice::Notice;
use super::realms;

mod disable;
mod edit;
mod erase;
mod new;
mod platform_role;
mod read;
mod sign_out;

pub(super) fn routes() -> Router {
    Router::new()
        .route("/users", get(list))
        .route("/users/new", get(new::form).post(new::create))
        .route("/users/{id}", get(read::read))
        .route("/users/{id}/edit", get(edit::form).post(edit::save))
        .route(
            "/users/{id}/platform-role",
            get(platform_role::form).post(platform_role::grant),
        )
        .route(
            "/users/{id}/platform-role/end",
            get(platform_role::question).post(platform_role::end),
        )
        .route("/users/{id}/disable", get(disable::question).post(disable::disable))
        .route("/users/{id}/enable", post(disable::enable))
        .route("/users/{id}/erase", get(erase::question).post(erase::erase))
        .route("/users/{id}/sign-out", get(sign_out::question).post(sign_out::sign_out))
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    q: &'a str,
    realm: &'a str,
    realms: Vec<String>,
    rows: Vec<Row>,
    pager: Pager,
    is_filtered: bool,
    may_add: bool,
}

struct Row {
    href: String,
    name: String,
    email: Option<Address>,
    username: String,
    /// `None` for an ordinary user.
    platform_role: Option<&'static str>,
    last_seen: Option<Moment>,
    is_disabled: bool,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let filter = UserQuery {
        realm: query.filled("realm"),
        q: query.filled("q"),
        ..UserQuery::default()
    };
    let is_filtered = filter.realm.is_some() || filter.q.is_some();
    let listing = users::list(visit.caller(), filter, query.page()).await?;
    page(&UsersPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        q: query.text("q"),
        realm: query.text("realm"),
        realms: realms(visit.caller())?,
        pager: Pager::new(
            "/users",
            query,
            &["q", "realm"],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
        rows: listing.items.iter().map(|entry| row(&visit, entry)).collect(),
        is_filtered,
        may_add: visit.may(Action::WriteUsers, None),
    })
}

fn row(visit: &Visit, entry: &UserEntry) -> Row {
    let user = &entry.user;
    Row {
        href: paths::user(user.id),
        name: access::name(user).to_owned(),
        email: user.profile.email.as_deref().map(Address::new),
        username: user.username.to_string(),
        platform_role: match entry.platform_role {
            PlatformRole::User => None,
            PlatformRole::Viewer => Some("Viewer"),
            PlatformRole::Admin => Some("Admin"),
        },
        last_seen: user.last_seen_at_ms.map(|at_ms| visit.moment(at_ms)),
        is_disabled: user.status == UserStatus::Disabled,
    }
}
