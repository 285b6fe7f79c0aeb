//! `/users/new`: a user who is expected, and has not come in yet.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, html, see};
use narthex_ops::users::{self, NewUser};

use crate::pages::{notice, realms};

#[derive(Template)]
#[template(path = "user_new.html")]
struct NewUserPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    external_id: Input,
    username: Input,
    profile: [Input; 2],
    realm: &'a str,
    realms: Vec<String>,
}

/// Shows the form.
pub(super) async fn form(visit: Visit) -> Answer {
    users::may_create(visit.caller())?;
    show(&visit, StatusCode::OK, &Fields::default(), &Faults::default())
}

/// Creates the user.
pub(super) async fn create(visit: Visit, Form(form): Form) -> Answer {
    let new = NewUser {
        realm: form.filled("realm"),
        external_id: form.text("external_id").to_owned(),
        username: form.filled("username"),
        email: form.filled("email"),
        name: form.filled("name"),
        ..NewUser::default()
    };
    match users::create(visit.caller(), new).await {
        Ok(entry) => Ok(see(&notice::after(&paths::user(entry.user.id), "created"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &form, &faults),
            NotDone::Changed => show(&visit, StatusCode::CONFLICT, &form, &Faults::default()),
        },
    }
}

fn show(visit: &Visit, status: StatusCode, form: &Fields, faults: &Faults) -> Answer {
    let kept = |input: Input| input.kept(form, faults);
    let page = NewUserPage {
        frame: visit.frame(),
        faults,
        external_id: kept(
            Input::text("external_id", "External ID")
                .code()
                .required()
                .hint("As the identity provider calls this user."),
        ),
        username: kept(
            Input::text("username", "Username")
                .code()
                .hint("If you leave it out, the external ID."),
        ),
        profile: [
            kept(Input::text("name", "Name")),
            kept(Input::text("email", "E-mail").kind("email")),
        ],
        realm: form.text("realm"),
        realms: realms(visit.caller())?,
    };
    html(status, &page)
}
