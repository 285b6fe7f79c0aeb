//! `/issuers`: the trusted issuers, as configured, and the health of their keys.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

mod keys;
mod list;
mod read;
mod refresh;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(read::read))
        .routes(routes!(keys::keys))
        .routes(routes!(refresh::refresh))
}
