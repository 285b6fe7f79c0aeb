//! `/organizations/{name}`: an organization's tags and details.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, page, see};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{Edit, Organization, Origin};
use narthex_ops::PageRequest;
use narthex_ops::audit_events::{self, EventQuery};
use narthex_ops::organizations::{self, OrganizationChange, TagChange};

use super::form::{self, OrganizationForm, Values, membership_words};
use super::head::{Head, Tab};
use super::meets::{self, Meets};
use super::preview;
use crate::pages::confirm;
use crate::pages::events::{self, EventRow};
use crate::pages::notice::{self, Notice};

#[derive(Template)]
#[template(path = "organization.html")]
struct EditPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    faults: &'a Faults,
    /// Time of the other change, if the record has changed since the form was made.
    changed: Option<Moment>,
    /// The event of that change, for a caller who may read the audit trail.
    other: Option<EventRow>,
    form: OrganizationForm,
    href: String,
    logo: LogoForm,
    /// `true` if the caller may suspend and open it.
    may_suspend: bool,
}

/// Form of the picture.
struct LogoForm {
    has_logo: bool,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "organization_read.html")]
struct ReadPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    organization: &'a Organization,
    tags: [(&'static str, Vec<&'a str>); 3],
    membership: &'static str,
    is_declared: bool,
}

/// Shows the form, or the facts to a caller who may not change them here.
pub(super) async fn form(visit: Visit, Named(name): Named) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let is_declared = organization.origin == Origin::Config;
    if is_declared || !visit.may(Action::WriteOrganization, Some(organization.id)) {
        return facts(&visit, &organization, is_declared);
    }
    let meets = meets::of(&visit, &organization).await?;
    let values = (Values::Record(&organization), &Faults::default(), meets);
    show_page(&visit, &organization, values, (None, StatusCode::OK))
}

fn facts(visit: &Visit, organization: &Organization, is_declared: bool) -> Answer {
    let lists = &organization.tags;
    page(&ReadPage {
        frame: visit.frame(),
        head: Head::new(organization, Tab::Details),
        notice: Notice::of(visit.query()),
        organization,
        tags: [
            ("External Admin Group", lists.admin.texts().collect()),
            ("External Member Group", lists.member.texts().collect()),
            ("External Executor Group", lists.executor.texts().collect()),
        ],
        membership: membership_words(organization.membership),
        is_declared,
    })
}

/// Shows an organization as it is, with faults of another form of the page.
pub(super) fn show_with_faults(visit: &Visit, organization: &Organization, faults: &Faults) -> Answer {
    let values = Values::Record(organization);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show_page(visit, organization, (values, faults, Vec::new()), (None, status))
}

fn show(
    visit: &Visit,
    organization: &Organization,
    values: Values<'_>,
    outcome: (Option<EventRow>, StatusCode),
) -> Answer {
    let none = Faults::default();
    let faults = match values {
        Values::Sent(_, faults) => faults,
        _ => &none,
    };
    show_page(visit, organization, (values, faults, Vec::new()), outcome)
}

fn show_page(
    visit: &Visit,
    organization: &Organization,
    (values, faults, meets): (Values<'_>, &Faults, Vec<Meets>),
    (other, status): (Option<EventRow>, StatusCode),
) -> Answer {
    let may_rule = visit.may(Action::RuleOrganization, Some(organization.id));
    let version = match values {
        // The version that the form was made from: another change since then must not go unnoticed.
        Values::Sent(fields, _) => fields.text(confirm::VERSION).parse().ok(),
        _ => Some(organization.version),
    };
    let page = EditPage {
        frame: visit.frame(),
        head: Head::new(organization, Tab::Details),
        notice: Notice::of(visit.query()),
        faults,
        changed: matches!(values, Values::Merged(..)).then(|| visit.moment(organization.updated_at_ms)),
        other,
        form: OrganizationForm::new(values, version, (!may_rule).then_some(organization)).with_meets(meets),
        href: paths::organization(organization.name.as_str()),
        logo: LogoForm {
            has_logo: organization.has_logo,
            error: faults.of("logo").map(str::to_owned),
        },
        may_suspend: may_rule,
    };
    html(status, &page)
}

/// Saves the change.
pub(super) async fn save(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    save_form(&visit, &name, &fields).await
}

/// Saves the change that a form asks for. A consequence that needs a tick and has none is asked for again.
pub(super) async fn save_form(visit: &Visit, name: &str, fields: &Fields) -> Answer {
    let change = form::change(fields)?;
    let (is_empty, touches_tags) = (is_empty(&change), touches_tags(&change.tags));
    let before = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::WriteOrganization, Some(before.id))?;
    if is_empty {
        let address = paths::organization(before.name.as_str());
        return Ok(see(&notice::after(&address, "unchanged")));
    }
    let needs = fields.sent(preview::NEEDS);
    if needs.is_some() && fields.sent(preview::CONFIRM) != needs {
        return preview::ask(visit, &before, fields, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let expected = confirm::version(fields);
    match organizations::update(visit.caller(), name, &expected, change).await {
        Ok(saved) if touches_tags => {
            let people = paths::in_organization(saved.name.as_str(), "people");
            Ok(see(&notice::after(&people, "tags-saved")))
        }
        Ok(saved) => Ok(see(&notice::after(&paths::organization(saved.name.as_str()), "saved"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => show_faults(visit, &before, fields, &faults),
            NotDone::Changed => {
                let now = organizations::read(visit.caller(), name).await?;
                show_merged(visit, &now, fields).await
            }
        },
    }
}

/// Shows the form as it was sent, with what is to correct.
pub(super) fn show_faults(visit: &Visit, organization: &Organization, fields: &Fields, faults: &Faults) -> Answer {
    let values = Values::Sent(fields, faults);
    show(visit, organization, values, (None, StatusCode::UNPROCESSABLE_ENTITY))
}

/// Shows an organization as it is now, with the changes of the form in it.
pub(super) async fn show_merged(visit: &Visit, organization: &Organization, fields: &Fields) -> Answer {
    let other = latest_event(visit, organization).await?;
    let values = Values::Merged(organization, fields);
    show(visit, organization, values, (other, StatusCode::CONFLICT))
}

/// Returns the latest event of an organization, for a caller who may read the audit trail.
async fn latest_event(visit: &Visit, organization: &Organization) -> Result<Option<EventRow>, Failed> {
    if !visit.may(Action::ReadAudit, None) {
        return Ok(None);
    }
    let query = EventQuery {
        organization: Some(organization.id.to_string()),
        action: Some("organization.updated".to_owned()),
        ..EventQuery::default()
    };
    let latest = PageRequest {
        cursor: None,
        limit: Some(1),
    };
    let found = audit_events::list(visit.caller(), query, latest).await?.items;
    Ok(events::rows(visit, found, None).await?.pop())
}

/// Tests whether a change decides who gets in.
pub(super) const fn touches_tags(tags: &TagChange) -> bool {
    !matches!(
        (&tags.admin, &tags.member, &tags.executor),
        (Edit::Keep, Edit::Keep, Edit::Keep)
    )
}

/// Tests whether a change changes nothing.
fn is_empty(change: &OrganizationChange) -> bool {
    let texts = [
        &change.name,
        &change.label,
        &change.external_id,
        &change.contact_name,
        &change.contact_email,
        &change.website,
        &change.timezone,
    ];
    texts.into_iter().all(|edit| *edit == Edit::Keep) && change.membership == Edit::Keep && !touches_tags(&change.tags)
}
