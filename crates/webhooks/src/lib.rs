//! Webhooks: the audit trail, sent to receivers as Standard Webhooks describes it.
//!
//! **In:** the webhooks of the directory ([`WebhookSettings`]), their progress and the audit events. **Out:** signed POST
//! requests, and the progress afterwards. Rules are pure: [`payload`], [`signature`], [`retry`] and [`lanes`] do no I/O.
//! [`Sender`] reads, sends and stores.
//!
//! Invariants:
//! * An event arrives at least once, or becomes a dead letter after a day. Events of one object arrive in their order.
//! * An event has the same id and the same bytes whenever it is sent.
//! * Of all nodes, the one with the lease sends. What it stores is stored only while it has the lease. A node that stops
//!   gives up the lease once it has no try under way.
//! * A request of a client never waits for a receiver.

mod client;
pub mod lanes;
pub mod payload;
pub mod retry;
mod sender;
mod settings;
pub mod signature;

pub use client::client;
pub use sender::{DeliveryObserver, SecretOpener, Sender};
pub use settings::{SecretText, WebhookSecrets, WebhookSettings};
pub use signature::{SecretProblem, SignatureScheme, SigningKey};
