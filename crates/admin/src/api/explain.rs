//! `/explain`: the explanation of a token, and of a request with it.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;

mod post;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(post::explain))
}
