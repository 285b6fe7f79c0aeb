//! Connections that are held for organizations: a document that the organization's admins write, secrets that no caller
//! reads back, and runs for its members.
//!
//! **In:** a record of the directory. **Out:** a connection that can be run. Its secrets (parameters, common data, and
//! values that earlier runs stored) are sealed ([`narthex_engine::SealingKeys`]) and open only while a run lasts.

mod readable;
mod running;
mod test;

use narthex_connection::{
    Connection, DocumentProblems, Facts, Inputs, Limits, MetadataType, Minted, Outcome, SecretsTooLarge,
};
use narthex_directory::{
    AuditEvent, By, ConnectionId, Directory, Document, DocumentAt, DocumentKind, NewDocument, OrganizationId, Page,
    SecretBytes, StoreError,
};
use narthex_template::Zone;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use narthex_clock::{NewIds, NoEntropy, fill_random};
use narthex_engine::ConnectionSettings;
use narthex_engine::{OpenError, Owner, SealError, SealingKeys};

use crate::webhooks;

pub use readable::{Readability, readability};
pub use running::RunContext;
pub(crate) use running::Running;
pub use test::{TestFailure, Tested, test};

/// Maximum number of compiled documents that are cached.
const COMPILED_MAX: usize = 512;

/// Reason for which a held connection cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// There is no key to seal or open secrets with.
    #[error(
        "there is no secret key, so no secrets can be kept; set `NARTHEX_SECRET_KEY` or `[secrets] key_file` for the server"
    )]
    NoKey,
    /// Its secrets do not open.
    #[error("its secrets cannot be read: {0}")]
    Sealed(#[from] OpenError),
    /// Its secrets exceed the limit.
    #[error(transparent)]
    TooMuch(#[from] SecretsTooLarge),
    /// Its secrets cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The record is not one that this version writes.
    #[error("the record of connection `{id}` cannot be read")]
    Damaged {
        /// Id of the connection.
        id: String,
    },
    /// Its document does not compile.
    #[error(transparent)]
    Document(DocumentProblems),
    /// Its organization is suspended.
    #[error("its organization is suspended")]
    Suspended,
    /// Its organization was removed meanwhile.
    #[error("its organization is no longer there")]
    NoOrganization,
    /// It was changed again and again while a run tried to store its results.
    #[error("it was changed meanwhile, again and again")]
    Changed,
    /// The system has no random bytes for an id.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A run was aborted by an internal error.
    #[error("a run of a connection broke off")]
    BrokeOff,
    /// The directory refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Public part of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeldBody {
    /// Display name.
    pub(crate) name: String,
    /// The document's text, as it was written.
    pub(crate) document: String,
    /// Names of its secrets, so that they can be shown without opening the secrets.
    pub(crate) kept: SecretNames,
    /// Id of the account at the service.
    pub(crate) uid: Option<String>,
    /// Display label of the account.
    pub(crate) metadata: Option<HeldMetadata>,
    /// Time at which the obtained credentials expire.
    pub(crate) expires_at_ms: Option<i64>,
}

/// Names of the secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretNames {
    pub(crate) parameters: Vec<String>,
    pub(crate) common: Vec<String>,
    pub(crate) data: Vec<String>,
}

/// Display label of a connection, with its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMetadata {
    /// `text` or `email`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The label.
    pub value: String,
}

/// Secret part of a connection.
///
/// SECURITY: it has no `Debug`, and can only be passed into a run.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldSecrets {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) common: Map<String, Value>,
    pub(crate) data: Map<String, Value>,
}

/// A held connection.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its id.
    pub id: ConnectionId,
    /// The organization that it is held for.
    pub organization: OrganizationId,
    pub(crate) body: HeldBody,
    sealed: Option<SecretBytes>,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) version: u64,
}

