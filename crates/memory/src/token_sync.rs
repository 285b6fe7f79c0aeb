//! `TokenSync` in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryDirectory;
use narthex_directory::By;
use narthex_directory::Desired;
use narthex_directory::Mark;
use narthex_directory::Organization;
use narthex_directory::StoreError;
use narthex_directory::{Answer, TokenSync};
use narthex_directory::{Detail, Snapshot, Standing};
use narthex_directory::{IssuerName, OrganizationName};
use narthex_directory::{OrganizationId, UserId};
use narthex_directory::{Stamp, Stripe, Versions};
use narthex_directory::{SyncPlan, Touch};

#[async_trait]
impl TokenSync for MemoryDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let state = self.lock();
        let mut snapshot = state.snapshot(desired, detail, &self.versions);
        snapshot.deleted_organizations = state.deleted_of(snapshot.unknown_organizations(desired));
        drop(state);
        self.usage.overlay(&mut snapshot, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let mut state = self.lock();
        let touch = &plan.touch;
        let found = state.users.get(&touch.user).map(|user| user.version);
        let holds = found == plan.expects.user_version
            && plan.expects.policy.is_none_or(|policy| policy == self.versions.policy())
            // A newer token of this user may have been used since the snapshot, one that changed nothing too.
            && !self.usage.has_newer(touch)
            && state.issuer_follows(touch);
        if !holds {
            return Err(StoreError::Conflict);
        }
        let by = By {
            actor: plan.actor(),
            at_ms: touch.at_ms,
        };
        self.carry_out(&mut state, &plan.changes, &by)
            .map_err(|error| match error {
                StoreError::AlreadyExists { .. } | StoreError::NotFound { .. } => StoreError::Conflict,
                error => error,
            })?;
        state.note(touch);
        self.usage.note_applied(&plan);
        let stripe = Stripe::of(touch.user);
        Ok(Stamp {
            policy: self.versions.policy(),
            stripe,
            user: self.versions.stripe(stripe),
        })
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        let mut state = self.lock();
        let noted = self.usage.take();
        for touch in &noted.due {
            state.note(touch);
        }
        for (user, issuer, mark) in &noted.marks {
            state.note_issuer(*user, issuer, Some(*mark), None);
        }
        for seen in noted.tags {
            let key = (seen.realm.clone(), seen.tag.clone());
            let kept = state.seen_tags.entry(key).or_insert_with(|| seen.clone());
            kept.last_seen_at_ms = kept.last_seen_at_ms.max(seen.last_seen_at_ms);
        }
        self.usage.settle(Ok(()));
        state.sessions.note_uses(self.session_uses.take());
        Ok(noted.due.len())
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        Ok(self.lock().standing(user, &self.versions))
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        Ok(self.lock().organizations.get(&organization).cloned())
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        let state = self.lock();
        let id = state.organization_by_name.get(&name);
        Ok(id.and_then(|id| state.organizations.get(id)).cloned())
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        Ok(())
    }

    async fn health(&self) -> Answer<()> {
        Ok(())
    }
}
