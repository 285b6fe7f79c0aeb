//! `/connections/{id}`: a connection's document and secrets.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::Edit;
use narthex_ops::connections::{self, ConnectionChange, ConnectionView, Need};
use serde_json::{Map, Value};

use super::{account, list_address};
use crate::pages::confirm;
use crate::pages::notice::{self, Notice};

/// Beginning of the names of the fields of parameters.
const PARAMETERS: &str = "parameters.";
/// Beginning of the names of the fields of common data.
const COMMON: &str = "common.";

#[derive(Template)]
#[template(path = "connection.html")]
struct EditPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    faults: &'a Faults,
    /// The present document, if the record has changed since the form was made.
    present: Option<&'a str>,
    name: &'a str,
    input: Input,
    /// The document in the form; `None` for a caller who may only use the connection.
    document: Option<String>,
    document_error: Option<&'a str>,
    needs: Vec<NeedRow>,
    version: Option<u64>,
    href: String,
    list: String,
    may_write: bool,
    may_use: bool,
    account: Option<String>,
    data: &'a [String],
    expires: Option<Moment>,
}

/// A value that the templates read or that is kept.
///
/// SECURITY: by its name only. A value is never in a page, not even one that was just typed.
struct NeedRow {
    /// Name with its root, such as `parameters.clientId`.
    name: String,
    is_needed: bool,
    is_kept: bool,
}

/// Content of the form.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// As it is.
    Record,
    /// As it was sent, with what is to correct.
    Sent(&'a Fields, &'a Faults),
    /// As it was sent, over a record that has changed since.
    Changed(&'a Fields),
}

/// Shows the connection.
pub(super) async fn form(visit: Visit, Named(id): Named) -> Answer {
    let view = connections::read(visit.caller(), &id).await?;
    show(&visit, &view, Shown::Record, StatusCode::OK).await
}

/// Saves the change.
pub(super) async fn save(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    let view = connections::read(visit.caller(), &id).await?;
    visit.needs(Action::WriteConnections, Some(view.organization))?;
    let change = change(&fields, &view);
    match connections::update(visit.caller(), &id, &confirm::version(&fields), change).await {
        Ok(saved) => Ok(see(&notice::after(&format!("/connections/{}", saved.id), "saved"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => {
                let shown = Shown::Sent(&fields, &faults);
                show(&visit, &view, shown, StatusCode::UNPROCESSABLE_ENTITY).await
            }
            NotDone::Changed => {
                let now = connections::read(visit.caller(), &id).await?;
                show(&visit, &now, Shown::Changed(&fields), StatusCode::CONFLICT).await
            }
        },
    }
}

/// Shows the connection with faults of an act that was not possible.
pub(super) async fn show_faults(visit: &Visit, view: &ConnectionView, faults: &Faults) -> Answer {
    let fields = Fields::of_text(
        "name",
        &view.name,
        "document",
        view.document.as_deref().unwrap_or_default(),
    );
    let shown = Shown::Sent(&fields, faults);
    show(visit, view, shown, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Reads the change that a form asks for. A document that is as it was keeps the secrets.
fn change(fields: &Fields, view: &ConnectionView) -> ConnectionChange {
    let document = lines(fields.text("document"));
    let is_same = view.document.as_deref().map(lines).as_ref() == Some(&document);
    let name = fields.text("name");
    ConnectionChange {
        name: if name == view.name {
            Edit::Keep
        } else {
            Edit::Set(name.to_owned())
        },
        document: if is_same { Edit::Keep } else { Edit::Set(document) },
        parameters: secrets(fields, PARAMETERS),
        common: secrets(fields, COMMON),
    }
}

/// Ends each line as documents do: browsers send forms with other ends of lines.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Reads the secrets that were typed; an empty field keeps what is kept.
fn secrets(fields: &Fields, root: &str) -> Edit<Map<String, Value>> {
    let typed = fields.below(root).filter(|(_, value)| !value.is_empty());
    let values: Map<String, Value> = typed
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    if values.is_empty() {
        Edit::Keep
    } else {
        Edit::Set(values)
    }
}

async fn show(visit: &Visit, view: &ConnectionView, shown: Shown<'_>, status: StatusCode) -> Answer {
    let none = Faults::default();
    let (faults, fields) = match shown {
        Shown::Record => (&none, None),
        Shown::Sent(fields, faults) => (faults, Some(fields)),
        Shown::Changed(fields) => (&none, Some(fields)),
    };
    let input = Input::text("name", "Name");
    let typed = fields.map(|fields| lines(fields.text("document")));
    let page = EditPage {
        frame: visit.frame(),
        notice: Notice::of(visit.query()),
        faults,
        present: match shown {
            Shown::Changed(_) => view.document.as_deref(),
            Shown::Record | Shown::Sent(..) => None,
        },
        name: &view.name,
        input: match fields {
            Some(fields) => input.kept(fields, faults),
            None => input.value(view.name.clone()),
        },
        document: typed.or_else(|| view.document.clone()),
        document_error: faults.of("document"),
        needs: need_rows(PARAMETERS, &view.parameters)
            .chain(need_rows(COMMON, &view.common))
            .collect(),
        version: match shown {
            Shown::Sent(fields, _) if fields.sent(confirm::VERSION).is_some() => {
                fields.text(confirm::VERSION).parse().ok()
            }
            _ => Some(view.version),
        },
        href: format!("/connections/{}", view.id),
        list: list_address(visit, view.organization).await?,
        may_write: visit.may(Action::WriteConnections, Some(view.organization)),
        may_use: visit.may(Action::UseConnections, Some(view.organization)),
        account: account(view),
        data: &view.data,
        expires: view.expires_at_ms.map(|at_ms| visit.moment(at_ms)),
    };
    html(status, &page)
}

fn need_rows<'v>(root: &'v str, needs: &'v [Need]) -> impl Iterator<Item = NeedRow> + 'v {
    needs.iter().map(move |need| NeedRow {
        name: format!("{root}{}", need.name),
        is_needed: need.needed,
        is_kept: need.given,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_keeps_its_secret() {
        let fields = Fields::parse(b"parameters.a=1&parameters.b=&common.c=2&name=x");
        let Edit::Set(values) = secrets(&fields, PARAMETERS) else {
            panic!("a value was typed");
        };
        assert_eq!(values.get("a"), Some(&Value::from("1")));
        assert_eq!(values.len(), 1);
        assert_eq!(secrets(&Fields::parse(b"parameters.b="), PARAMETERS), Edit::Keep);
    }
}