impl HeldBody {
    /// Tests whether a run learned nothing new.
    pub(crate) fn is_as_known(&self, earlier: &Self) -> bool {
        (&self.uid, &self.metadata, self.expires_at_ms) == (&earlier.uid, &earlier.metadata, earlier.expires_at_ms)
    }
}

impl HeldSecrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.common.is_empty() && self.data.is_empty()
    }

    pub(crate) fn names(&self) -> SecretNames {
        let names = |map: &Map<String, Value>| map.keys().cloned().collect();
        SecretNames {
            parameters: names(&self.parameters),
            common: names(&self.common),
            data: names(&self.data),
        }
    }
}

impl Held {
    /// Display name.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// Reads a record of the directory.
    ///
    /// # Errors
    ///
    /// [`HeldError::Damaged`] if it is not a record that this version writes.
    pub fn of(document: Document) -> Result<Self, HeldError> {
        let damaged = |id: &str| HeldError::Damaged { id: id.to_owned() };
        let (Ok(id), Some(organization)) = (document.name.parse(), document.organization) else {
            return Err(damaged(&document.name));
        };
        let body = serde_json::from_value(Value::Object(document.body)).map_err(|_| damaged(&document.name))?;
        Ok(Self {
            id,
            organization,
            body,
            sealed: document.secret,
            created_at_ms: document.created_at_ms,
            updated_at_ms: document.updated_at_ms,
            version: document.version,
        })
    }

    /// Tests whether its secrets are sealed with the key before the current one.
    fn opens(&self, keys: &SealingKeys) -> Result<bool, OpenError> {
        let Some(sealed) = &self.sealed else { return Ok(false) };
        let name = self.id.to_string();
        let opened = keys.open(sealed, owner(&name, self.organization, &self.body.document))?;
        Ok(opened.stale)
    }

    /// Opens its secrets.
    pub(crate) fn secrets(&self, keys: Option<&SealingKeys>) -> Result<HeldSecrets, HeldError> {
        let Some(sealed) = &self.sealed else {
            return Ok(HeldSecrets::default());
        };
        let name = self.id.to_string();
        let opened = keys
            .ok_or(HeldError::NoKey)?
            .open(sealed, owner(&name, self.organization, &self.body.document))?;
        serde_json::from_slice(&opened.plain).map_err(|_| HeldError::Damaged { id: name })
    }
}

/// Returns the data to which the secrets of this connection are bound when they are sealed.
///
/// SECURITY: it includes the document. The document decides where the secrets go, and lies beside them, where an
/// attacker who can write to the database could change it.
fn owner<'a>(name: &'a str, organization: OrganizationId, document: &'a str) -> Owner<'a> {
    Owner {
        kind: DocumentKind::Connection.as_str(),
        name,
        organization: Some(organization),
        governed_by: document,
    }
}

/// A connection to create.
///
/// SECURITY: `Debug` shows the name only; the rest may be secret.
pub struct NewConnection {
    /// Display name.
    pub name: String,
    /// Its document, which must compile.
    pub document: String,
    /// Values that its templates read as `parameters`.
    pub parameters: Map<String, Value>,
    /// Values that its templates read as `common`.
    pub common: Map<String, Value>,
}

impl std::fmt::Debug for NewConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewConnection")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Creates a connection for an organization.
///
/// # Errors
///
/// When its secrets cannot be sealed, or the directory refuses or fails.
pub async fn create(
    directory: &dyn Directory,
    keys: Option<&SealingKeys>,
    organization: OrganizationId,
    new: NewConnection,
    by: By,
) -> Result<Held, HeldError> {
    let secrets = HeldSecrets {
        parameters: new.parameters,
        common: new.common,
        data: Map::new(),
    };
    let body = HeldBody {
        name: new.name,
        document: new.document,
        kept: secrets.names(),
        uid: None,
        metadata: None,
        expires_at_ms: None,
    };
    let id = ConnectionId::new(by.at_ms, &mut NewIds::new()?);
    let whose = (id, organization);
    save(directory, keys, whose, (body, &secrets), DocumentAt::Absent, by).await
}

