//! What a template is compiled to: a tree whose names are looked up and whose calls are counted.

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
