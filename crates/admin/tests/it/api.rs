//! The admin API: straight into the router, on the memory store. The tree mirrors the URLs.

mod api_keys;
mod audit_events;
mod connections;
mod errors;
mod explain;
mod fixture;
mod grants;
mod idempotency;
mod issuer_tags;
mod issuers;
mod machine_keys;
mod matrix;
mod openapi;
mod organizations;
mod reference;
mod search;
mod secrets;
mod sessions;
mod settings;
mod tags;
mod teams;
mod users;
mod webhooks;

pub(crate) use connections::seal_with;
pub(crate) use fixture::{Fixture, Reply};
