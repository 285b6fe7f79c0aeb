//! `/teams/{team}/members`: the members of a team, and manual grants.

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;
