//! `TokenSync` on PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Desired, Detail, IssuerName, Mark, Organization, OrganizationId, OrganizationName, Snapshot, Stamp,
    Standing, SyncPlan, TokenSync, Touch, UserId, Versions,
};

use super::PostgresDirectory;
use super::error::unavailable;
use super::list::{self, Key};
use super::{sessions, usage};
use narthex_tables::consequences::Written;

#[async_trait]
impl TokenSync for PostgresDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let session = self.session().await?;
        let reader = self.reader(&session);
        let snapshot = reader.snapshot(desired, detail).await?;
        let mut snapshot = reader.with_refused(desired, snapshot).await?;
        self.shared.usage.overlay(&mut snapshot, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let by = By {
            actor: plan.actor(),
            at_ms: plan.touch.at_ms,
        };
        let written = Written::of(&plan.changes, &by);
        self.plans.apply(plan, written).await
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.shared.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.shared.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        // One flush at a time: the entries that it takes go on counting until they are known to be written.
        let _alone = self.flushing.lock().await;
        let buffer = &self.shared.usage;
        let noted = buffer.take();
        let written = usage::write_noted(&self.shared, &noted).await;
        let count = noted.due.len();
        buffer.settle(if written.is_ok() { Ok(()) } else { Err(noted) });
        written?;
        let uses = self.shared.session_uses.take();
        if let Err(fault) = sessions::write_uses(&self.shared, &uses).await {
            self.shared.session_uses.give_back(uses);
            return Err(fault.into());
        }
        Ok(count)
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        let session = self.session().await?;
        Ok(self.reader(&session).standing(user).await?)
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        Ok(list::organization(&self.session().await?, Key::Id, &organization.to_string()).await?)
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        Ok(list::organization(&self.session().await?, Key::Name, name.as_str()).await?)
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.shared.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        self.look(&self.session().await?).await
    }

    async fn health(&self) -> Answer<()> {
        let session = self.session().await?;
        let sql = "SELECT 1 FROM change_counters WHERE id = 0 AND current_setting('transaction_read_only') = 'off'";
        match session.row(sql, &[]).await? {
            Some(_) => Ok(()),
            None => Err(unavailable("the database takes no writes")),
        }
    }
}
