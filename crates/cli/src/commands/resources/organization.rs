//! `narthex organization …`

use narthex_admin::api::{List, MemberBody, OrganizationBody, Origin};
use narthex_admin::ops::organizations::deletion::DeletionTerms;
use narthex_clock::NewIds;
use narthex_directory::{
    Edit, EffectiveMember, ExternalId, Listing, Member, MembershipRule, NewOrganization, OrganizationDetails,
    OrganizationEdit, OrganizationFilter, OrganizationId, OrganizationName, OrganizationStatus, OrganizationTags,
    Realm, RemovedKind, Scope, TagList,
};
use narthex_mapping::profile;

use super::grant::moment_of;
use super::table::Table;
use super::{AdminContext, Answer, effective_origin, gather, usage_error};
use super::{deletion, erasure};
use crate::args::{Common, ListPage, OrganizationCommand, OrganizationFields};
use crate::commands::terminal::moment;

/// Runs it.
pub(super) async fn run(command: OrganizationCommand) -> anyhow::Result<Answer> {
    match command {
        OrganizationCommand::List {
            realm,
            search,
            page,
            common,
        } => list((realm, search), page, &common).await,
        OrganizationCommand::Show { organization, common } => {
            let context = AdminContext::open(&common).await?;
            let found = context.organization(&organization).await?;
            show(&context, &found.into())
        }
        OrganizationCommand::Create {
            name,
            realm,
            fields,
            common,
        } => create(name, realm, fields, &common).await,
        OrganizationCommand::Update {
            organization,
            name,
            status,
            fields,
            common,
        } => update(&organization, name, status.as_deref(), fields, &common).await,
        OrganizationCommand::Delete {
            organization,
            with_content,
            why,
            yes,
            common,
        } => {
            let terms = DeletionTerms { with_content, why };
            deletion::delete(&organization, terms, yes, &common).await
        }
        OrganizationCommand::LiftDeletion {
            external_id,
            realm,
            common,
        } => erasure::lift(RemovedKind::Organization, external_id, realm, &common).await,
        OrganizationCommand::Members {
            organization,
            as_of,
            page,
            common,
        } => members(&organization, as_of, page, &common).await,
    }
}

async fn list(
    (realm, search): (Option<String>, Option<String>),
    page: ListPage,
    common: &Common,
) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let filter = OrganizationFilter {
        realm: realm.map(Realm::new).transpose()?,
        q: search,
        ..OrganizationFilter::default()
    };
    let found = gather(page, |page| context.directory.organizations(filter.clone(), page)).await?;
    context.list(&List::of(found, OrganizationBody::from), |organizations| {
        Table::new(
            ["NAME", "LABEL", "REALM", "STATUS", "MADE BY", "ID"],
            "There are no organizations.",
        )
        .rows(organizations, |organization| {
            let origin = maker(organization.origin).to_owned();
            [
                organization.name.clone(),
                organization.label.clone(),
                organization.realm.clone(),
                word(&organization.status),
                origin,
                organization.id.clone(),
            ]
        })
    })
}

fn show(context: &AdminContext, organization: &OrganizationBody) -> anyhow::Result<Answer> {
    context.answer(organization, || {
        let list = |tags: &[String]| {
            let list = TagList::from_entries(tags)
                .map(|list| list.to_string())
                .unwrap_or_default();
            Some(list).filter(|list| !list.is_empty()).or(Some("-".to_owned()))
        };
        let facts = [
            ("name", Some(organization.name.clone())),
            ("id", Some(organization.id.clone())),
            ("label", Some(organization.label.clone())),
            ("realm", Some(organization.realm.clone())),
            ("external id", organization.external_id.clone()),
            ("status", Some(word(&organization.status))),
            ("membership", Some(word(&organization.membership))),
            ("made by", Some(maker(organization.origin).to_owned())),
            ("admin groups", list(&organization.external_admin_groups)),
            ("member groups", list(&organization.external_member_groups)),
            ("executor groups", list(&organization.external_executor_groups)),
            ("contact", organization.contact_name.clone()),
            ("contact e-mail", organization.contact_email.clone()),
            ("website", organization.website.clone()),
            ("time zone", organization.timezone.clone()),
            ("made", Some(moment(organization.created_at.0))),
            ("changed", Some(moment(organization.updated_at.0))),
        ];
        Table::facts(facts).to_string()
    })
}

/// Creator of an organization, in words; the audit trail tells the API and the command line apart.
const fn maker(origin: Origin) -> &'static str {
    match origin {
        Origin::Api => "an administrator",
        Origin::Claim => "the claims of a token",
        Origin::Config => "the configuration",
    }
}

/// A name for an organization. What is refused is often meant for a label.
fn chosen(name: String) -> anyhow::Result<OrganizationName> {
    OrganizationName::chosen(name).map_err(|error| {
        let label = match error.suggestion() {
            Some(_) => ", and `--label` for the name that people read",
            None => "",
        };
        anyhow::anyhow!("{error}{label}")
    })
}

