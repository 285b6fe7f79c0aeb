//! Syntax tree that the parser makes of a hole: names not yet looked up, every part with its place.

use std::ops::Range;

use crate::value::Value;

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Literal(Value),
    /// A bare word: a keyword or a root.
    Name(String),
    /// A back-quoted word: always a root.
    Quoted(String),
    Steps {
        base: Box<Expr>,
        steps: Vec<Step>,
    },
    Call {
        name: String,
        name_span: Range<usize>,
        arguments: Vec<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// Operators of one level, from left to right. Flat, so that a long sum is not a deep tree.
    Chain {
        first: Box<Expr>,
        rest: Vec<(Operator, Expr)>,
    },
}

/// One step of a path.
#[derive(Debug)]
pub(crate) enum Step {
    Name(String),
    /// `[]`
    First,
    Index(Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// Binding strength of the operator.
    pub(crate) fn level(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}
