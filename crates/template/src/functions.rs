//! The functions: one row each, from which calls, argument counts, "did you mean", help and the reference page come.

use std::borrow::Cow;
use std::fmt;

use crate::error::Fault;
use crate::eval::{Outcome, Run};
use crate::number;
use crate::pattern::Pattern;
use crate::program::Node;
use crate::value::{Object, Value};
use crate::view::{Items, MEMBER_BYTES, Ref, Val, View};

mod array;
mod binary;
mod collect;
mod date;
mod escape;
mod general;
mod json;
mod math;
mod silent;
mod text;

/// Subject of a function; the reference page has one part for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Choosing and reaching into values.
    General,
    /// Numbers.
    Math,
    /// Text.
    Text,
    /// Bytes, encodings and hashes.
    Binary,
    /// Dates and times.
    Date,
    /// Lists and collections.
    Array,
    /// JSON.
    Json,
}

/// A built-in function.
#[derive(Debug)]
pub struct Function {
    /// Its name; case counts.
    pub name: &'static str,
    /// Its subject.
    pub group: Group,
    /// The names of its parameters: `[name]` may be left out, `name…` may be repeated.
    pub parameters: &'static [&'static str],
    /// Its result, in one sentence.
    pub summary: &'static str,
    /// Calls with their results. A test runs all of them.
    pub examples: &'static [Example],
    pub(crate) action: Action,
}

impl Function {
    /// Notation of a call: `join(list; separator)`.
    pub fn signature(&self) -> String {
        signature(self.name, self.parameters)
    }

    /// Returns this product's own decision about the function where Make's documents are silent or contradict each
    /// other, as the end of a sentence.
    pub fn decided_here(&self) -> Option<&'static str> {
        let row = silent::SILENT.iter().find(|(name, _)| *name == self.name);
        row.map(|(_, decision)| *decision)
    }
}

/// An example of a function, at the instant 2023-11-14T22:13:20.123Z, in UTC.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The template.
    pub template: &'static str,
    /// The scope, a JSON object.
    pub context: &'static str,
    /// The result as JSON, or `undefined`.
    pub result: &'static str,
}

/// Implementation of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Gets its arguments evaluated.
    Eager(for<'a> fn(&mut Args<'a>, &mut Run<'a>) -> Result<Val<'a>, Fault>),
    /// Evaluates the arguments it needs: what is not needed cannot fail.
    Lazy(for<'a> fn(&mut Run<'a>, &'a [Node]) -> Outcome<'a>),
}

/// Every built-in function, in the order of the reference page.
pub fn all() -> impl Iterator<Item = &'static Function> {
    TABLES.iter().copied().flatten()
}

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// Notation of a function's call.
pub(crate) fn signature(name: &str, parameters: &[&'static str]) -> String {
    format!("{name}({})", parameters.join("; "))
}

static TABLES: &[&[Function]] = &[
    general::TABLE,
    text::TABLE,
    escape::TABLE,
    array::TABLE,
    collect::TABLE,
    math::TABLE,
    binary::TABLE,
    date::TABLE,
    json::TABLE,
];

/// A row of a table.
const fn row(
    group: Group,
    name: &'static str,
    parameters: &'static [&'static str],
    summary: &'static str,
    examples: &'static [Example],
    action: Action,
) -> Function {
    Function {
        name,
        group,
        parameters,
        summary,
        examples,
        action,
    }
}

const fn example(template: &'static str, context: &'static str, result: &'static str) -> Example {
    Example {
        template,
        context,
        result,
    }
}

/// Number of arguments that a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arity {
    least: usize,
    most: Option<usize>,
}

impl Arity {
    /// Counts parameters: `[name]` may be left out, `name…` may be repeated.
    pub(crate) fn of(parameters: &[&'static str]) -> Self {
        let least = parameters.iter().filter(|name| !name.starts_with('[')).count();
        let open = parameters.iter().any(|name| name.contains('…'));
        Self {
            least,
            most: (!open).then_some(parameters.len()),
        }
    }

    pub(crate) fn takes(self, count: usize) -> bool {
        count >= self.least && self.most.is_none_or(|most| count <= most)
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "argument" } else { "arguments" };
        match (self.least, self.most) {
            (0, Some(0)) => f.write_str("no arguments"),
            (least, Some(most)) if least == most => write!(f, "{least} {}", plural(least)),
            (0, Some(most)) => write!(f, "at most {most} {}", plural(most)),
            (least, Some(most)) if least + 1 == most => write!(f, "{least} or {most} arguments"),
            (least, Some(most)) => write!(f, "{least} to {most} arguments"),
            (least, None) => write!(f, "at least {least} {}", plural(least)),
        }
    }
}

/// The evaluated arguments of a call.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    function: &'static str,
    values: Vec<Val<'a>>,
    /// The pattern of a `replace` that was compiled with the template.
    pub(crate) pattern: Option<&'a Pattern>,
}

impl<'a> Args<'a> {
    pub(crate) fn new(function: &'static str, values: Vec<Val<'a>>, pattern: Option<&'a Pattern>) -> Self {
        Self {
            function,
            values,
            pattern,
        }
    }