/// Stores a connection: the public part as it is, the secret part sealed.
pub(crate) async fn save(
    directory: &dyn Directory,
    keys: Option<&SealingKeys>,
    (id, organization): (ConnectionId, OrganizationId),
    (mut body, secrets): (HeldBody, &HeldSecrets),
    at: DocumentAt,
    by: By,
) -> Result<Held, HeldError> {
    let name = id.to_string();
    body.kept = secrets.names();
    let secret = if secrets.is_empty() {
        None
    } else {
        let keys = keys.ok_or(HeldError::NoKey)?;
        // The keys are text and the values are JSON: this does not fail.
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(secrets).unwrap_or_default());
        Limits::default().check_secrets(&inputs(secrets.clone(), Value::Null))?;
        Some(keys.seal(&plain, owner(&name, organization, &body.document))?)
    };
    let shown = match serde_json::to_value(body) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let new = NewDocument {
        kind: DocumentKind::Connection,
        name,
        organization: Some(organization),
        body: shown,
        secret,
    };
    Held::of(directory.save_document(new, at, by).await?)
}

/// Outcome of [`reseal`].
#[derive(Debug, Default)]
pub struct Resealed {
    /// Number of connections whose secrets were sealed again with the current key.
    pub sealed_again: usize,
    /// The connections whose secrets could not be sealed again, with the errors. The previous key is needed until they
    /// are fixed or deleted.
    pub failed: Vec<(String, HeldError)>,
}

/// Seals every secret again that is sealed with the key before the current one. You may stop it and start it again at
/// any time. It goes over all connections and webhooks until a whole pass finds nothing to do: a server that does not use the new
/// key yet may still seal with the old one.
///
/// # Errors
///
/// When the directory cannot be read. The error of a single connection is in [`Resealed::failed`].
pub async fn reseal(directory: &dyn Directory, keys: &SealingKeys, by: &By) -> Result<Resealed, StoreError> {
    let mut done = Resealed::default();
    for _ in 0..PASSES_MAX {
        let (mut sealed_again, mut failed) = reseal_once(directory, keys, by).await?;
        let of_webhooks = webhooks::record::reseal(directory, keys, by).await?;
        sealed_again += of_webhooks.0;
        failed.extend(of_webhooks.1);
        done.sealed_again += sealed_again;
        done.failed = failed;
        if sealed_again == 0 {
            break;
        }
    }
    Ok(done)
}

/// Maximum number of passes of [`reseal`] over all connections.
const PASSES_MAX: usize = 10;

async fn reseal_once(
    directory: &dyn Directory,
    keys: &SealingKeys,
    by: &By,
) -> Result<(usize, Vec<(String, HeldError)>), StoreError> {
    let (mut page, mut sealed_again, mut failed) = (Page::default(), 0, Vec::new());
    loop {
        let listing = directory.documents(DocumentKind::Connection, None, page).await?;
        for document in listing.items {
            let id = document.name.clone();
            match reseal_one(directory, keys, document, by).await {
                Ok(changed) => sealed_again += usize::from(changed),
                Err(error) => failed.push((id, error)),
            }
        }
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::default().limit()),
            None => return Ok((sealed_again, failed)),
        }
    }
}

