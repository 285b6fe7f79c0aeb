//! Evaluating the templates of a document in one scope, with their places in errors.

use std::cell::RefCell;

use narthex_template::{Document, DocumentEvalError, Hides, Masked, Scope, Template, Value};

use crate::document::Test;
use crate::error::RunError;

/// A scope, and what of it must not be shown.
pub(crate) struct Evaluator<'e> {
    pub(crate) scope: Scope<'e>,
    pub(crate) hides: &'e Hides<'e>,
    /// Parts of it that must not be shown although a response is: the inputs of the request.
    pub(crate) withholds: &'e Hides<'e>,
    /// Values of the hidden holes.
    pub(crate) hidden: &'e RefCell<Vec<Value>>,
}

impl Evaluator<'_> {
    pub(crate) fn template(&self, pointer: &str, template: &Template) -> Result<Masked, RunError> {
        let result = template.evaluate_masked(&self.scope, self.hides);
        self.collected(result.map_err(|error| RunError::Template {
            pointer: pointer.to_owned(),
            error,
        }))
    }

    pub(crate) fn document(&self, pointer: &str, document: &Document) -> Result<Masked, RunError> {
        let result = document.evaluate_masked(&self.scope, self.hides);
        self.collected(
            result.map_err(|DocumentEvalError { pointer: below, error }| RunError::Template {
                pointer: format!("{pointer}{below}"),
                error,
            }),
        )
    }

    fn collected(&self, result: Result<Masked, RunError>) -> Result<Masked, RunError> {
        let mut masked = result?;
        self.hidden.borrow_mut().append(&mut masked.hidden);
        Ok(masked)
    }

    /// The text of a template; `None` for undefined, null and empty text.
    pub(crate) fn text(&self, pointer: &str, template: &Template) -> Result<Option<String>, RunError> {
        let value = self.template(pointer, template)?.value;
        Ok(text(&value).filter(|text| !text.is_empty()))
    }

    /// The text that a template gives people to read about a response: with the mask in place of every hole that reads what
    /// went into the request, directly or by way of `temp`.
    // SECURITY: a part of a secret, such as one piece of it between two dashes, is found by no search for the whole.
    pub(crate) fn told(&self, pointer: &str, template: &Template) -> Result<Option<String>, RunError> {
        let masked = template.evaluate_masked(&self.scope, self.withholds);
        let shown = masked.map_err(|error| RunError::Template {
            pointer: pointer.to_owned(),
            error,
        });
        Ok(text(&shown?.shown).filter(|text| !text.is_empty()))
    }

    /// A document, and what of it people may read about a response.
    pub(crate) fn told_document(&self, pointer: &str, document: &Document) -> Result<Masked, RunError> {
        let masked = document.evaluate_masked(&self.scope, self.withholds);
        masked.map_err(|DocumentEvalError { pointer: below, error }| RunError::Template {
            pointer: format!("{pointer}{below}"),
            error,
        })
    }

    pub(crate) fn test(&self, test: &Test) -> Result<bool, RunError> {
        match test {
            Test::Literal(value) => Ok(*value),
            Test::Template { pointer, template } => Ok(self.template(pointer, template)?.value.is_truthy()),
        }
    }
}

/// A value as text; `None` for undefined and null.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Undefined | Value::Null => None,
        other => other.to_text().map(std::borrow::Cow::into_owned),
    }
}
