//! Pages for what could not be shown or done.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use narthex_decision::Reason;
use narthex_directory::StoreError;
use narthex_ops::OpError;

use crate::frame::Frame;
use crate::origin::OriginFault;
use crate::visit::{Visit, html};

/// Reason for which a page is not shown.
#[derive(Debug, Clone)]
pub enum Failed {
    /// An operation refused or failed.
    Operation(Box<OpError>),
    /// There is no such page.
    NoSuchPage,
    /// The request is no form that a page of the console sends.
    NotAForm,
    /// The request does not come from the console, or is not for it.
    Origin(OriginFault),
    /// A template could not be rendered.
    Template,
}

impl From<OpError> for Failed {
    fn from(error: OpError) -> Self {
        Self::Operation(Box::new(error))
    }
}

impl From<askama::Error> for Failed {
    fn from(_: askama::Error) -> Self {
        Self::Template
    }
}

/// Leaves the failure for the layer that has the frame.
impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Message about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    status: StatusCode,
    title: &'static str,
    /// The cause, as a sentence.
    cause: String,
    /// Further sentences: the remedy, and the parts that work on.
    remedy: &'static str,
}

const TRY_AGAIN: &str = "Go back and try again. What you typed is still in the form of the page before.";

impl Failed {
    /// Tests whether nothing more may be said than that nothing is there.
    fn is_not_found(&self) -> bool {
        match self {
            Self::NoSuchPage => true,
            Self::Operation(error) => matches!(
                **error,
                OpError::Forbidden { .. }
                    | OpError::Unknown { .. }
                    | OpError::NotAnId { .. }
                    | OpError::Store(StoreError::NotFound { .. })
            ),
            _ => false,
        }
    }

    /// Returns the message; `None` where nothing more may be said than that nothing is there.
    fn message(&self) -> Option<Message> {
        // SECURITY: the page for a caller who may not see a record is the one for a record that does not exist.
        if self.is_not_found() {
            return None;
        }
        Some(match self {
            Self::Operation(error) => of_operation(error),
            Self::Origin(fault) => Message {
                status: StatusCode::FORBIDDEN,
                title: "This request is not accepted",
                cause: sentence(&fault.to_string()),
                remedy: "",
            },
            Self::NotAForm => Message {
                status: StatusCode::BAD_REQUEST,
                title: "This form cannot be read",
                cause: "It is larger than is accepted here, or is not a form of the console.".to_owned(),
                remedy: TRY_AGAIN,
            },
            Self::Template | Self::NoSuchPage => internal(),
        })
    }

    /// Writes the part that is for the log only.
    pub(crate) fn log(&self, path: &str) {
        let private = match self {
            Self::Operation(error) => error.private(),
            Self::Template => Some("a template could not be rendered".to_owned()),
            _ => None,
        };
        if let Some(error) = private {
            tracing::error!(event = "console_failed", path, error, "the console could not answer");
        }
    }
}

fn of_operation(error: &OpError) -> Message {
    let is_unavailable = match error {
        OpError::Store(error) => error.is_temporary(),
        OpError::Refused(refusal) => refusal.reason == Reason::StoreUnavailable,
        _ => false,
    };
    if is_unavailable {
        return Message {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "The directory cannot answer now",
            cause: "This page needs the directory, and it cannot be reached. Nothing was changed.".to_owned(),
            remedy: "Known users are served on for a while by what each node knows; new ones are refused until the \
                directory answers. Try again in a moment.",
        };
    }
    if error.is_fault() {
        return internal();
    }
    let (status, title) = match error {
        OpError::TooOften { .. } => (StatusCode::TOO_MANY_REQUESTS, "This was asked too often"),
        OpError::Refused(_) | OpError::Key(_) => (StatusCode::FORBIDDEN, "You cannot do this now"),
        OpError::PageLimit | OpError::Store(StoreError::Cursor) => {
            (StatusCode::BAD_REQUEST, "This part of the list does not exist")
        }
        _ => (StatusCode::CONFLICT, "This cannot be done"),
    };
    Message {
        status,
        title,
        cause: sentence(&error.to_string()),
        remedy: "Nothing was changed.",
    }
}

fn internal() -> Message {
    Message {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "Something went wrong here",
        cause: "This page could not be made.".to_owned(),
        remedy: "The log of this node has more. Try again, and look there if it happens again.",
    }
}

/// Turns the text of an error into a sentence: a capital letter at its beginning, a full stop at its end, and quotation
/// marks in place of backticks.
pub fn sentence(text: &str) -> String {
    let mut is_open = false;
    let quoted = |character: char| match character {
        '`' => {
            is_open = !is_open;
            if is_open { '“' } else { '”' }
        }
        other => other,
    };
    let mut characters = text.chars().map(quoted);
    let Some(first) = characters.next() else {
        return String::new();
    };
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    first.to_uppercase().chain(characters).collect::<String>() + end
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundPage<'a> {
    frame: &'a Frame,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: &'a Frame,
    message: &'a Message,
}

/// Page without a frame, for a request whose caller is not known.
#[derive(Template)]
#[template(path = "bare.html")]
struct BarePage<'a> {
    stylesheet: &'static str,
    title: &'a str,
    cause: &'a str,
    remedy: &'a str,
}

/// Builds the page of a failure.
pub(crate) fn page(visit: &Visit, failed: &Failed) -> Response {
    let frame = visit.frame();
    let rendered = match failed.message() {
        None => html(StatusCode::NOT_FOUND, &NotFoundPage { frame }),
        Some(message) => html(
            message.status,
            &ProblemPage {
                frame,
                message: &message,
            },
        ),
    };
    rendered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Builds the page of a failure before the caller is known.
pub(crate) fn bare(failed: &Failed) -> Response {
    let message = failed.message().unwrap_or_else(internal);
    let page = BarePage {
        stylesheet: crate::stylesheet::path(),
        title: message.title,
        cause: &message.cause,
        remedy: message.remedy,
    };
    html(message.status, &page).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_becomes_a_sentence() {
        assert_eq!(sentence("no such user"), "No such user.");
        assert_eq!(sentence("écrit: it is empty."), "Écrit: it is empty.");
        assert_eq!(sentence("use `acme-co`"), "Use “acme-co”.");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn sec_a_refused_caller_is_told_no_more_than_that_nothing_is_there() {
        for error in [
            OpError::Forbidden {
                reason: Reason::PlatformRole,
                needs: "platform admins",
                organization: None,
            },
            OpError::Unknown { what: "user" },
            OpError::NotAnId {
                what: "user",
                list: "users",
            },
            OpError::Store(StoreError::NotFound { what: "team" }),
        ] {
            assert_eq!(Failed::from(error).message(), None);
        }
    }

    #[test]
    fn a_store_out_of_reach_is_not_quoted() {
        let error = OpError::Store(StoreError::Unavailable("disk of node 7".to_owned()));
        let message = Failed::from(error).message().unwrap();
        assert_eq!(message.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!format!("{message:?}").contains("node 7"));
    }
}
