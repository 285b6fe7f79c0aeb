//! Authentication of the caller, and authorization of its actions.
//!
//! A handler gets an [`Admin`], which proves that the caller is known, and gives nothing else. The directory and the
//! rest are behind [`Admin::permit`], which asks for the [`Action`]: a handler that forgets to ask has nothing to work
//! with.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use narthex_decision::{Action, Actor as Reach, ActorScope, Reason};
use narthex_directory::{
    ActiveIssuers, Actor, By, ConnectionId, CountingIds, Directory, DocumentKind, GrantPolicy, Organization,
    OrganizationId, OrganizationRole, OrganizationStatus, PlatformRole, Principal, Realm, Scope, ScopedRole, Team,
    TeamId, UserId,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::AdminState;
use super::api_key;
use super::connections::AllTurns;
use super::error::{ApiError, KeyFault};
use super::extract::IdempotencyKey;
use super::gateway_api::GatewayApi;
use super::idempotency::{Attempt, Claim};
use super::response::{CreatedRecord, StoredResponse};
use crate::connections::{Compiled, Held};
use narthex_clock::Clock;
use narthex_engine::credentials::{self, TokenPlaces};
use narthex_engine::respond::Refusal;

/// A known caller.
pub(crate) struct Admin {
    state: Arc<AdminState>,
    actor: Actor,
    principal: Option<Arc<Principal>>,
    reach: Reach,
    path: String,
}

impl FromRequestParts<Arc<AdminState>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AdminState>) -> Result<Self, ApiError> {
        let Known {
            actor,
            principal,
            reach,
        } = authenticate(state, &parts.headers).await?;
        if let Some(CallerSlot(slot)) = parts.extensions.get() {
            // Each request has one caller.
            let _ = slot.set(actor.clone());
        }
        Ok(Self {
            state: Arc::clone(state),
            actor,
            principal,
            reach,
            path: parts.uri.path().to_owned(),
        })
    }
}

/// Slot in a request for its caller, read by the layers around the API.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerSlot(Arc<OnceLock<Actor>>);

impl CallerSlot {
    /// Returns the caller, if one was found.
    pub(crate) fn get(&self) -> Option<&Actor> {
        self.0.get()
    }
}

/// Caller found by the credentials of a request.
struct Known {
    actor: Actor,
    /// The user; `None` for an API key.
    principal: Option<Arc<Principal>>,
    reach: Reach,
}

/// Authenticates a request.
///
/// SECURITY: a bearer token with the form of an API key is never tried as anything else, and a refused one is refused:
/// only a request without credentials is asked for them.
async fn authenticate(state: &AdminState, headers: &HeaderMap) -> Result<Known, ApiError> {
    let presented = credentials::present(headers, None, &TokenPlaces::default()).one()?;
    let (bearer, _) = presented.ok_or(Refusal::new(Reason::TokenMissing))?;
    let bearer = bearer.word()?;
    if api_key::is_api_key(bearer) {
        return of_api_key(state, bearer).await;
    }
    let principal = state.gateway.authenticate(bearer, headers).await?;
    Ok(Known {
        actor: Actor::User(principal.user().id),
        reach: reach(&principal),
        principal: Some(principal),
    })
}