async fn create(
    name: String,
    realm: Option<String>,
    fields: OrganizationFields,
    common: &Common,
) -> anyhow::Result<Answer> {
    let name = chosen(name)?;
    let fields = Fields::read(fields)?;
    let context = AdminContext::open(common).await?;
    let new = NewOrganization {
        id: OrganizationId::new(context.now_ms(), &mut NewIds::new()?),
        label: fields.label.unwrap_or_else(|| name.to_string()),
        name,
        realm: context.realm(realm)?,
        external_id: fields.external_id,
        details: OrganizationDetails::default(),
        tags: OrganizationTags {
            admin: fields.admin.unwrap_or_default(),
            member: fields.member.unwrap_or_default(),
            executor: fields.executor.unwrap_or_default(),
        },
        tag_patterns: true,
        membership: fields.membership.unwrap_or(MembershipRule::Mixed),
        status: OrganizationStatus::Active,
    };
    let made = context.directory.create_organization(new, context.by()).await?;
    show(&context, &made.into())
}

async fn update(
    organization: &str,
    name: Option<String>,
    status: Option<&str>,
    fields: OrganizationFields,
    common: &Common,
) -> anyhow::Result<Answer> {
    let fields = Fields::read(fields)?;
    let name = name.map(chosen).transpose()?;
    let status: Option<OrganizationStatus> = status.map(str::parse).transpose()?;
    let context = AdminContext::open(common).await?;
    let found = context.organization(organization).await?;
    let lists = [&fields.admin, &fields.member, &fields.executor];
    // The lists are written together: the two that stay must still be what they were.
    let read_at = lists.iter().any(|list| list.is_some()).then_some(found.version);
    let tags = read_at.map(|_| OrganizationTags {
        admin: fields.admin.unwrap_or(found.tags.admin),
        member: fields.member.unwrap_or(found.tags.member),
        executor: fields.executor.unwrap_or(found.tags.executor),
    });
    let edit = OrganizationEdit {
        name,
        label: fields.label,
        external_id: fields.external_id.map_or(Edit::Keep, Edit::Set),
        tags,
        membership: fields.membership,
        status,
        ..OrganizationEdit::default()
    };
    if edit == OrganizationEdit::default() {
        return Err(usage_error(
            "nothing to change is given; `narthex organization update --help` lists what can be",
        ));
    }
    let updated = context
        .directory
        .update_organization(found.id, read_at, edit, context.by())
        .await?;
    show(&context, &updated.into())
}

async fn members(organization: &str, as_of: Option<String>, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?;
    list_members(
        &context,
        Scope::Organization(organization.id),
        organization.name.as_str(),
        as_of,
        page,
    )
    .await
}

/// Reads the members of a scope now, or (with `as_of`) those at a past time, with the grants and the roles held then.
async fn members_of(
    context: &AdminContext,
    scope: Scope,
    as_of: Option<String>,
    page: ListPage,
) -> anyhow::Result<Listing<EffectiveMember>> {
    let Some(text) = as_of else {
        let now_ms = context.now_ms();
        let found = gather(page, |page| context.directory.members(scope, now_ms, page)).await?;
        return Ok(Listing {
            items: context.grant_policy().members(found.items).await?,
            next_cursor: found.next_cursor,
        });
    };
    let at_ms = moment_of("--as-of", &text)?;
    let found = gather(page, |page| context.directory.members_as_of(scope, at_ms, page)).await?;
    let mut policy = context.grant_policy();
    let mut members = Vec::with_capacity(found.items.len());
    for Member { user, role, grants } in found.items {
        let grants = policy.effective_grants(&user.realm, grants).await?;
        members.push(EffectiveMember { user, role, grants });
    }
    Ok(Listing {
        items: members,
        next_cursor: found.next_cursor,
    })
}

/// Lists the members of an organization or a team, with the role and its source.
pub(super) async fn list_members(
    context: &AdminContext,
    scope: Scope,
    name: &str,
    as_of: Option<String>,
    page: ListPage,
) -> anyhow::Result<Answer> {
    let found = members_of(context, scope, as_of, page).await?;
    let origins: Vec<String> = found
        .items
        .iter()
        .map(|member| {
            member
                .grants
                .iter()
                .map(effective_origin)
                .collect::<Vec<_>>()
                .join("; ")
        })
        .collect();
    context.list(&List::of(found, |member| MemberBody::new(member, name)), |members| {
        let mut table = Table::new(["USERNAME", "ROLE", "FROM", "USER ID"], "It has no members.");
        for (member, from) in members.iter().zip(origins) {
            table.row([
                member.user.username.clone(),
                member.role.to_owned(),
                from,
                member.user_id.clone(),
            ]);
        }
        table
    })
}

/// Parsed fields of an organization.
struct Fields {
    label: Option<String>,
    external_id: Option<ExternalId>,
    admin: Option<TagList>,
    member: Option<TagList>,
    executor: Option<TagList>,
    membership: Option<MembershipRule>,
}

impl Fields {
    fn read(fields: OrganizationFields) -> anyhow::Result<Self> {
        let list = |option: &str, text: Option<String>| {
            let read = text.as_deref().map(TagList::parse).transpose();
            read.map_err(|error| usage_error(format!("`{option}`: {error}")))
        };
        let label = fields.label.map(|text| profile::text(&text)).transpose();
        let label = label.map_err(|error| usage_error(format!("`--label`: {error}")))?;
        if label == Some(None) {
            return Err(usage_error("`--label` is empty"));
        }
        Ok(Self {
            label: label.flatten(),
            external_id: fields.external_id.map(ExternalId::new).transpose()?,
            admin: list("--admin-groups", fields.admin_groups)?,
            member: list("--member-groups", fields.member_groups)?,
            executor: list("--executor-groups", fields.executor_groups)?,
            membership: fields.membership.as_deref().map(str::parse).transpose()?,
        })
    }
}

/// A word of the API as text.
pub(super) fn word(word: &impl serde::Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}
