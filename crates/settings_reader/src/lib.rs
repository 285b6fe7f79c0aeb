//! Typed reader of settings in a TOML or JSON document.
//!
//! A program declares each key once with [`section!`]: its type, its default, its documentation and an example. In comes the
//! tree of a document, a [`toml::de::DeTable`] or a [`JsonTree`]; out come structs whose values know their places, and
//! [`Problems`], every one of them with its place and what to do. The same declaration gives an [`Outline`], from which a
//! reference page or a schema can be written. Reads no file and no variable, and knows no key but those that
//! [`Provenance`] keeps from the API.
//!
//! Invariants: reading never stops at the first problem; an unknown key is an error; text that looks like a secret is
//! masked before a report is made.

mod json_tree;
mod problem;
mod read;
mod suggest;
mod values;

pub use json_tree::{JsonTree, number_texts};
pub use problem::{FieldProblem, Paint, Problem, ProblemRow, Problems, Severity, Span};
pub use read::{
    Defaulted, Field, FormerKey, FromToml, KeyDescription, Kind, Optional, Outline, Presence, Provenance, Required,
    Section, Walk, key_name,
};
pub use suggest::{did_you_mean, nearest};
#[doc(hidden)]
pub use toml;
pub use values::{Count, List, Named, OneOrMany, Size, UrlText, WebUrl, parse_duration, place_in_literal, word};
