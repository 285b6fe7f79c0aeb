//! `/decisions`: counts of decisions over time.

use narthex_engine::Bucket;
use narthex_ops::decisions::Decisions;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;

mod read;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(read::read))
}

/// Decisions of one node over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DecisionsBody {
    /// Length of a bucket, in seconds: 60, 900 or 7200.
    #[schema(example = 900)]
    pub step_seconds: i64,
    /// Beginning of the first bucket that was asked for.
    pub from: Time,
    /// End of the last bucket.
    pub until: Time,
    /// The buckets, the oldest first. Those without a decision are left out.
    pub buckets: Vec<DecisionBucketBody>,
}

/// Decisions within one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DecisionBucketBody {
    /// Its beginning.
    pub at: Time,
    /// The counts.
    pub counts: Vec<DecisionCountBody>,
}

/// Number of decisions of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DecisionCountBody {
    /// `allow`, `deny`, or `error` where nothing could be decided.
    #[schema(example = "deny")]
    pub outcome: &'static str,
    /// Code of the reason; `null` for a request that passed.
    #[schema(example = "organization.role")]
    pub reason: Option<&'static str>,
    /// Path pattern of the route; `null` where no route takes the request, and beyond a hundred different counts.
    #[schema(example = "/v1/algo/{organization}/{algorithm}/{*version}")]
    pub route: Option<String>,
    /// Name of the issuer of the token; `null` where no token counted, and beyond a hundred different counts.
    #[schema(example = "corp")]
    pub issuer: Option<String>,
    /// Number of decisions.
    #[schema(example = 41)]
    pub count: u64,
}

impl From<Decisions> for DecisionsBody {
    fn from(decisions: Decisions) -> Self {
        Self {
            step_seconds: decisions.step.ms() / 1_000,
            from: Time(decisions.from_ms),
            until: Time(decisions.until_ms),
            buckets: decisions.buckets.into_iter().map(DecisionBucketBody::from).collect(),
        }
    }
}

impl From<Bucket> for DecisionBucketBody {
    fn from(bucket: Bucket) -> Self {
        let counts = bucket.counts.into_iter().map(|(counted, count)| DecisionCountBody {
            outcome: counted.outcome(),
            reason: counted.reason,
            route: counted.route.map(String::from),
            issuer: counted.issuer.map(String::from),
            count,
        });
        Self {
            at: Time(bucket.at_ms),
            counts: counts.collect(),
        }
    }
}
