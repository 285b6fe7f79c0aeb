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
//! * What a template reads is data. Text from the scope is never parsed as a template.
//! * An evaluation ends: there are no loops and no recursion, and every step is paid for with fuel ([`Limits`]).
//! * Messages never contain values from the scope.
//! * Evaluating the same template in the same scope gives the same value.

mod ast;
mod compile;
mod dates;
mod document;
mod error;
mod eval;
mod functions;
mod json_text;
mod lexer;
mod limits;
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
pub use limits::Limits;
pub use names::{HostError, HostFacts, HostFunction, Names};
pub use number::number_text;
pub use scope::{Random, Scope};
pub use template::Template;
pub use value::{Object, Value};
pub use words::{KEYWORDS, Keyword};
