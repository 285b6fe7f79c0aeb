//! `/organizations`

mod create;
mod deletion;
mod list;
mod logo;
mod members;
mod preview;
mod read;
mod update;
