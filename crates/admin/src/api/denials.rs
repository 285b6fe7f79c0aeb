//! `/denials`: refused requests of the last hour.

use narthex_directory::DenialRecord;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;

mod list;
mod read;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(read::read))
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DenialBody {
    /// Id of the request, which its client was told.
    #[schema(example = "fbebc0d16e-904")]
    pub request_id: String,
    /// Time of the refusal, to a quarter of a second.
    pub at: Time,
    /// Facts of the request and the refusal: `reason`, `status`, `message` (the words for the client), `advice`, `detail` (for
    /// administrators only), `told` (the reason that the client was told, where it is another one), `door`, `method`, `path`,
    /// `client`, `issuer`, `user_id`, `organization`, `took_us`. A fact that is not known is left out.
    pub facts: Map<String, Value>,
}

impl From<DenialRecord> for DenialBody {
    fn from(denial: DenialRecord) -> Self {
        Self {
            request_id: denial.request_id,
            at: Time(denial.at_ms),
            facts: denial.facts,
        }
    }
}
