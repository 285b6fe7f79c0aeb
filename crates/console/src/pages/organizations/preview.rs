//! `/organizations/{name}/preview`: the people who would gain or lose a role by a change of tags.

use std::collections::HashSet;

use askama::Template;
use askama::filters::HtmlSafe;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html};
use narthex_console_frame::wording::address::Address;
use narthex_console_frame::wording::number;
use narthex_decision::Action;
use narthex_directory::{
    Organization, OrganizationRole, OrganizationTags, PAGE_LIMIT_MAX, ScopedRole, TagList, UserId,
};
use narthex_ops::PageRequest;
use narthex_ops::members::{self, Group};
use narthex_ops::organizations::{self, RoleChange, TagPreview};

use super::edit;
use super::form::{self, TAG_LISTS};
use super::meets;

/// Name of the hidden field with the consequence that needs a tick.
pub(super) const NEEDS: &str = "needs";
/// Name of the box to tick.
pub(super) const CONFIRM: &str = "confirm";

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage<'a> {
    frame: &'a Frame,
    label: &'a str,
    href: String,
    lists: Vec<ListChange>,
    losing: RoleTable<'a>,
    gaining: RoleTable<'a>,
    /// Sentence about people who are not shown to this caller.
    others: Option<String>,
    /// Tags that are added and that no token ever carried.
    never_seen: &'a [String],
    /// `true` if more people carry these tags than were looked at.
    has_more: bool,
    loses_last_admin: bool,
    /// The fields of the form, to be sent again.
    fields: Vec<(&'a str, &'a str)>,
    button: String,
}

/// Change of a list of tags.
struct ListChange {
    label: &'static str,
    kept: Vec<String>,
    gone: Vec<String>,
    added: Vec<String>,
}

/// People whose role changes.
#[derive(Template)]
#[template(path = "preview_rows.html")]
struct RoleTable<'a> {
    label: &'a str,
    rows: Vec<Row>,
}

impl HtmlSafe for RoleTable<'_> {}

struct Row {
    href: String,
    name: String,
    email: Option<Address>,
    before: &'static str,
    after: &'static str,
    tags: Vec<String>,
}

/// Shows who would gain and who would lose. A change that touches no tag is saved at once.
pub(super) async fn preview(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let fields = meets::replaced(fields);
    let organization = organizations::read(visit.caller(), &name).await?;
    visit.needs(Action::WriteOrganization, Some(organization.id))?;
    if !edit::touches_tags(&form::tag_change(&fields)) {
        return edit::save_form(&visit, &name, &fields).await;
    }
    ask(&visit, &organization, &fields, StatusCode::OK).await
}

/// Shows the preview of a form.
pub(super) async fn ask(visit: &Visit, organization: &Organization, fields: &Fields, status: StatusCode) -> Answer {
    let all = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    let name = organization.name.as_str();
    let found = match organizations::preview(visit.caller(), name, form::tag_change(fields), all).await {
        Ok(found) => found,
        Err(error) => {
            return match not_done(error)? {
                NotDone::Faults(faults) => edit::show_faults(visit, organization, fields, &faults),
                NotDone::Changed => edit::show_merged(visit, organization, fields).await,
            };
        }
    };
    let loses_last_admin = loses_last_admin(visit, organization, &found).await?;
    let (losing, gaining): (Vec<&RoleChange>, Vec<&RoleChange>) =
        found.items.iter().partition(|change| change.after < change.before);
    let count = losing.len().saturating_add(gaining.len());
    let table = |changes: Vec<&RoleChange>| RoleTable {
        label: &organization.label,
        rows: changes.into_iter().map(|change| row(visit, name, change)).collect(),
    };
    let page = PreviewPage {
        frame: visit.frame(),
        label: &organization.label,
        href: paths::organization(name),
        lists: lists(&organization.tags, fields),
        losing: table(losing),
        gaining: table(gaining),
        others: found.others_gaining.filter(|others| *others > 0).map(|others| {
            let people = number::counted(others, "person who is", "people who are");
            format!("{people} not in it today would come in. You see the names once they are in.")
        }),
        never_seen: &found.never_seen,
        has_more: found.next_cursor.is_some(),
        loses_last_admin,
        fields: fields.but(&[NEEDS, CONFIRM]),
        button: match count {
            0 => "Save changes".to_owned(),
            count => format!("Save and change {}", number::counted(count, "person", "people")),
        },
    };
    html(status, &page)
}

