//! The server: a configuration to a running gateway.
//!
//! **In** comes a configuration that was read ([`narthex_config::Reading`]). **Out** goes a server with its store open and its ports
//! bound ([`start()`]), which serves every door until the process is told to stop ([`Running::until_stopped`]): the public port, the
//! admin port with the console, and the port of Envoy. Beside them it reads a changed configuration again, takes up issuers made at
//! run time, keeps the chain of the audit trail, and sends webhooks.
//!
//! Commands that do as a server would take the same ways: [`assemble`] makes a runtime of a configuration, [`store`] opens what it
//! names.
//!
//! This crate knows nothing of arguments, and prints nothing but the log.

pub mod assemble;
mod audit_chain;
mod audit_file;
mod console;
mod descriptors;
mod issuers;
mod legible;
mod log;
mod reload;
mod running;
mod settings;
mod start;
pub mod store;
pub mod system_user;
mod webhooks;

pub use console::{console_address, link_address};
pub use log::Logging;
pub use running::Running;
pub use settings::audit_files;
pub use start::{start, usable};
