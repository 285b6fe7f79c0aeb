//! Webhooks as records of the directory: checked, sealed and opened. The command line uses them without a caller.

use narthex_clock::random_bytes;
use narthex_directory::{
    ACTIONS, By, Directory, Document, DocumentAt, DocumentKind, NewDocument, Page, SecretBytes, StoreError,
    WebhookProgress,
};
use narthex_engine::{Owner, SealingKeys};
use narthex_webhooks::{SignatureScheme, SigningKey, WebhookSecrets, WebhookSettings};
use url::Url;
use zeroize::Zeroizing;

use super::{NewSigningKey, NewWebhook, OVERLAP_MS, WebhookChange, WebhookView, WebhookWithSecret};
use crate::connections::record::HeldError;
use crate::error::OpError;

/// Longest name, in characters.
const NAME_LENGTH_MAX: usize = 64;
/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Largest number of actions that one webhook names.
const FILTERS_MAX: usize = 100;

/// Creates a webhook. It sends the events after its creation.
///
/// # Errors
///
/// When a value breaks its rule, the name is taken, there is no secret key, or the directory fails.
pub async fn create(
    directory: &dyn Directory,
    keys: Option<&SealingKeys>,
    new: NewWebhook,
    by: By,
) -> Result<WebhookWithSecret, OpError> {
    let name = checked_name(&new.name)?;
    let key = given_or_made(new.signature, new.secret.as_ref())?;
    let settings = WebhookSettings {
        url: checked_url(&new.url)?,
        actions: checked_actions(new.actions)?,
        enabled: true,
        disabled_because: None,
        signature: new.signature,
        public_key: key.public_key(),
    };
    let sealed = seal(keys, &name, &settings, &WebhookSecrets::new(&key))?;
    let document = save(directory, (name, settings, sealed), DocumentAt::Absent, by).await?;
    Ok(WebhookWithSecret {
        webhook: view_with(document, None)?,
        secret: key.shared_secret(),
    })
}

/// Changes a webhook. What the change leaves out stays.
///
/// # Errors
///
/// As [`create`]; or it was changed meanwhile.
pub async fn update(
    directory: &dyn Directory,
    keys: Option<&SealingKeys>,
    document: Document,
    change: WebhookChange,
    by: By,
) -> Result<WebhookView, OpError> {
    let before = settings(&document)?;
    let secrets = open_secrets(keys, &document, &before).map_err(OpError::Secrets)?;
    let enabled = change.enabled.unwrap_or(before.enabled);
    let after = WebhookSettings {
        url: change.url.map_or(Ok(before.url), |url| checked_url(&url))?,
        actions: change.actions.map_or(Ok(before.actions), checked_actions)?,
        enabled,
        disabled_because: before.disabled_because.filter(|_| !enabled),
        signature: before.signature,
        public_key: before.public_key,
    };
    let sealed = seal(keys, &document.name, &after, &secrets)?;
    let at = DocumentAt::Version(document.version);
    let saved = save(directory, (document.name, after, sealed), at, by).await?;
    view(directory, saved).await
}

/// Puts another key in use. The one before it signs too for a day.
///
/// # Errors
///
/// As [`update`].
pub async fn rotate_secret(
    directory: &dyn Directory,
    keys: Option<&SealingKeys>,
    document: Document,
    new: NewSigningKey,
    by: By,
) -> Result<WebhookWithSecret, OpError> {
    let before = settings(&document)?;
    let signature = new.signature.unwrap_or(before.signature);
    let key = given_or_made(signature, new.secret.as_ref())?;
    let until_ms = by.at_ms.saturating_add(OVERLAP_MS);
    let secrets = match open_secrets(keys, &document, &before) {
        Ok(secrets) => secrets.rotated(&key, until_ms),
        // One that does not open signs nothing any more: this is how to replace it.
        Err(_) => WebhookSecrets::new(&key),
    };
    let settings = WebhookSettings {
        signature,
        public_key: key.public_key(),
        ..before
    };
    let sealed = seal(keys, &document.name, &settings, &secrets)?;
    let at = DocumentAt::Version(document.version);
    let saved = save(directory, (document.name, settings, sealed), at, by).await?;
    Ok(WebhookWithSecret {
        webhook: view(directory, saved).await?,
        secret: key.shared_secret(),
    })
}

