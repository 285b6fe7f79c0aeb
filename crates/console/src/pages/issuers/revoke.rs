//! `/issuers/{name}/revoke` and `/issuers/{name}/revoke-all`: one token is revoked, or all that the issuer has issued.

use narthex_decision::Action;
use narthex_ops::issuers;
use narthex_ops::revocations::{self, TokensToRevoke};

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Input, NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};

/// Name of the field with the token or its `jti`, which is also that of the fault that an operation reports.
const TOKEN: &str = "jti";

/// Asks for the token.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    // SECURITY: a link may name the `jti` of a token. A token itself is never in an address.
    let id = visit.query().text(TOKEN).to_owned();
    ask_one(&visit, &name, Input::text(TOKEN, LABEL).value(id), Again::First)
}

/// Revokes the token.
pub(super) async fn revoke(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let text = fields.text(TOKEN).trim();
    let tokens = if is_token(text) {
        TokensToRevoke::Token(text.to_owned())
    } else {
        TokensToRevoke::Id(text.to_owned())
    };
    match revocations::revoke(visit.caller(), &name, tokens, None).await {
        Ok(_) => Ok(see(&notice::after(&paths::issuer(&name), "token-revoked"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => {
                let input = Input::text(TOKEN, LABEL).kept(&without_token(&fields), &faults);
                ask_one(&visit, &name, input, Again::Faults(faults))
            }
            NotDone::Changed => ask_one(&visit, &name, Input::text(TOKEN, LABEL), Again::Changed),
        },
    }
}

/// Label of the field.
const LABEL: &str = "Token, or its ID (jti)";

/// Tests whether text is a compact token: three parts, the first of them a JSON object.
fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// SECURITY: a token that was typed is not shown again.
fn without_token(fields: &Fields) -> Fields {
    if is_token(fields.text(TOKEN).trim()) {
        Fields::default()
    } else {
        fields.clone()
    }
}

fn ask_one(visit: &Visit, name: &str, input: Input, again: Again) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let issuer = issuers::read(visit.caller(), name)?.name;
    let href = paths::issuer(&issuer);
    let question = Question {
        crumbs: vec![Crumb::new("/issuers", "Issuers"), Crumb::new(href.clone(), issuer)],
        title: "Revoke a token?".to_owned(),
        line: "Use this when one token was lost. To lock a person out, sign the person out everywhere.".to_owned(),
        heading: "What happens when you revoke it".to_owned(),
        consequences: vec![
            Consequence::ends("The token is refused")
                .text(" on every node within a second, in any spelling, with ")
                .code("token.revoked", "."),
            Consequence::ends("Streams that began with it end").text("."),
            Consequence::stays("The person can come back with a new token").text("."),
            Consequence::mind("It cannot be undone").text("."),
        ],
        button: "Revoke the token".to_owned(),
        back: href,
        version: None,
        reason: Some(
            input
                .class("field")
                .code()
                .required()
                .hint("The audit and a person’s roles show the ID of a token. The token itself is not kept."),
        ),
    };
    confirm::ask(visit, &question, again)
}

/// Asks before all tokens of the issuer are revoked.
pub(super) async fn question_all(visit: Visit, Named(name): Named) -> Answer {
    ask_all(&visit, &name, Again::First)
}

/// Revokes all tokens of the issuer.
pub(super) async fn revoke_all(visit: Visit, Named(name): Named) -> Answer {
    match revocations::revoke(visit.caller(), &name, TokensToRevoke::All, None).await {
        Ok(_) => Ok(see(&notice::after(&paths::issuer(&name), "tokens-revoked"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask_all(&visit, &name, Again::Faults(faults)),
            NotDone::Changed => ask_all(&visit, &name, Again::Changed),
        },
    }
}

fn ask_all(visit: &Visit, name: &str, again: Again) -> Answer {
    visit.needs(Action::WriteUsers, None)?;
    let issuer = issuers::read(visit.caller(), name)?.name;
    let href = paths::issuer(&issuer);
    let question = Question {
        crumbs: vec![
            Crumb::new("/issuers", "Issuers"),
            Crumb::new(href.clone(), issuer.clone()),
        ],
        title: format!("Revoke all tokens of {issuer}?"),
        line: "Use this when a key of the identity provider was lost, after it has another.".to_owned(),
        heading: "What happens when you revoke them".to_owned(),
        consequences: vec![
            Consequence::ends(format!("Every token that {issuer} has issued until now is refused"))
                .text(" on every node within a second, with ")
                .code("token.revoked", "."),
            Consequence::stays("People come back with new tokens").text(", and their roles stay."),
            Consequence::mind("Tokens that do not say when they were issued").text(" stay refused, new ones too."),
            Consequence::mind("It cannot be undone").text("."),
        ],
        button: "Revoke all tokens".to_owned(),
        back: href,
        version: None,
        reason: None,
    };
    confirm::ask(visit, &question, again)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_its_id() {
        assert!(is_token("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"));
        for id in ["7f2c9a0e", "eyJ", "a.b.c", "https://id.example.com/jti.1.2"] {
            assert!(!is_token(id), "{id}");
        }
    }
}
