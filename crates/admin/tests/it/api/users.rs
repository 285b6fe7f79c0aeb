//! `/users`

mod create;
mod erase;
mod external_ids;
mod grants;
mod list;
mod platform_role;
mod read;
mod revoke_tokens;
mod update;