    pub(crate) fn function(&self) -> &'static str {
        self.function
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument at a 0-based index; undefined if it was left out.
    pub(crate) fn at(&self, index: usize) -> Ref<'_> {
        self.values.get(index).map_or(Ref::Undefined, Val::borrow)
    }

    pub(crate) fn view(&self, index: usize) -> View<'_> {
        self.at(index).view()
    }

    /// Tests whether the argument was given, and is neither undefined nor null.
    pub(crate) fn has(&self, index: usize) -> bool {
        !self.view(index).is_nothing()
    }

    /// Takes the argument out.
    pub(crate) fn take(&mut self, index: usize) -> Val<'a> {
        self.values
            .get_mut(index)
            .map_or(Val::UNDEFINED, |value| std::mem::replace(value, Val::UNDEFINED))
    }

    /// The arguments from a 0-based index on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = Ref<'_>> {
        self.values.iter().skip(index).map(Val::borrow)
    }

    /// The argument as text; anything but binary that is not UTF-8 can be text.
    pub(crate) fn text(&self, index: usize, run: &mut Run<'_>) -> Result<Cow<'_, str>, Fault> {
        run.text(self.view(index))
    }

    /// The argument as text, or a default if it was left out.
    pub(crate) fn text_or<'s>(
        &'s self,
        index: usize,
        default: &'s str,
        run: &mut Run<'_>,
    ) -> Result<Cow<'s, str>, Fault> {
        if self.has(index) {
            self.text(index, run)
        } else {
            Ok(Cow::Borrowed(default))
        }
    }

    /// The argument as a number: a number, numeric text, or a date's milliseconds.
    pub(crate) fn number(&self, index: usize) -> Result<f64, Fault> {
        numeric(self.view(index)).ok_or_else(|| self.wrong(index, "a number"))
    }

    /// The argument as a whole number; a fraction is cut off.
    pub(crate) fn whole(&self, index: usize) -> Result<i64, Fault> {
        number::as_safe_integer(self.number(index)?.trunc()).ok_or_else(|| self.wrong(index, "a whole number"))
    }

    /// The argument as a whole number, or a default if it was left out.
    pub(crate) fn whole_or(&self, index: usize, default: i64) -> Result<i64, Fault> {
        if self.has(index) {
            self.whole(index)
        } else {
            Ok(default)
        }
    }

    /// The argument as a list: undefined and null are empty, anything else that is no list is a list of one.
    pub(crate) fn items(&self, index: usize) -> Items<'_> {
        Items::of(self.at(index))
    }

    /// The fault of an argument of the wrong kind.
    pub(crate) fn wrong(&self, index: usize, wanted: &'static str) -> Fault {
        Fault::Argument {
            function: self.function,
            position: index + 1,
            wanted,
            given: match self.view(index) {
                View::Text(_) if wanted.contains("number") => "text that is none",
                view => view.kind(),
            },
        }
    }

    /// The fault of an argument that cannot be read as `form`.
    pub(crate) fn unreadable(&self, index: usize, form: impl Into<String>) -> Fault {
        Fault::Unreadable {
            function: self.function,
            position: index + 1,
            form: form.into(),
        }
    }
}

/// A number, numeric text, or a date's milliseconds.
pub(crate) fn numeric(view: View<'_>) -> Option<f64> {
    match view {
        View::Number(_) | View::BigInteger(_) | View::Date(_) => Some(view.to_number()),
        View::Text(text) if !text.trim().is_empty() => Some(number::of_text(text)).filter(|number| !number.is_nan()),
        _ => None,
    }
}

impl<'a> Run<'a> {
    /// Text of the function's own making.
    pub(crate) fn made(&mut self, text: String) -> Result<Val<'a>, Fault> {
        self.meter.make(text.len())?;
        Ok(Val::Own(Value::Text(text)))
    }

    /// A list of copies.
    pub(crate) fn list<'v>(&mut self, items: impl Iterator<Item = Ref<'v>>) -> Result<Val<'a>, Fault> {
        let mut list = Vec::new();
        for item in items {
            self.meter.burn(1)?;
            self.meter.make(size_of::<Value>())?;
            list.push(item.copy(&mut self.meter)?);
        }
        Ok(Val::Own(Value::Array(list)))
    }

    /// A list of texts of the function's own making.
    pub(crate) fn texts<T: Into<String>>(&mut self, texts: impl Iterator<Item = T>) -> Result<Val<'a>, Fault> {
        let mut list = Vec::new();
        for text in texts {
            let text = text.into();
            self.meter.burn(1)?;
            self.meter.make(size_of::<Value>() + text.len())?;
            list.push(Value::Text(text));
        }
        Ok(Val::Own(Value::Array(list)))
    }

    /// Adds a member to a collection.
    pub(crate) fn insert(&mut self, members: &mut Object, name: &str, value: Ref<'_>) -> Result<(), Fault> {
        self.meter.burn(1)?;
        self.meter.make(MEMBER_BYTES + name.len())?;
        members.insert(name.to_owned(), value.copy(&mut self.meter)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_function_has_an_example() {
        let mut names = std::collections::BTreeSet::new();
        for function in all() {
            assert!(names.insert(function.name), "{} twice", function.name);
            assert!(!function.examples.is_empty(), "{} has no example", function.name);
            assert!(!function.summary.ends_with('.'), "{}", function.name);
        }
        for (name, decision) in silent::SILENT {
            assert!(names.contains(name) && !decision.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn counts_parameters() {
        assert_eq!(
            Arity::of(&["a", "[b]"]),
            Arity {
                least: 1,
                most: Some(2)
            }
        );
        assert_eq!(Arity::of(&["a", "b…"]), Arity { least: 2, most: None });
        assert_eq!(Arity::of(&["a", "[b…]"]).to_string(), "at least 1 argument");
        assert_eq!(Arity::of(&["a", "[b]", "[c]"]).to_string(), "1 to 3 arguments");
    }
}
