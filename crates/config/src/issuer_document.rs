//! One issuer from a JSON document, as the API takes it: the same keys, the same checks and the same messages as for an
//! `[[issuer]]` of the configuration file.

use narthex_settings_reader::{FieldProblem, FromToml, JsonTree, Provenance, Walk, number_texts};
use serde_json::Value;

use super::check::Check;
use super::file::{FORMER_KEYS, IssuerSection};
use super::{Issuer, Limits};

/// An issuer that can be used, with what its author should know.
#[derive(Debug)]
pub struct CompiledIssuer {
    /// The issuer.
    pub issuer: Issuer,
    /// Warnings, in the order of the document.
    pub warnings: Vec<FieldProblem>,
}

/// Compiles an issuer from a JSON object with the keys of `[[issuer]]`, such as
/// `{"name": "corp", "jwks_url": "https://id.example.com/keys", "mapping": {"user": {…}}}`.
///
/// The author of such a document need not own this machine. So it may name no file, no environment variable, no proxy
/// and no private host, and nothing of this machine is read. `limits` are those of the configuration in force. A name
/// or an `iss` that another issuer has is not looked for here: the caller knows the others.
///
/// JSON that names a member twice must be refused before, when it is parsed.
///
/// # Errors
///
/// Every problem of the document, errors and warnings, in its order.
pub fn compile_issuer(document: &Value, limits: &Limits) -> Result<CompiledIssuer, Vec<FieldProblem>> {
    let mut walk = Walk::over(Provenance::Api, &FORMER_KEYS);
    let numbers = number_texts(document);
    let tree = JsonTree::new(document, &numbers, &mut walk.problems);
    let section = tree
        .root
        .as_ref()
        .and_then(|root| walk.within("issuer", |walk| IssuerSection::from_toml(root, walk)));
    let (issuer, problems) = Check::run_issuer(section.as_ref(), limits, walk.problems);
    let problems = problems.by_field(&tree.fields);
    match issuer {
        Some(issuer) => Ok(CompiledIssuer {
            issuer,
            warnings: problems,
        }),
        None => Err(problems),
    }
}
