//! Store operations on users, organizations, teams, members and grants: what administrators do.

use async_trait::async_trait;
use narthex_names::{OrganizationId, Realm, TeamId, UserId};

use crate::audit::By;
use crate::command::{
    EditedUser, GrantFilter, Member, NewGrant, NewOrganization, NewTeam, NewUser, OrganizationEdit, OrganizationFilter,
    SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry, UserFilter,
};
use crate::deletion::{Deletion, OrganizationContent};
use crate::directory::{Answer, Carrier, CarrierFilter};
use crate::erasure::{Erasure, RemovedIdentity};
use crate::grant::Grant;
use crate::organization::{Logo, Organization};
use crate::page::{Listing, Page};
use crate::role::Scope;
use crate::team::Team;
use crate::user::User;

/// Users, organizations, teams, members and grants, as administrators see and change them.
#[async_trait]
pub trait People: Send + Sync {
    /// One user.
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>>;

    /// Users, by id.
    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>>;

    /// Creates a user by hand. Nothing is ever merged with it but by its realm and external id.
    async fn create_user(&self, new: NewUser, by: By) -> Answer<User>;

    /// Changes a user that is at `version` (any, if `None`).
    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User>;

    /// Changes several users, all or none, each once. Returns how many differ. In one step no two users can swap what is
    /// unique.
    async fn update_users(&self, edits: Vec<EditedUser>, by: By) -> Answer<usize>;

    /// Erases a user that is at `version` (any, if `None`): ends its sessions, closes its grants, and removes its personal
    /// values from the record, its grants and sessions, and the audit trail. Keeps a keyed hash of realm and external id
    /// with the tokens that are refused from now on. Returns the record under its pseudonym.
    async fn erase_user(&self, user: UserId, version: Option<u64>, erasure: Erasure, by: By) -> Answer<User>;

    /// Takes later tokens of an erased user again, or lets them create a deleted organization again. `false` if nothing was
    /// refused.
    async fn lift_erasure(&self, identity: RemovedIdentity, by: By) -> Answer<bool>;

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

    /// Number of records that end with an organization.
    async fn organization_content(&self, organization: OrganizationId) -> Answer<OrganizationContent>;

    /// Deletes an organization that is at `version` (any, if `None`), with its teams, keys, documents and tags, and closes the
    /// grants in it. Its name stays taken. Keeps a keyed hash of realm and external id, so that no token creates it again.
    async fn delete_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        deletion: Deletion,
        by: By,
    ) -> Answer<()>;

    /// An organization's logo.
    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>>;

    /// Sets or removes an organization's logo.
    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization>;

    /// Users who hold a role in an organization or team (or on the platform) at `now_ms`, by user id.
    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>>;

    /// Users who held a role in an organization or team (or on the platform) at a time, by user id, each with the grants
    /// held then and the highest role of them. A grant counts by its own times alone, whatever is configured now.
    async fn members_as_of(&self, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<Member>>;

    /// Tests whether a user and an organization have met: the user holds a grant in it or in one of its teams, or a
    /// token gave the user one there once. Lapsed grants count until they are closed.
    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool>;

    /// Users whose last token carried certain tags, by id: for previewing a change of tags.
    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>>;

    /// Counts those users, up to `most`.
    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize>;

    /// Those of these tags that tokens of the realm ever carried, sorted.
    async fn tags_ever_seen(&self, realm: Realm, tags: Vec<String>) -> Answer<Vec<String>>;

    /// Tags that tokens carried, by realm and tag.
    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>>;

    /// One team.
    async fn team(&self, team: TeamId) -> Answer<Option<Team>>;

    /// Teams, by id.
    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>>;

    /// Creates a team by hand.
    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team>;

    /// Changes a team that is at `version` (any, if `None`).
    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team>;
}
