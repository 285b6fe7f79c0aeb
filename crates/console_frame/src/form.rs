//! Parts of forms: fields with their hints and errors, the summary of what is to correct, and pages of lists.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_directory::{Cursor, StoreError};
use narthex_ops::OpError;

use crate::fields::Fields;
use crate::paths;
use crate::problem::{Failed, sentence};
use crate::wording::number;

/// Markup in a text of the console.
///
/// SECURITY: it is not escaped, so it is made of static text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Markup(pub(crate) &'static str);

impl std::fmt::Display for Markup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Markup {}

/// A field of one line, with its label, error and hint.
#[derive(Debug, Clone, Template)]
#[template(path = "input.html")]
pub struct Input {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    /// The value that the record had when the form was made, in a hidden field beside it.
    was: Option<String>,
    hint: Option<Markup>,
    error: Option<String>,
    class: &'static str,
    is_required: bool,
    is_code: bool,
}

impl HtmlSafe for Input {}

impl Input {
    /// An empty field of text.
    pub const fn text(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            value: String::new(),
            was: None,
            hint: None,
            error: None,
            class: "field",
            is_required: false,
            is_code: false,
        }
    }

    /// Name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Sets the type of the field (HTML Standard, section 4.10.5.1).
    #[must_use]
    pub const fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Sets the hint.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(Markup(hint));
        self
    }

    /// Sets the classes.
    #[must_use]
    pub const fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// The browser asks for a value.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// The text is no prose: the browser does not check its spelling.
    #[must_use]
    pub const fn code(mut self) -> Self {
        self.is_code = true;
        self
    }

    /// Fills the field in.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Keeps what the person typed, and shows the error at the field.
    #[must_use]
    pub fn kept(mut self, fields: &Fields, faults: &Faults) -> Self {
        fields.text(self.name).clone_into(&mut self.value);
        self.error = faults.of(self.name).map(str::to_owned);
        self
    }

    /// Keeps the value that the record had beside the field.
    #[must_use]
    pub fn was(mut self, was: impl Into<String>) -> Self {
        self.was = Some(was.into());
        self
    }
}

/// A fault that a person can correct in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Name of the field; `None` for the form as a whole.
    pub(crate) field: Option<&'static str>,
    pub(crate) text: String,
}

/// Faults of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(path = "faults.html")]
pub struct Faults {
    faults: Vec<Fault>,
}

impl HtmlSafe for Faults {}

impl Faults {
    /// One fault of a field.
    pub fn at(field: &'static str, text: &str) -> Self {
        Self {
            faults: vec![Fault {
                field: Some(field),
                text: sentence(text),
            }],
        }
    }

    /// Tests whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    fn general(text: &str) -> Self {
        Self {
            faults: vec![Fault {
                field: None,
                text: sentence(text),
            }],
        }
    }

    /// Returns the fault of a field.
    pub fn of(&self, field: &str) -> Option<&str> {
        let fault = self.faults.iter().find(|fault| fault.field == Some(field));
        fault.map(|fault| fault.text.as_str())
    }

    /// Title of the summary.
    fn title(&self) -> String {
        number::counted(self.faults.len(), "thing", "things") + " to correct"
    }
}

/// Outcome of an operation that a form asked for and that was not done.
#[derive(Debug)]
pub enum NotDone {
    /// The form has faults that a person can correct.
    Faults(Faults),
    /// The record has changed since the form was made.
    Changed,
}

/// Sorts the error of an operation that a form asked for.
///
/// # Errors
///
/// When the form cannot help: the caller may not, there is no such record, or nothing could be decided.
pub fn not_done(error: OpError) -> Result<NotDone, Failed> {
    Ok(match error {
        OpError::Invalid { field, detail } => NotDone::Faults(Faults::at(field, &detail)),
        OpError::Store(StoreError::AlreadyExists { field, .. }) => NotDone::Faults(Faults::at(
            field,
            "there is another one with this value; choose a different one",
        )),
        OpError::Changed | OpError::Store(StoreError::VersionMismatch { .. }) => NotDone::Changed,
        OpError::Conflict(_)
        | OpError::Given(_)
        | OpError::Secrets(_)
        | OpError::Run(_)
        | OpError::Unconditional { .. }
        | OpError::Store(
            StoreError::ExternalOnly { .. }
            | StoreError::DeclaredInConfiguration { .. }
            | StoreError::Refused(_)
            | StoreError::Invalid(_),
        ) => NotDone::Faults(Faults::general(&error.to_string())),
        error => return Err(error.into()),
    })
}

/// A radio button with a line of consequences.
#[derive(Debug, Clone, Template)]
#[template(path = "radio.html")]
pub struct Radio {
    name: &'static str,
    value: &'static str,
    label: &'static str,
    consequence: &'static str,
    is_checked: bool,
}

