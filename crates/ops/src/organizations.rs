//! Organizations: the records, the tags that give roles in them, and their logos.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{
    Edit, ExternalId, Listing, Logo, MembershipRule, Organization, OrganizationDetails, OrganizationEdit,
    OrganizationFilter, OrganizationId, OrganizationName, OrganizationStatus, OrganizationTags, Page, TagList,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::{PageRequest, cut};
use super::precondition::ExpectedVersion;

pub mod deletion;
mod tag_preview;

pub use tag_preview::{CONFIRM_ABOVE, PreviewTotals, RoleChange, TagPreview, preview};

/// Names of the three lists of tags and
/// `tag_patterns`.
const ADMIN_GROUPS: &str = "external_admin_groups";
const MEMBER_GROUPS: &str = "external_member_groups";
const EXECUTOR_GROUPS: &str = "external_executor_groups";

/// Filters of a list of organizations. An organization must match all that are given.
#[derive(Debug, Clone, Default)]
pub struct OrganizationQuery {
    /// Realm of the organization.
    pub realm: Option<String>,
    /// Exact name.
    pub name: Option<String>,
    /// Exact external id.
    pub external_id: Option<String>,
    /// A tag that the organization lists.
    pub tag: Option<String>,
    /// Text that the name or label contains; ASCII letters match in any case.
    pub q: Option<String>,
}

/// A list of tags, as an administrator writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagsInput {
    /// One text for each tag.
    Entries(Vec<String>),
    /// Tags separated by commas. A tag that contains a comma stands in double quotes.
    Text(String),
}

impl TagsInput {
    /// Parses the list: each tag once, without blanks around it.
    fn parse(self, field: &'static str) -> Result<TagList, OpError> {
        let list = match self {
            Self::Entries(entries) => TagList::from_entries(entries),
            Self::Text(text) => TagList::parse(&text),
        };
        list.map_err(|error| OpError::invalid(field, error))
    }
}

/// Change of an organization's lists of tags.
#[derive(Debug, Clone, Default)]
pub struct TagChange {
    /// Complete list of tags that give the role `admin`.
    pub admin: Edit<TagsInput>,
    /// Complete list of tags that give the role `member`.
    pub member: Edit<TagsInput>,
    /// Complete list of tags that give the role `executor`.
    pub executor: Edit<TagsInput>,
}

impl TagChange {
    fn is_given(&self) -> bool {
        [&self.admin, &self.member, &self.executor]
            .into_iter()
            .any(input_rules::is_given)
    }

    /// Returns the lists after the change.
    fn applied_to(self, now: &OrganizationTags) -> Result<OrganizationTags, OpError> {
        let list = |field, edit: Edit<TagsInput>, now: &TagList| match edit {
            Edit::Keep => Ok(now.clone()),
            Edit::Clear => Ok(TagList::default()),
            Edit::Set(tags) => tags.parse(field),
        };
        Ok(OrganizationTags {
            admin: list(ADMIN_GROUPS, self.admin, &now.admin)?,
            member: list(MEMBER_GROUPS, self.member, &now.member)?,
            executor: list(EXECUTOR_GROUPS, self.executor, &now.executor)?,
        })
    }
}

/// An organization to create.
#[derive(Debug, Clone, Default)]
pub struct NewOrganization {
    /// Unique name, used in paths.
    pub name: String,
    /// Display name; by default its name.
    pub label: Option<String>,
    /// Its realm: one that an issuer has. Required if there is more than one.
    pub realm: Option<String>,
    /// Its id at the identity provider, used exactly as given.
    pub external_id: Option<String>,
    /// Name of the contact person.
    pub contact_name: Option<String>,
    /// E-mail address of the contact person.
    pub contact_email: Option<String>,
    /// Website.
    pub website: Option<String>,
    /// Name of a time zone in the tz database.
    pub timezone: Option<String>,
    /// Permission tags that give roles in it.
    pub tags: TagChange,
    /// `false` if the tag patterns of its realm's issuers give no roles in it; by default `true`.
    pub tag_patterns: Option<bool>,
    /// Sources that may grant roles in it; by default [`MembershipRule::Mixed`].
    pub membership: Option<MembershipRule>,
    /// Status; by default [`OrganizationStatus::Active`].
    pub status: Option<OrganizationStatus>,
}

