//! Connections on a port: TLS, the PROXY protocol, their number, their idle timeout, the threads that serve them, and
//! their graceful shutdown.
//!
//! **In:** a `TcpListener`, limits, and a hyper service. **Out:** requests for that service. This crate knows nothing
//! of Narthex: no tokens, no routes, no directory.

pub mod clients;
mod graceful;
pub mod idle_timeout;
pub mod listen;
pub mod log_throttle;
pub mod proxy_protocol;
pub mod sockets;
pub mod tls;
pub mod workers;

pub use listen::ServerSettings;
pub use workers::Workers;
