//! Makes an expression of the tokens of one hole. Stops at the first syntax error of the hole.
//!
//! INVARIANT: an [`Expr`] is at most a small multiple of `depth` levels high, so that neither walking nor dropping it
//! can exhaust the stack.

use std::ops::Range;

use crate::ast::{Expr, ExprKind, Operator, Step};
use crate::error::{Problem, ProblemKind};
use crate::lexer::{Hole, Spanned, Symbol, Token};
use crate::value::Value;

/// Parses the tokens of a hole.
pub(crate) fn parse(hole: &Hole, source: &str, depth: usize) -> Result<Expr, Problem> {
    if hole.tokens.is_empty() {
        return Err(Problem {
            kind: ProblemKind::EmptyHole,
            span: hole.span.clone(),
        });
    }
    let end = hole.span.end.saturating_sub(2)..hole.span.end;
    let mut parser = Parser {
        tokens: &hole.tokens,
        at: 0,
        source,
        end,
        room: depth,
        depth,
    };
    let expr = parser.expression(0)?;
    if parser.at < hole.tokens.len() {
        return Err(parser.unexpected("an operator or `}}`"));
    }
    Ok(expr)
}

struct Parser<'t> {
    tokens: &'t [Spanned],
    at: usize,
    source: &'t str,
    /// The closing braces.
    end: Range<usize>,
    /// Number of levels that may still be opened.
    room: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).map(|spanned| &spanned.token)
    }

    fn peek_symbol(&self) -> Option<Symbol> {
        match self.peek() {
            Some(Token::Symbol(symbol)) => Some(*symbol),
            _ => None,
        }
    }

    /// The place of the next token.
    fn here(&self) -> Range<usize> {
        self.tokens
            .get(self.at)
            .map_or_else(|| self.end.clone(), |spanned| spanned.span.clone())
    }

    /// Place at which the last token ended.
    fn last_end(&self) -> usize {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(self.end.start, |spanned| spanned.span.end)
    }

    fn accept(&mut self, symbol: Symbol) -> bool {
        let there = self.peek_symbol() == Some(symbol);
        if there {
            self.at += 1;
        }
        there
    }

    fn expect(&mut self, symbol: Symbol, expected: &'static str) -> Result<(), Problem> {
        if self.accept(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    fn unexpected(&self, expected: &'static str) -> Problem {
        let span = self.here();
        let found = if self.at < self.tokens.len() {
            format!("`{}`", self.source.get(span.clone()).unwrap_or(""))
        } else {
            "the end".to_owned()
        };
        Problem {
            kind: ProblemKind::Unexpected { expected, found },
            span,
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let Some(room) = self.room.checked_sub(1) else {
            return Err(Problem {
                kind: ProblemKind::TooDeep { limit: self.depth },
                span: self.here(),
            });
        };
        self.room = room;
        let result = inner(self);
        self.room += 1;
        result
    }

    /// Parses operators that bind at least as tightly as `level`.
    fn expression(&mut self, level: u8) -> Result<Expr, Problem> {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator().filter(|operator| operator.level() >= level) {
            self.at += 1;
            let right = self.expression(operator.level() + 1)?;
            left = join(left, operator, right);
        }
        Ok(left)
    }

    /// The operator that comes next. `and`, `or` and `mod` are operators only where one may stand.
    fn operator(&self) -> Option<Operator> {
        Some(match self.peek()? {
            Token::Symbol(symbol) => match symbol {
                Symbol::Plus => Operator::Add,
                Symbol::Minus => Operator::Subtract,
                Symbol::Star => Operator::Multiply,
                Symbol::Slash => Operator::Divide,
                Symbol::Percent => Operator::Remainder,
                Symbol::Equal => Operator::Equal,
                Symbol::NotEqual => Operator::NotEqual,
                Symbol::Less => Operator::Less,
                Symbol::LessEqual => Operator::LessEqual,
                Symbol::Greater => Operator::Greater,
                Symbol::GreaterEqual => Operator::GreaterEqual,
                Symbol::And => Operator::And,
                Symbol::Or => Operator::Or,
                _ => return None,
            },
            Token::Name(name) => match name.as_str() {
                "and" => Operator::And,
                "or" => Operator::Or,
                "mod" => Operator::Remainder,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        let start = self.here().start;
        let wrap = match self.peek_symbol() {
            Some(Symbol::Not) => ExprKind::Not,
            Some(Symbol::Minus) => ExprKind::Negate,
            _ => return self.postfix(),
        };
        self.at += 1;
        let inner = self.deeper(Self::unary)?;
        let span = start..inner.span.end;
        Ok(Expr {
            kind: wrap(Box::new(inner)),
            span,
        })
    }

    fn postfix(&mut self) -> Result<Expr, Problem> {
        let base = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if self.accept(Symbol::Dot) {
                let Some(Token::Name(name) | Token::Quoted(name)) = self.peek() else {
                    return Err(self.unexpected("a property name (in back-quotes if it is not a plain word)"));
                };
                steps.push(Step::Name(name.clone()));
                self.at += 1;
            } else if self.accept(Symbol::OpenBracket) {
                if self.accept(Symbol::CloseBracket) {
                    steps.push(Step::First);
                } else {
                    let index = self.deeper(|parser| parser.expression(0))?;
                    self.expect(Symbol::CloseBracket, "`]`")?;
                    steps.push(Step::Index(index));
                }
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(base);
        }
        let span = base.span.start..self.last_end();
        Ok(Expr {
            kind: ExprKind::Steps {
                base: Box::new(base),
                steps,
            },
            span,
        })
    }

    fn primary(&mut self) -> Result<Expr, Problem> {
        let span = self.here();
        let kind = match self.peek() {
            Some(Token::Number(value)) => ExprKind::Literal(value.clone()),
            Some(Token::Text(text)) => ExprKind::Literal(Value::Text(text.clone())),
            Some(Token::Quoted(name)) => ExprKind::Quoted(name.clone()),
            Some(Token::Name(name)) => {
                self.at += 1;
                return if self.accept(Symbol::Open) {
                    self.call(name, span)
                } else {
                    Ok(Expr {
                        kind: ExprKind::Name(name.clone()),
                        span,
                    })
                };
            }
            Some(Token::Symbol(Symbol::Open)) => {
                self.at += 1;
                let mut inner = self.deeper(|parser| parser.expression(0))?;
                self.expect(Symbol::Close, "`)`")?;
                inner.span = span.start..self.last_end();
                return Ok(inner);
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        Ok(Expr { kind, span })
    }

    /// The arguments of a call, behind its opening parenthesis. An argument left out is undefined.
    fn call(&mut self, name: &str, name_span: Range<usize>) -> Result<Expr, Problem> {
        let mut arguments = Vec::new();
        if !self.accept(Symbol::Close) {
            loop {
                if matches!(self.peek_symbol(), Some(Symbol::Separator | Symbol::Close)) {
                    let at = self.here().start;
                    arguments.push(Expr {
                        kind: ExprKind::Literal(Value::Undefined),
                        span: at..at,
                    });
                } else {
                    arguments.push(self.deeper(|parser| parser.expression(0))?);
                }
                if self.accept(Symbol::Close) {
                    break;
                }
                self.expect(Symbol::Separator, "`,`, `;` or `)`")?;
            }
        }
        let span = name_span.start..self.last_end();
        Ok(Expr {
            kind: ExprKind::Call {
                name: name.to_owned(),
                name_span,
                arguments,
            },
            span,
        })
    }
}

/// Joins two operands. Operators of the same level make one flat chain: all of them go from left to right.
fn join(left: Expr, operator: Operator, right: Expr) -> Expr {
    let span = left.span.start..right.span.end;
    let kind = match left.kind {
        ExprKind::Chain { first, mut rest }
            if rest.first().is_some_and(|(other, _)| other.level() == operator.level()) =>
        {
            rest.push((operator, right));
            ExprKind::Chain { first, rest }
        }
        kind => {
            let first = Box::new(Expr { kind, span: left.span });
            ExprKind::Chain {
                first,
                rest: vec![(operator, right)],
            }
        }
    };
    Expr { kind, span }
}
