//! `/issuers/{name}`: how the tokens of an issuer are read.

use askama::Template;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, page};
use narthex_decision::Action;
use narthex_ops::{IssuerSummary, issuers};

use super::{State, mode_words};
use crate::pages::notice::Notice;

#[derive(Template)]
#[template(path = "issuer.html")]
struct IssuerPage<'a> {
    frame: &'a Frame,
    issuer: &'a IssuerSummary,
    href: String,
    state: State,
    new_people: &'a str,
    mode: &'a str,
    may_revoke: bool,
    notice: Option<Notice>,
}

/// Shows the settings.
pub(super) async fn read(visit: Visit, Named(name): Named) -> Answer {
    let issuer = issuers::read(visit.caller(), &name)?;
    page(&IssuerPage {
        frame: visit.frame(),
        href: paths::issuer(&issuer.name),
        state: State::of(&issuer),
        new_people: match issuer.provision.as_str() {
            "create" => "Are created from tokens",
            "link_only" => "Are refused; known people come in",
            "off" => "Are refused; tokens change nothing",
            other => other,
        },
        mode: mode_words(&issuer.mode),
        may_revoke: visit.may(Action::WriteUsers, None),
        notice: Notice::of(visit.query()),
        issuer: &issuer,
    })
}
