//! SCIM 2.0 (RFC 7643, RFC 7644) as data: what identity providers send, read; and what they expect, written.
//!
//! **In:** JSON of resources and patches, texts of filters. **Out:** [`UserResource`], [`GroupResource`], [`Filter`], patched
//! resources and messages, or a [`ScimProblem`]. It knows no directory, no HTTP and no clock.
//!
//! Invariants:
//! * Names of attributes and operators compare without case (RFC 7643 section 2.1, RFC 7644 section 3.4.2.2).
//! * Unknown attributes and schemas are kept in a patched resource, and mean nothing.
//! * Filters and patches have limits of length and depth, so their cost is bounded by the size of the request.

mod attribute;
pub mod discovery;
mod filter;
mod group;
mod message;
mod page;
mod patch;
mod problem;
mod user;
mod value;

pub use attribute::AttributePath;
pub use filter::{Filter, Operator};
pub use group::GroupResource;
pub use message::{ResourceMeta, error_message, list_message, shown};
pub use page::{PAGE_ITEMS_MAX, PageWindow, Projection};
pub use patch::{Operation, Verb, apply, read_patch};
pub use problem::{ProblemKind, ScimProblem};
pub use user::UserResource;

/// Media type of requests and responses (RFC 7644 section 8.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
/// Schema of users (RFC 7643 section 4.1).
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Schema of groups (RFC 7643 section 4.2).
pub const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Schema of patches (RFC 7644 section 3.5.2).
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
