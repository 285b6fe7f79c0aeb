//! Store operations of a request: to bring the directory in step with a token, and to know what is stale.

use std::sync::Arc;

use async_trait::async_trait;
use narthex_names::{IssuerName, OrganizationId, OrganizationName, UserId};

use crate::desired::Desired;
use crate::directory::Answer;
use crate::order::Mark;
use crate::organization::Organization;
use crate::plan::{SyncPlan, Touch};
use crate::snapshot::{Detail, Snapshot, Standing};
use crate::versions::{Stamp, Versions};

/// Store operations that a request needs: to bring the directory in step with its token, to load a user with what grants
/// give, and to know when a cached answer is stale. The pipeline and its caches take nothing else of a store.
///
/// Not to be taken for [`std::marker::Sync`], the promise of threads: this is the sync of tokens.
#[async_trait]
pub trait TokenSync: Send + Sync {
    /// Everything that planning this needs, read at one moment.
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot>;

    /// Makes the changes of a plan, or none of them: [`StoreError::Conflict`](crate::StoreError::Conflict) if what it expects no longer holds.
    /// Returns the versions after it.
    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp>;

    /// Notes that a token was used. Does not wait and does not write; see [`TokenSync::flush`]. Returns `false`, and notes
    /// nothing, where too much waits to be written: then the token must not be answered.
    fn touch(&self, touch: &Touch) -> bool;

    /// Notes that a token of this mark was used; it changed nothing and is not due to be written, but an older one must
    /// undo nothing. Takes effect at once, in memory only, and returns `false` as [`TokenSync::touch`].
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

    /// One organization.
    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>>;

    /// The organization of this name.
    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>>;

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
