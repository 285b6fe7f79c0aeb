//! Issuers made at run time: by the admin API, or by an organization's admin with a setup link.
//!
//! **In:** the documents of the directory, the issuers of the configuration file, and the limits in force. **Out:** the issuers that
//! are in use beside those of the file, and for each other document the reason why it is off. Nothing here reads a socket or the
//! time; only `store` reaches the directory.
//!
//! Invariants:
//! * A document is compiled by the one function that compiles the file, and names nothing of this machine.
//! * The file wins: an issuer with a name or an `iss` of the file is off.
//! * SECURITY: a document that belongs to an organization is an issuer of that organization, whatever it says itself
//!   ([`compile`]).

mod choice;
mod document;
mod json;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use narthex_config::Limits;

pub use choice::{Candidate, Choice, ChosenIssuer, FileIssuer, OffReason, choose};
pub use document::{SETUP_KEYS, compile};
pub use json::IssuerDocument;

/// State of one document on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentState {
    /// The issuer is in use, as this version of its document says.
    InUse(u64),
    /// It is not in use, for this reason.
    Off(OffReason),
}

/// States of all documents, by name.
pub type DocumentStates = BTreeMap<String, DocumentState>;

/// The issuers made at run time, as a node has them in use, for those who show and check them.
#[derive(Debug)]
pub struct RunTimeIssuers {
    limits: ArcSwap<Limits>,
    states: ArcSwap<DocumentStates>,
    file: ArcSwap<Vec<FileIssuer>>,
}

impl RunTimeIssuers {
    /// None so far, under these limits of the configuration.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(limits),
            states: ArcSwap::default(),
            file: ArcSwap::default(),
        }
    }

    /// Limits of the configuration in force.
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.limits.load())
    }

    /// Takes note of what is in use now, beside which issuers of the file and under which limits.
    pub fn publish(&self, states: DocumentStates, file: Vec<FileIssuer>, limits: Limits) {
        self.limits.store(Arc::new(limits));
        self.file.store(Arc::new(file));
        self.states.store(Arc::new(states));
    }

    /// The issuers of the file.
    pub fn file(&self) -> Arc<Vec<FileIssuer>> {
        self.file.load_full()
    }

    /// Tests whether the file declares an issuer of this name.
    pub fn is_declared(&self, name: &str) -> bool {
        self.file.load().iter().any(|issuer| issuer.name.as_str() == name)
    }

    /// State of the document of this name on this node; `None` where the node has not read it yet.
    pub fn state(&self, name: &str) -> Option<DocumentState> {
        self.states.load().get(name).cloned()
    }

    /// Tests whether the issuer of this name that is in use was made at run time.
    pub fn is_in_use(&self, name: &str) -> bool {
        matches!(self.state(name), Some(DocumentState::InUse(_)))
    }
}