/// Deletes a webhook with its secret, what waits for it, and its log.
///
/// # Errors
///
/// When it is at another version, or the directory fails.
pub async fn delete(directory: &dyn Directory, document: Document, at: DocumentAt, by: By) -> Result<(), OpError> {
    let name = document.name;
    directory
        .delete_document(DocumentKind::Webhook, name.clone(), at, by)
        .await?;
    directory.forget_webhook(name).await?;
    Ok(())
}

/// Finds the webhook with this name.
///
/// # Errors
///
/// When there is none, or the directory fails.
pub async fn find(directory: &dyn Directory, name: &str) -> Result<Document, OpError> {
    let found = directory.document(DocumentKind::Webhook, name.to_owned()).await?;
    found.ok_or(OpError::Unknown { what: "webhook" })
}

/// Shows a webhook with its progress.
///
/// # Errors
///
/// When its record is damaged, or the directory fails.
pub async fn view(directory: &dyn Directory, document: Document) -> Result<WebhookView, OpError> {
    let progress = directory.webhook_progress().await?;
    let progress = progress.into_iter().find(|progress| progress.webhook == document.name);
    view_with(document, progress)
}

/// Shows a webhook with this progress.
///
/// # Errors
///
/// When its record is damaged.
pub fn view_with(document: Document, progress: Option<WebhookProgress>) -> Result<WebhookView, OpError> {
    let settings = settings(&document)?;
    Ok(WebhookView {
        name: document.name,
        settings,
        progress,
        created_at_ms: document.created_at_ms,
        updated_at_ms: document.updated_at_ms,
        version: document.version,
    })
}

/// Opens the secrets of a webhook.
///
/// # Errors
///
/// A sentence: there is no key, or they do not open with it.
pub fn open_secrets(
    keys: Option<&SealingKeys>,
    document: &Document,
    settings: &WebhookSettings,
) -> Result<WebhookSecrets, String> {
    let damaged = || "its secret cannot be read; rotate it".to_owned();
    let keys = keys.ok_or_else(|| NO_KEY.to_owned())?;
    let sealed = document.secret.as_ref().ok_or_else(damaged)?;
    let opened = keys
        .open(sealed, owner(&document.name, settings))
        .map_err(|error| format!("its secret cannot be read: {error}"))?;
    serde_json::from_slice(&opened.plain).map_err(|_| damaged())
}

const NO_KEY: &str = "there is no secret key, so no secrets can be kept; set `NARTHEX_SECRET_KEY` or \
     `[secrets] key_file` for the server";

/// SECURITY: the secret opens only for this name and this address.
fn owner<'o>(name: &'o str, settings: &'o WebhookSettings) -> Owner<'o> {
    Owner {
        kind: DocumentKind::Webhook.as_str(),
        name,
        organization: None,
        governed_by: &settings.url,
    }
}

fn seal(
    keys: Option<&SealingKeys>,
    name: &str,
    settings: &WebhookSettings,
    secrets: &WebhookSecrets,
) -> Result<SecretBytes, OpError> {
    let keys = keys.ok_or_else(|| OpError::Secrets(NO_KEY.to_owned()))?;
    let plain = serde_json::to_vec(secrets).map(Zeroizing::new);
    let plain = plain.map_err(|error| OpError::Internal(error.to_string()))?;
    keys.seal(&plain, owner(name, settings))
        .map_err(|error| OpError::Secrets(error.to_string()))
}

async fn save(
    directory: &dyn Directory,
    (name, settings, sealed): (String, WebhookSettings, SecretBytes),
    at: DocumentAt,
    by: By,
) -> Result<Document, OpError> {
    let new = NewDocument {
        kind: DocumentKind::Webhook,
        name,
        organization: None,
        body: settings.body(),
        secret: Some(sealed),
    };
    Ok(directory.save_document(new, at, by).await?)
}

fn settings(document: &Document) -> Result<WebhookSettings, OpError> {
    let damaged = || OpError::Internal(format!("the record of webhook `{}` cannot be read", document.name));
    WebhookSettings::read(&document.body).ok_or_else(damaged)
}

