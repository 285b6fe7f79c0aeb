//! `/webhooks/{name}/secret`: another secret, or another key pair.

use http::StatusCode;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit};
use narthex_decision::Action;
use narthex_ops::webhooks::{self, NewSigningKey, SignatureScheme};

use super::read::{self, Fresh};
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};

/// Asks before the secret is replaced.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    ask(&visit, &name, Again::First).await
}

/// Replaces the secret, and shows the new one or its public key.
pub(super) async fn replace(visit: Visit, Named(name): Named) -> Answer {
    match webhooks::rotate_secret(visit.caller(), &name, NewSigningKey::default()).await {
        Ok(created) => {
            let fresh = read::Extra::fresh(Fresh::of(&created));
            read::show(&visit, &created.webhook, StatusCode::OK, fresh).await
        }
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &name, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &name, Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, name: &str, again: Again) -> Answer {
    visit.needs(Action::WriteWebhooks, None)?;
    let view = webhooks::read(visit.caller(), name).await?;
    let what = match view.settings.signature {
        SignatureScheme::V1 => "secret",
        SignatureScheme::V1a => "key pair",
    };
    let href = paths::webhook(name);
    let question = Question {
        crumbs: vec![
            Crumb::new("/webhooks", "Webhooks"),
            Crumb::new(href.clone(), name.to_owned()),
        ],
        title: format!("Replace the {what} of {name}?"),
        line: "Do this when the old one may be known to others.".to_owned(),
        heading: "What happens when you replace it".to_owned(),
        consequences: vec![
            Consequence::stays("For a day, the old one signs too").text(". Change the receiver within that day."),
            Consequence::ends("After that day, a receiver with the old one accepts nothing"),
        ],
        button: format!("Replace the {what}"),
        back: href,
        version: None,
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
