//! `/organizations/{organization}/teams`: the teams of an organization.

pub(super) mod create;
pub(super) mod list;
