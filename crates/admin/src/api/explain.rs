//! `/explain`: what a token, and a request with it, leads to.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

mod post;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(post::explain))
}
