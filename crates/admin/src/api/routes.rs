//! `/routes`: the routes, as configured.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use narthex_ops::RouteSummary;

mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(list::list))
}

/// A route, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteBody {
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// Path patterns.
    #[schema(example = json!(["/v1/algo/{organization}/{algorithm}/{*version}"]))]
    pub paths: Vec<String>,
    /// Methods that it matches; empty for all.
    pub methods: Vec<String>,
    /// Hosts that it matches; empty for all.
    pub hosts: Vec<String>,
    /// Requirements. A request must meet at least one of them.
    #[schema(example = json!(["organization:member"]))]
    pub require: Vec<String>,
    /// Address that its requests are forwarded to; `null` for routes that only forward-auth uses.
    pub upstream: Option<String>,
    /// Value of `aud` in its assertions.
    #[schema(example = "https://reports.example.com")]
    pub audience: String,
}

impl From<RouteSummary> for RouteBody {
    fn from(route: RouteSummary) -> Self {
        Self {
            index: route.index,
            paths: route.paths,
            methods: route.methods,
            hosts: route.hosts,
            require: route.require,
            upstream: route.upstream,
            audience: route.audience,
        }
    }
}
