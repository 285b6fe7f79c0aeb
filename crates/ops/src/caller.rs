//! The caller of operations, and the permits that lead to the directory.
//!
//! A [`Caller`] is known, and gives nothing else. The directory and the rest are behind a permit, which a caller gets for
//! a named [`Action`] only. Permits are of this module's parent alone: nothing outside the operations can reach the
//! directory, and an operation that forgets to ask has nothing to work with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use narthex_clock::Clock;
use narthex_decision::{Action, Actor as Reach, ActorScope, Reason};
use narthex_directory::{
    ActiveIssuers, Actor, By, ConnectionId, CountingIds, Directory, DocumentKind, GrantPolicy, IssuerName,
    Organization, OrganizationId, OrganizationRole, PlatformRole, Realm, Scope, SessionId, Team, TeamId, User, UserId,
};
use serde_json::{Map, Value};

use super::connections::record::{Compiled, Held};
use super::connections::turns::AllTurns;
use super::error::OpError;
use super::gateway_api::{GatewayApi, TokenHolder};
use super::settings::Installation;
use super::{Operations, input_rules};

/// A known caller. [`Operations::authenticate`] finds it.
#[derive(Clone)]
pub struct Caller {
    operations: Arc<Operations>,
    actor: Actor,
    /// The holder of the token; `None` for an API key.
    holder: Option<TokenHolder>,
    reach: Reach,
    /// The session of the console that it came with, if any.
    session: Option<SessionId>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("actor", &self.actor)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Caller {
    pub(super) const fn new(
        operations: Arc<Operations>,
        actor: Actor,
        holder: Option<TokenHolder>,
        reach: Reach,
    ) -> Self {
        Self {
            operations,
            actor,
            holder,
            reach,
            session: None,
        }
    }

    /// The caller, who came with this session of the console.
    pub(super) const fn with_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Id of the session of the console that the caller came with; `None` for one with an API key or a token.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The caller, as the audit trail names it.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Configured name of the issuer of the caller's token; `None` for an API key.
    pub fn issuer(&self) -> Option<&IssuerName> {
        self.holder.as_ref().map(|holder| &holder.issuer)
    }

    /// The user that the caller's token speaks for; `None` for an API key.
    pub fn user(&self) -> Option<&User> {
        self.holder.as_ref().map(|holder| &**holder.principal.user())
    }

    /// Tests whether the caller may perform this action; `organization` is the organization that it concerns, if any. It
    /// grants nothing: an operation asks again.
    pub fn may(&self, action: Action, organization: Option<OrganizationId>) -> bool {
        self.reach.may(action, organization)
    }

    /// Tests whether the console has any page for the caller.
    pub(super) fn reaches_console(&self) -> bool {
        self.may(Action::ReadUsers, None) || !self.own_organizations(Action::ReadOrganization).is_empty()
    }

    /// Returns the right to what concerns the caller alone, which every caller has.
    pub(super) const fn own_permit(&self) -> Permit<'_> {
        Permit { caller: self }
    }

    /// Returns the right to perform this action. `organization` is the organization that it concerns, if any.
    pub(super) fn permit(&self, action: Action, organization: Option<OrganizationId>) -> Result<Permit<'_>, OpError> {
        if self.may(action, organization) {
            return Ok(Permit { caller: self });
        }
        let reason = if organization.is_some() {
            Reason::OrganizationRole
        } else {
            Reason::PlatformRole
        };
        Err(forbidden(action, reason, organization))
    }

    /// Returns the organization with this name or id, and the right to perform this action there. Text that is an id is
    /// never a name.
    ///
    /// SECURITY: a caller who reaches one organization only cannot tell another one from none.
    pub(super) async fn organization(&self, action: Action, text: &str) -> Result<(Permit<'_>, Organization), OpError> {
        let directory = &self.operations.directory;
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
    /// SECURITY: as [`Caller::organization`].
    pub(super) async fn team(&self, action: Action, text: &str) -> Result<(Permit<'_>, Team), OpError> {
        let id: TeamId = input_rules::id(text, "team", "teams")?;
        match self.operations.directory.team(id).await? {
            Some(team) if self.may(action, team.organization) => Ok((Permit { caller: self }, team)),
            Some(team) => Err(forbidden(action, Reason::OrganizationRole, team.organization)),
            None => Err(self.unknown(action, "team")),
        }
    }

    /// Returns the connection with this id, and the right to perform this action in its organization.
    ///
    /// SECURITY: as [`Caller::organization`].
    pub(super) async fn connection(&self, action: Action, text: &str) -> Result<(Permit<'_>, Held), OpError> {
        let id: ConnectionId = input_rules::id(text, "connection", "connections")?;
        let directory = &self.operations.directory;
        let found = directory.document(DocumentKind::Connection, id.to_string()).await?;
        match found.map(Held::of).transpose()? {
            Some(held) if self.may(action, Some(held.organization)) => Ok((Permit { caller: self }, held)),
            Some(held) => Err(forbidden(action, Reason::OrganizationRole, Some(held.organization))),
            None => Err(self.unknown(action, "connection")),
        }
    }

    fn unknown(&self, action: Action, what: &'static str) -> OpError {
        if self.may(action, None) {
            OpError::Unknown { what }
        } else {
            forbidden(action, Reason::OrganizationRole, None)
        }
    }

    /// Returns the caller's context, as far as it may be told; empty for an API key.
    pub(super) fn context(&self) -> Map<String, Value> {
        let holder = self.holder.as_ref();
        holder.map_or_else(Map::new, |holder| self.operations.gateway.context(&holder.principal))
    }

    /// Returns the organizations where the caller may perform this action, for a caller who may not perform it
    /// everywhere.
    pub(super) fn own_organizations(&self, action: Action) -> Vec<OrganizationId> {
        let own = self.reach.scopes.iter().filter_map(|scope| match scope {
            ActorScope::Organization(id, _) => Some(*id),
            ActorScope::Platform(_) => None,
        });
        own.filter(|id| self.may(action, Some(*id))).collect()
    }
}

