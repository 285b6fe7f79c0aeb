//! `/users/{id}`: a user's roles, history and profile.

use askama::Template;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, page};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::address::Address;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{PAGE_LIMIT_MAX, Scope, SourceKind, User, UserStatus};
use narthex_ops::PageRequest;
use narthex_ops::audit_events::{self, EventQuery};
use narthex_ops::users::{self, NamedGrant};

use crate::pages::events::{self, EventRow};
use crate::pages::grants::{self, GrantRow};
use crate::pages::notice::Notice;

/// Maximum number of events in the history.
const EVENTS_MAX: usize = 20;

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    user: &'a User,
    name: &'a str,
    href: String,
    is_disabled: bool,
    email: Option<Address>,
    last_seen: Option<Moment>,
    created: Moment,
    signed_out: Option<Moment>,
    context: Vec<(&'a str, String)>,
    grants: Vec<GrantRow>,
    /// `true` if there are more grants than are shown.
    has_more: bool,
    history: Vec<EventRow>,
    may_change: bool,
    /// Address of the page that grants a platform role, or ends the one that was granted manually.
    platform_role: String,
    /// Text of the link to it.
    platform_role_text: &'static str,
}

/// Shows the user.
pub(super) async fn read(visit: Visit, Named(id): Named) -> Answer {
    let caller = visit.caller();
    let entry = users::read(caller, &id).await?;
    let user = &entry.user;
    let all = PageRequest {
        cursor: None,
        limit: Some(PAGE_LIMIT_MAX),
    };
    let held = users::grants(caller, &id, None, all).await?;
    let context = user.context.iter();
    let role = paths::user(user.id) + "/platform-role";
    let (platform_role, platform_role_text) = if held.items.iter().any(is_manual_role) {
        (role + "/end", "Remove the platform role")
    } else {
        (role, "Grant a platform role")
    };
    page(&UserPage {
        frame: visit.frame(),
        notice: Notice::of(visit.query()),
        user,
        name: access::name(user),
        href: paths::user(user.id),
        is_disabled: user.status == UserStatus::Disabled,
        email: user.profile.email.as_deref().map(Address::new),
        last_seen: user.last_seen_at_ms.map(|at_ms| visit.moment(at_ms)),
        created: visit.moment(user.created_at_ms),
        signed_out: user.tokens_not_before_ms.map(|at_ms| visit.moment(at_ms)),
        context: context
            .map(|(name, value)| (name.as_str(), value.to_string()))
            .collect(),
        grants: grants::rows(&visit, &held.items),
        has_more: held.next_cursor.is_some(),
        history: history(&visit, user).await?,
        may_change: visit.may(Action::WriteUsers, None),
        platform_role,
        platform_role_text,
    })
}

fn is_manual_role(named: &NamedGrant) -> bool {
    let grant = &named.grant.grant;
    grant.scope() == Scope::Platform && grant.source.kind() == SourceKind::Manual
}

/// Reads the latest events about a user; none for a caller who may not read the audit trail.
async fn history(visit: &Visit, user: &User) -> Result<Vec<EventRow>, Failed> {
    if !visit.may(Action::ReadAudit, None) {
        return Ok(Vec::new());
    }
    let query = EventQuery {
        user: Some(user.id.to_string()),
        ..EventQuery::default()
    };
    let latest = PageRequest {
        cursor: None,
        limit: Some(EVENTS_MAX),
    };
    let events = audit_events::list(visit.caller(), query, latest).await?.items;
    events::rows(visit, events, Some(user.id)).await
}
