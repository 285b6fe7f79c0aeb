//! Cuts a template into literal text and holes, and each hole into tokens.
//!
//! A hole ends at the first `}}` outside of quoted and back-quoted runs. A source that does not have both `{{` and
//! `}}` is plain text.

use std::ops::Range;

use crate::error::{Problem, ProblemKind};
use crate::number;
use crate::value::{self, Value};

/// A part of a template.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Hole(Hole),
}

/// The tokens between one pair of braces.
#[derive(Debug)]
pub(crate) struct Hole {
    pub(crate) tokens: Vec<Spanned>,
    /// From `{{` through `}}`.
    pub(crate) span: Range<usize>,
    /// True if every character became a token. If not, the problem is already told and parsing would only add noise.
    pub(crate) sound: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Name(String),
    /// A name in back-quotes.
    Quoted(String),
    Text(String),
    Number(Value),
    Symbol(Symbol),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Not,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Dot,
    /// `,` or `;`
    Separator,
}

/// Cuts a source into pieces; problems are added to `problems`.
pub(crate) fn lex(source: &str, problems: &mut Vec<Problem>) -> Vec<Piece> {
    if !(source.contains("{{") && source.contains("}}")) {
        return if source.is_empty() {
            Vec::new()
        } else {
            vec![Piece::Text(source.to_owned())]
        };
    }
    let mut lexer = Lexer {
        source,
        at: 0,
        problems,
    };
    let mut pieces = Vec::new();
    let mut text = String::new();
    while let Some(c) = lexer.peek() {
        // In `{{{a}}}` the inner braces are the hole: a hole never begins with a brace.
        if lexer.rest().starts_with("{{") && !lexer.rest().starts_with("{{{") {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Hole(lexer.hole()));
        } else {
            text.push(c);
            lexer.at += c.len_utf8();
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

struct Lexer<'s, 'p> {
    source: &'s str,
    at: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'s> Lexer<'s, '_> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn problem(&mut self, kind: ProblemKind, span: Range<usize>) {
        self.problems.push(Problem { kind, span });
    }

    fn hole(&mut self) -> Hole {
        let start = self.at;
        self.at += 2;
        let before = self.problems.len();
        let mut tokens = Vec::new();
        loop {
            let Some(c) = self.peek() else {
                if self.problems.len() == before {
                    self.problem(ProblemKind::UnclosedHole, start..start + 2);
                }
                break;
            };
            if self.rest().starts_with("}}") {
                self.at += 2;
                break;
            }
            if c.is_whitespace() {
                self.at += c.len_utf8();
                continue;
            }
            let from = self.at;
            match self.token(c) {
                Ok(token) => tokens.push(Spanned {
                    token,
                    span: from..self.at,
                }),
                Err(kind) => {
                    self.problem(kind, from..self.at.max(from + c.len_utf8()));
                    self.skip_past_hole(from);
                    break;
                }
            }
        }
        Hole {
            tokens,
            span: start..self.at,
            sound: self.problems.len() == before,
        }
    }

    /// After a problem: goes on behind the next `}}`, so that problems of later holes are told too.
    fn skip_past_hole(&mut self, from: usize) {
        self.at = self
            .source
            .get(from..)
            .and_then(|rest| rest.find("}}"))
            .map_or(self.source.len(), |found| from + found + 2);
    }

    /// Reads the token that begins with `c`.
    fn token(&mut self, c: char) -> Result<Token, ProblemKind> {
        match c {
            '"' | '\'' => self
                .quoted(c)
                .map(Token::Text)
                .ok_or(ProblemKind::UnclosedText { quote: c }),
            '`' => match self.quoted(c) {
                None => Err(ProblemKind::UnclosedName),
                Some(name) if name.is_empty() => Err(ProblemKind::EmptyName),
                Some(name) => Ok(Token::Quoted(name)),
            },
            '0'..='9' => Ok(Token::Number(self.number())),
            c if c == '_' || c.is_alphabetic() => {
                let rest = self.rest();
                let length = rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                self.at += length;
                Ok(Token::Name(rest.get(..length).unwrap_or("").to_owned()))
            }
            _ => self.symbol(c).map(Token::Symbol),
        }
    }

    /// Reads to the closing quote; a doubled quote is one quote. `None` if there is no closing one.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                text.push(quote);
                chars.next();
            } else {
                self.at += offset + 1;
                return Some(text);
            }
        }
        None
    }

    fn number(&mut self) -> Value {
        let rest = self.rest();
        let digits = |from: usize| rest.bytes().skip(from).take_while(u8::is_ascii_digit).count();
        let byte = |at: usize| rest.as_bytes().get(at).copied().unwrap_or(0);
        let mut length = digits(0);
        let mut integer = true;
        if byte(length) == b'.' && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
            integer = false;
        }
        if matches!(byte(length), b'e' | b'E') {
            let sign = usize::from(matches!(byte(length + 1), b'+' | b'-'));
            let exponent = digits(length + 1 + sign);
            if exponent > 0 {
                length += 1 + sign + exponent;
                integer = false;
            }
        }
        self.at += length;
        let text = rest.get(..length).unwrap_or("");
        match text.parse::<u64>() {
            Ok(value) if integer => value::of_integer(i128::from(value)),
            _ => Value::Number(number::of_text(text)),
        }
    }

    fn symbol(&mut self, c: char) -> Result<Symbol, ProblemKind> {
        const SYMBOLS: [(&str, Symbol); 26] = [
            ("===", Symbol::Equal),
            ("!==", Symbol::NotEqual),
            ("==", Symbol::Equal),
            ("!=", Symbol::NotEqual),
            ("<=", Symbol::LessEqual),
            (">=", Symbol::GreaterEqual),
            ("&&", Symbol::And),
            ("||", Symbol::Or),
            ("=", Symbol::Equal),
            ("<", Symbol::Less),
            (">", Symbol::Greater),
            ("&", Symbol::And),
            ("|", Symbol::Or),
            ("!", Symbol::Not),
            ("+", Symbol::Plus),
            ("-", Symbol::Minus),
            ("*", Symbol::Star),
            ("/", Symbol::Slash),
            ("%", Symbol::Percent),
            ("(", Symbol::Open),
            (")", Symbol::Close),
            ("[", Symbol::OpenBracket),
            ("]", Symbol::CloseBracket),
            (".", Symbol::Dot),
            (",", Symbol::Separator),
            (";", Symbol::Separator),
        ];
        let rest = self.rest();
        let Some((text, symbol)) = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text)) else {
            return Err(ProblemKind::UnexpectedCharacter { found: c });
        };
        self.at += text.len();
        Ok(*symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<Token> {
        let mut problems = Vec::new();
        let mut pieces = lex(source, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        match pieces.pop() {
            Some(Piece::Hole(hole)) if pieces.is_empty() => hole.tokens.into_iter().map(|token| token.token).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn doubled_quotes_are_one_and_backslashes_are_plain() {
        assert_eq!(tokens(r#"{{""""}}"#), [Token::Text("\"".into())]);
        assert_eq!(tokens("{{'it''s'}}"), [Token::Text("it's".into())]);
        assert_eq!(tokens("{{''}}"), [Token::Text(String::new())]);
        assert_eq!(tokens(r#"{{"/\+/g"}}"#), [Token::Text(r"/\+/g".into())]);
        assert_eq!(tokens("{{`a``b`}}"), [Token::Quoted("a`b".into())]);
    }

    #[test]
    fn braces_inside_quotes_do_not_end_a_hole() {
        assert_eq!(tokens(r#"{{"a}}b"}}"#), [Token::Text("a}}b".into())]);
        assert_eq!(tokens("{{`a}}b`}}"), [Token::Quoted("a}}b".into())]);
    }

    #[test]
    fn numbers_have_fractions_and_exponents() {
        assert_eq!(tokens("{{12}}"), [Token::Number(Value::Number(12.0))]);
        assert_eq!(tokens("{{1.25}}"), [Token::Number(Value::Number(1.25))]);
        assert_eq!(tokens("{{1e3}}"), [Token::Number(Value::Number(1000.0))]);
        assert_eq!(
            tokens("{{9007199254740993}}"),
            [Token::Number(Value::BigInteger(9_007_199_254_740_993))]
        );
        assert_eq!(tokens("{{1.a}}").len(), 3);
    }
}
