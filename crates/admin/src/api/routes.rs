//! `/routes`: the routes, as configured.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(list::list))
}
