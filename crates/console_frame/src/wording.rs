//! Wording: times, numbers, addresses, reasons and roles as pages show them.

pub mod access;
pub mod address;
pub mod browser;
pub mod number;
pub mod reason;
pub mod tag;
pub mod time;
