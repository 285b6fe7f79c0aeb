//! Connections to the servers of upstreams.
//!
//! **In:** the URI of a server, and the configuration in use. **Out:** a connection, with TLS where the URI says so and the
//! authorities that its route trusts, within the connect timeout; or the reason why there is none. This crate knows nothing of
//! requests.

mod connector;
mod probe;

pub use connector::{ConnectTimeout, Connector, ConnectorSettings};
pub use probe::{UpstreamTrouble, probe_upstream, server_addresses};
