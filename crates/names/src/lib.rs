//! Ids, names and tags: the values by which records of the directory are found and compared.
//!
//! **In** comes text that a person, a token or a store wrote. **Out** goes a value that keeps its rule, or a [`NameError`] that says
//! which rule the text breaks.
//!
//! This crate knows no record, no role and no store. It has no clock and no randomness: an id is made of a time that is passed in
//! and of bits from a [`NewId`] that is lent to it.
//!
//! Invariants:
//! * Values compare byte for byte. Nothing is trimmed or folded that an identity provider could tell apart.
//! * One id has one text.
//! * A near miss of two tags ([`difference`]) is pointed out, and never decides a match.

mod error;
mod id;
mod name;
mod tag;

pub use error::NameError;
pub use id::{
    ApiKeyId, ConnectionId, CountingIds, GrantId, MachineKeyId, NewId, OrganizationId, SessionId, TeamId, UserId, is_id,
};
pub use name::{
    ExternalId, IssuerName, NAME_LENGTH_MAX, OrganizationName, Realm, SLUG_LENGTH_MAX, Username, changes_direction,
};
pub use tag::{
    Difference, TAG_LENGTH_MAX, TAGS_PER_LIST_MAX, TAGS_PER_TOKEN_MAX, Tag, TagList, difference, fold, is_near,
    several_tags_in_one, spellings,
};
