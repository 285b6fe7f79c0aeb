//! From a credential to a caller.

use std::sync::Arc;

use http::HeaderMap;
use narthex_decision::{Actor as Reach, ActorScope, Reason};
use narthex_directory::{Actor, OrganizationStatus, Principal, ScopedRole};
use narthex_engine::machine_key::is_machine_key;
use narthex_engine::respond::Refusal;

use super::Operations;
use super::api_keys::secret;
use super::caller::Caller;
use super::error::{KeyFault, OpError};
use super::gateway_api::TokenHolder;

impl Operations {
    /// Returns the caller with this bearer credential: an API key, or a token of an issuer. `headers` are those of the
    /// request that carried it, which an issuer's templates may read.
    ///
    /// SECURITY: a bearer with the form of an API key or a machine key is never tried as anything else, and a refused one is
    /// refused.
    ///
    /// # Errors
    ///
    /// When the credential is refused, its organization is suspended, or the directory cannot be read.
    pub async fn authenticate(self: &Arc<Self>, bearer: &str, headers: &HeaderMap) -> Result<Caller, OpError> {
        // SECURITY: a machine key is for the routes of its organization. It administers nothing.
        if is_machine_key(bearer.as_bytes()) {
            return Err(OpError::Key(KeyFault::MachineKey));
        }
        if secret::is_api_key(bearer) {
            return self.of_api_key(bearer).await;
        }
        Ok(self.of_holder(self.gateway.authenticate(bearer, headers).await?))
    }

    /// Returns the caller that a token speaks for.
    pub(super) fn of_holder(self: &Arc<Self>, holder: TokenHolder) -> Caller {
        let (actor, reach) = (Actor::User(holder.principal.user().id), reach(&holder.principal));
        Caller::new(Arc::clone(self), actor, Some(holder), reach)
    }

    async fn of_api_key(self: &Arc<Self>, bearer: &str) -> Result<Caller, OpError> {
        let key = self
            .directory
            .api_key(secret::hash(bearer))
            .await?
            .ok_or(OpError::Key(KeyFault::Unknown))?;
        if key.revoked_at_ms.is_some() {
            return Err(OpError::Key(KeyFault::Revoked));
        }
        if !key.works_at(self.clock.now_ms()) {
            return Err(OpError::Key(KeyFault::Expired));
        }
        let scope = match key.role {
            ScopedRole::Platform(role) => Some(ActorScope::Platform(role)),
            ScopedRole::Organization(id, role) => {
                let found = self.directory.organization(id).await?;
                if found.is_none_or(|organization| organization.status == OrganizationStatus::Suspended) {
                    return Err(Refusal::new(Reason::OrganizationSuspended).into());
                }
                Some(ActorScope::Organization(id, role))
            }
            ScopedRole::Team(..) => None,
        };
        self.key_uses.note(&key, &self.directory, self.clock.now_ms());
        let reach = Reach {
            scopes: scope.into_iter().collect(),
        };
        Ok(Caller::new(Arc::clone(self), Actor::ApiKey(key.id), None, reach))
    }
}

/// Returns the scopes that a user's roles reach. A suspended organization's admins reach nothing by that role.
fn reach(principal: &Principal) -> Reach {
    let open = principal
        .memberships()
        .iter()
        .filter(|held| held.status == OrganizationStatus::Active);
    let organizations = open.map(|held| ActorScope::Organization(held.organization, held.role));
    let platform = std::iter::once(ActorScope::Platform(principal.platform_role()));
    Reach {
        scopes: platform.chain(organizations).collect(),
    }
}
