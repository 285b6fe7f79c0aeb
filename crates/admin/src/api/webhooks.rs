//! `/webhooks`: receivers that are told of the events of the audit trail.

use narthex_directory::{RecordedAttempt, WaitingDelivery};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::response::{CreatedRecord, StoredResponse, VersionedRecord};
use super::time::Time;
use super::wire_enums::SignatureScheme;
use narthex_ops::webhooks::{WebhookView, WebhookWithSecret};

mod attempts;
mod create;
mod delete;
mod deliveries;
mod list;
mod read;
mod replay;
mod retry;
mod rotate_secret;
mod update;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update, delete::delete))
        .routes(routes!(rotate_secret::rotate_secret))
        .routes(routes!(attempts::attempts))
        .routes(routes!(deliveries::deliveries))
        .routes(routes!(retry::retry))
        .routes(routes!(replay::replay))
}

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookBody {
    /// Its name.
    #[schema(example = "crm")]
    pub name: String,
    /// Address of the receiver.
    #[schema(example = "https://crm.example.com/hooks/narthex")]
    pub url: String,
    /// Actions that are sent; all of them if it is empty.
    pub actions: Vec<String>,
    /// `false` if it sends nothing. Its events wait.
    pub enabled: bool,
    /// Cause, if Narthex disabled it.
    #[schema(required)]
    pub disabled_because: Option<String>,
    /// Scheme of the signatures.
    pub signature: SignatureScheme,
    /// Public key that verifies the signatures of `v1a`: `whpk_` and base64. `null` for `v1`.
    #[schema(required)]
    pub public_key: Option<String>,
    /// Number of the last event that was taken up; `null` before the first one.
    #[schema(required)]
    pub cursor: Option<u64>,
    /// Number of tries in a row in which the receiver took nothing.
    pub failures: u32,
    /// Time of the first of them.
    #[schema(required)]
    pub failing_since: Option<Time>,
    /// Time before which nothing is sent, if the receiver is left alone.
    #[schema(required)]
    pub next_try_at: Option<Time>,
    /// Time of the last delivery.
    #[schema(required)]
    pub last_success_at: Option<Time>,
    /// Time at which it was created.
    pub created_at: Time,
    /// Time of the last change.
    pub updated_at: Time,
}

impl From<WebhookView> for WebhookBody {
    fn from(view: WebhookView) -> Self {
        let progress = view.progress.as_ref();
        let pause = progress.filter(|progress| progress.failures > 0);
        Self {
            name: view.name,
            url: view.settings.url,
            actions: view.settings.actions,
            enabled: view.settings.enabled,
            disabled_because: view.settings.disabled_because,
            signature: view.settings.signature.into(),
            public_key: view.settings.public_key,
            cursor: progress.map(|progress| progress.cursor),
            failures: progress.map_or(0, |progress| progress.failures),
            failing_since: progress.and_then(|progress| progress.failing_since_ms).map(Time),
            next_try_at: pause.map(|progress| Time(progress.next_try_ms)),
            last_success_at: progress.and_then(|progress| progress.last_success_ms).map(Time),
            created_at: Time(view.created_at_ms),
            updated_at: Time(view.updated_at_ms),
        }
    }
}

impl From<WebhookView> for VersionedRecord<WebhookBody> {
    fn from(view: WebhookView) -> Self {
        Self {
            version: view.version,
            body: view.into(),
        }
    }
}

/// A webhook whose secret was just created.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecretBody {
    /// The webhook.
    #[serde(flatten)]
    pub about: WebhookBody,
    /// The secret, shown this once; `null` for `v1a`, and when the response is repeated for the same `Idempotency-Key`.
    #[schema(required, example = "whsec_…")]
    pub secret: Option<String>,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for WebhookSecretBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSecretBody")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

/// Returns the response to show, and the one to remember.
///
/// SECURITY: the response remembered for `Idempotency-Key` holds no secret.
fn responses(created: WebhookWithSecret) -> (StoredResponse, StoredResponse) {
    let version = created.webhook.version;
    let about = WebhookBody::from(created.webhook);
    let response = |secret: Option<&str>| CreatedRecord {
        location: format!("/api/v1/webhooks/{}", about.name),
        version: Some(version),
        body: WebhookSecretBody {
            about: about.clone(),
            secret: secret.map(str::to_owned),
        },
    };
    (
        response(created.secret.as_ref().map(|secret| secret.as_str())).stored(),
        response(None).stored(),
    )
}

/// One try to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttemptBody {
    /// Number of the event, as in `/audit-events`.
    pub sequence: u64,
    /// Number of the try, from 1.
    pub attempt: u32,
    /// `delivered`, `failed` if it will be tried again, or `given_up`.
    pub outcome: &'static str,
    /// Time of its begin.
    pub at: Time,
    /// Duration, in milliseconds.
    pub took_ms: i64,
    /// HTTP status of the answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// Description of the error, if there was no answer.
    #[schema(required)]
    pub error: Option<String>,
    /// Time of the next try.
    #[schema(required)]
    pub next_try_at: Option<Time>,
}

impl From<RecordedAttempt> for AttemptBody {
    fn from(RecordedAttempt { attempt, .. }: RecordedAttempt) -> Self {
        Self {
            sequence: attempt.sequence,
            attempt: attempt.attempt,
            outcome: attempt.outcome(),
            at: Time(attempt.at_ms),
            took_ms: attempt.took_ms,
            status: attempt.status,
            error: attempt.error,
            next_try_at: attempt.next_try_ms.map(Time),
        }
    }
}

/// Event that waits for its delivery, or that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeliveryBody {
    /// Number of the event, as in `/audit-events`.
    pub sequence: u64,
    /// Object of the event; events of one object are delivered in their order.
    #[schema(example = "user:01hf7yat000000000000000019")]
    pub object: String,
    /// Number of tries so far.
    pub attempts: u32,
    /// Time at which it was taken up.
    pub taken_up_at: Time,
    /// Time before which it is not tried; `null` for one that was given up.
    #[schema(required)]
    pub next_try_at: Option<Time>,
    /// Time at which it was given up.
    #[schema(required)]
    pub dead_at: Option<Time>,
}

impl From<WaitingDelivery> for DeliveryBody {
    fn from(delivery: WaitingDelivery) -> Self {
        let waits = delivery.dead_at_ms.is_none();
        Self {
            sequence: delivery.sequence,
            object: delivery.object,
            attempts: delivery.attempts,
            taken_up_at: Time(delivery.taken_up_ms),
            next_try_at: waits.then_some(Time(delivery.next_try_ms)),
            dead_at: delivery.dead_at_ms.map(Time),
        }
    }
}
