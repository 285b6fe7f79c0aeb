//! Walks a program.

use std::borrow::Cow;
use std::ops::Range;

use crate::ast::Operator;
use crate::error::Fault;
use crate::functions::{Action, Args};
use crate::limits::{Limits, Meter};
use crate::names::{Case, HostError, HostFacts, HostFunction};
use crate::number;
use crate::program::{Node, NodeKind, Part, Program, Step, Word};
use crate::scope::Scope;
use crate::value::Value;
use crate::view::{Ref, Val, View};

/// One evaluation: what it sees and what it may still spend.
pub(crate) struct Run<'a> {
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) meter: Meter,
}

/// A fault and its place.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) span: Range<usize>,
}

pub(crate) type Outcome<'a> = Result<Val<'a>, Failure>;

impl Node {
    pub(crate) fn fail(&self, fault: Fault) -> Failure {
        Failure {
            fault,
            span: self.span.clone(),
        }
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, limits: Limits) -> Self {
        Self {
            scope,
            meter: Meter::new(limits),
        }
    }

    /// Evaluates a program to a value of its own.
    pub(crate) fn program(&mut self, program: &'a Program) -> Result<Value, Failure> {
        let parts = match program {
            Program::Hole(node) => {
                // A path is what nearly every template of a mapping is; this way it is never more than a borrow.
                let value = match &node.kind {
                    NodeKind::Path { root, case, steps } => self.path(root, *case, steps)?.copy(&mut self.meter),
                    _ => self.node(node)?.into_value(&mut self.meter),
                };
                return value.map_err(|fault| node.fail(fault));
            }
            Program::Mixed(parts) => parts,
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(literal) => {
                    self.meter
                        .make(literal.len())
                        .map_err(|fault| Failure { fault, span: 0..0 })?;
                    text.push_str(literal);
                }
                Part::Hole(node) => {
                    let value = self.node(node)?;
                    let piece = self.text(value.view()).map_err(|fault| node.fail(fault))?;
                    self.meter.make(piece.len()).map_err(|fault| node.fail(fault))?;
                    text.push_str(&piece);
                }
            }
        }
        Ok(Value::Text(text))
    }

    /// Evaluates a node.
    pub(crate) fn node(&mut self, node: &'a Node) -> Outcome<'a> {
        self.meter.burn(1).map_err(|fault| node.fail(fault))?;
        match &node.kind {
            NodeKind::Constant(value) => Ok(Val::Ref(Ref::Value(value))),
            NodeKind::Word(word) => self.word(*word).map(Val::Own).map_err(|fault| node.fail(fault)),
            NodeKind::Path { root, case, steps } => self.path(root, *case, steps).map(Val::Ref),
            NodeKind::Steps { base, steps } => {
                let base = self.node(base)?;
                self.walk(base, steps, node)
            }
            NodeKind::Not(inner) => Ok(Val::from(!self.node(inner)?.view().is_truthy())),
            NodeKind::Negate(inner) => Ok(Val::from(-self.node(inner)?.view().to_number())),
            NodeKind::Chain { first, rest } => self.chain(first, rest),
            NodeKind::Call {
                function,
                arguments,
                pattern,
            } => {
                let result = match function.action {
                    Action::Lazy(lazy) => return lazy(self, arguments),
                    Action::Eager(eager) => {
                        let mut values = Vec::with_capacity(arguments.len());
                        for argument in arguments {
                            values.push(self.node(argument)?);
                        }
                        let mut args = Args::new(function.name, values, pattern.as_deref());
                        eager(&mut args, self)
                    }
                };
                result.map_err(|fault| locate(fault, node, arguments))
            }
            NodeKind::Host { function, arguments } => self.host(node, &**function, arguments),
        }
    }

    /// Calls a function of the host. An argument that is a value already is lent; anything else is copied, and counted.
    fn host(&mut self, node: &'a Node, function: &'a dyn HostFunction, arguments: &'a [Node]) -> Outcome<'a> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let value = self.node(argument)?;
            let lent = match value {
                Val::Ref(Ref::Value(value)) => {
                    let weight = Ref::Value(value).view().weight();
                    self.meter.burn(weight).map(|()| Cow::Borrowed(value))
                }
                other => other.into_value(&mut self.meter).map(Cow::Owned),
            };
            values.push(lent.map_err(|fault| argument.fail(fault))?);
        }
        let values: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
        // SECURITY: the work of a host's function is not counted in steps; a signature is worth thousands of them.
        self.meter.burn(HOST_CALL_STEPS).map_err(|fault| node.fail(fault))?;
        let facts = HostFacts {
            now_ms: self.scope.now_ms(),
        };
        let result = function
            .call(&values, &facts)
            .map_err(|HostError { message, help }| node.fail(Fault::Host { message, help }))?;
        if let Value::Text(text) = &result {
            self.meter.make(text.len()).map_err(|fault| node.fail(fault))?;
        }
        self.scope.observe(function.name(), &result);
        Ok(Val::Own(result))
    }

    /// Walks from a root. Nothing is copied on the way.
    fn path(&mut self, root: &str, case: Case, steps: &'a [Step]) -> Result<Ref<'a>, Failure> {
        let mut at = self.scope.root(root);
        if case == Case::Folded
            && let View::Object(fields) = at.view()
        {
            at = Ref::Folded(fields);
        }
        for step in steps {
            at = match step {
                Step::Name(name) => at.field(name),
                Step::At(position) => at.item(*position),
                Step::Index(index) => at.at(self.node(index)?.view()),
            };
        }
        Ok(at)
    }

    /// Walks from a value made on the way.
    fn walk(&mut self, base: Val<'a>, steps: &'a [Step], node: &'a Node) -> Outcome<'a> {
        let mut at = base;
        for step in steps {
            let next = match step {
                Step::Name(name) => at.part(&mut self.meter, |value| value.field(name)),
                Step::At(position) => at.part(&mut self.meter, |value| value.item(*position)),
                Step::Index(index) => {
                    let key = self.node(index)?;
                    at.part(&mut self.meter, |value| value.at(key.view()))
                }
            };
            at = next.map_err(|fault| node.fail(fault))?;
        }
        Ok(at)
    }

    /// Operators of one level, from left to right. `&` and `|` give an operand, and look at the right side only if
    /// the left one does not decide.
    fn chain(&mut self, first: &'a Node, rest: &'a [(Operator, Node)]) -> Outcome<'a> {
        let mut left = self.node(first)?;
        for (operator, node) in rest {
            match operator {
                Operator::And if !left.view().is_truthy() => {}
                Operator::Or if left.view().is_truthy() => {}
                Operator::And | Operator::Or => left = self.node(node)?,
                _ => {
                    let right = self.node(node)?;
                    left = Val::Own(
                        self.operate(*operator, &left, &right)
                            .map_err(|fault| node.fail(fault))?,
                    );
                }
            }
        }
        Ok(left)
    }

    fn word(&mut self, word: Word) -> Result<Value, Fault> {
        Ok(match word {
            Word::Now => Value::Date(self.scope.now_ms()),
            Word::Timestamp => Value::Number(number::to_double(i128::from(self.scope.now_ms().div_euclid(1000)))),
            Word::Random => Value::Number(self.random("random")?),
            Word::Uuid => {
                let mut bytes = [0; 16];
                self.scope.random().ok_or(Fault::NoRandom { name: "uuid" })?(&mut bytes);
                Value::Text(uuid_text(bytes))
            }
        })
    }

    /// A random number from 0 up to, but not including, 1, for the word or function `name`.
    pub(crate) fn random(&mut self, name: &'static str) -> Result<f64, Fault> {
        let mut bytes = [0; 8];
        self.scope.random().ok_or(Fault::NoRandom { name })?(&mut bytes);
        // 53 bits are what a double holds.
        let bits = u64::from_le_bytes(bytes) >> 11;
        Ok(number::to_double(i128::from(bits)) / 9_007_199_254_740_992.0)
    }

    /// The text of a value, as it stands in a mixed template.
    pub(crate) fn text<'v>(&mut self, view: View<'v>) -> Result<Cow<'v, str>, Fault> {
        self.meter.burn(view.weight())?;
        view.text().ok_or(Fault::NotText)
    }
}

/// Cost of a call of a host's function beside its arguments, in steps.
const HOST_CALL_STEPS: usize = 1_000;

/// A fault of a call: at the argument it is about, if it is about one.
fn locate(fault: Fault, node: &Node, arguments: &[Node]) -> Failure {
    let position = match &fault {
        Fault::Argument { position, .. } | Fault::Unreadable { position, .. } => *position,
        _ => 0,
    };
    let place = position.checked_sub(1).and_then(|at| arguments.get(at)).unwrap_or(node);
    place.fail(fault)
}

/// A version 4 UUID of 16 random bytes.
// SPEC: RFC 9562 5.4
fn uuid_text(bytes: [u8; 16]) -> String {
    let random = u128::from_be_bytes(bytes);
    let marked = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{marked:032x}");
    let mut text = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_marked_as_version_4() {
        assert_eq!(uuid_text([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_text([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
