//! Conditions that a token must meet beyond equal claims (`[[issuer.rule]]`): compiled at load, evaluated before the
//! mapping.

use std::sync::Arc;

use narthex_template::{Template, Value, is_disruptive};

use crate::compiled::{FieldMapping, Origin, TokenRule};
use crate::error::{MapError, MappingProblemKind, RuleFault};
use crate::field::Field;
use crate::reads;
use crate::source::RuleSource;

/// The longest name of a rule, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
/// The longest message of a rule, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 256;

impl TokenRule {
    /// Puts a rule together from its source and its compiled condition.
    pub(crate) fn new(source: &RuleSource, field: Field, template: Template) -> Self {
        // The answer ends the sentence that the message is a part of.
        let message = source.message.trim().trim_end_matches('.');
        Self {
            condition: FieldMapping {
                field,
                template,
                origin: Origin::Configured,
            },
            message: Arc::from(message),
        }
    }

    /// Judges the value that the condition gave.
    ///
    /// SECURITY: only `true` passes. Text, a number or a list that an `if` would take for true is a refusal: a rule that
    /// a claim of another type meets by accident is none.
    pub(crate) fn judge(&self, value: &Value) -> Result<(), MapError> {
        match value {
            Value::Bool(true) => Ok(()),
            Value::Bool(false) => Err(self.broken(RuleFault::False)),
            other => Err(self.broken(RuleFault::Kind { kind: other.kind() })),
        }
    }

    /// The refusal of a token that does not meet the rule.
    #[cold]
    pub(crate) fn broken(&self, fault: RuleFault) -> MapError {
        MapError::Rule {
            field: self.condition.field.clone(),
            message: Arc::clone(&self.message),
            fault,
        }
    }
}

/// Problems of a rule that do not depend on its condition.
pub(crate) fn text_problems(source: &RuleSource, earlier: &[RuleSource]) -> Vec<MappingProblemKind> {
    let mut problems = Vec::new();
    if !is_plain(&source.name, NAME_CHARACTERS_MAX) || source.name.contains('`') {
        let limit = NAME_CHARACTERS_MAX;
        problems.push(MappingProblemKind::RuleName { limit });
    }
    if earlier.iter().any(|other| other.name == source.name) {
        let name = source.name.clone();
        problems.push(MappingProblemKind::RuleTwice { name });
    }
    let message = source.message.trim().trim_end_matches('.');
    // SECURITY: a message that looks like a template would promise to tell callers a claim, which no answer does.
    if !is_plain(message, MESSAGE_CHARACTERS_MAX) || message.contains("{{") {
        let limit = MESSAGE_CHARACTERS_MAX;
        problems.push(MappingProblemKind::RuleMessage { limit });
    }
    problems
}

/// Problem of a condition that compiles: every token, or no token, would meet it.
pub(crate) fn condition_problem(template: &Template) -> Option<MappingProblemKind> {
    if !template.is_one_hole() {
        return Some(MappingProblemKind::RuleText);
    }
    let depends = template.roots().next().is_some() || reads::may_read_clock(template.source());
    (!depends).then_some(MappingProblemKind::RuleForAll)
}

fn is_plain(text: &str, characters_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= characters_max && !text.chars().any(is_disruptive)
}
