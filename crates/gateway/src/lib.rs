//! The doors: proxy, forward-auth, admin API, key fetching, telemetry.
pub mod keys;