async fn of_api_key(state: &AdminState, bearer: &str) -> Result<Known, ApiError> {
    let key = state
        .directory
        .api_key(api_key::hash(bearer))
        .await?
        .ok_or(ApiError::Key(KeyFault::Unknown))?;
    if key.revoked_at_ms.is_some() {
        return Err(ApiError::Key(KeyFault::Revoked));
    }
    if !key.works_at(state.clock.now_ms()) {
        return Err(ApiError::Key(KeyFault::Expired));
    }
    let scope = match key.role {
        ScopedRole::Platform(role) => Some(ActorScope::Platform(role)),
        ScopedRole::Organization(id, role) => {
            let found = state.directory.organization(id).await?;
            if found.is_none_or(|organization| organization.status == OrganizationStatus::Suspended) {
                return Err(Refusal::new(Reason::OrganizationSuspended).into());
            }
            Some(ActorScope::Organization(id, role))
        }
        ScopedRole::Team(..) => None,
    };
    state.key_uses.note(&key, &state.directory, state.clock.now_ms());
    Ok(Known {
        actor: Actor::ApiKey(key.id),
        principal: None,
        reach: Reach {
            scopes: scope.into_iter().collect(),
        },
    })
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

impl Admin {
    /// Returns the right to perform this action. `organization` is the organization that it concerns, if any.
    pub(crate) fn permit(&self, action: Action, organization: Option<OrganizationId>) -> Result<Permit<'_>, ApiError> {
        if self.reach.may(action, organization) {
            return Ok(Permit { admin: self });
        }
        let reason = if organization.is_some() {
            Reason::OrganizationRole
        } else {
            Reason::PlatformRole
        };
        Err(ApiError::Forbidden {
            reason,
            needs: who_may(action),
        })
    }

    /// Returns the organization with this name or id, and the right to perform this action there. Text that is an id is
    /// never a name.
    ///
    /// SECURITY: a caller who reaches one organization only cannot tell another one from none.
    pub(crate) async fn organization(
        &self,
        action: Action,
        text: &str,
    ) -> Result<(Permit<'_>, Organization), ApiError> {
        let directory = &self.state.directory;
        let found = match (text.parse(), text.try_into()) {
            (Ok(id), _) => directory.organization(id).await?,
            (Err(_), Ok(name)) => directory.organization_named(name).await?,
            (Err(_), Err(_)) => None,
        };
        match found {
            Some(organization) => Ok((self.permit(action, Some(organization.id))?, organization)),
            None => Err(self.unknown(action, "organization")),
        }
    }

    /// Returns the team with this id, and the right to perform this action in its organization.
    ///
    /// SECURITY: as [`Admin::organization`].
    pub(crate) async fn team(&self, action: Action, text: &str) -> Result<(Permit<'_>, Team), ApiError> {
        let id: TeamId = ApiError::id(text, "team", "teams")?;
        match self.state.directory.team(id).await? {
            Some(team) if self.reach.may(action, team.organization) => Ok((Permit { admin: self }, team)),
            Some(_) => Err(ApiError::Forbidden {
                reason: Reason::OrganizationRole,
                needs: who_may(action),
            }),
            None => Err(self.unknown(action, "team")),
        }
    }

    /// Returns the connection with this id, and the right to perform this action in its organization.
    ///
    /// SECURITY: as [`Admin::organization`].
    pub(crate) async fn connection(&self, action: Action, text: &str) -> Result<(Permit<'_>, Held), ApiError> {
        let id: ConnectionId = ApiError::id(text, "connection", "connections")?;
        let directory = &self.state.directory;
        let found = directory.document(DocumentKind::Connection, id.to_string()).await?;
        match found.map(Held::of).transpose()? {
            Some(held) if self.reach.may(action, Some(held.organization)) => Ok((Permit { admin: self }, held)),
            Some(_) => Err(ApiError::Forbidden {
                reason: Reason::OrganizationRole,
                needs: who_may(action),
            }),
            None => Err(self.unknown(action, "connection")),
        }
    }

    /// Returns the caller's context, as far as it may be told; empty for an API key.
    pub(crate) fn context(&self) -> Map<String, Value> {
        let principal = self.principal.as_deref();
        principal.map_or_else(Map::new, |principal| self.state.gateway.context(principal))
    }

    fn unknown(&self, action: Action, what: &'static str) -> ApiError {
        if self.reach.may(action, None) {
            ApiError::Unknown { what }
        } else {
            ApiError::Forbidden {
                reason: Reason::OrganizationRole,
                needs: who_may(action),
            }
        }
    }

    /// Returns the organizations where the caller may perform this action, for a caller who may not perform it
    /// everywhere.
    pub(crate) fn own_organizations(&self, action: Action) -> Vec<OrganizationId> {
        let own = self.reach.scopes.iter().filter_map(|scope| match scope {
            ActorScope::Organization(id, _) => Some(*id),
            ActorScope::Platform(_) => None,
        });
        own.filter(|id| self.reach.may(action, Some(*id))).collect()
    }
}

/// Names all callers that may perform this action, as the subject of a sentence. Derived from the table of permissions
/// itself.
fn who_may(action: Action) -> &'static str {
    let organization = OrganizationId::new(0, &mut CountingIds(0));
    let may = |scope| Reach { scopes: vec![scope] }.may(action, Some(organization));
    let viewers = may(ActorScope::Platform(PlatformRole::Viewer));
    let own = may(ActorScope::Organization(organization, OrganizationRole::Admin));
    let members = may(ActorScope::Organization(organization, OrganizationRole::Member));
    match (viewers, own, members) {
        (true, _, true) => "platform admins and viewers and the organization's own admins and members",
        (false, _, true) => "platform admins and the organization's own admins and members",
        (true, true, false) => "platform admins and viewers and the organization's own admins",
        (true, false, false) => "platform admins and viewers",
        (false, true, false) => "platform admins and the organization's own admins",
        (false, false, false) => "platform admins",
    }
}

/// The right to perform the requested action. Only [`Admin`] grants it.
#[derive(Clone, Copy)]
pub(crate) struct Permit<'a> {
    admin: &'a Admin,
}