/// Seals the secrets of one connection again if they are stale; returns whether they were.
async fn reseal_one(
    directory: &dyn Directory,
    keys: &SealingKeys,
    document: Document,
    by: &By,
) -> Result<bool, HeldError> {
    if document.secret.is_none() {
        return Ok(false);
    }
    let (shown, name) = (document.body.clone(), document.name.clone());
    let held = Held::of(document)?;
    let Some(sealed) = &held.sealed else { return Ok(false) };
    let owner = owner(&name, held.organization, &held.body.document);
    let opened = keys.open(sealed, owner)?;
    if !opened.stale {
        return Ok(false);
    }
    let new = NewDocument {
        kind: DocumentKind::Connection,
        secret: Some(keys.seal(&opened.plain, owner)?),
        name: name.clone(),
        organization: Some(held.organization),
        body: shown,
    };
    match directory
        .save_document(new, DocumentAt::Version(held.version), by.clone())
        .await
    {
        // On such an error, an administrator changed or deleted it in between: the next pass looks at its new state.
        Ok(_) | Err(StoreError::VersionMismatch { .. } | StoreError::NotFound { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Cache of compiled documents by connection and version, so that no use parses a document again.
pub struct Compiled(Cache<(ConnectionId, u64, usize), Connection>);

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("len", &self.0.len()).finish()
    }
}

impl Default for Compiled {
    fn default() -> Self {
        Self(Cache::new(COMPILED_MAX))
    }
}

impl Compiled {
    /// Returns the connection's document, ready to run.
    pub(crate) fn of(&self, held: &Held, settings: &ConnectionSettings) -> Result<Connection, DocumentProblems> {
        let response_bytes = settings.outbound.limits.response_bytes;
        let key = (held.id, held.version, response_bytes);
        if let Some(connection) = self.0.get(&key) {
            return Ok(connection);
        }
        let connection = compile(&held.body.document, response_bytes)?;
        self.0.insert(key, connection.clone());
        Ok(connection)
    }

    /// Forgets a version that no longer exists, and with it the keys that were kept ready for signing.
    pub(crate) fn forget(&self, held: &Held) {
        self.0.retain(|(id, _, _), _| *id != held.id);
    }
}

/// Compiles a document with the limits that apply to all of them.
pub(crate) fn compile(document: &str, response_bytes: usize) -> Result<Connection, DocumentProblems> {
    let limits = Limits {
        response_bytes,
        ..Limits::default()
    };
    Connection::compile(document, &limits)
}

/// Builds the inputs of a run.
pub(crate) fn inputs(secrets: HeldSecrets, environment: Value) -> Inputs {
    Inputs {
        parameters: secrets.parameters,
        common: secrets.common,
        data: secrets.data,
        environment,
        ..Inputs::default()
    }
}

/// Builds the facts that a step of a run may read: time, time zone and random bytes.
pub(crate) fn facts(now_ms: i64, zone: &Zone) -> Facts<'_> {
    Facts {
        now_ms,
        zone,
        random: &fill_random,
    }
}

/// Applies the results of a finished run to its connection.
pub(crate) fn learn(body: &mut HeldBody, secrets: &mut HeldSecrets, outcome: &Outcome) {
    if outcome.uid.is_some() {
        body.uid.clone_from(&outcome.uid);
    }
    if let Some((kind, value)) = &outcome.metadata {
        body.metadata = Some(HeldMetadata {
            kind: MetadataType::name(*kind).to_owned(),
            value: value.clone(),
        });
    }
    if outcome.expires_at_ms.is_some() {
        body.expires_at_ms = outcome.expires_at_ms;
    }
    secrets.data.extend(outcome.data.clone());
}

/// Builds the audit event of a minted token: the names of its claims and a hash, never the token.
pub(crate) fn minted_event(held: &Held, minted: &Minted, by: &By) -> AuditEvent {
    let mut event = AuditEvent::new("connection.minted", by.actor.clone(), by.at_ms);
    event.organization = Some(held.organization);
    let list = |names: &[String]| Value::from(names.to_vec());
    event.detail.extend([
        ("name".to_owned(), held.id.to_string().into()),
        ("algorithm".to_owned(), minted.algorithm.clone().into()),
        ("header_names".to_owned(), list(&minted.header_names)),
        ("claim_names".to_owned(), list(&minted.claim_names)),
        ("sha256".to_owned(), minted.sha256.clone().into()),
    ]);
    event
}
