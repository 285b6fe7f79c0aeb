//! Contract of a store: use cases, not tables. [`crate::memory::MemoryDirectory`] is the specification,
//! `crates/conformance` its proof, and every store passes the same suite.

use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::{AuditEvent, By, EventFilter, RecordedEvent};
use crate::command::{
    ApiKey, AssertionKey, GrantFilter, Member, NewGrant, NewOrganization, NewTeam, NewUser, OrganizationEdit,
    OrganizationFilter, SavedKeySet, SecretHash, SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry, UserFilter,
};
use crate::desired::Desired;
use crate::document::{Document, DocumentAt, DocumentKind, NewDocument};
use crate::error::StoreError;
use crate::grant::Grant;
use crate::id::{ApiKeyId, OrganizationId, TeamId, UserId};
use crate::name::{IssuerName, OrganizationName, Realm};
use crate::order::Mark;
use crate::organization::{Logo, Organization};
use crate::page::{Listing, Page};
use crate::plan::{SyncPlan, Touch};
use crate::role::Scope;
use crate::snapshot::{Detail, Snapshot, Standing};
use crate::team::Team;
use crate::user::User;
use crate::versions::{Stamp, Versions};

/// Result of a store's operation.
pub type Answer<T> = Result<T, StoreError>;

/// Users, organizations, teams and grants, kept somewhere.
///
/// Rules for every method: it is one transaction; what it acknowledges is durable; the audit events of a change
/// are in the same transaction; the numbers of [`Directory::versions`] move before a change is acknowledged; text
/// compares byte for byte; lists end their order in the id.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Everything that planning this needs, read at one moment.
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot>;

    /// Makes the changes of a plan, or none of them: [`StoreError::Conflict`] if what it expects no longer holds.
    /// Returns the versions after it.
    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp>;

    /// Notes that a token was used. Does not wait and does not write; see [`Directory::flush`]. Returns `false`, and notes
    /// nothing, where too much waits to be written: then the token must not be answered.
    fn touch(&self, touch: &Touch) -> bool;

    /// Notes that a token of this mark was used; it changed nothing and is not due to be written, but an older one must
    /// undo nothing. Takes effect at once, in memory only, and returns `false` as [`Directory::touch`].
    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool;

    /// Writes what was noted. The edge calls it every second: what a crash loses, and what other processes do not know
    /// yet, is never more than that. Returns how many uses were due.
    async fn flush(&self) -> Answer<usize>;

    /// Writes what was noted so that the next start has nothing to make up for. The edge calls it before it goes.
    async fn flush_last(&self) -> Answer<()> {
        self.flush().await.map(drop)
    }

    /// A user with everything held, read at one moment.
    async fn standing(&self, user: UserId) -> Answer<Option<Standing>>;

    /// One user.
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>>;

    /// Users, by id.
    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>>;

    /// Creates a user by hand. Nothing is ever merged with it but by its realm and external id.
    async fn create_user(&self, new: NewUser, by: By) -> Answer<User>;

    /// Changes a user that is at `version` (any, if `None`).
    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User>;

    /// Signs a user out everywhere: refuses tokens issued before `by.at_ms`, and those that were seen and are dated after it.
    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User>;

    /// Grants, by id.
    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>>;

    /// Grants a role by hand. The same role again changes nothing.
    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant>;

    /// Revokes a user's roles on a scope as far as an administrator can: the manual grant, and those by claims, which
    /// no token ever revokes because claims only add. Returns the closed grants. Grants by a tag stay, for they go with
    /// the tag.
    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>>;

    /// Closes up to `limit` grants that have lapsed by `by.at_ms`, at the moment they lapsed, those that lapsed first
    /// before others. Returns how many.
    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize>;

    /// One organization.
    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>>;

    /// The organization of this name.
    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>>;

    /// Organizations, by id.
    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>>;

    /// Creates an organization by hand.
    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization>;

    /// Changes an organization that is at `version` (any, if `None`).
    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization>;

    /// Carries out the configuration's declarations of organizations, by name: new ones are created, existing ones take
    /// the declared values and become read-only elsewhere, and those no longer declared are suspended and become
    /// editable. One that a token created is taken over only where its external id is declared too. Returns how many
    /// were changed.
    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize>;

    /// An organization's logo.
    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>>;

    /// Sets or removes an organization's logo.
    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization>;

    /// Users who hold a role in an organization or team (or on the platform) at `now_ms`, by user id.
    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>>;

    /// Tests whether a user and an organization have met: the user holds a grant in it or in one of its teams, or a
    /// token gave the user one there once. Lapsed grants count until they are closed.
    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool>;

    /// Users whose last token carried certain tags, by id: for previewing a change of tags.
    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>>;

    /// Counts those users, up to `most`.
    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize>;

    /// One team.
    async fn team(&self, team: TeamId) -> Answer<Option<Team>>;

    /// Teams, by id.
    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>>;

    /// Creates a team by hand.
    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team>;

    /// Changes a team that is at `version` (any, if `None`).
    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team>;

    /// Stores a new API key.
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()>;

    /// The API key with this hash, revoked and expired ones included: see [`ApiKey::works_at`].
    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>>;

    /// API keys, by id.
    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>>;

    /// Revokes an API key. `false` if there is none that works.
    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool>;

    /// Records that an API key was used. Returns `false` where there is no such key, or a use within the last minute is
    /// recorded already.
    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool>;

    /// The keys that sign assertions, the newest first.
    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>>;

    /// Stores a new assertion key, unless one made after `newer_than_ms` is there already: of several nodes that rotate
    /// at once, one does. Drops keys whose publication ended. Returns all keys, the newest first.
    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>>;

    /// The last good key set of every issuer.
    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>>;

    /// Stores an issuer's last good key set.
    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()>;

    /// One document.
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>>;

    /// Documents of a kind (of one organization, if given), by name.
    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>>;

    /// Creates or changes a document.
    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document>;

    /// Deletes a document. `false` if there is none.
    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool>;

    /// Audit events, in the order asked for.
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>>;

    /// Records something that happened outside the directory.
    async fn record(&self, event: AuditEvent) -> Answer<()>;

    /// Tags that tokens carried, by realm and tag.
    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>>;

    /// The numbers that move when a cached answer may have become wrong.
    fn versions(&self) -> &Arc<Versions>;

    /// Learns what other processes have changed. Waits for no writer.
    async fn poll_versions(&self) -> Answer<()>;

    /// Checks that the store can read and write now.
    async fn health(&self) -> Answer<()>;

    /// Tests whether the last change could not be written although the store is there, on a full disk for example.
    fn writes_fail(&self) -> bool {
        false
    }
}

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
