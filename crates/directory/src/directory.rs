//! Contract of a store: use cases, not tables. `MemoryDirectory` of the crate `memory` is the specification,
//! `crates/conformance` its proof, and every store passes the same suite.

mod documents;
mod keyring;
mod people;
mod sessions;
mod token_sync;
mod trail;
mod webhooks;

pub use documents::Documents;
pub use keyring::Keyring;
pub use people::People;
pub use sessions::Sessions;
pub use token_sync::TokenSync;
pub use trail::Trail;
pub use webhooks::Webhooks;

use narthex_names::{OrganizationId, Realm};

use crate::error::StoreError;
use crate::user::User;

/// Result of a store's operation.
pub type Answer<T> = Result<T, StoreError>;

/// Users, organizations, teams, grants and sessions, kept somewhere: the sum of the seven traits of a store. Whatever
/// implements them is a directory.
///
/// Rules for every method of the seven: it is one transaction; what it acknowledges is durable; the audit events of a change
/// are in the same transaction; the numbers of [`TokenSync::versions`] move before a change is acknowledged; text
/// compares byte for byte; lists end their order in the id.
pub trait Directory: TokenSync + People + Keyring + Trail + Documents + Sessions + Webhooks {}

impl<T: TokenSync + People + Keyring + Trail + Documents + Sessions + Webhooks> Directory for T {}

/// A user whose last token carried some of the tags asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Carrier {
    /// The user.
    pub user: User,
    /// All tags of the last token of each issuer, merged, each once, sorted.
    pub tags: Vec<String>,
}

/// Users of a realm, by the tags of their last tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierFilter {
    /// The realm.
    pub realm: Realm,
    /// They carried at least one of these.
    pub tags: Vec<String>,
    /// Their relation to an organization.
    pub among: Among,
}

/// Selection of users, as seen from an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All there are.
    Everybody,
    /// Those who hold a role in it at a moment, in milliseconds.
    Members(OrganizationId, i64),
    /// The others.
    Others(OrganizationId, i64),
}

impl Among {
    /// The organization and the moment. For stores.
    pub const fn organization(self) -> Option<(OrganizationId, i64)> {
        match self {
            Self::Everybody => None,
            Self::Members(organization, now_ms) | Self::Others(organization, now_ms) => Some((organization, now_ms)),
        }
    }
}
