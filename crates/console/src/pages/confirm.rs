//! Pages that ask before something ends.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::{Faults, Input};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::visit::{Answer, Visit, html};
use narthex_ops::ExpectedVersion;

/// Name of the hidden field with the version that the form was made from.
pub(crate) const VERSION: &str = "version";

/// Name of the field with the reason.
pub(crate) const WHY: &str = "why";

/// Consequence of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consequence {
    /// Sign: `no` for what ends, `ok` for what stays, `hm` for what to mind.
    sign: &'static str,
    what: String,
    /// Text after it, a code, and text after that.
    text: String,
    code: &'static str,
    rest: &'static str,
}

impl Consequence {
    const fn new(sign: &'static str, what: String) -> Self {
        Self {
            sign,
            what,
            text: String::new(),
            code: "",
            rest: "",
        }
    }

    /// Something that ends.
    pub(crate) fn ends(what: impl Into<String>) -> Self {
        Self::new("no", what.into())
    }

    /// Something that stays.
    pub(crate) fn stays(what: impl Into<String>) -> Self {
        Self::new("ok", what.into())
    }

    /// Something to mind.
    pub(crate) fn mind(what: impl Into<String>) -> Self {
        Self::new("hm", what.into())
    }

    /// Adds text after it.
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Adds a code after the text, and text after the code.
    pub(crate) const fn code(mut self, code: &'static str, rest: &'static str) -> Self {
        self.code = code;
        self.rest = rest;
        self
    }
}

/// A link of the crumbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crumb {
    pub(crate) href: String,
    pub(crate) text: String,
}

impl Crumb {
    /// A link to a page.
    pub(crate) fn new(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            href: href.into(),
            text: text.into(),
        }
    }
}

/// Question before something ends.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) title: String,
    /// Sentence under the title.
    pub(crate) line: String,
    /// Title of the consequences.
    pub(crate) heading: String,
    pub(crate) consequences: Vec<Consequence>,
    /// Text of the button.
    pub(crate) button: String,
    /// Address of the page that shows it as it is.
    pub(crate) back: String,
    /// Version of the record that the question is about; `None` where the act does not depend on it.
    pub(crate) version: Option<u64>,
    /// Field for a reason, where the operation records one.
    pub(crate) reason: Option<Input>,
}

/// Reason that a question is asked again.
#[derive(Debug, Clone, Default)]
pub(crate) enum Again {
    /// It is asked for the first time.
    #[default]
    First,
    /// The record has changed since.
    Changed,
    /// The act is not possible.
    Faults(Faults),
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'a> {
    frame: &'a Frame,
    question: &'a Question,
    faults: Faults,
    is_changed: bool,
}

/// The field for a reason.
pub(crate) fn reason() -> Input {
    Input::text(WHY, "Reason (optional)")
        .class("field narrow")
        .hint("Shown in the history and the audit.")
}

/// Shows a question.
pub(crate) fn ask(visit: &Visit, question: &Question, again: Again) -> Answer {
    let (status, is_changed, faults) = match again {
        Again::First => (StatusCode::OK, false, Faults::default()),
        Again::Changed => (StatusCode::CONFLICT, true, Faults::default()),
        Again::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, false, faults),
    };
    let page = ConfirmPage {
        frame: visit.frame(),
        question,
        faults,
        is_changed,
    };
    html(status, &page)
}

/// Returns the version that a form was made from. A form without one is made from none that exists.
pub(crate) fn version(form: &Fields) -> ExpectedVersion {
    ExpectedVersion::OneOf(form.text(VERSION).parse::<u64>().into_iter().collect())
}
