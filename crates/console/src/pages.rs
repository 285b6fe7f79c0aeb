//! The pages. The tree is the space of addresses: `users/new.rs` is `/users/new`.

use axum::Router;
use axum::routing::get;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, see};
use narthex_decision::Action;
use narthex_ops::{Caller, OpError, PageRequest};

mod api_keys;
mod audit;
mod confirm;
mod connections;
mod events;
mod explain;
mod grants;
mod issuers;
mod notice;
mod organizations;
mod overview;
mod role_end;
mod routes;
mod search;
mod sessions;
mod settings;
pub(crate) mod setup;
pub(crate) mod sign_in;
mod tags;
mod users;
mod webhooks;

/// Routes every page; everything else is the page for what is not there.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/", get(first))
        .merge(users::routes())
        .merge(organizations::routes())
        .merge(audit::routes())
        .merge(tags::routes())
        .merge(issuers::routes())
        .merge(routes::routes())
        .merge(api_keys::routes())
        .merge(sessions::routes())
        .merge(settings::routes())
        .merge(explain::routes())
        .merge(search::routes())
        .merge(connections::routes())
        .merge(webhooks::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
}

/// Shows the overview, or leads to the page that the caller begins at.
async fn first(visit: Visit) -> Answer {
    if visit.may(Action::ReadUsers, None) {
        return overview::show(&visit).await;
    }
    let first = visit.frame().first_page().ok_or(Failed::NoSuchPage)?;
    Ok(see(&first))
}

async fn nothing() -> Failed {
    Failed::NoSuchPage
}

/// Returns the realms of the configured issuers, each once, in order.
fn realms(caller: &Caller) -> Result<Vec<String>, OpError> {
    let page = PageRequest {
        cursor: None,
        limit: Some(narthex_directory::PAGE_LIMIT_MAX),
    };
    let issuers = narthex_ops::issuers::list(caller, page)?.items.into_iter();
    let mut realms: Vec<String> = issuers.map(|issuer| issuer.realm).collect();
    realms.sort();
    realms.dedup();
    Ok(realms)
}