impl HtmlSafe for Radio {}

/// Builds the radio buttons of a choice: each with value, label and consequence; `chosen` is the value that is checked.
pub fn radios(name: &'static str, choices: &[(&'static str, &'static str, &'static str)], chosen: &str) -> Vec<Radio> {
    let radio = |(value, label, consequence): (&'static str, &'static str, &'static str)| Radio {
        name,
        value,
        label,
        consequence,
        is_checked: value == chosen,
    };
    choices.iter().copied().map(radio).collect()
}

/// A choice from a list that opens.
#[derive(Debug, Clone, Template)]
#[template(path = "options.html")]
pub struct Options {
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
}

impl HtmlSafe for Options {}

/// A choice of [`Options`].
#[derive(Debug, Clone)]
struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

impl Options {
    /// Builds the choice: each with value and label; `chosen` is the value that is selected.
    pub fn new(
        name: &'static str,
        label: &'static str,
        choices: &[(&'static str, &'static str)],
        chosen: &str,
    ) -> Self {
        let choice = |(value, label): (&'static str, &'static str)| Choice {
            value,
            label,
            is_chosen: value == chosen,
        };
        Self {
            name,
            label,
            choices: choices.iter().copied().map(choice).collect(),
        }
    }
}

/// Links to the other parts of a list.
#[derive(Debug, Clone, Template)]
#[template(path = "pager.html")]
pub struct Pager {
    count: String,
    first: Option<String>,
    next: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// Links from a part of the list at `path`, which has `count` items and these filters, to its beginning and to the
    /// part after the cursor.
    pub fn new(path: &str, query: &Fields, filters: &[&str], count: usize, next: Option<&Cursor>) -> Self {
        let filters: Vec<(&str, Option<&str>)> = filters
            .iter()
            .map(|name| (*name, query.sent(name).filter(|value| !value.is_empty())))
            .collect();
        let at = |cursor: Option<&str>| {
            let mut fields = filters.clone();
            fields.push(("cursor", cursor));
            paths::with_query(path, &fields)
        };
        Self {
            count: number::grouped(count) + " shown",
            first: query.filled("cursor").map(|_| at(None)),
            next: next.map(|cursor| at(Some(cursor.as_str()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_decision::Reason;

    use super::*;

    #[test]
    fn a_field_shows_its_error_before_its_hint_and_names_both() {
        let fields = Fields::parse(b"name=Acme%22+onfocus%3D%22x");
        let faults = Faults::at("name", "it is taken");
        let input = Input::text("name", "Name")
            .hint("As in <code>/NAME</code>.")
            .kept(&fields, &faults);
        let shown = input.to_string();
        assert!(shown.contains(r#"aria-describedby="name-e name-h""#), "{shown}");
        assert!(shown.contains(r#"aria-invalid="true""#), "{shown}");
        assert!(
            shown.contains("<p class=\"err\" id=\"name-e\">It is taken.</p>"),
            "{shown}"
        );
        assert!(shown.contains("<code>/NAME</code>"), "{shown}");
        assert!(!shown.contains(r#"Acme" onfocus"#), "{shown}");
        assert!(shown.find("name-e\">") < shown.find("name-h\">"), "{shown}");
    }

    #[test]
    fn the_summary_links_to_the_fields() {
        let shown = Faults::at("name", "it is taken").to_string();
        assert!(shown.contains("1 thing to correct"), "{shown}");
        assert!(shown.contains(r##"<a href="#name">It is taken.</a>"##), "{shown}");
        assert!(shown.contains(r#"role="alert""#), "{shown}");
        assert_eq!(Faults::default().to_string(), "");
    }

    #[test]
    fn errors_that_a_person_can_correct_stay_in_the_form() {
        let invalid = not_done(OpError::invalid("website", "it must be an address"));
        assert!(matches!(invalid, Ok(NotDone::Faults(faults)) if faults.of("website").is_some()));
        assert!(matches!(not_done(OpError::Changed), Ok(NotDone::Changed)));
        let forbidden = OpError::Forbidden {
            reason: Reason::PlatformRole,
            needs: "platform admins",
            organization: None,
        };
        assert!(not_done(forbidden).is_err());
    }

    #[test]
    fn a_link_to_the_next_part_keeps_the_filters() {
        let query = Fields::parse(b"q=a%26b&realm=&cursor=x");
        let pager = Pager::new("/users", &query, &["q", "realm"], 50, Some(&Cursor::new("y")));
        assert_eq!(pager.first.as_deref(), Some("/users?q=a%26b"));
        assert_eq!(pager.next.as_deref(), Some("/users?q=a%26b&cursor=y"));
    }
}