fn given_or_made(scheme: SignatureScheme, secret: Option<&Zeroizing<String>>) -> Result<SigningKey, OpError> {
    match (scheme, secret) {
        (SignatureScheme::V1, Some(text)) => {
            SigningKey::parse_secret(text).map_err(|problem| OpError::invalid("secret", problem.to_string()))
        }
        // SECURITY: a private key that an administrator knows could be in a shell's history.
        (SignatureScheme::V1a, Some(_)) => Err(OpError::invalid(
            "secret",
            "`v1a` signs with a private key that is made here and never shown; leave the secret out",
        )),
        (_, None) => {
            let key = SigningKey::from_random(scheme, random_bytes()?);
            key.map_err(|_| OpError::Internal("no key pair could be made".to_owned()))
        }
    }
}

fn checked_name(text: &str) -> Result<String, OpError> {
    // The console has a page at that address.
    let is_name = text != "new"
        && (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        return Ok(text.to_owned());
    }
    Err(OpError::invalid(
        "name",
        "a name has 1 to 64 lower-case letters, digits and `-`, and is not `new`",
    ))
}

fn checked_url(text: &str) -> Result<String, OpError> {
    let is_usable = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(is_usable);
    match url.filter(|_| text.len() <= URL_BYTES_MAX) {
        Some(url) => Ok(url.into()),
        None => Err(OpError::invalid(
            "url",
            "write an address with `https`, without a user and without a fragment, of at most 2048 bytes",
        )),
    }
}

/// Checks the actions that a webhook names. An action that does not exist would be waited for in vain.
fn checked_actions(actions: Vec<String>) -> Result<Vec<String>, OpError> {
    if actions.len() > FILTERS_MAX {
        return Err(OpError::invalid("actions", "a webhook names at most 100 actions"));
    }
    let exists = |pattern: &str| match pattern.strip_suffix(".*") {
        Some(kind) => ACTIONS
            .iter()
            .any(|(action, _)| action.split_once('.').is_some_and(|(of, _)| of == kind)),
        None => ACTIONS.iter().any(|(action, _)| *action == pattern),
    };
    match actions.iter().find(|action| !exists(action)) {
        None => Ok(actions),
        Some(unknown) => Err(OpError::invalid(
            "actions",
            format!(
                "there is no action `{}`; `docs/reference/audit-events.md` lists all, and `user.*` means all of a kind",
                narthex_engine::event::quoted(unknown)
            ),
        )),
    }
}

/// Seals the secret of every webhook again that is sealed with the key before the current one. Returns how many were, and
/// the names of those whose secrets could not be sealed again, with the errors.
///
/// # Errors
///
/// When the directory cannot be read.
pub(crate) async fn reseal(
    directory: &dyn Directory,
    keys: &SealingKeys,
    by: &By,
) -> Result<(usize, Vec<(String, HeldError)>), StoreError> {
    let (mut page, mut sealed_again, mut failed) = (Page::default(), 0, Vec::new());
    loop {
        let listing = directory.documents(DocumentKind::Webhook, None, page).await?;
        for document in listing.items {
            let name = format!("webhook {}", document.name);
            match reseal_one(directory, keys, document, by).await {
                Ok(changed) => sealed_again += usize::from(changed),
                Err(error) => failed.push((name, error)),
            }
        }
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::default().limit()),
            None => return Ok((sealed_again, failed)),
        }
    }
}

/// Seals the secret of one webhook again if it is stale; returns `true` if it was.
async fn reseal_one(
    directory: &dyn Directory,
    keys: &SealingKeys,
    document: Document,
    by: &By,
) -> Result<bool, HeldError> {
    let settings = WebhookSettings::read(&document.body).ok_or_else(|| HeldError::Damaged {
        id: document.name.clone(),
    })?;
    let Some(sealed) = &document.secret else {
        return Ok(false);
    };
    let opened = keys.open(sealed, owner(&document.name, &settings))?;
    if !opened.stale {
        return Ok(false);
    }
    let sealed = keys.seal(&opened.plain, owner(&document.name, &settings))?;
    let new = NewDocument {
        kind: DocumentKind::Webhook,
        organization: None,
        body: document.body,
        secret: Some(sealed),
        name: document.name,
    };
    let at = DocumentAt::Version(document.version);
    match directory.save_document(new, at, by.clone()).await {
        // On such an error, an administrator changed or deleted it in between: the next pass looks at its new state.
        Ok(_) | Err(StoreError::VersionMismatch { .. } | StoreError::NotFound { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
