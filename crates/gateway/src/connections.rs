//! Connections that are held for organizations: a document that its admins write, secrets that nobody reads back, and
//! runs for its members.
//!
//! **In** comes a record of the directory, **out** a connection that can be run. What it keeps (parameters, common data,
//! and what earlier runs stored) is sealed ([`crate::seal`]) and open only while a run lasts.

use std::sync::Arc;

use narthex_connection::{Connection, DocumentProblems, Facts, Inputs, Limits, MetadataType, Minted, Outcome};
use narthex_directory::{
    AuditEvent, By, ConnectionId, Directory, Document, DocumentAt, DocumentKind, NewDocument, OrganizationId, Page,
    SecretBytes, StoreError,
};
use narthex_template::Zone;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::fill_random;
use crate::outbound::Policy;
use crate::seal::{OpenError, Owner, SealError, SealingKeys};

/// How many compiled documents are kept.
const COMPILED_MAX: usize = 512;

/// What held connections need of the configuration.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// What their secrets are sealed with; without it none can be kept.
    pub sealing: Option<Arc<SealingKeys>>,
    /// Where their requests may go, and what they may cost.
    pub outbound: Policy,
}

impl Default for ConnectionSettings {
    /// Nothing secret is kept and nothing is sent.
    fn default() -> Self {
        Self {
            sealing: None,
            outbound: Policy::listed(Vec::new()),
        }
    }
}

/// Why a held connection cannot be used or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeldError {
    /// There is no key to seal or open secrets with.
    #[error(
        "there is no secret key, so no secrets can be kept; set `NARTHEX_SECRET_KEY` or `[secrets] key_file` for the server"
    )]
    NoKey,
    /// Its secrets do not open.
    #[error("its secrets cannot be read: {0}")]
    Sealed(#[from] OpenError),
    /// Its secrets cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The record is not what this version writes.
    #[error("the record of connection `{id}` cannot be read")]
    Damaged {
        /// Which.
        id: String,
    },
    /// The directory refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is shown of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeldBody {
    /// What people call it.
    pub(crate) name: String,
    /// The document's text, as it was written.
    pub(crate) document: String,
    /// The names of what its secrets hold, so that this can be told without opening them.
    pub(crate) kept: KeptNames,
    /// Who it is at the other side.
    pub(crate) uid: Option<String>,
    /// A label for people.
    pub(crate) metadata: Option<HeldMetadata>,
    /// When what it obtained ends.
    pub(crate) expires_at_ms: Option<i64>,
}

/// The names of what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptNames {
    pub(crate) parameters: Vec<String>,
    pub(crate) common: Vec<String>,
    pub(crate) data: Vec<String>,
}

/// A label of a connection, and what kind of text it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConnectionMetadata)]
pub(crate) struct HeldMetadata {
    /// `text` or `email`.
    #[serde(rename = "type")]
    #[schema(example = "email")]
    pub(crate) kind: String,
    /// The label.
    pub(crate) value: String,
}

/// What is kept and not shown.
///
/// SECURITY: no `Debug`, and no way out but into a run.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldSecrets {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) common: Map<String, Value>,
    pub(crate) data: Map<String, Value>,
}

/// A connection as it is held.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: ConnectionId,
    pub(crate) organization: OrganizationId,
    pub(crate) body: HeldBody,
    sealed: Option<SecretBytes>,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) version: u64,
}

impl HeldBody {
    /// Whether what runs learn is what was known.
    pub(crate) fn is_as_known(&self, earlier: &Self) -> bool {
        (&self.uid, &self.metadata, self.expires_at_ms) == (&earlier.uid, &earlier.metadata, earlier.expires_at_ms)
    }
}

impl HeldSecrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.common.is_empty() && self.data.is_empty()
    }

    pub(crate) fn names(&self) -> KeptNames {
        let names = |map: &Map<String, Value>| map.keys().cloned().collect();
        KeptNames {
            parameters: names(&self.parameters),
            common: names(&self.common),
            data: names(&self.data),
        }
    }
}

