//! `/organizations`: what their people share, the tags that say who these are, and who they are.

use narthex_directory::{Organization, TagList, Weighed, WeighedMember};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Admin, Permit};
use super::answer::Found;
use super::edit::Patch;
use super::error::ApiError;
use super::extract::BODY_BYTES_MAX;
use super::time::Time;
use super::users::GrantBody;
use super::words::{Membership, OrganizationStatus, Origin, UserStatus};
use super::{State, tidy};

mod create;
mod list;
mod logo;
mod members;
mod preview;
mod read;
mod teams;
mod update;

pub(super) use members::{GrantScope, member, members};

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, update::update))
        .merge(logo::operations())
        .routes(routes!(members::list::list))
        .routes(routes!(members::read::read, members::put::put, members::delete::delete))
        .routes(routes!(teams::list::list, teams::create::create))
        .routes(routes!(preview::preview))
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrganizationBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Its name in paths; unique.
    #[schema(example = "acme")]
    pub name: String,
    /// Its name for people.
    #[schema(example = "Acme, Inc.")]
    pub label: String,
    /// Whose tags and external ids count here.
    pub realm: String,
    /// What the identity provider calls it.
    #[schema(required)]
    pub external_id: Option<String>,
    /// Who answers for it.
    #[schema(required)]
    pub contact_name: Option<String>,
    /// How to reach them.
    #[schema(required)]
    pub contact_email: Option<String>,
    /// Its site.
    #[schema(required)]
    pub website: Option<String>,
    /// A tz database name.
    #[schema(required)]
    pub timezone: Option<String>,
    /// Whether there is a logo at `…/logo`.
    pub has_logo: bool,
    /// Tags that make admins.
    #[schema(example = json!(["acme-admins"]))]
    pub external_admin_groups: Vec<String>,
    /// Tags that make members.
    #[schema(example = json!(["acme-staff", "CN=Ops,DC=corp"]))]
    pub external_member_groups: Vec<String>,
    /// Tags that make executors.
    pub external_executor_groups: Vec<String>,
    /// Who may say who belongs to it.
    pub membership: Membership,
    /// Whether it is open.
    pub status: OrganizationStatus,
    /// Where it was made, and so where it may be edited.
    pub origin: Origin,
    /// When the record was made.
    pub created_at: Time,
    /// When the record was last changed.
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
            membership: organization.membership.into(),
            status: organization.status.into(),
            origin: organization.origin.into(),
            created_at: Time(organization.created_at_ms),
            updated_at: Time(organization.updated_at_ms),
        }
    }
}

impl From<Organization> for Found<OrganizationBody> {
    fn from(organization: Organization) -> Self {
        Self {
            version: organization.version,
            body: organization.into(),
        }
    }
}

/// Somebody in an organization or a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberBody {
    /// The user's id.
    pub user_id: String,
    /// Who it is.
    pub user: MemberUser,
    /// The highest role that grants give here now, as decisions find it.
    #[schema(example = "member")]
    pub role: &'static str,
    /// The grants that are open here, also those that give nothing now.
    pub grants: Vec<GrantBody>,
}

/// A user, as the others of an organization see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberUser {
    /// Where its external id and username are unique.
    pub realm: String,
    /// What the identity provider calls it.
    pub external_id: String,
    /// Its username.
    pub username: String,
    /// E-mail address.
    #[schema(required)]
    pub email: Option<String>,
    /// Display name.
    #[schema(required)]
    pub name: Option<String>,
    /// Whether it may come in.
    pub status: UserStatus,
}

impl MemberBody {
    /// A member of what has this name.
    pub fn new(member: WeighedMember, name: &str) -> Self {
        let WeighedMember { user, role, grants } = member;
        let grant = |grant: Weighed| GrantBody::new(grant, Some(name.to_owned()));
        Self {
            user_id: user.id.to_string(),
            user: MemberUser {
                realm: user.realm.to_string(),
                external_id: user.external_id.to_string(),
                username: user.username.to_string(),
                email: user.profile.email,
                name: user.profile.name,
                status: user.status.into(),
            },
            role: role.role_str(),
            grants: grants.into_iter().map(grant).collect(),
        }
    }
}

/// A list of tags, as it is sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a list of tags is an array of texts, or one text with commas between the tags"
)]
pub(crate) enum Tags {
    /// One by one.
    List(Vec<String>),
    /// With commas between them; a tag that holds a comma in double quotes.
    #[schema(example = "staff, \"CN=Ops,DC=corp\"")]
    Text(String),
}

impl Tags {
    /// The list, each tag once and without blanks around it.
    fn read(self, field: &'static str) -> Result<TagList, ApiError> {
        let list = match self {
            Self::List(entries) => TagList::from_entries(entries),
            Self::Text(text) => TagList::parse(&text),
        };
        list.map_err(|error| ApiError::invalid(field, error))
    }
}

/// The names of the three lists.
const ADMIN_GROUPS: &str = "external_admin_groups";
const MEMBER_GROUPS: &str = "external_member_groups";
const EXECUTOR_GROUPS: &str = "external_executor_groups";

/// A label: never empty.
fn label(text: &str) -> Result<String, ApiError> {
    tidy::text("label", text)?.ok_or_else(|| ApiError::invalid("label", "it is empty"))
}
