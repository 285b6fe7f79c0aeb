//! One evaluation for two readers: one gets the value, the other may only see its shape.

use std::collections::BTreeSet;

use crate::error::{EvalError, Fault};
use crate::eval::{Failure, Run};
use crate::program::{Node, Part, Program};
use crate::scope::Scope;
use crate::template::Template;
use crate::value::Value;

/// Read of a root by a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// The root.
    pub root: String,
    /// The member of the root; `None` if it is read whole, or if the member is computed.
    pub member: Option<String>,
}

/// Predicate: tells whether a read of a root, and of its member if one is named, must not be shown.
pub type Hides<'h> = dyn Fn(&str, Option<&str>) -> bool + 'h;

/// A value, and what may be shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Masked {
    /// The value.
    pub value: Value,
    /// The same with [`Masked::MASK`] in place of every hole that reads something hidden. Literal text stays, and so do
    /// undefined, null and empty text: its owner has to see that a secret is missing.
    pub shown: Value,
    /// Values of the hidden holes, which must not turn up elsewhere either.
    pub hidden: Vec<Value>,
}

impl Masked {
    /// Text in place of a hidden value.
    pub const MASK: &'static str = "***";

    /// A value all of which may be shown.
    pub fn plain(value: Value) -> Self {
        Self {
            shown: value.clone(),
            value,
            hidden: Vec::new(),
        }
    }
}

impl Template {
    /// Returns the template's reads. A branch that will not be taken counts too.
    pub fn reads(&self) -> BTreeSet<Read> {
        let mut reads = BTreeSet::new();
        self.program().reads(&mut |root, member| {
            reads.insert(Read {
                root: root.to_owned(),
                member: member.map(str::to_owned),
            });
        });
        reads
    }

    /// Evaluates the template once, for the value and for what may be shown of it.
    ///
    /// ```
    /// use narthex_template::{Names, Scope, Template, Value};
    ///
    /// let template = Template::compile("Bearer {{parameters.key}}", &Names::new(["parameters"]))?;
    /// let parameters = serde_json::json!({"key": "s3cret"});
    /// let scope = Scope::new(0).with_json("parameters", &parameters);
    /// let masked = template.evaluate_masked(&scope, &|root, _| root == "parameters")?;
    /// assert_eq!(masked.value, Value::from("Bearer s3cret"));
    /// assert_eq!(masked.shown, Value::from("Bearer ***"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evaluate_masked(&self, scope: &Scope<'_>, hides: &Hides<'_>) -> Result<Masked, EvalError> {
        self.evaluate_masked_in(&mut Run::new(scope, self.limits()), hides)
    }

    pub(crate) fn evaluate_masked_in<'a>(&'a self, run: &mut Run<'a>, hides: &Hides<'_>) -> Result<Masked, EvalError> {
        run.masked(self.program(), hides)
            .map_err(|failure| EvalError::new(self.shared_source(), failure.fault, failure.span))
    }
}

impl Node {
    fn is_hidden(&self, hides: &Hides<'_>) -> bool {
        let mut hidden = false;
        self.reads(&mut |root, member| hidden |= hides(root, member));
        hidden
    }
}

impl<'a> Run<'a> {
    fn masked(&mut self, program: &'a Program, hides: &Hides<'_>) -> Result<Masked, Failure> {
        let parts = match program {
            Program::Hole(node) => {
                let value = self.node(node)?.into_value(&mut self.meter);
                let value = value.map_err(|fault| node.fail(fault))?;
                return Ok(if !is_nothing(&value) && node.is_hidden(hides) {
                    let shown = Value::from(Masked::MASK);
                    let hidden = vec![value.clone()];
                    Masked { value, shown, hidden }
                } else {
                    Masked::plain(value)
                });
            }
            Program::Mixed(parts) => parts,
        };
        let (mut value, mut shown) = (String::new(), String::new());
        let mut hidden = Vec::new();
        for part in parts {
            match part {
                Part::Text(literal) => {
                    let fail = |fault: Fault| Failure { fault, span: 0..0 };
                    self.meter.make(literal.len()).map_err(fail)?;
                    value.push_str(literal);
                    shown.push_str(literal);
                }
                Part::Hole(node) => {
                    let result = self.node(node)?;
                    let piece = self.text(result.view()).map_err(|fault| node.fail(fault))?;
                    self.meter.make(piece.len()).map_err(|fault| node.fail(fault))?;
                    value.push_str(&piece);
                    if !piece.is_empty() && node.is_hidden(hides) {
                        shown.push_str(Masked::MASK);
                        hidden.push(Value::Text(piece.into_owned()));
                    } else {
                        shown.push_str(&piece);
                    }
                }
            }
        }
        Ok(Masked {
            value: Value::Text(value),
            shown: Value::Text(shown),
            hidden,
        })
    }
}

/// Tests whether nothing is there, and so nothing to hide.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Undefined | Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    }
}
