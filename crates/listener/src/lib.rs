//! Connections on a port: how many there may be, how long they may be idle, which thread serves them, and how they end.
//!
//! **In:** a `TcpListener`, limits, and a hyper service. **Out:** requests for that service. This crate knows nothing of
//! Narthex: no tokens, no routes, no directory.

pub mod clients;
mod graceful;
pub mod idle_timeout;
pub mod listen;
pub mod log_throttle;
pub mod sockets;
pub mod workers;

pub use listen::ServerSettings;
pub use workers::Workers;
