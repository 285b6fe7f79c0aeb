//! Permissions of the admin API: which actor may do what.

use narthex_directory::{OrganizationId, OrganizationRole, PlatformRole};

/// Action that the admin API offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// List and read users and their grants.
    ReadUsers,
    /// Change a user, sign a user out everywhere.
    WriteUsers,
    /// Read an organization.
    ReadOrganization,
    /// Change what belongs to the organization itself: label, contact, site, logo, tag lists.
    WriteOrganization,
    /// Change what decides who it is: name, realm, external id, membership rule, status; delete it.
    RuleOrganization,
    /// Create an organization.
    CreateOrganization,
    /// Read an organization's members and teams.
    ReadMembers,
    /// Grant and revoke manual grants, create and change teams.
    WriteMembers,
    /// Read issuers and the health of their keys.
    ReadIssuers,
    /// Create, change and delete issuers at run time, and create setup links.
    WriteIssuers,
    /// Have an issuer's keys fetched now.
    RefreshIssuers,
    /// Read the routes.
    ReadRoutes,
    /// Explain a token.
    Explain,
    /// Read audit events.
    ReadAudit,
    /// Read the list of API keys (never the keys themselves).
    ReadApiKeys,
    /// Create and revoke API keys.
    WriteApiKeys,
    /// Read the list of an organization's machine keys (never the keys themselves).
    ReadMachineKeys,
    /// Create and revoke an organization's machine keys.
    WriteMachineKeys,
    /// Read which tags were seen and who lists them.
    ReadTags,
    /// List an organization's connections: what they are called and what they need, not what they say.
    ListConnections,
    /// Have a connection render its request, or send it.
    UseConnections,
    /// Read what a connection's document says. Its secrets are never read.
    ReadConnections,
    /// Create, change and delete connections.
    WriteConnections,
    /// Read webhooks, their tries and what waits for them. Their secrets are never read.
    ReadWebhooks,
    /// Create, change and delete webhooks, and have events sent again.
    WriteWebhooks,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 25] = [
        Self::ReadUsers,
        Self::WriteUsers,
        Self::ReadOrganization,
        Self::WriteOrganization,
        Self::RuleOrganization,
        Self::CreateOrganization,
        Self::ReadMembers,
        Self::WriteMembers,
        Self::ReadIssuers,
        Self::WriteIssuers,
        Self::RefreshIssuers,
        Self::ReadRoutes,
        Self::Explain,
        Self::ReadAudit,
        Self::ReadApiKeys,
        Self::WriteApiKeys,
        Self::ReadMachineKeys,
        Self::WriteMachineKeys,
        Self::ReadTags,
        Self::ListConnections,
        Self::UseConnections,
        Self::ReadConnections,
        Self::WriteConnections,
        Self::ReadWebhooks,
        Self::WriteWebhooks,
    ];

    /// Tests whether the action changes nothing. Explaining writes nothing by construction.
    const fn is_reading(self) -> bool {
        matches!(
            self,
            Self::ReadUsers
                | Self::ReadOrganization
                | Self::ReadMembers
                | Self::ReadIssuers
                | Self::ReadRoutes
                | Self::Explain
                | Self::ReadAudit
                | Self::ReadApiKeys
                | Self::ReadMachineKeys
                | Self::ReadTags
                | Self::ListConnections
                | Self::ReadConnections
                | Self::ReadWebhooks
        )
    }

    /// Lowest role in an organization that may do it there; `None` where no role in one is enough.
    const fn organization_role(self) -> Option<OrganizationRole> {
        match self {
            Self::ReadOrganization
            | Self::WriteOrganization
            | Self::ReadMembers
            | Self::WriteMembers
            | Self::ReadMachineKeys
            | Self::WriteMachineKeys
            | Self::ReadConnections
            | Self::WriteConnections => Some(OrganizationRole::Admin),
            Self::ListConnections | Self::UseConnections => Some(OrganizationRole::Member),
            _ => None,
        }
    }
}

/// Extent of an actor's rights in the admin API: everything, or one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorScope {
    /// The whole installation, with this role.
    Platform(PlatformRole),
    /// One organization, with this role there.
    Organization(OrganizationId, OrganizationRole),
}

/// Caller of the admin API: an API key, or a person with a token. A person may have several scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Every scope the actor has.
    pub scopes: Vec<ActorScope>,
}

impl Actor {
    /// Tests whether the actor may do this; `organization` is the one the action is about, if it is about one.
    pub fn may(&self, action: Action, organization: Option<OrganizationId>) -> bool {
        self.scopes.iter().any(|scope| match scope {
            ActorScope::Platform(PlatformRole::Admin) => true,
            ActorScope::Platform(PlatformRole::Viewer) => action.is_reading(),
            // SECURITY: an action that is about no organization is never an organization admin's.
            ActorScope::Organization(own, role) => {
                action.organization_role().is_some_and(|least| *role >= least) && organization == Some(*own)
            }
            ActorScope::Platform(PlatformRole::User) => false,
        })
    }
}
