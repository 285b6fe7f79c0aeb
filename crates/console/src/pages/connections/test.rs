//! `/connections/{id}/test`: sends the requests of a connection and shows what came of it.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::visit::{Answer, Named, Visit, html};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_ops::connections::{self, Tested};

use super::{edit, list_address};

#[derive(Template)]
#[template(path = "connection_test.html")]
struct TestPage<'a> {
    frame: &'a Frame,
    name: &'a str,
    href: String,
    list: String,
    may_write: bool,
    /// Kind and message of the failure; `None` if the service accepted the requests.
    failure: Option<(String, String)>,
    status: Option<u16>,
    account: Option<String>,
    expires: Option<Moment>,
    data: Vec<String>,
    sent: Option<String>,
    received: Option<String>,
}

/// Tests the connection.
pub(super) async fn test(visit: Visit, Named(id): Named) -> Answer {
    let view = connections::read(visit.caller(), &id).await?;
    let Tested {
        outcome,
        failure,
        request,
        response,
    } = match connections::test(visit.caller(), &id).await {
        Ok(tested) => tested,
        Err(error) => {
            return match not_done(error)? {
                NotDone::Faults(faults) => edit::show_faults(&visit, &view, &faults).await,
                NotDone::Changed => edit::show_faults(&visit, &view, &Faults::default()).await,
            };
        }
    };
    let label = outcome.metadata.map(|(_, label)| label);
    let page = TestPage {
        frame: visit.frame(),
        name: &view.name,
        href: format!("/connections/{}", view.id),
        list: list_address(&visit, view.organization).await?,
        may_write: visit.may(Action::WriteConnections, Some(view.organization)),
        failure: failure.map(|failure| (failure.kind().to_owned(), failure.to_string())),
        status: response.as_ref().map(|response| response.status),
        account: label.or(outcome.uid),
        expires: outcome.expires_at_ms.map(|at_ms| visit.moment(at_ms)),
        data: outcome.names.into_iter().collect(),
        sent: request.map(|sent| message(format!("{} {}", sent.method, sent.url), &sent.headers, sent.body)),
        received: response.map(|received| message(received.status.to_string(), &received.headers, received.body)),
    };
    html(StatusCode::OK, &page)
}

/// Writes a message as text: its first line, its headers, and its body.
fn message(start: String, headers: &[(String, String)], body: Option<String>) -> String {
    let mut text = start;
    for (name, value) in headers {
        text.push_str(&format!("\n{name}: {value}"));
    }
    if let Some(body) = body {
        text.push_str("\n\n");
        text.push_str(&body);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_as_it_is_sent() {
        let headers = [("Accept".to_owned(), "*/*".to_owned())];
        let shown = message("GET https://a.example/".to_owned(), &headers, Some("{}".to_owned()));
        assert_eq!(shown, "GET https://a.example/\nAccept: */*\n\n{}");
    }
}