fn forbidden(action: Action, reason: Reason, organization: Option<OrganizationId>) -> OpError {
    OpError::Forbidden {
        reason,
        needs: who_may(action),
        organization,
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

/// The right to perform the requested action. Only a [`Caller`] grants it.
#[derive(Clone, Copy)]
pub(super) struct Permit<'a> {
    caller: &'a Caller,
}

impl<'a> Permit<'a> {
    /// The directory.
    pub(super) fn directory(self) -> &'a dyn Directory {
        &*self.caller.operations.directory
    }

    /// The directory, for an answer that is read while it is sent.
    pub(super) fn shared_directory(self) -> Arc<dyn Directory> {
        Arc::clone(&self.caller.operations.directory)
    }

    /// The rest of the gateway.
    pub(super) fn gateway(self) -> &'a dyn GatewayApi {
        &*self.caller.operations.gateway
    }

    /// The issuers whose grants count now.
    pub(super) fn in_force(self) -> Arc<ActiveIssuers> {
        self.gateway().active_issuers()
    }

    /// Weighs grants: tells which role each gives now, as a decision would.
    pub(super) fn grant_policy<'s>(self, in_force: &'s ActiveIssuers) -> GrantPolicy<'s>
    where
        'a: 's,
    {
        GrantPolicy::new(self.directory(), in_force, self.now_ms())
    }

    /// The files that get the events of the audit trail too.
    pub(super) fn audit_files(self) -> Vec<String> {
        self.caller.operations.audit_files.get().cloned().unwrap_or_default()
    }

    /// The compiled documents of connections.
    pub(super) fn compiled(self) -> &'a Compiled {
        &self.caller.operations.compiled
    }

    /// The turns that uses of connections take.
    pub(super) fn turns(self) -> &'a AllTurns {
        &self.caller.operations.turns
    }

    /// The facts of this installation.
    pub(super) fn installation(self) -> &'a Installation {
        &self.caller.operations.installation
    }

    /// The clock.
    pub(super) fn clock(self) -> &'a Clock {
        &self.caller.operations.clock
    }

    /// The current time, in milliseconds.
    pub(super) fn now_ms(self) -> i64 {
        self.caller.operations.clock.now_ms()
    }

    /// The actor and the time of the change.
    pub(super) fn by(self) -> By {
        By {
            actor: self.caller.actor.clone(),
            at_ms: self.now_ms(),
        }
    }

    /// Tests whether the caller may see a user. Callers who may read users see all. An organization's own admins see
    /// the users that the organization has met.
    pub(super) async fn sees(self, organization: Option<OrganizationId>, user: UserId) -> Result<bool, OpError> {
        if self.reads_users() {
            return Ok(true);
        }
        match organization {
            Some(organization) => Ok(self.directory().has_met(organization, user).await?),
            None => Ok(false),
        }
    }

    /// Tests whether the caller may read all users.
    pub(super) fn reads_users(self) -> bool {
        self.caller.may(Action::ReadUsers, None)
    }

    /// Returns the named realm, or the only one there is. A realm that no issuer has is refused: no token would ever
    /// meet the records in it. Before there is an issuer, any realm is accepted.
    pub(super) fn realm(self, named: Option<String>) -> Result<Realm, OpError> {
        let mut realms = self.gateway().realms();
        if let Some(realm) = input_rules::realm("realm", named)? {
            if realms.is_empty() || realms.contains(&realm) {
                return Ok(realm);
            }
            let known: Vec<&str> = realms.iter().map(Realm::as_str).collect();
            let detail = format!("no issuer has this realm; the realms are {}", known.join(", "));
            return Err(OpError::invalid("realm", detail));
        }
        match (realms.pop(), realms.len()) {
            (Some(realm), 0) => Ok(realm),
            (Some(_), _) => Err(OpError::invalid("realm", "there is more than one realm; say which")),
            (None, _) => Err(OpError::invalid(
                "realm",
                "no issuer is configured, so there is no realm yet; name one",
            )),
        }
    }

    /// Returns the names of these scopes. The platform has no name.
    pub(super) async fn scope_names(
        self,
        scopes: impl Iterator<Item = Scope>,
    ) -> Result<HashMap<Scope, String>, OpError> {
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
}
