//! `/organizations`: organizations, the tags that give roles in them, and their members.

use narthex_directory::{EffectiveGrant, EffectiveMember, Organization, TagList, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::ApiError;
use super::extract::BODY_BYTES_MAX;
use super::extract::RequestCaller;
use super::merge_patch::Patch;
use super::response::{List, VersionedRecord};
use super::time::Time;
use super::users::GrantBody;
use super::wire_enums::{Membership, OrganizationStatus, Origin, UserStatus};
use narthex_ops::as_of::PastRole;
use narthex_ops::members::{GroupMember, GroupMembers};
use narthex_ops::organizations::TagsInput;

mod create;
mod deletion;
mod list;
mod logo;
mod members;
mod preview;
mod read;
mod role_changes;
mod teams;
mod update;

pub use deletion::OrganizationContentBody;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update, deletion::delete))
        .routes(routes!(deletion::preview))
        .routes(routes!(deletion::lift))
        .merge(logo::operations())
        .routes(routes!(members::list::list))
        .routes(routes!(members::read::read, members::put::put, members::delete::delete))
        .routes(routes!(teams::list::list, teams::create::create))
        .routes(routes!(preview::preview))
        .routes(routes!(role_changes::list))
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrganizationBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Unique name, used in paths.
    #[schema(example = "acme")]
    pub name: String,
    /// Display name.
    #[schema(example = "Acme, Inc.")]
    pub label: String,
    /// Realm whose tags and external ids count here.
    pub realm: String,
    /// Its id at the identity provider.
    #[schema(required)]
    pub external_id: Option<String>,
    /// Name of the contact person.
    #[schema(required)]
    pub contact_name: Option<String>,
    /// E-mail address of the contact person.
    #[schema(required)]
    pub contact_email: Option<String>,
    /// Website.
    #[schema(required)]
    pub website: Option<String>,
    /// Name of a time zone in the tz database.
    #[schema(required)]
    pub timezone: Option<String>,
    /// `true` if there is a logo at `…/logo`.
    pub has_logo: bool,
    /// Permission tags that give the role `admin`.
    #[schema(example = json!(["acme-admins"]))]
    pub external_admin_groups: Vec<String>,
    /// Permission tags that give the role `member`.
    #[schema(example = json!(["acme-staff", "CN=Ops,DC=corp"]))]
    pub external_member_groups: Vec<String>,
    /// Permission tags that give the role `executor`.
    pub external_executor_groups: Vec<String>,
    /// `true` if the tag patterns of its realm's issuers give roles in it.
    pub tag_patterns: bool,
    /// Sources that may grant roles in it.
    pub membership: Membership,
    /// Status of the organization.
    pub status: OrganizationStatus,
    /// Origin of the record, which decides where it may be edited.
    pub origin: Origin,
    /// Time at which the record was created.
    pub created_at: Time,
    /// Time of the last change of the record.
    pub updated_at: Time,
}

impl From<Organization> for OrganizationBody {
    fn from(organization: Organization) -> Self {
        let texts = |list: &TagList| list.texts().map(str::to_owned).collect();
        Self {
            id: organization.id.to_string(),
            name: organization.name.to_string(),
            label: organization.label,
            realm: organization.realm.to_string(),
            external_id: organization.external_id.map(|id| id.to_string()),
            contact_name: organization.details.contact_name,
            contact_email: organization.details.contact_email,
            website: organization.details.website,
            timezone: organization.details.timezone,
            has_logo: organization.has_logo,
            external_admin_groups: texts(&organization.tags.admin),
            external_member_groups: texts(&organization.tags.member),
            external_executor_groups: texts(&organization.tags.executor),
            tag_patterns: organization.tag_patterns,
            membership: organization.membership.into(),
            status: organization.status.into(),
            origin: organization.origin.into(),
            created_at: Time(organization.created_at_ms),
            updated_at: Time(organization.updated_at_ms),
        }
    }
}

impl From<Organization> for VersionedRecord<OrganizationBody> {
    fn from(organization: Organization) -> Self {
        Self {
            version: organization.version,
            body: organization.into(),
        }
    }
}

/// A member of an organization or a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberBody {
    /// The user's id.
    pub user_id: String,
    /// The user's profile.
    pub user: MemberUser,
    /// The highest role that its grants give here now, as in a decision.
    #[schema(example = "member")]
    pub role: &'static str,
    /// The open grants here, including those that give nothing now.
    pub grants: Vec<GrantBody>,
}

/// A user, as the other members of an organization see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberUser {
    /// Realm in which its external id and username are unique.
    pub realm: String,
    /// Its id at the identity provider.
    pub external_id: String,
    /// Its username.
    pub username: String,
    /// E-mail address.
    #[schema(required)]
    pub email: Option<String>,
    /// Display name.
    #[schema(required)]
    pub name: Option<String>,
    /// Status of the user; a disabled user is refused.
    pub status: UserStatus,
}

impl MemberUser {
    /// Builds the part of a user that is shown.
    pub(crate) fn of(user: User) -> Self {
        Self {
            realm: user.realm.to_string(),
            external_id: user.external_id.to_string(),
            username: user.username.to_string(),
            email: user.profile.email,
            name: user.profile.name,
            status: user.status.into(),
        }
    }
}

impl From<GroupMember> for MemberBody {
    fn from(GroupMember { group, member }: GroupMember) -> Self {
        Self::new(member, &group)
    }
}

impl From<GroupMembers> for List<MemberBody> {
    fn from(GroupMembers { group, members }: GroupMembers) -> Self {
        Self::of(members, |member| MemberBody::new(member, &group))
    }
}

impl MemberBody {
    /// Builds the member that a user was at a past time, in an organization or team with this name.
    pub(crate) fn past(past: PastRole, name: &str) -> Self {
        let PastRole { held, effective, .. } = past;
        let member = EffectiveMember {
            user: held.user,
            role: held.role,
            grants: effective,
        };
        Self::new(member, name)
    }

    /// Builds the member of an organization or team with this name.
    pub fn new(member: EffectiveMember, name: &str) -> Self {
        let EffectiveMember { user, role, grants } = member;
        let grant = |grant: EffectiveGrant| GrantBody::new(grant, Some(name.to_owned()));
        Self {
            user_id: user.id.to_string(),
            user: MemberUser::of(user),
            role: role.role_str(),
            grants: grants.into_iter().map(grant).collect(),
        }
    }
}

/// List of tags, as the client sends it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a list of tags is an array of texts, or one text with commas between the tags"
)]
pub(crate) enum Tags {
    /// A JSON array of tags.
    List(Vec<String>),
    /// Tags separated by commas. Put a tag that contains a comma in double quotes.
    #[schema(example = "staff, \"CN=Ops,DC=corp\"")]
    Text(String),
}

impl From<Tags> for TagsInput {
    fn from(tags: Tags) -> Self {
        match tags {
            Tags::List(entries) => Self::Entries(entries),
            Tags::Text(text) => Self::Text(text),
        }
    }
}