/// Change of an organization. Its realm cannot change.
#[derive(Debug, Clone, Default)]
pub struct OrganizationChange {
    /// New name, which is never empty. Platform admins only.
    pub name: Edit<String>,
    /// New display name, which is never empty.
    pub label: Edit<String>,
    /// Its id at the identity provider. Platform admins only.
    pub external_id: Edit<String>,
    /// Name of the contact person.
    pub contact_name: Edit<String>,
    /// E-mail address of the contact person.
    pub contact_email: Edit<String>,
    /// Website.
    pub website: Edit<String>,
    /// Name of a time zone in the tz database.
    pub timezone: Edit<String>,
    /// Permission tags that give roles in it.
    pub tags: TagChange,
    /// `false` if the tag patterns of its realm's issuers give no roles in it; never empty.
    pub tag_patterns: Edit<bool>,
    /// Sources that may grant roles in it, never empty. Platform admins only.
    pub membership: Edit<MembershipRule>,
    /// Status, which is never empty. Platform admins only.
    pub status: Edit<OrganizationStatus>,
    /// Reason, for the audit trail.
    pub why: Option<String>,
    /// `true` to change tags that more than [`CONFIRM_ABOVE`] users carry.
    pub confirm: bool,
}

impl OrganizationChange {
    /// Tests whether it changes a member that only platform admins may change.
    const fn is_rule(&self) -> bool {
        input_rules::is_given(&self.name)
            || input_rules::is_given(&self.external_id)
            || input_rules::is_given(&self.membership)
            || input_rules::is_given(&self.status)
    }
}

/// Lists organizations, sorted by id, which is the order of creation. A caller who may not read all gets those that the
/// caller administers.
///
/// # Errors
///
/// When the caller may read none, a filter or the page cannot be used, or the directory fails.
pub async fn list(
    caller: &Caller,
    query: OrganizationQuery,
    page: PageRequest,
) -> Result<Listing<Organization>, OpError> {
    let page = page.page()?;
    let filter = OrganizationFilter {
        realm: input_rules::realm("realm", query.realm)?,
        external_id: query.external_id,
        tag: query.tag,
        q: query.q,
    };
    let name = query.name;
    match (caller.permit(Action::ReadOrganization, None), name) {
        (Ok(permit), None) => Ok(permit.directory().organizations(filter, page).await?),
        (Ok(permit), Some(name)) => {
            let found = match OrganizationName::new(name) {
                Ok(name) => permit.directory().organization_named(name).await?,
                Err(_) => None,
            };
            Ok(matching(found.into_iter().collect(), &filter, &page))
        }
        (Err(refused), name) => {
            let mut own = own(caller).await?;
            if own.is_empty() {
                return Err(refused);
            }
            own.retain(|organization| name.as_deref().is_none_or(|name| organization.name.as_str() == name));
            Ok(matching(own, &filter, &page))
        }
    }
}

/// Returns the organizations that the caller reaches, for a caller who does not reach all.
async fn own(caller: &Caller) -> Result<Vec<Organization>, OpError> {
    let mut own = Vec::new();
    for id in caller.own_organizations(Action::ReadOrganization) {
        let permit: Permit<'_> = caller.permit(Action::ReadOrganization, Some(id))?;
        own.extend(permit.directory().organization(id).await?);
    }
    Ok(own)
}

fn matching(mut all: Vec<Organization>, filter: &OrganizationFilter, page: &Page) -> Listing<Organization> {
    all.retain(|organization| admits(filter, organization));
    cut(all, page, |organization| organization.id.to_string())
}

