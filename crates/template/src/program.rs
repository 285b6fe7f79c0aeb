//! Program of a compiled template: a tree whose names are looked up and whose calls are counted.

use std::ops::Range;
use std::sync::Arc;

use crate::ast::Operator;
use crate::functions::Function;
use crate::names::{Case, HostFunction};
use crate::pattern::Pattern;
use crate::value::Value;

#[derive(Debug)]
pub(crate) enum Program {
    /// Exactly one hole and nothing else: the value keeps its type.
    Hole(Node),
    /// Anything else: text.
    Mixed(Vec<Part>),
}

#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Hole(Node),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Constant(Value),
    Word(Word),
    /// A root and the steps from it.
    Path {
        root: Box<str>,
        case: Case,
        steps: Box<[Step]>,
    },
    Steps {
        base: Box<Node>,
        steps: Box<[Step]>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Chain {
        first: Box<Node>,
        rest: Box<[(Operator, Node)]>,
    },
    Call {
        function: &'static Function,
        arguments: Box<[Node]>,
        pattern: Option<Box<Pattern>>,
    },
    Host {
        function: Arc<dyn HostFunction>,
        arguments: Box<[Node]>,
    },
}

/// A keyword whose value depends on the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Now,
    Timestamp,
    Random,
    Uuid,
}

#[derive(Debug)]
pub(crate) enum Step {
    Name(Box<str>),
    /// A position known at compile time, 1-based, from the end if negative.
    At(i64),
    Index(Node),
}

impl Program {
    /// Reports every read of a root, as [`Node::reads`] does.
    pub(crate) fn reads(&self, tell: &mut dyn FnMut(&str, Option<&str>)) {
        match self {
            Self::Hole(node) => node.reads(tell),
            Self::Mixed(parts) => {
                for part in parts {
                    if let Part::Hole(node) = part {
                        node.reads(tell);
                    }
                }
            }
        }
    }
}

impl Node {
    /// Reports every read of a root, and the member it is of if the first step is a name known now. A branch that will
    /// not be taken counts too.
    pub(crate) fn reads(&self, tell: &mut dyn FnMut(&str, Option<&str>)) {
        match &self.kind {
            NodeKind::Constant(_) | NodeKind::Word(_) => {}
            NodeKind::Path { root, steps, .. } => {
                let member = match steps.first() {
                    Some(Step::Name(name)) => Some(&**name),
                    _ => None,
                };
                tell(root, member);
                steps_read(steps, tell);
            }
            NodeKind::Steps { base, steps } => {
                base.reads(tell);
                steps_read(steps, tell);
            }
            NodeKind::Not(inner) | NodeKind::Negate(inner) => inner.reads(tell),
            NodeKind::Chain { first, rest } => {
                first.reads(tell);
                rest.iter().for_each(|(_, node)| node.reads(tell));
            }
            NodeKind::Call { arguments, .. } | NodeKind::Host { arguments, .. } => {
                arguments.iter().for_each(|argument| argument.reads(tell));
            }
        }
    }
}

fn steps_read(steps: &[Step], tell: &mut dyn FnMut(&str, Option<&str>)) {
    for step in steps {
        if let Step::Index(node) = step {
            node.reads(tell);
        }
    }
}
