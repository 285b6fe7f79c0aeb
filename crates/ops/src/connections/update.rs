//! Change of a connection.

use narthex_decision::Action;
use narthex_directory::{DocumentAt, Edit};
use serde_json::{Map, Value};

use super::record::{self, Held, HeldBody, HeldSecrets, SecretNames};
use super::{ConnectionView, Sight, compiled, connection_name, view};
use crate::caller::{Caller, Permit};
use crate::error::OpError;
use crate::input_rules;
use crate::precondition::ExpectedVersion;

/// Change of a connection.
///
/// SECURITY: it has no `Debug` that shows its values: they may be secret.
#[derive(Clone, Default)]
pub struct ConnectionChange {
    /// New name, which is never empty.
    pub name: Edit<String>,
    /// Text of the new document, which is never empty. Every stored secret has to be set again with it.
    pub document: Edit<String>,
    /// Parameters to set. A value that is `null` deletes, an absent one stays.
    pub parameters: Edit<Map<String, Value>>,
    /// Common data to set, in the same way.
    pub common: Edit<Map<String, Value>>,
}

impl std::fmt::Debug for ConnectionChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionChange")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Updates a connection. A changed document could show or send the stored secrets elsewhere, so every secret has to be
/// given again with it or deleted, and what earlier runs stored is deleted. A change that sets secrets alone has to
/// state the expected version: the document that the caller read, and no other, decides where they go.
///
/// # Errors
///
/// When the caller may not, there is no such connection, it is at another version or none was stated, the document does
/// not compile or would take secrets along, the secrets cannot be sealed, or the directory refuses or fails.
pub async fn update(
    caller: &Caller,
    connection: &str,
    expected: &ExpectedVersion,
    change: ConnectionChange,
) -> Result<ConnectionView, OpError> {
    let (permit, held) = caller.connection(Action::WriteConnections, connection).await?;
    expected.check(held.version)?;
    let (new_name, document) = (
        input_rules::never_empty("name", change.name)?,
        input_rules::never_empty("document", change.document)?,
    );
    // SECURITY: otherwise another admin could put another document there just before, and be given the secrets meant
    // for this one.
    if !expected.is_stated() && (gives(&change.parameters) || gives(&change.common)) && document.is_none() {
        return Err(OpError::Unconditional {
            what: "connection",
            why: "its document decides where these secrets go",
        });
    }
    let mut body = held.body.clone();
    if let Some(text) = &new_name {
        body.name = connection_name(text)?;
    }
    if let Some(text) = &document {
        compiled(permit, text)?;
    }
    let other = document.filter(|text| *text != body.document);
    let settings = permit.gateway().connections();
    let mut secrets = held.secrets(settings.sealing.as_deref())?;
    if other.is_some() {
        // SECURITY: the promise that no caller reads a secret back would be empty if the author of the document could
        // point it elsewhere. The names come from the secrets themselves: the names stored beside them could have been
        // altered.
        let missing = not_given_again(&secrets.names(), &change.parameters, &change.common);
        if !missing.is_empty() {
            let detail = format!(
                "another document could show or send elsewhere what is kept; give {} again with it, or forget with null",
                missing.join(", ")
            );
            return Err(OpError::invalid("document", detail));
        }
    }
    merge(&mut secrets.parameters, change.parameters);
    merge(&mut secrets.common, change.common);
    if let Some(text) = other {
        body.document = text;
        secrets.data = Map::new();
        (body.uid, body.metadata, body.expires_at_ms) = (None, None, None);
    }
    let saved = save(permit, &held, body, &secrets).await?;
    permit.compiled().forget(&held);
    Ok(view(permit, saved, Sight::Whole))
}

/// Saves over the version that was read: the secrets were derived from it.
async fn save(permit: Permit<'_>, held: &Held, body: HeldBody, secrets: &HeldSecrets) -> Result<Held, OpError> {
    let settings = permit.gateway().connections();
    let saved = record::save(
        permit.directory(),
        settings.sealing.as_deref(),
        (held.id, held.organization),
        (body, secrets),
        DocumentAt::Version(held.version),
        permit.by(),
    );
    Ok(saved.await?)
}

/// Tests whether a change sets any value.
fn gives(edit: &Edit<Map<String, Value>>) -> bool {
    matches!(edit, Edit::Set(members) if members.values().any(|value| !value.is_null()))
}

/// Lists the secrets that a change neither sets again nor deletes.
fn not_given_again(
    stored: &SecretNames,
    parameters: &Edit<Map<String, Value>>,
    common: &Edit<Map<String, Value>>,
) -> Vec<String> {
    let missing = |root: &str, stored: &[String], edit: &Edit<Map<String, Value>>| -> Vec<String> {
        let told = |name: &String| match edit {
            Edit::Keep => false,
            Edit::Clear => true,
            Edit::Set(members) => members.contains_key(name),
        };
        let left = stored.iter().filter(|name| !told(name));
        left.map(|name| format!("`{root}.{name}`")).collect()
    };
    let mut all = missing("parameters", &stored.parameters, parameters);
    all.extend(missing("common", &stored.common, common));
    all
}

/// Merges a change into the stored values.
///
/// SPEC: RFC 7396, one level deep: a value sets, `null` deletes.
fn merge(stored: &mut Map<String, Value>, edit: Edit<Map<String, Value>>) {
    match edit {
        Edit::Keep => {}
        Edit::Clear => stored.clear(),
        Edit::Set(members) => {
            for (name, value) in members {
                if value.is_null() {
                    stored.remove(&name);
                } else {
                    stored.insert(name, value);
                }
            }
        }
    }
}