impl<'a> Permit<'a> {
    /// The directory.
    pub(crate) fn directory(self) -> &'a dyn Directory {
        &*self.admin.state.directory
    }

    /// The rest of the gateway.
    pub(crate) fn gateway(self) -> &'a dyn GatewayApi {
        &*self.admin.state.gateway
    }

    /// The issuers whose grants count now.
    pub(crate) fn in_force(self) -> Arc<ActiveIssuers> {
        self.gateway().issuers_in_force()
    }

    /// Weighs grants: tells which role each gives now, as a decision would.
    pub(crate) fn grant_policy<'s>(self, in_force: &'s ActiveIssuers) -> GrantPolicy<'s>
    where
        'a: 's,
    {
        GrantPolicy::new(self.directory(), in_force, self.now_ms())
    }

    /// The compiled documents of connections.
    pub(crate) fn compiled(self) -> &'a Compiled {
        &self.admin.state.compiled
    }

    /// The turns that uses of connections take.
    pub(crate) fn turns(self) -> &'a AllTurns {
        &self.admin.state.turns
    }

    /// The clock.
    pub(crate) fn clock(self) -> &'a Clock {
        &self.admin.state.clock
    }

    /// The current time, in milliseconds.
    pub(crate) fn now_ms(self) -> i64 {
        self.admin.state.clock.now_ms()
    }

    /// The actor and the time of the change.
    pub(crate) fn by(self) -> By {
        By {
            actor: self.admin.actor.clone(),
            at_ms: self.now_ms(),
        }
    }

    /// Tests whether the caller may see a user. Callers who may read users see all. An organization's own admins see
    /// the users that the organization has met.
    pub(crate) async fn sees(self, organization: Option<OrganizationId>, user: UserId) -> Result<bool, ApiError> {
        if self.reads_users() {
            return Ok(true);
        }
        match organization {
            Some(organization) => Ok(self.directory().has_met(organization, user).await?),
            None => Ok(false),
        }
    }

    /// Tests whether the caller may read all users.
    pub(crate) fn reads_users(self) -> bool {
        self.admin.reach.may(Action::ReadUsers, None)
    }

    /// Returns the named realm, or the only one there is. A realm that no issuer has is refused: no token would ever
    /// meet the records in it. Before there is an issuer, any realm is accepted.
    pub(crate) fn realm(self, named: Option<String>) -> Result<Realm, ApiError> {
        let mut realms = self.gateway().realms();
        if let Some(named) = named {
            let realm = Realm::new(named).map_err(ApiError::name("realm"))?;
            if realms.is_empty() || realms.contains(&realm) {
                return Ok(realm);
            }
            let known: Vec<&str> = realms.iter().map(Realm::as_str).collect();
            let detail = format!("no issuer has this realm; the realms are {}", known.join(", "));
            return Err(ApiError::invalid("realm", detail));
        }
        match (realms.pop(), realms.len()) {
            (Some(realm), 0) => Ok(realm),
            (Some(_), _) => Err(ApiError::invalid("realm", "there is more than one realm; say which")),
            (None, _) => Err(ApiError::invalid(
                "realm",
                "no issuer is configured, so there is no realm yet; name one",
            )),
        }
    }

    /// Returns the names of these scopes. The platform has no name.
    pub(crate) async fn scope_names(
        self,
        scopes: impl Iterator<Item = Scope>,
    ) -> Result<HashMap<Scope, String>, ApiError> {
        let mut names = HashMap::new();
        for scope in scopes.collect::<HashSet<_>>() {
            let name = match scope {
                Scope::Platform => None,
                Scope::Organization(id) => self
                    .directory()
                    .organization(id)
                    .await?
                    .map(|found| found.name.to_string()),
                Scope::Team(id) => self.directory().team(id).await?.map(|found| found.name),
            };
            names.extend(name.map(|name| (scope, name)));
        }
        Ok(names)
    }

    /// Performs a create, or returns its first response if the caller has made this attempt before.
    pub(crate) async fn once<T: Serialize>(
        self,
        key: IdempotencyKey,
        digest: [u8; 32],
        create: impl Future<Output = Result<CreatedRecord<T>, ApiError>>,
    ) -> Result<StoredResponse, ApiError> {
        self.once_showing(key, digest, async {
            create.await.map(|created| (created.stored(), created.stored()))
        })
        .await
    }

    /// As [`Permit::once`], for a create whose first response shows more than is remembered. `create` returns the
    /// response to show, then the one to remember.
    pub(crate) async fn once_showing(
        self,
        IdempotencyKey(key): IdempotencyKey,
        digest: [u8; 32],
        create: impl Future<Output = Result<(StoredResponse, StoredResponse), ApiError>>,
    ) -> Result<StoredResponse, ApiError> {
        let Some(key) = key else {
            return create.await.map(|(shown, _)| shown);
        };
        let actor = format!(
            "{} {}",
            self.admin.actor.kind(),
            self.admin.actor.name().unwrap_or_default()
        );
        let attempt = Attempt {
            actor,
            path: self.admin.path.clone(),
            key,
        };
        match self.admin.state.attempts.begin(attempt, digest, self.now_ms())? {
            Claim::Again(answer) => Ok(answer),
            Claim::First(ticket) => {
                let (shown, remembered) = create.await?;
                ticket.answered(remembered);
                Ok(shown)
            }
        }
    }
}