fn admits(filter: &OrganizationFilter, organization: &Organization) -> bool {
    let holds = |text: &str, q: &str| text.to_ascii_lowercase().contains(&q.to_ascii_lowercase());
    let external_id = organization.external_id.as_ref().map(ExternalId::as_str);
    filter.realm.as_ref().is_none_or(|realm| organization.realm == *realm)
        && filter
            .external_id
            .as_deref()
            .is_none_or(|wanted| external_id == Some(wanted))
        && filter
            .tag
            .as_deref()
            .is_none_or(|tag| organization.tags.role_of(tag).is_some())
        && filter
            .q
            .as_deref()
            .is_none_or(|q| holds(organization.name.as_str(), q) || holds(&organization.label, q))
}

/// Reads the organization with this id or name. Text that is an id is never a name.
///
/// # Errors
///
/// When the caller may not, or there is no such organization.
pub async fn read(caller: &Caller, organization: &str) -> Result<Organization, OpError> {
    let (_, organization) = caller.organization(Action::ReadOrganization, organization).await?;
    Ok(organization)
}

/// Checks that the caller may create organizations, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not.
pub fn may_create(caller: &Caller) -> Result<(), OpError> {
    creation(caller).map(|_| ())
}

fn creation(caller: &Caller) -> Result<Permit<'_>, OpError> {
    caller.permit(Action::CreateOrganization, None)
}

/// Creates an organization.
///
/// # Errors
///
/// When the caller may not, a value breaks its rule, or the directory refuses or fails.
pub async fn create(caller: &Caller, new: NewOrganization) -> Result<Organization, OpError> {
    let permit = creation(caller)?;
    let new = narthex_directory::NewOrganization {
        id: OrganizationId::new(permit.now_ms(), &mut NewIds::new()?),
        label: label(new.label.as_deref().unwrap_or(&new.name))?,
        name: OrganizationName::chosen(new.name).map_err(input_rules::organization_name("name"))?,
        realm: permit.realm(new.realm)?,
        external_id: input_rules::external_id("external_id", new.external_id)?,
        details: OrganizationDetails {
            contact_name: input_rules::given("contact_name", new.contact_name, input_rules::text)?,
            contact_email: input_rules::given("contact_email", new.contact_email, input_rules::text)?,
            website: input_rules::given("website", new.website, input_rules::website)?,
            timezone: input_rules::given("timezone", new.timezone, input_rules::timezone)?,
        },
        tags: new.tags.applied_to(&OrganizationTags::default())?,
        tag_patterns: new.tag_patterns.unwrap_or(true),
        membership: new.membership.unwrap_or(MembershipRule::Mixed),
        status: new.status.unwrap_or(OrganizationStatus::Active),
    };
    Ok(permit.directory().create_organization(new, permit.by()).await?)
}

/// Checks a label, which must not be empty.
fn label(text: &str) -> Result<String, OpError> {
    input_rules::required("label", text, "it is empty")
}

/// Updates an organization. Its own admins may change its label, contact, website and lists of tags.
///
/// # Errors
///
/// When the caller may not, there is no such organization, it is at another version or declared in the configuration, a
/// value breaks its rule, or the directory fails.
pub async fn update(
    caller: &Caller,
    organization: &str,
    expected: &ExpectedVersion,
    change: OrganizationChange,
) -> Result<Organization, OpError> {
    let (permit, organization) = caller.organization(Action::WriteOrganization, organization).await?;
    if change.is_rule() {
        // SECURITY: an external id or a name decides which tokens count here and which paths lead here. An
        // organization's admin who could change them could take over another organization.
        caller.permit(Action::RuleOrganization, Some(organization.id))?;
    }
    let expected = expected.check(organization.version)?;
    // A change of one list must not undo a concurrent change of another: the lists were derived from this version.
    let (tags, read_at) = if change.tags.is_given() {
        let tags = change.tags.clone().applied_to(&organization.tags)?;
        if !change.confirm {
            tag_preview::check_confirmed(permit, &organization, &tags).await?;
        }
        (Some(tags), Some(organization.version))
    } else {
        (None, None)
    };
    let edit = OrganizationEdit {
        tags,
        ..checked(change)?
    };
    let updated = permit
        .directory()
        .update_organization(organization.id, expected.or(read_at), edit, permit.by());
    Ok(updated.await?)
}

