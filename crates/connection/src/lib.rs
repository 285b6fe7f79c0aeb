//! Connection documents: JSON whose strings are templates, to requests; responses to a judgement.
//!
//! **What comes in:** a document (comments and trailing commas allowed), and for a run of it the parameters, common and
//! stored data, the time, randomness, and what a service answered. **What goes out:** requests that are ready to be
//! sent, their redacted form, and either an [`Outcome`] or a [`RunError`].
//!
//! ```
//! use narthex_connection::{Connection, Facts, Inputs, Limits, Response, Run, Step};
//! use narthex_template::Zone;
//! use serde_json::json;
//!
//! let source = r#"{
//!     "url": "https://api.example.com/me", // who am I?
//!     "headers": { "authorization": "Bearer {{parameters.key}}" },
//!     "response": { "uid": "{{body.id}}" },
//! }"#;
//! let connection = Connection::compile(source, &Limits::default())?;
//! let mut inputs = Inputs::default();
//! inputs.parameters.insert("key".to_owned(), json!("s3cret"));
//! let mut run = Run::new(&connection, inputs);
//! let zone = Zone::utc();
//! let facts = Facts { now_ms: 1_700_000_000_123, zone: &zone, random: &|buffer| buffer.fill(7) };
//!
//! let Step::Send(request) = run.next(&facts)? else { panic!() };
//! assert_eq!(request.headers, [("Authorization".to_owned(), "Bearer s3cret".to_owned())]);
//! assert_eq!(request.redacted().headers, [("Authorization".to_owned(), "Bearer ***".to_owned())]);
//! let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
//! run.answer(&Response { status: 200, headers, body: br#"{"id": 7}"#.to_vec() }, &facts)?;
//! let Step::Done(outcome) = run.next(&facts)? else { panic!() };
//! assert_eq!(outcome.uid.as_deref(), Some("7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows nothing of sockets, files or clocks: the caller sends, waits and tells the time.
//!
//! # Invariants
//!
//! * Parameters, common data, stored data and minted tokens are in the request that is sent and nowhere else: not in
//!   its redacted form, not in an error, not in `Debug`.
//! * No value can end a header, a part of a body or a line of the request.
//! * A document's text is compiled once; what a template gives is never evaluated again.
//! * Everything has a limit ([`Limits`]).

mod compile;
mod document;
mod document_keys;
mod encode;
mod error;
mod evaluate;
mod inputs;
mod jsonc;
mod judge;
mod limits;
mod minted;
mod problem;
mod redacted;
mod request;
mod response;
mod run;
mod secrets;

pub use document::{Connection, MetadataType};
pub use document_keys::{DocumentKey, document_keys};
pub use error::{ErrorType, RunError};
pub use inputs::{Facts, Inputs};
pub use limits::{Limits, SecretsTooLarge};
pub use minted::Minted;
pub use problem::{DocumentProblems, Problem};
pub use redacted::{RedactedRequest, RedactedResponse};
pub use request::Request;
pub use response::Response;
pub use run::{Outcome, Run, Step};
