//! Answers of the directory during one sweep over the streams: each question is asked once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use narthex_decision::Reason;
use narthex_directory::{MachineKeyId, OrganizationName, OrganizationStatus, StoreError, UserId, UserStatus};
use narthex_engine::cache::by_token::CredentialSource;
use narthex_engine::{Engine, IssuerRuntime, TokenFacts};

use super::{Lifetime, NumbersSnapshot, WatchedSession};

/// Answers of the directory during one sweep.
#[derive(Default)]
pub(super) struct SweepAnswers {
    users: HashMap<UserId, Option<(UserStatus, Option<i64>)>>,
    organizations: HashMap<OrganizationName, Option<OrganizationStatus>>,
    machine_keys: HashMap<MachineKeyId, Option<Reason>>,
}

impl SweepAnswers {
    /// Returns the reason why a stream must end, if there is one.
    ///
    /// SECURITY: the numbers were read before any question to the directory, so a change meanwhile is found at the next
    /// sweep.
    pub(super) async fn why_not(
        &mut self,
        engine: &Engine,
        lifetime: &Lifetime,
        now: NumbersSnapshot,
    ) -> Result<Option<Reason>, StoreError> {
        let seen = lifetime.seen.read();
        let why = match &lifetime.source {
            CredentialSource::Issuer(issuer) => self.why_not_token(engine, lifetime, issuer, now).await?,
            // A change of policy may be the suspension of the key's organization, which no path has to name.
            CredentialSource::MachineKey(key) if (seen.user, seen.policy) != (now.user, now.policy) => {
                self.machine_key(engine, *key).await?
            }
            CredentialSource::MachineKey(_) => None,
        };
        if why.is_some() {
            return Ok(why);
        }
        if let Some(session) = &lifetime.session
            && !self.stands(engine, session, seen.user != now.user).await?
        {
            return Ok(Some(Reason::SessionEnded));
        }
        let organization = lifetime.organization.as_ref().filter(|_| seen.policy != now.policy);
        if let Some(name) = organization {
            match self.organization(engine, name).await? {
                Some(OrganizationStatus::Active) => {}
                Some(_) => return Ok(Some(Reason::OrganizationSuspended)),
                None => return Ok(Some(Reason::OrganizationUnknown)),
            }
        }
        Ok(None)
    }

    /// Tests whether the session of a stream stands, if that may have changed: a session that is ended moves the number of its
    /// user, and one that lapses moves nothing.
    async fn stands(&self, engine: &Engine, session: &WatchedSession, has_moved: bool) -> Result<bool, StoreError> {
        let now_ms = engine.clock.now_ms();
        if !has_moved && !session.may_have_lapsed(engine, now_ms) {
            return Ok(true);
        }
        let found = engine.directory.session_by_hash(session.hash, now_ms).await?;
        let Some(found) = found else { return Ok(false) };
        let lapses_at_ms = found.session.lapses_at_ms();
        session.lapses_at_ms.store(lapses_at_ms, Ordering::Relaxed);
        Ok(true)
    }

    /// Returns the reason why the stream of a token must end, apart from the organization that it is about.
    async fn why_not_token(
        &mut self,
        engine: &Engine,
        lifetime: &Lifetime,
        issuer: &IssuerRuntime,
        now: NumbersSnapshot,
    ) -> Result<Option<Reason>, StoreError> {
        let seen = lifetime.seen.read();
        if seen.generation != now.generation && !engine.runtime.load().trusts(&issuer.name) {
            return Ok(Some(Reason::TokenIssuerDisabled));
        }
        if seen.policy != now.policy {
            engine.revocations.learn(&*engine.directory).await?;
            let (id, issued_at_ms) = &lifetime.token;
            let facts = TokenFacts {
                issuer: &issuer.name,
                id: id.as_deref(),
                issued_at_ms: *issued_at_ms,
            };
            if engine.revocations.ends_stream(facts, seen.policy) {
                return Ok(Some(Reason::TokenRevoked));
            }
        }
        if seen.user == now.user {
            return Ok(None);
        }
        Ok(match self.user(engine, lifetime.user).await? {
            Some((UserStatus::Active, not_before)) if not_before <= lifetime.tokens_not_before_ms => None,
            Some((UserStatus::Active, _)) => Some(Reason::TokenRevoked),
            _ => Some(Reason::IdentityDisabled),
        })
    }

    /// Returns the reason why a machine key no longer works, apart from its expiry.
    async fn machine_key(&mut self, engine: &Engine, id: MachineKeyId) -> Result<Option<Reason>, StoreError> {
        if let Some(known) = self.machine_keys.get(&id) {
            return Ok(*known);
        }
        let key = engine.directory.machine_key_of_id(id).await?;
        let why = match key.filter(|key| key.revoked_at_ms.is_none()) {
            None => Some(Reason::MachineKeyRevoked),
            Some(key) => {
                let organization = engine.directory.organization(key.organization).await?;
                let is_active = organization.is_some_and(|found| found.status == OrganizationStatus::Active);
                (!is_active).then_some(Reason::OrganizationSuspended)
            }
        };
        self.machine_keys.insert(id, why);
        Ok(why)
    }

    async fn user(&mut self, engine: &Engine, id: UserId) -> Result<Option<(UserStatus, Option<i64>)>, StoreError> {
        if let Some(known) = self.users.get(&id) {
            return Ok(*known);
        }
        let found = engine.directory.user(id).await?;
        let found = found.map(|entry| (entry.user.status, entry.user.tokens_not_before_ms));
        self.users.insert(id, found);
        Ok(found)
    }

    async fn organization(
        &mut self,
        engine: &Engine,
        name: &OrganizationName,
    ) -> Result<Option<OrganizationStatus>, StoreError> {
        if let Some(known) = self.organizations.get(name) {
            return Ok(*known);
        }
        let found = engine.directory.organization_named(name.clone()).await?;
        let found = found.map(|organization| organization.status);
        self.organizations.insert(name.clone(), found);
        Ok(found)
    }
}