/// Checks everything in a change but the lists of tags.
fn checked(change: OrganizationChange) -> Result<OrganizationEdit, OpError> {
    let name = input_rules::never_empty("name", change.name)?
        .map(|name| OrganizationName::chosen(name).map_err(input_rules::organization_name("name")));
    Ok(OrganizationEdit {
        name: name.transpose()?,
        label: input_rules::never_empty("label", change.label)?
            .map(|text| label(&text))
            .transpose()?,
        external_id: input_rules::edited_external_id("external_id", change.external_id)?,
        contact_name: input_rules::edited("contact_name", change.contact_name, input_rules::text)?,
        contact_email: input_rules::edited("contact_email", change.contact_email, input_rules::text)?,
        website: input_rules::edited("website", change.website, input_rules::website)?,
        timezone: input_rules::edited("timezone", change.timezone, input_rules::timezone)?,
        tags: None,
        tag_patterns: input_rules::never_empty("tag_patterns", change.tag_patterns)?,
        membership: input_rules::never_empty("membership", change.membership)?,
        status: input_rules::never_empty("status", change.status)?,
        why: input_rules::why(change.why)?,
    })
}

/// Reads an organization's logo.
///
/// # Errors
///
/// When the caller may not, or there is no such organization or no logo.
pub async fn logo(caller: &Caller, organization: &str) -> Result<Logo, OpError> {
    let (permit, organization) = caller.organization(Action::ReadOrganization, organization).await?;
    let logo = permit.directory().logo(organization.id).await?;
    logo.ok_or(OpError::Unknown { what: "logo" })
}

/// Checks that the caller may set or delete the organization's logo, as [`set_logo`] and [`delete_logo`] do first. A
/// picture is large: it is read from the network only after this.
///
/// # Errors
///
/// When the caller may not, there is no such organization, or it is at another version.
pub async fn may_set_logo(caller: &Caller, organization: &str, expected: &ExpectedVersion) -> Result<(), OpError> {
    logo_change(caller, organization, expected).await.map(|_| ())
}

async fn logo_change<'c>(
    caller: &'c Caller,
    organization: &str,
    expected: &ExpectedVersion,
) -> Result<(Permit<'c>, OrganizationId), OpError> {
    let (permit, organization) = caller.organization(Action::WriteOrganization, organization).await?;
    expected.check(organization.version)?;
    Ok((permit, organization.id))
}

/// Sets an organization's logo: a PNG or JPEG image of at most 1 MB, recognized by its bytes.
///
/// # Errors
///
/// As [`may_set_logo`]; when the bytes are no such image; or when the directory refuses or fails.
pub async fn set_logo(
    caller: &Caller,
    organization: &str,
    expected: &ExpectedVersion,
    bytes: Vec<u8>,
) -> Result<Organization, OpError> {
    let (permit, id) = logo_change(caller, organization, expected).await?;
    let logo =
        Logo::new(bytes).ok_or_else(|| OpError::invalid("logo", "it must be a PNG or a JPEG of at most 1 MB"))?;
    Ok(permit.directory().set_logo(id, Some(logo), permit.by()).await?)
}

/// Deletes an organization's logo.
///
/// # Errors
///
/// As [`may_set_logo`], or when the directory refuses or fails.
pub async fn delete_logo(caller: &Caller, organization: &str, expected: &ExpectedVersion) -> Result<(), OpError> {
    let (permit, id) = logo_change(caller, organization, expected).await?;
    permit.directory().set_logo(id, None, permit.by()).await?;
    Ok(())
}
