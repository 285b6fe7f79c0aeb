//! A compiled connection.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use narthex_template::{Document, Read, Template};

use crate::compile;
use crate::limits::Limits;
use crate::problem::DocumentProblems;

/// A compiled connection document. Cheap to clone, and shared between threads.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Compiled>,
}

pub(crate) struct Compiled {
    pub(crate) requests: Vec<Request>,
    pub(crate) sanitize: Vec<SanitizePath>,
    pub(crate) limits: Limits,
    pub(crate) reads: BTreeSet<Read>,
}

/// One request of a document.
#[expect(clippy::struct_excessive_bools, reason = "documents have as many switches")]
pub(crate) struct Request {
    /// Place of the request: nothing, or `/0` in a list of requests.
    pub(crate) pointer: String,
    pub(crate) url: Template,
    pub(crate) method: Option<Template>,
    pub(crate) temp: Option<Document>,
    pub(crate) condition: Option<Condition>,
    pub(crate) headers: Option<Document>,
    pub(crate) qs: Option<Document>,
    pub(crate) body: Option<Document>,
    pub(crate) body_type: BodyType,
    pub(crate) encode_url: bool,
    pub(crate) ca: Option<Template>,
    pub(crate) follow_redirects: bool,
    pub(crate) follow_all_redirects: bool,
    pub(crate) gzip: bool,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) response: Response,
}

/// Condition under which a request is made.
pub(crate) struct Condition {
    pub(crate) test: Test,
    pub(crate) default: Option<Document>,
}

/// A boolean, or a template that stands for one, with its place.
pub(crate) enum Test {
    Literal(bool),
    Template { pointer: String, template: Template },
}

pub(crate) struct Repeat {
    pub(crate) test: Test,
    pub(crate) delay_ms: u64,
    pub(crate) limit: u32,
}

/// Encoding of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyType {
    Json,
    UrlEncoded,
    Multipart,
    Text,
    Binary,
}

/// Format as which an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseType {
    Automatic,
    Json,
    UrlEncoded,
    Text,
    Binary,
    Xml,
}

/// The types of an inclusive range of statuses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeRange {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) kind: ResponseType,
}

pub(crate) struct Response {
    pub(crate) types: Vec<TypeRange>,
    pub(crate) temp: Option<Document>,
    pub(crate) valid: Option<Test>,
    pub(crate) invalid: ErrorTemplates,
    pub(crate) error: ErrorTemplates,
    pub(crate) status_errors: Vec<(u16, ErrorTemplates)>,
    pub(crate) uid: Option<Document>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) data: Option<Document>,
    pub(crate) expires: Option<Template>,
}

/// A message and a type, each with its place.
#[derive(Default)]
pub(crate) struct ErrorTemplates {
    pub(crate) message: Option<(String, Template)>,
    pub(crate) kind: Option<(String, Template)>,
}

pub(crate) struct Metadata {
    pub(crate) kind: MetadataType,
    pub(crate) value: Document,
}

/// Kind of label that a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataType {
    /// Any text.
    Text,
    /// An e-mail address.
    Email,
}

impl MetadataType {
    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Email => "email",
        }
    }
}

/// A path of `log.sanitize`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SanitizePath {
    pub(crate) side: Side,
    /// Lower-cased steps below it.
    pub(crate) steps: Vec<String>,
}

/// Message that a path leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Connection {
    /// Compiles a document: one request, or a list of them. Reports every problem, not only the first.
    ///
    /// ```
    /// use narthex_connection::{Connection, Limits};
    ///
    /// let source = r#"{ "url": "https://api.example.com/me", "headers": { "x-key": "{{parameters.key}}" } }"#;
    /// assert!(Connection::compile(source, &Limits::default()).is_ok());
    /// let problems = Connection::compile(r#"{ "ulr": "x", "gzip": 1 }"#, &Limits::default()).unwrap_err();
    /// assert_eq!(problems.problems().len(), 3);
    /// ```
    pub fn compile(source: &str, limits: &Limits) -> Result<Self, DocumentProblems> {
        let inner = compile::compile(source, limits)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The names of the parameters that its templates read.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.members_read("parameters")
    }

    /// The names of the common data that its templates read.
    pub fn common_names(&self) -> impl Iterator<Item = &str> {
        self.members_read("common")
    }

    /// Tests whether a template reads a root whole, so that any member of it may matter.
    pub fn reads_whole(&self, root: &str) -> bool {
        self.inner
            .reads
            .iter()
            .any(|read| read.root == root && read.member.is_none())
    }

    /// Number of requests in the document.
    pub fn request_count(&self) -> usize {
        self.inner.requests.len()
    }

    /// The limits it was compiled with.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.inner
    }

    fn members_read(&self, root: &'static str) -> impl Iterator<Item = &str> {
        self.inner
            .reads
            .iter()
            .filter(move |read| read.root == root)
            .filter_map(|read| read.member.as_deref())
    }
}

// Literal text of a document may be a secret.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("requests", &self.request_count())
            .finish_non_exhaustive()
    }
}
