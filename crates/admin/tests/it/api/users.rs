//! `/users`

mod create;
mod grants;
mod list;
mod platform_role;
mod read;
mod revoke_tokens;
mod update;