/// Tests whether no admin of the organization would be left. An organization with more members than fit on a page is
/// taken to have another one.
async fn loses_last_admin(visit: &Visit, organization: &Organization, found: &TagPreview) -> Result<bool, Failed> {
    let admin = Some(OrganizationRole::Admin);
    let demoted = found
        .items
        .iter()
        .filter(|change| change.before == admin && change.after != admin);
    let demoted: HashSet<UserId> = demoted.map(|change| change.user).collect();
    if demoted.is_empty() || found.items.iter().any(|change| change.after == admin) {
        return Ok(false);
    }
    let all = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    let group = Group::Organization(organization.name.as_str());
    let members = members::list(visit.caller(), group, all).await?.members;
    let stays = members.items.iter().any(|member| {
        matches!(member.role, ScopedRole::Organization(_, OrganizationRole::Admin))
            && !demoted.contains(&member.user.id)
    });
    Ok(!stays && members.next_cursor.is_none())
}

fn row(visit: &Visit, organization: &str, change: &RoleChange) -> Row {
    Row {
        href: if visit.may(Action::ReadUsers, None) {
            paths::user(change.user)
        } else {
            paths::person(organization, change.user)
        },
        name: change.name.clone().unwrap_or_else(|| change.username.to_string()),
        email: change.email.as_deref().map(Address::new),
        before: role(change.before),
        after: role(change.after),
        tags: change.tags.clone(),
    }
}

fn role(role: Option<OrganizationRole>) -> &'static str {
    match role {
        Some(OrganizationRole::Executor) => "Executor",
        Some(OrganizationRole::Member) => "Member",
        Some(OrganizationRole::Admin) => "Admin",
        None => "None",
    }
}

/// Compares the lists that the form changes with those that are saved.
fn lists(saved: &OrganizationTags, fields: &Fields) -> Vec<ListChange> {
    let labels = [
        "External Admin Group",
        "External Member Group",
        "External Executor Group",
    ];
    let saved = [&saved.admin, &saved.member, &saved.executor];
    let all = TAG_LISTS.into_iter().zip(labels).zip(saved);
    let changed = all.filter_map(|((name, label), saved)| {
        let typed = TagList::parse(fields.sent(name)?).ok()?;
        (typed != *saved).then(|| list_change(label, saved, &typed))
    });
    changed.collect()
}

fn list_change(label: &'static str, saved: &TagList, typed: &TagList) -> ListChange {
    let (kept, gone): (Vec<&str>, Vec<&str>) = saved.texts().partition(|tag| typed.contains(tag));
    let added = typed.texts().filter(|tag| !saved.contains(tag));
    let owned = |tags: Vec<&str>| tags.into_iter().map(str::to_owned).collect();
    ListChange {
        label,
        kept: owned(kept),
        gone: owned(gone),
        added: added.map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_compared_tag_by_tag() {
        let saved = OrganizationTags {
            member: TagList::parse("a, b").unwrap(),
            ..OrganizationTags::default()
        };
        let fields = Fields::parse(b"external_member_groups=b,+c&external_admin_groups=");
        let changes = lists(&saved, &fields);
        assert_eq!(changes.len(), 1);
        let [change] = changes.as_slice() else { panic!() };
        assert_eq!(
            (change.label, change.kept.as_slice()),
            ("External Member Group", &["b".to_owned()][..])
        );
        assert_eq!(
            (&change.gone, &change.added),
            (&vec!["a".to_owned()], &vec!["c".to_owned()])
        );
    }
}
