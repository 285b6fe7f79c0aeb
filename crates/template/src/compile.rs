//! Looks up the names of a parsed template, checks its calls, and makes the program.
//!
//! Every problem is reported, not only the first.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ast::{Expr, ExprKind, Operator, Step};
use crate::error::{CompileError, Problem, ProblemKind};
use crate::functions::{self, Arity};
use crate::lexer::{self, Piece};
use crate::names::Names;
use crate::parser;
use crate::pattern::{self, Author, Pattern};
use crate::program::{self, Node, NodeKind, Part, Program};
use crate::suggest;
use crate::value::Value;
use crate::words;

/// A compiled source: its program, and the roots it reads.
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) roots: BTreeSet<String>,
}

/// Compiles a source against names.
pub(crate) fn compile(source: &str, names: &Names) -> Result<Compiled, CompileError> {
    let limits = names.limits();
    if source.len() > limits.source_bytes {
        let kind = ProblemKind::TooLong {
            bytes: source.len(),
            limit: limits.source_bytes,
        };
        // The source is not kept in the error: it may be of any length.
        return Err(CompileError::new("", vec![Problem { kind, span: 0..0 }]));
    }
    let mut compiler = Compiler {
        names,
        problems: Vec::new(),
        roots: BTreeSet::new(),
    };
    let mut parts = Vec::new();
    for piece in lexer::lex(source, &mut compiler.problems) {
        match piece {
            Piece::Text(text) => parts.push(Part::Text(text)),
            Piece::Hole(hole) if hole.sound => match parser::parse(&hole, source, limits.depth.min(DEPTH_MAX)) {
                Ok(expr) => parts.push(Part::Hole(compiler.node(expr))),
                Err(problem) => compiler.problems.push(problem),
            },
            Piece::Hole(_) => {}
        }
    }
    if !compiler.problems.is_empty() {
        return Err(CompileError::new(source, compiler.problems));
    }
    let program = match parts.pop() {
        Some(Part::Hole(node)) if parts.is_empty() && is_one_hole(source) => Program::Hole(node),
        last => {
            parts.extend(last);
            Program::Mixed(parts)
        }
    };
    Ok(Compiled {
        program,
        roots: compiler.roots,
    })
}

/// Tests whether the source is exactly one hole, so that its value keeps its type: the last `{{` is at the beginning
/// and the first `}}` at the end. This is Make's own test; it takes no notice of quotes.
pub(crate) fn is_one_hole(source: &str) -> bool {
    source.rfind("{{") == Some(0) && source.find("}}").is_some_and(|at| at + 2 == source.len())
}

struct Compiler<'n> {
    names: &'n Names,
    problems: Vec<Problem>,
    roots: BTreeSet<String>,
}

