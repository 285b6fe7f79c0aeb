//! `/users/{id}/sign-out`.

use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_console_frame::wording::access;
use narthex_decision::Action;
use narthex_ops::users;

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Asks before all tokens of the user are revoked.
pub(super) async fn question(visit: Visit, Named(id): Named) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let user = users::read(visit.caller(), &id).await?.user;
    let (name, href) = (access::name(&user), paths::user(user.id));
    let question = Question {
        crumbs: vec![Crumb::new("/users", "Users"), Crumb::new(href.clone(), name)],
        title: format!("Sign {name} out everywhere?"),
        line: "Use this when a token or a device was lost.".to_owned(),
        heading: format!("What happens when you sign {name} out"),
        consequences: vec![
            Consequence::ends("Every token issued until now is refused")
                .text(" with ")
                .code("token.revoked", "."),
            Consequence::stays(format!("{name} can come back with a new token"))
                .text(", by signing in again at the identity provider."),
            Consequence::mind("Tokens that do not say when they were issued").text(" stay refused, new ones too."),
        ],
        button: "Sign out everywhere".to_owned(),
        back: href,
        version: None,
        reason: None,
    };
    confirm::ask(&visit, &question, Again::First)
}

/// Revokes all tokens of the user.
pub(super) async fn sign_out(visit: Visit, Named(id): Named) -> Answer {
    let entry = users::revoke_tokens(visit.caller(), &id).await?;
    Ok(see(&notice::after(&paths::user(entry.user.id), "signed-out")))
}
