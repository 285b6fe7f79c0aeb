//! IML, the template language: text to a compiled program to a value.
//!
//! A source such as `Hello, {{payload.name}}` comes in with the names it may use, and a [`Template`] comes out, or all
//! the problems of the source, each with its place. A template and a [`Scope`] (claims, the time, a zone) make a
//! [`Value`]: of any type if the source is exactly one hole, text otherwise. A [`Document`] is a JSON value whose
//! strings are templates.
//!
//! This crate knows nothing of tokens, users or requests: names and values are given to it. It has no clock, no
//! randomness, no files and no network.
//!
//! Invariants:
//!
//! * Whatever a template reads is data. Text from the scope is never parsed as a template.
//! * An evaluation ends: there are no loops and no recursion, and every step is paid for with fuel ([`Limits`]).
//! * Messages never contain values from the scope.
//! * Evaluating the same template in the same scope gives the same value.
//!
//! The language is Make's. Where its documents are silent, this crate takes the safe side and says so:
//!
//! * A missing value stays missing. A function that makes a list of a list (or of a text) gives undefined for undefined
//!   and null for null, never an empty list: an absent tags claim must not turn into "no tags".
//! * Integers of the input that no double holds stay exact ([`Value::BigInteger`]): two ids never become one.
//! * An HMAC key that is given but empty is an error, and not a plain hash.
//! * A `{{` without its `}}` is text only where the source has no `}}` at all; otherwise it is an error.
//! * Regular expressions run in linear time; look-around and back-references are errors that say so.
//! * A date beside `+` counts as its milliseconds, as it does beside the other arithmetic operators.
//! * Numbers are doubles, and their text is JavaScript's. NaN and the infinities are null in JSON.
//! * `&` and `|` give an operand, as in JavaScript, and look at the right side only if the left one does not decide.
//! * Lists and collections are equal if their contents are; nothing is ever converted to compare.

mod ast;
mod compile;
mod dates;
mod document;
mod error;
mod eval;
mod functions;
mod json_text;
mod legible;
mod lexer;
mod limits;
mod mask;
mod moment;
mod names;
mod number;
mod operate;
mod parser;
mod pattern;
mod program;
mod scope;
mod suggest;
mod template;
mod value;
mod view;
mod words;

pub use dates::Zone;
pub use document::{Document, DocumentError, DocumentEvalError};
pub use error::{CompileError, EvalError, Fault, Problem, ProblemKind};
pub use functions::{Example, Function, Group, all as functions, find as function};
pub use legible::is_disruptive;
pub use limits::Limits;
pub use mask::{Hides, Masked, Read};
pub use names::{HostError, HostFacts, HostFunction, Names};
pub use number::number_text;
pub use scope::{HostCall, Observer, Random, Scope};
pub use suggest::nearest;
pub use template::Template;
pub use value::{Object, Value};
pub use words::{KEYWORDS, Keyword};

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
