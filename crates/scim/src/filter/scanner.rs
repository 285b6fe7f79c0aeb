//! Parser of filters, by recursive descent: `or` binds less than `and`, and `and` less than `not`.

use serde_json::Value;

use super::{Filter, Operator, invalid};
use crate::attribute::AttributePath;
use crate::problem::ScimProblem;

/// Largest number of groups inside each other.
const DEPTH_MAX: usize = 16;

/// Text that is left, and the number of groups around it.
pub(super) struct Scanner<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Scanner<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { rest: text, depth: 0 }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&mut self) -> Result<(), ScimProblem> {
        self.blanks();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(invalid("there is more after its end"))
        }
    }

    /// Reads a filter: terms with `or` between them.
    pub(super) fn filter(&mut self) -> Result<Filter, ScimProblem> {
        if self.depth >= DEPTH_MAX {
            return Err(invalid("it has more than 16 groups inside each other"));
        }
        self.depth += 1;
        let mut filters = vec![self.conjunction()?];
        while self.keyword("or") {
            filters.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(one_or(filters, Filter::Or))
    }

    fn conjunction(&mut self) -> Result<Filter, ScimProblem> {
        let mut filters = vec![self.term()?];
        while self.keyword("and") {
            filters.push(self.term()?);
        }
        Ok(one_or(filters, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, ScimProblem> {
        if self.keyword("not") {
            if !self.take('(') {
                return Err(invalid("`not` needs parentheses after it"));
            }
            return Ok(Filter::Not(Box::new(self.group(')')?)));
        }
        if self.take('(') {
            return self.group(')');
        }
        let path = self.path()?;
        if self.take('[') {
            return Ok(Filter::Item(path, Box::new(self.group(']')?)));
        }
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = Operator::named(word).ok_or_else(|| invalid("an operator is missing, such as `eq`"))?;
        Ok(Filter::Compare(path, operator, self.value()?))
    }

    /// Reads a filter up to its closing bracket.
    fn group(&mut self, close: char) -> Result<Filter, ScimProblem> {
        let filter = self.filter()?;
        if self.take(close) {
            Ok(filter)
        } else {
            Err(invalid("a bracket is not closed"))
        }
    }

    fn path(&mut self) -> Result<AttributePath, ScimProblem> {
        self.blanks();
        let text = self.until(|character| character.is_whitespace() || "()[]".contains(character));
        AttributePath::parse(text).ok_or_else(|| invalid("the name of an attribute is missing"))
    }

    /// Reads a word of letters.
    fn word(&mut self) -> &'t str {
        self.blanks();
        self.until(|character| !character.is_ascii_alphabetic())
    }

    fn value(&mut self) -> Result<Value, ScimProblem> {
        self.blanks();
        let problem = || invalid("a value is missing: a text in double quotes, a number, `true`, `false` or `null`");
        if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
            let value = values.next().and_then(Result::ok).ok_or_else(problem)?;
            let end = values.byte_offset();
            self.rest = self.rest.get(end..).unwrap_or_default();
            return Ok(value);
        }
        let literal = self.until(|character| !(character.is_ascii_alphanumeric() || "+-.".contains(character)));
        serde_json::from_str(&literal.to_ascii_lowercase()).map_err(|_| problem())
    }

    /// Takes a word that has a blank or a bracket after it, whatever its case.
    fn keyword(&mut self, word: &str) -> bool {
        self.blanks();
        let (Some(start), Some(rest)) = (self.rest.get(..word.len()), self.rest.get(word.len()..)) else {
            return false;
        };
        let ends = rest.starts_with(|character: char| character.is_whitespace() || character == '(');
        let is_it = start.eq_ignore_ascii_case(word) && ends;
        if is_it {
            self.rest = rest;
        }
        is_it
    }

    fn take(&mut self, character: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }
}

/// Returns the only filter, or all of them as one.
fn one_or(mut filters: Vec<Filter>, all: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match (filters.pop(), filters.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            filters.extend(last);
            all(filters)
        }
    }
}
