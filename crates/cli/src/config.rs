//! The configuration reader.
//!
//! In comes one TOML file, and whatever files and environment variables it names; out comes a [`Config`] that holds compiled
//! values and nothing left to parse, or every problem at once, each with its place. Two types, two steps: [`file`] is the file as
//! it is written, [`check`] makes it into the value. Knows nothing of sockets, stores or requests: it says what was asked for.
//!
//! Invariants: no secret is ever in the file, in a problem or in a `Debug` output; every key is described once, and the reference
//! page, the default file and the schema are generated from that ([`describe`]); unknown keys are errors.

mod file;
mod problem;
mod read;
mod suggest;
mod values;
