//! Connections on a port: their number, their idle timeout, the threads that serve them, and their graceful shutdown.
//!
//! **In:** a `TcpListener`, limits, and a hyper service. **Out:** requests for that service. This crate knows nothing
//! of Narthex: no tokens, no routes, no directory.

pub mod clients;
mod graceful;
pub mod idle_timeout;
pub mod listen;
pub mod log_throttle;
pub mod sockets;
pub mod workers;

pub use listen::ServerSettings;
pub use workers::Workers;