impl Held {
    /// A record of the directory.
    pub(crate) fn of(document: Document) -> Result<Self, HeldError> {
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

    /// What it keeps, open.
    pub(crate) fn secrets(&self, keys: Option<&SealingKeys>) -> Result<HeldSecrets, HeldError> {
        let Some(sealed) = &self.sealed else {
            return Ok(HeldSecrets::default());
        };
        let name = self.id.to_string();
        let opened = keys
            .ok_or(HeldError::NoKey)?
            .open(sealed, owner(&name, self.organization))?;
        serde_json::from_slice(&opened.plain).map_err(|_| HeldError::Damaged { id: name })
    }
}

/// What a secret of this connection is sealed to.
fn owner(name: &str, organization: OrganizationId) -> Owner<'_> {
    Owner {
        kind: DocumentKind::Connection.as_str(),
        name,
        organization: Some(organization),
    }
}

/// Keeps a connection: what is shown as it is, what is not sealed.
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
        // Texts as keys and JSON as values: this does not fail.
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(secrets).unwrap_or_default());
        Some(keys.seal(&plain, owner(&name, organization))?)
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

/// Seals every secret again that was sealed with the key before the current one: how many there were. May be stopped
/// and begun again at any time.
///
/// # Errors
///
/// [`HeldError`] of the first connection that cannot be read or written.
pub async fn reseal(directory: &dyn Directory, keys: &SealingKeys, by: &By) -> Result<usize, HeldError> {
    let (mut page, mut sealed_again) = (Page::default(), 0);
    loop {
        let listing = directory.documents(DocumentKind::Connection, None, page).await?;
        for document in listing.items {
            let Some(sealed) = &document.secret else { continue };
            let Some(organization) = document.organization else {
                return Err(HeldError::Damaged { id: document.name });
            };
            let opened = keys.open(sealed, owner(&document.name, organization))?;
            if !opened.stale {
                continue;
            }
            let new = NewDocument {
                kind: document.kind,
                secret: Some(keys.seal(&opened.plain, owner(&document.name, organization))?),
                name: document.name.clone(),
                organization: document.organization,
                body: document.body.clone(),
            };
            match directory
                .save_document(new, DocumentAt::Version(document.version), by.clone())
                .await
            {
                // Somebody changed or removed it in between, and so sealed it with the current key.
                Err(StoreError::VersionMismatch { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => sealed_again += 1,
            }
        }
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::default().limit()),
            None => return Ok(sealed_again),
        }
    }
}

/// Compiled documents, each kept under its connection and version: nothing that was written is parsed at each use.
pub(crate) struct Compiled(Cache<(ConnectionId, u64), Connection>);

impl Default for Compiled {
    fn default() -> Self {
        Self(Cache::new(COMPILED_MAX))
    }
}

impl Compiled {
    /// The connection's document, ready to run.
    pub(crate) fn of(&self, held: &Held) -> Result<Connection, DocumentProblems> {
        let key = (held.id, held.version);
        if let Some(connection) = self.0.get(&key) {
            return Ok(connection);
        }
        let connection = compile(&held.body.document)?;
        self.0.insert(key, connection.clone());
        Ok(connection)
    }
}

/// Compiles a document with the limits that hold for all of them.
pub(crate) fn compile(document: &str) -> Result<Connection, DocumentProblems> {
    Connection::compile(document, &Limits::default())
}

/// What a run reads.
pub(crate) fn inputs(secrets: HeldSecrets, environment: Value) -> Inputs {
    Inputs {
        parameters: secrets.parameters,
        common: secrets.common,
        data: secrets.data,
        environment,
        ..Inputs::default()
    }
}

/// What a step of a run may know of the world.
pub(crate) fn facts(now_ms: i64, zone: &Zone) -> Facts<'_> {
    Facts {
        now_ms,
        zone,
        random: &fill_random,
    }
}

/// What a run that came to its end leaves with its connection.
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

/// The trace of a token that was minted: the names of its claims and a hash, never the token.
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
