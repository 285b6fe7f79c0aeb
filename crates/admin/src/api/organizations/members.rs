//! `/organizations/{organization}/members`: the members of an organization, and manual grants.

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;
