//! `/organizations/{name}/people`: the people of an organization.

use askama::Template;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, page};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::address::Address;
use narthex_decision::Action;
use narthex_directory::{EffectiveMember, MembershipRule, SourceKind};
use narthex_ops::members::{self, Group};
use narthex_ops::organizations;

use super::head::{Head, Tab};
use crate::pages::grants::{self, GrantRow};
use crate::pages::notice::Notice;

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    rows: Vec<Row>,
    pager: Pager,
    /// Address of the organization's tags.
    tags: String,
    is_external_only: bool,
    may_change: bool,
}

struct Row {
    name: String,
    email: Option<Address>,
    role: &'static str,
    /// Address of the page that says why the person is here.
    why: String,
    /// Address of the page that ends the person's manual role.
    end: Option<String>,
    /// The grant that gives the role.
    grant: Option<GrantRow>,
}

/// Shows the list.
pub(super) async fn list(visit: Visit, Named(name): Named) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let query = visit.query();
    let listing = members::list(visit.caller(), Group::Organization(&name), query.page()).await?;
    let members = listing.members;
    let own_name = organization.name.as_str();
    let path = paths::in_organization(own_name, "people");
    let may_change = visit.may(Action::WriteMembers, Some(organization.id));
    let is_external_only = organization.membership == MembershipRule::ExternalOnly;
    let may_add = may_change && !is_external_only;
    let row_of = |member: &EffectiveMember| row(&visit, own_name, member, may_change);
    page(&PeoplePage {
        frame: visit.frame(),
        head: Head {
            add: may_add.then(|| paths::in_organization(own_name, "people/add")),
            ..Head::new(&organization, Tab::People)
        },
        notice: Notice::of(query),
        pager: Pager::new(&path, query, &[], members.items.len(), members.next_cursor.as_ref()),
        rows: members.items.iter().map(row_of).collect(),
        tags: paths::organization(own_name),
        is_external_only,
        may_change,
    })
}

fn row(visit: &Visit, organization: &str, member: &EffectiveMember, may_change: bool) -> Row {
    let user = &member.user;
    let person = paths::person(organization, user.id);
    let giving = member
        .grants
        .iter()
        .find(|effective| effective.gives == Ok(member.role));
    let is_manual = member
        .grants
        .iter()
        .any(|effective| effective.grant.source.kind() == SourceKind::Manual);
    Row {
        name: access::name(user).to_owned(),
        email: user.profile.email.as_deref().map(Address::new),
        role: access::role(member.role),
        end: (may_change && is_manual).then(|| format!("{person}/end")),
        // A person of the platform finds everything about the user there.
        why: if visit.may(Action::ReadUsers, None) {
            paths::user(user.id)
        } else {
            person
        },
        grant: giving.map(|effective| grants::row(visit, effective, Some(organization))),
    }
}
