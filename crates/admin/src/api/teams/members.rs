//! `/teams/{team}/members`: who belongs to a team, and roles given by hand.

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;
