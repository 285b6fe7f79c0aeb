//! A walk through a mapping, written down.

use narthex_directory::Desired;
use narthex_template::{EvalError, Value};
use serde_json::Value as Json;

use crate::compiled::{Constant, FieldMapping, Origin};
use crate::error::{Breach, MapError};
use crate::field::Field;
use crate::identity::Skipped;
use crate::run::{MappingObserver, Stored};
use crate::tags::{TagsContent, TagsMapping};

/// Result of a mapping for some claims, for people who ask why. Shows claim values: for users who may see the token.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Values that the templates gave, in the order of the mapping, roles by default included. Templates that were not
    /// needed are not here.
    pub rows: Vec<PreviewRow>,
    /// Desired state that the directory would be asked for; `None` if the token is refused.
    pub desired: Option<Desired>,
    /// Every refusal. The first is the one that [`IssuerMapping::map`](crate::IssuerMapping::map) answers with.
    pub errors: Vec<MapError>,
    /// The values that were left out.
    pub skipped: Vec<Skipped>,
}

/// One template, or the tags claim.
#[derive(Debug, Clone)]
pub struct PreviewRow {
    /// The field that it is for.
    pub field: Field,
    /// The template's text; for tags the name of the claim or the template.
    pub source: String,
    /// Origin of the template.
    pub origin: Origin,
    /// The value it gave.
    pub gave: TemplateResult,
    /// The outcome for that value.
    pub outcome: Outcome,
}

/// Result of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateResult {
    /// A value.
    Value(Json),
    /// No value: no such claim, for instance.
    Undefined,
    /// It failed; the text shows the template with a caret under the place.
    Failed(String),
}

/// Outcome for a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is kept, in this form.
    Taken(Json),
    /// Nothing was given: what is stored stays.
    NotGiven,
    /// It broke its rule and is left out.
    Skipped(String),
    /// It broke its rule and refuses the token.
    Refused {
        /// The stable code.
        reason: &'static str,
        /// The broken rule.
        message: String,
    },
}

/// Writes a walk down.
#[derive(Debug, Default)]
pub(crate) struct PreviewRecorder {
    rows: Vec<PreviewRow>,
    errors: Vec<MapError>,
}

impl PreviewRecorder {
    pub(crate) fn close(mut self, desired: Result<Option<Desired>, MapError>, skipped: Vec<Skipped>) -> Preview {
        let desired = match desired {
            Ok(desired) => desired.filter(|_| self.errors.is_empty()),
            Err(error) => {
                self.errors.push(error);
                None
            }
        };
        Preview {
            rows: self.rows,
            desired,
            errors: self.errors,
            skipped,
        }
    }

    fn row(&mut self, field: Field, source: &str, origin: Origin, gave: TemplateResult) {
        self.rows.push(PreviewRow {
            field,
            source: source.to_owned(),
            origin,
            gave,
            outcome: Outcome::NotGiven,
        });
    }

    /// The outcome of the last template.
    fn outcome(&mut self, outcome: Outcome) {
        if let Some(row) = self.rows.last_mut() {
            row.outcome = outcome;
        }
    }
}

impl MappingObserver for PreviewRecorder {
    fn evaluated(&mut self, mapping: &FieldMapping, value: &Result<Value, EvalError>) {
        let gave = match value {
            Ok(value) => gave(value.to_json()),
            Err(error) => TemplateResult::Failed(error.render()),
        };
        self.row(mapping.field.clone(), mapping.template.source(), mapping.origin, gave);
    }

    fn constant<R: Stored>(&mut self, constant: &Constant<R>) {
        let json = constant.value.stored().unwrap_or_default();
        let written = json.as_str().unwrap_or_default().to_owned();
        self.row(
            constant.field.clone(),
            &written,
            constant.origin,
            TemplateResult::Value(json.clone()),
        );
        self.outcome(Outcome::Taken(json));
    }

    fn held(&mut self, tags: &TagsMapping, held: &TagsContent<'_>) {
        let gave = match held {
            TagsContent::Claim(claim) => gave(claim.cloned()),
            TagsContent::Made(value) => gave(value.to_json()),
        };
        self.row(Field::Tags, tags.claim.written(), Origin::Configured, gave);
    }

    fn taken(&mut self, stored: impl FnOnce() -> Option<Json>) {
        self.outcome(stored().map_or(Outcome::NotGiven, Outcome::Taken));
    }

    fn skipped(&mut self, breach: &Breach) {
        self.outcome(Outcome::Skipped(breach.to_string()));
    }

    fn refused(&mut self, error: MapError) -> Result<(), MapError> {
        // A tags template that failed gave nothing to write down before.
        if let MapError::TagsMalformed {
            fault: crate::TagsFault::Template(failure),
            ..
        } = &error
        {
            self.row(
                Field::Tags,
                failure.source_text(),
                Origin::Configured,
                TemplateResult::Failed(failure.render()),
            );
        }
        self.outcome(Outcome::Refused {
            reason: error.reason(),
            message: error.to_string(),
        });
        self.errors.push(error);
        Ok(())
    }
}

fn gave(json: Option<Json>) -> TemplateResult {
    json.map_or(TemplateResult::Undefined, TemplateResult::Value)
}
