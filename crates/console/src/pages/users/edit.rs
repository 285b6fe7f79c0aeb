//! `/users/{id}/edit`: the username and the profile of a user.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_console_frame::wording::access;
use narthex_decision::Action;
use narthex_directory::{Edit, User};
use narthex_ops::users::{self, UserChange};

use crate::pages::{confirm, notice};

#[derive(Template)]
#[template(path = "user_edit.html")]
struct EditPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    /// `true` if the record has changed since the form was made.
    is_changed: bool,
    name: &'a str,
    href: String,
    user: &'a User,
    external_id: Input,
    username: Input,
    profile: [Input; 6],
    version: u64,
}

/// Shows the form.
pub(super) async fn form(visit: Visit, Named(id): Named) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let user = users::read(visit.caller(), &id).await?.user;
    show(&visit, &user, StatusCode::OK, (None, &Faults::default()))
}

/// Saves the change.
pub(super) async fn save(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let user = users::read(visit.caller(), &id).await?.user;
    let edit = |name: &str, now: Option<&str>| match fields.sent(name).map(str::trim) {
        None => Edit::Keep,
        Some(typed) if Some(typed) == now || (typed.is_empty() && now.is_none()) => Edit::Keep,
        Some("") => Edit::Clear,
        Some(typed) => Edit::Set(typed.to_owned()),
    };
    let profile = &user.profile;
    let change = UserChange {
        // Used exactly as typed, as an identity provider's id.
        external_id: match fields.sent("external_id") {
            Some(typed) if typed != user.external_id.as_str() => Edit::Set(typed.to_owned()),
            Some(_) | None => Edit::Keep,
        },
        username: match fields.text("username") {
            typed if typed == user.username.as_str() => Edit::Keep,
            typed => Edit::Set(typed.to_owned()),
        },
        email: edit("email", profile.email.as_deref()),
        name: edit("name", profile.name.as_deref()),
        country: edit("country", profile.country.as_deref()),
        timezone: edit("timezone", profile.timezone.as_deref()),
        locale: edit("locale", profile.locale.as_deref()),
        language: edit("language", profile.language.as_deref()),
        ..UserChange::default()
    };
    match users::update(visit.caller(), &id, &confirm::version(&fields), change).await {
        Ok(entry) => Ok(see(&notice::after(&paths::user(entry.user.id), "saved"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                show(&visit, &user, status, (Some(&fields), &faults))
            }
            NotDone::Changed => show(&visit, &user, StatusCode::CONFLICT, (Some(&fields), &Faults::default())),
        },
    }
}

fn show(visit: &Visit, user: &User, status: StatusCode, (fields, faults): (Option<&Fields>, &Faults)) -> Answer {
    let fill = |input: Input, now: Option<&str>| match fields {
        Some(fields) => input.kept(fields, faults),
        None => input.value(now.unwrap_or_default()),
    };
    let profile = &user.profile;
    let page = EditPage {
        frame: visit.frame(),
        faults,
        is_changed: status == StatusCode::CONFLICT,
        name: access::name(user),
        href: paths::user(user.id),
        user,
        external_id: fill(
            Input::text("external_id", "External ID")
                .code()
                .required()
                .hint("Tokens with this ID are this user’s. Change it when the identity provider changes."),
            Some(user.external_id.as_str()),
        ),
        username: fill(
            Input::text("username", "Username").code().required(),
            Some(user.username.as_str()),
        ),
        profile: [
            fill(Input::text("name", "Name"), profile.name.as_deref()),
            fill(Input::text("email", "E-mail").kind("email"), profile.email.as_deref()),
            fill(
                Input::text("country", "Country")
                    .code()
                    .hint("Two or three letters, as in <code>CZ</code>."),
                profile.country.as_deref(),
            ),
            fill(
                Input::text("timezone", "Time zone")
                    .code()
                    .hint("As in <code>Europe/Prague</code>."),
                profile.timezone.as_deref(),
            ),
            fill(
                Input::text("locale", "Locale").code().hint("As in <code>en-GB</code>."),
                profile.locale.as_deref(),
            ),
            fill(
                Input::text("language", "Language")
                    .code()
                    .hint("As in <code>en</code>."),
                profile.language.as_deref(),
            ),
        ],
        // The version that the user has now: after a conflict, saving again is a decision.
        version: user.version,
    };
    html(status, &page)
}
