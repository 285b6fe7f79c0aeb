//! The doors: proxy, forward-auth, admin API, key fetching, telemetry.
