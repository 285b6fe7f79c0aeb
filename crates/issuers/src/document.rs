//! One document to one issuer.

use narthex_config::{CompiledIssuer, FieldProblem, Limits, Severity, compile_issuer};
use narthex_directory::OrganizationName;
use serde_json::{Map, Value};

/// Keys that an issuer from a setup link may have, as JSON Pointers. A table stands for all of its keys.
///
/// SECURITY: a list of what is allowed, so that a key that is added to the configuration later is not. Left out are the keys by which
/// an issuer reaches beyond its organization and its users: the realm, other names (`aliases`, `tenants`), places of tokens that
/// other requests use too, properties of the context that applications trust, platform roles, and whatever asks another server than
/// the one of the keys.
pub const SETUP_KEYS: [&str; 20] = [
    "/issuer",
    "/enabled",
    "/jwks_url",
    "/discovery",
    "/algorithms",
    "/audiences",
    "/audience_claims",
    "/required_claims",
    "/token_types",
    "/max_token_age",
    "/provision",
    "/mode",
    "/on_invalid",
    "/mapping/user",
    "/mapping/organization",
    "/mapping/team",
    "/tags/claim",
    "/tags/on_missing",
    "/tags/on_empty",
    "/tags/lease",
];

/// Compiles the document of an issuer with this name. `organization` is the organization that the document belongs to, for an issuer
/// from a setup link; it has the keys of [`SETUP_KEYS`] only, and its templates read the token alone.
///
/// SECURITY: name, organization and realm are not the document's to say then: it is given an organization, and no realm, so that its
/// users have one named after the issuer.
///
/// # Errors
///
/// Every problem of the document.
pub fn compile(
    name: &str,
    document: &Map<String, Value>,
    organization: Option<&OrganizationName>,
    limits: &Limits,
) -> Result<CompiledIssuer, Vec<FieldProblem>> {
    let mut document = document.clone();
    let mut problems = Vec::new();
    match document.get("name") {
        Some(Value::String(own)) if own != name => {
            problems.push(problem(
                "/name",
                format!("the issuer is called `{name}`; its name does not change"),
            ));
        }
        _ => {}
    }
    document.remove("name");
    if let Some(organization) = organization {
        problems.extend(setup_problems(&document));
        document.insert("organization".to_owned(), organization.as_str().into());
    }
    document.insert("name".to_owned(), name.into());
    let compiled = match compile_issuer(&Value::Object(document), limits) {
        Ok(compiled) => compiled,
        Err(more) => {
            problems.extend(more);
            return Err(problems);
        }
    };
    if organization.is_some() && !compiled.issuer.mapping.token_only() {
        let message =
            "the templates of an issuer from a setup link read the token (`payload`, `header`) and nothing else";
        problems.push(problem("/mapping", message.to_owned()));
    }
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(problems)
    }
}

/// Reports the keys that an issuer from a setup link may not have.
fn setup_problems(document: &Map<String, Value>) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    for (key, value) in document {
        let pointer = format!("/{key}");
        if SETUP_KEYS.contains(&pointer.as_str()) {
            continue;
        }
        let begins = format!("{pointer}/");
        match value {
            Value::Object(table) if SETUP_KEYS.iter().any(|allowed| allowed.starts_with(&begins)) => {
                let inner = table.keys().map(|inner| format!("{pointer}/{inner}"));
                problems.extend(
                    inner
                        .filter(|inner| !SETUP_KEYS.contains(&inner.as_str()))
                        .map(|inner| refused(&inner)),
                );
            }
            _ => problems.push(refused(&pointer)),
        }
    }
    problems
}

fn refused(pointer: &str) -> FieldProblem {
    let key = pointer.trim_start_matches('/').replace('/', ".");
    FieldProblem {
        help: vec!["leave it out, or ask a platform admin to add the issuer".to_owned()],
        ..problem(pointer, format!("an issuer from a setup link has no `{key}`"))
    }
}

fn problem(pointer: &str, message: String) -> FieldProblem {
    FieldProblem {
        severity: Severity::Error,
        field: pointer.to_owned(),
        message,
        label: None,
        help: Vec::new(),
    }
}
