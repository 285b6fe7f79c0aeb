//! `/organizations`

mod create;
mod list;
mod logo;
mod members;
mod preview;
mod read;
mod update;
