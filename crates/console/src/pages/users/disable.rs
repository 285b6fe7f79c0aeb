//! `/users/{id}/disable` and `/users/{id}/enable`.

use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_console_frame::wording::access;
use narthex_decision::Action;
use narthex_directory::{Edit, OrganizationRole, PAGE_LIMIT_MAX, ScopedRole, User, UserStatus};
use narthex_ops::members::{self, Group};
use narthex_ops::users::{self, NamedGrant, UserChange};
use narthex_ops::{ExpectedVersion, PageRequest};

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Maximum number of organizations whose admins are looked at.
const ORGANIZATIONS_MAX: usize = 10;

/// Asks before the user is disabled.
pub(super) async fn question(visit: Visit, Named(id): Named) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    ask(&visit, &id, Again::First).await
}

/// Disables the user.
pub(super) async fn disable(visit: Visit, Named(id): Named, Form(form): Form) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let expected = confirm::version(&form);
    let change = UserChange {
        why: form.filled(confirm::WHY),
        ..status(UserStatus::Disabled)
    };
    match users::update(visit.caller(), &id, &expected, change).await {
        Ok(_) => Ok(see(&notice::after(&paths::user(id), "disabled"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &id, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &id, Again::Changed).await,
        },
    }
}

/// Enables the user again.
pub(super) async fn enable(visit: Visit, Named(id): Named) -> Answer {
    let change = status(UserStatus::Active);
    let entry = users::update(visit.caller(), &id, &ExpectedVersion::Any, change).await?;
    Ok(see(&notice::after(&paths::user(entry.user.id), "enabled")))
}

fn status(status: UserStatus) -> UserChange {
    UserChange {
        status: Edit::Set(status),
        ..UserChange::default()
    }
}

async fn ask(visit: &Visit, id: &str, again: Again) -> Answer {
    let user = users::read(visit.caller(), id).await?.user;
    let all = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    let held = users::grants(visit.caller(), id, None, all).await?.items;
    let (name, href) = (access::name(&user), paths::user(user.id));
    let mut consequences = vec![
        Consequence::ends("Every request is refused").text(" with ").code(
            "identity.disabled",
            ", on all nodes within a second. Open WebSockets and downloads end.",
        ),
        Consequence::stays("The roles stay on record").text(format!(
            " and count again once {name} is enabled{}.",
            roles(&held).map(|roles| format!(": {roles}")).unwrap_or_default()
        )),
    ];
    let left = left_without_admin(visit, &user, &held).await?;
    consequences.extend(left.iter().map(|organization| {
        Consequence::mind(format!("{organization} is left without an admin."))
            .text(" Make another person an admin first.")
    }));
    let question = Question {
        crumbs: vec![Crumb::new("/users", "Users"), Crumb::new(href.clone(), name)],
        title: format!("Disable {name}?"),
        line: format!("{name} can come back only when an administrator enables the account again. No token does that."),
        heading: format!("What happens when you disable {name}"),
        consequences,
        button: format!("Disable {name}"),
        back: href,
        version: Some(user.version),
        reason: Some(confirm::reason()),
    };
    confirm::ask(visit, &question, again)
}

/// Lists the roles that are given now; `None` where there are none.
fn roles(held: &[NamedGrant]) -> Option<String> {
    let giving = held.iter().filter_map(|named| {
        let role = access::role(named.grant.gives.ok()?).to_lowercase();
        Some(match named.scope_name.as_deref() {
            Some(name) => format!("{role} of {name}"),
            None => format!("platform {role}"),
        })
    });
    let mut roles: Vec<String> = giving.collect();
    roles.sort();
    roles.dedup();
    (!roles.is_empty()).then(|| roles.join(", "))
}

/// Returns the names of the organizations whose only admin this user is, among the first few that it administers. An
/// organization with more members than fit on a page is not looked at.
async fn left_without_admin(visit: &Visit, user: &User, held: &[NamedGrant]) -> Result<Vec<String>, Failed> {
    let administered = held.iter().filter_map(|named| match named.grant.gives {
        Ok(ScopedRole::Organization(_, OrganizationRole::Admin)) => named.scope_name.clone(),
        _ => None,
    });
    let mut names: Vec<String> = administered.collect();
    names.sort();
    names.dedup();
    let mut left = Vec::new();
    for name in names.into_iter().take(ORGANIZATIONS_MAX) {
        let all = PageRequest {
            cursor: None,
            limit: Some(PAGE_LIMIT_MAX),
        };
        let found = members::list(visit.caller(), Group::Organization(&name), all)
            .await?
            .members;
        let has_other = found.items.iter().any(|member| {
            member.user.id != user.id && matches!(member.role, ScopedRole::Organization(_, OrganizationRole::Admin))
        });
        if !has_other && found.next_cursor.is_none() {
            left.push(name);
        }
    }
    Ok(left)
}
