//! Settings of an issuer, as a sample token or an issuer's address suggests them.
//!
//! **In** comes the text of a token, or an address. **Out** goes a [`Proposal`]: an issuer document with a reason for each
//! setting and the value that it has in the sample, and what its reader should know.
//!
//! Invariants:
//! * Nothing is fetched and nothing is verified: a proposal is a form that is filled in, not a decision. So a sample leads to
//!   no address, private or not.
//! * Text of the sample becomes a value of a setting, and never a key, a template or a claim that is not one of ours; the
//!   only exception is the name of a tags claim, which holds no brace.

mod address;
pub mod first_file;
mod provider;
mod sample;
mod settings;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use provider::Provider;
pub use sample::{ProposalError, propose_for_address, propose_for_token};

/// A setting of an issuer, with the reason for its value.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedSetting {
    /// Its place in the issuer document, as a JSON Pointer (RFC 6901).
    pub field: &'static str,
    /// Its value.
    pub value: Value,
    /// The reason for the value.
    pub reason: String,
    /// Name of the member of the sample that suggests it, such as `aud` or `header.alg`; `None` if none does.
    pub claim: Option<String>,
    /// Value that this member has in the sample.
    pub sample: Option<Value>,
}

/// Proposed settings of an issuer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proposal {
    /// The kind of identity provider, if it is known.
    pub provider: Option<Provider>,
    /// The settings, in the order in which a person reads them.
    pub settings: Vec<ProposedSetting>,
    /// Facts that the reader should know before the proposal is used.
    pub cautions: Vec<String>,
    /// True if the document has all that an issuer needs; otherwise the cautions say what is missing.
    pub is_complete: bool,
}

impl Proposal {
    /// The issuer document, as the configuration and the API take it.
    pub fn document(&self) -> Value {
        let mut document = Map::new();
        for setting in &self.settings {
            let mut names: Vec<&str> = setting.field.split('/').skip(1).collect();
            let Some(last) = names.pop() else { continue };
            insert(&mut document, &names, last, &setting.value);
        }
        Value::Object(document)
    }

    /// The setting at this place of the document.
    pub fn setting(&self, field: &str) -> Option<&ProposedSetting> {
        self.settings.iter().find(|setting| setting.field == field)
    }
}

fn insert(object: &mut Map<String, Value>, above: &[&str], name: &str, value: &Value) {
    let Some((first, rest)) = above.split_first() else {
        object.insert(name.to_owned(), value.clone());
        return;
    };
    let inner = object
        .entry((*first).to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        insert(inner, rest, name, value);
    }
}