impl Compiler<'_> {
    fn problem(&mut self, kind: ProblemKind, span: Range<usize>) {
        self.problems.push(Problem { kind, span });
    }

    fn node(&mut self, expr: Expr) -> Node {
        let Expr { kind, span } = expr;
        let kind = match kind {
            ExprKind::Literal(value) => NodeKind::Constant(value),
            ExprKind::Name(name) => self.word_or_root(&name, &span),
            ExprKind::Quoted(name) => self.root(&name, &span),
            ExprKind::Not(inner) => NodeKind::Not(Box::new(self.node(*inner))),
            ExprKind::Negate(inner) => match self.node(*inner).kind {
                NodeKind::Constant(Value::Number(number)) => NodeKind::Constant(Value::Number(-number)),
                kind => NodeKind::Negate(Box::new(Node {
                    kind,
                    span: span.clone(),
                })),
            },
            ExprKind::Chain { first, rest } => self.chain(*first, rest),
            ExprKind::Steps { base, steps } => {
                if let ExprKind::Literal(_) = base.kind {
                    self.problem(ProblemKind::PathOfLiteral, span.clone());
                }
                let base = self.node(*base);
                let steps: Vec<program::Step> = steps.into_iter().map(|step| self.step(step)).collect();
                match base.kind {
                    NodeKind::Path {
                        root,
                        case,
                        steps: none,
                    } if none.is_empty() => NodeKind::Path {
                        root,
                        case,
                        steps: steps.into(),
                    },
                    kind => NodeKind::Steps {
                        base: Box::new(Node { kind, span: base.span }),
                        steps: steps.into(),
                    },
                }
            }
            ExprKind::Call {
                name,
                name_span,
                arguments,
            } => self.call(&name, name_span, arguments, &span),
        };
        Node { kind, span }
    }

    fn chain(&mut self, first: Expr, rest: Vec<(Operator, Expr)>) -> NodeKind {
        let mut end = first.span.end;
        let first = Box::new(self.node(first));
        let mut nodes = Vec::with_capacity(rest.len());
        for (operator, expr) in rest {
            let before = self.problems.len();
            // `payload.user-id`: no blank on either side.
            let hyphen = operator == Operator::Subtract && expr.span.start == end + 1;
            end = expr.span.end;
            nodes.push((operator, self.node(expr)));
            if let Some(Problem {
                kind: ProblemKind::UnknownName { help, .. },
                ..
            }) = self.problems.get_mut(before)
                && hyphen
            {
                "a name with a hyphen in it goes into back-quotes: payload.`user-id`".clone_into(help);
            }
        }
        NodeKind::Chain {
            first,
            rest: nodes.into(),
        }
    }

    fn step(&mut self, step: Step) -> program::Step {
        match step {
            Step::Name(name) => program::Step::Name(name.into()),
            Step::First => program::Step::At(1),
            Step::Index(expr) => {
                let node = self.node(expr);
                match &node.kind {
                    NodeKind::Constant(Value::Number(number)) => crate::number::as_safe_integer(*number)
                        .map_or_else(|| program::Step::Index(node), program::Step::At),
                    _ => program::Step::Index(node),
                }
            }
        }
    }

    /// A bare word. A keyword wins over a root of the same name.
    fn word_or_root(&mut self, name: &str, span: &Range<usize>) -> NodeKind {
        match words::find(name) {
            Some(words::Meaning::Constant(value)) => NodeKind::Constant(value),
            Some(words::Meaning::Word(word)) => NodeKind::Word(word),
            None => self.root(name, span),
        }
    }

    fn root(&mut self, name: &str, span: &Range<usize>) -> NodeKind {
        if let Some(case) = self.names.root(name) {
            self.roots.insert(name.to_owned());
            return NodeKind::Path {
                root: name.into(),
                case,
                steps: Box::default(),
            };
        }
        let help = suggest::for_name(name, self.names);
        self.problem(
            ProblemKind::UnknownName {
                name: name.to_owned(),
                help,
            },
            span.clone(),
        );
        NodeKind::Constant(Value::Undefined)
    }

    fn call(&mut self, name: &str, name_span: Range<usize>, arguments: Vec<Expr>, span: &Range<usize>) -> NodeKind {
        let arguments: Box<[Node]> = arguments.into_iter().map(|argument| self.node(argument)).collect();
        if let Some(function) = self.names.function(name) {
            let function = std::sync::Arc::clone(function);
            self.check_count(name, function.parameters(), arguments.len(), span);
            return NodeKind::Host { function, arguments };
        }
        let Some(function) = functions::find(name) else {
            let help = suggest::for_function(name, self.names);
            self.problem(
                ProblemKind::UnknownFunction {
                    name: name.to_owned(),
                    help,
                },
                name_span,
            );
            return NodeKind::Constant(Value::Undefined);
        };
        self.check_count(name, function.parameters, arguments.len(), span);
        let pattern = (function.name == "replace").then(|| self.pattern(&arguments)).flatten();
        NodeKind::Call {
            function,
            arguments,
            pattern,
        }
    }

    fn check_count(&mut self, name: &str, parameters: &[&'static str], given: usize, span: &Range<usize>) {
        let arity = Arity::of(parameters);
        if !arity.takes(given) {
            let kind = ProblemKind::ArgumentCount {
                function: name.to_owned(),
                expected: arity.to_string(),
                given,
                signature: functions::signature(name, parameters),
            };
            self.problem(kind, span.clone());
        }
    }

    /// The regular expression of a `replace` whose search text is known now, so that a request need not compile it.
    fn pattern(&mut self, arguments: &[Node]) -> Option<Box<Pattern>> {
        let search = arguments.get(1)?;
        let NodeKind::Constant(Value::Text(text)) = &search.kind else {
            return None;
        };
        match pattern::parse(text, Author::Template)? {
            Ok(pattern) => Some(Box::new(pattern)),
            Err(reason) => {
                self.problem(ProblemKind::Pattern { reason }, search.span.clone());
                None
            }
        }
    }
}

/// Deeper nesting than this is refused whatever the limits say: the stack is not configurable.
pub(crate) const DEPTH_MAX: usize = 128;
