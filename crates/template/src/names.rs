//! Names that a template may use: the roots of its scope, and the functions the host adds.

use std::fmt;
use std::sync::Arc;

use crate::limits::Limits;
use crate::value::Value;

/// The names a template is compiled against, and its limits.
///
/// ```
/// use narthex_template::{Names, Template};
///
/// let names = Names::new(["payload", "header"]).with_folded_root("headers");
/// assert!(Template::compile("{{payload.sub}}", &names).is_ok());
/// assert!(Template::compile("{{body.sub}}", &names).is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Names {
    roots: Vec<Root>,
    functions: Vec<Arc<dyn HostFunction>>,
    limits: Limits,
}

#[derive(Debug, Clone)]
struct Root {
    name: String,
    folded: bool,
}

impl Names {
    /// Declares roots.
    pub fn new<N: Into<String>>(roots: impl IntoIterator<Item = N>) -> Self {
        let roots = roots
            .into_iter()
            .map(|name| Root {
                name: name.into(),
                folded: false,
            })
            .collect();
        Self {
            roots,
            ..Self::default()
        }
    }

    /// Declares one more root.
    #[must_use]
    pub fn with_root(mut self, name: impl Into<String>) -> Self {
        self.roots.push(Root {
            name: name.into(),
            folded: false,
        });
        self
    }

    /// Declares a root whose members are looked up without regard to ASCII case, as header names are.
    #[must_use]
    pub fn with_folded_root(mut self, name: impl Into<String>) -> Self {
        self.roots.push(Root {
            name: name.into(),
            folded: true,
        });
        self
    }

    /// Adds a function of the host. One that has the name of a built-in function replaces it.
    #[must_use]
    pub fn with_function(mut self, function: Arc<dyn HostFunction>) -> Self {
        self.functions.push(function);
        self
    }

    /// Sets the limits of a template.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Limits of a template.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The declared roots, in order.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|root| root.name.as_str())
    }

    /// Looks up a declared root. Returns whether its members are looked up without regard to case; `None` if it is not
    /// declared.
    pub(crate) fn root(&self, name: &str) -> Option<Case> {
        self.roots.iter().find(|root| root.name == name).map(
            |root| {
                if root.folded { Case::Folded } else { Case::Exact }
            },
        )
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Arc<dyn HostFunction>> {
        self.functions.iter().find(|function| function.name() == name)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Arc<dyn HostFunction>> {
        self.functions.iter()
    }
}

/// Rule for looking up the members of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Exact,
    Folded,
}

/// A function that the host adds to the language, such as `jwt`.
pub trait HostFunction: fmt::Debug + Send + Sync {
    /// Its name in templates.
    fn name(&self) -> &str;

    /// The names of its parameters; those in brackets may be left out: `["payload", "secret", "[algorithm]"]`.
    fn parameters(&self) -> &[&'static str];

    /// Calls it with evaluated arguments: at least as many as there are required parameters, at most all. Values that earlier
    /// templates gave are lent, not copied.
    fn call(&self, arguments: &[&Value], facts: &HostFacts) -> Result<Value, HostError>;
}

/// Facts that a host function may use besides its arguments.
#[derive(Debug, Clone, Copy)]
pub struct HostFacts {
    /// The instant of the evaluation, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Error of a host function. Its words are shown as they are, so they must not contain secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// The cause.
    pub message: String,
    /// Advice on what to do, if there is any. The message may be another program's, kept to the letter.
    pub help: Option<&'static str>,
}
