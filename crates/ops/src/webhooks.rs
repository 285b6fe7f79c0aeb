//! Webhooks: receivers that are told of the events of the audit trail. A shared secret is shown when it is created, and
//! never again; a private key never.

use narthex_decision::Action;
use narthex_directory::{
    Document, DocumentAt, DocumentKind, Listing, RecordedAttempt, WaitingDelivery, WaitingState, WebhookProgress,
};
pub use narthex_webhooks::SignatureScheme;
use narthex_webhooks::WebhookSettings;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::error::OpError;
use super::paging::PageRequest;
use super::precondition::ExpectedVersion;

pub mod record;

/// Time for which the secret before the current one signs too, in milliseconds: a day.
pub const OVERLAP_MS: i64 = 24 * 60 * 60 * 1_000;

/// A webhook, without its secret.
#[derive(Debug, Clone)]
pub struct WebhookView {
    /// Name of the webhook, by which it is addressed.
    pub name: String,
    /// Its settings.
    pub settings: WebhookSettings,
    /// Its progress; `None` before the first look at it.
    pub progress: Option<WebhookProgress>,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds.
    pub updated_at_ms: i64,
    /// Its version.
    pub version: u64,
}

/// A webhook to create.
#[derive(Clone)]
pub struct NewWebhook {
    /// Its name.
    pub name: String,
    /// Address of the receiver.
    pub url: String,
    /// Actions to send; all of them if it is empty.
    pub actions: Vec<String>,
    /// Scheme of its signatures.
    pub signature: SignatureScheme,
    /// Its shared secret in text form; one is made if it is missing. None is taken for a key pair.
    pub secret: Option<Zeroizing<String>>,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewWebhook")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("actions", &self.actions)
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// Another key for the signatures of a webhook.
#[derive(Clone, Default)]
pub struct NewSigningKey {
    /// Scheme of its signatures; that of the key before it if it is missing.
    pub signature: Option<SignatureScheme>,
    /// A shared secret in text form; one is made if it is missing. None is taken for a key pair.
    pub secret: Option<Zeroizing<String>>,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for NewSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSigningKey")
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// A webhook whose key was just created.
pub struct WebhookWithSecret {
    /// The webhook.
    pub webhook: WebhookView,
    /// The shared secret in text form, to be shown once; `None` for a key pair, whose public key the webhook shows.
    pub secret: Option<Zeroizing<String>>,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for WebhookWithSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookWithSecret")
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// Change of a webhook. What is missing stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Address of the receiver.
    pub url: Option<String>,
    /// Actions to send.
    pub actions: Option<Vec<String>>,
    /// True to send, false to let the events wait. A webhook that sends again takes up what it missed.
    pub enabled: Option<bool>,
}

/// Lists webhooks, sorted by name.
///
/// # Errors
///
/// When the caller may not, the page cannot be used, a record is damaged, or the directory fails.
pub async fn list(caller: &Caller, page: PageRequest) -> Result<Listing<WebhookView>, OpError> {
    let permit = caller.permit(Action::ReadWebhooks, None)?;
    let documents = permit
        .directory()
        .documents(DocumentKind::Webhook, None, page.page()?)
        .await?;
    let progress = permit.directory().webhook_progress().await?;
    let view = |document: Document| {
        let progress = progress.iter().find(|progress| progress.webhook == document.name);
        record::view_with(document, progress.cloned())
    };
    Ok(Listing {
        items: documents.items.into_iter().map(view).collect::<Result<_, _>>()?,
        next_cursor: documents.next_cursor,
    })
}

/// Reads the webhook with this name.
///
/// # Errors
///
/// When the caller may not, there is no such webhook, its record is damaged, or the directory fails.
pub async fn read(caller: &Caller, name: &str) -> Result<WebhookView, OpError> {
    let permit = caller.permit(Action::ReadWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    record::view(permit.directory(), document).await
}

/// Checks that the caller may create webhooks, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not.
pub fn may_create(caller: &Caller) -> Result<(), OpError> {
    caller.permit(Action::WriteWebhooks, None).map(|_| ())
}

/// Creates a webhook. It sends the events after its creation.
///
/// # Errors
///
/// When the caller may not, a value breaks its rule, the name is taken, there is no secret key, or the directory fails.
pub async fn create(caller: &Caller, new: NewWebhook) -> Result<WebhookWithSecret, OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let settings = permit.gateway().connections();
    record::create(permit.directory(), settings.sealing.as_deref(), new, permit.by()).await
}

/// Changes the webhook with this name.
///
/// # Errors
///
/// As [`create`]; or it is at another version.
pub async fn update(
    caller: &Caller,
    name: &str,
    change: WebhookChange,
    expected: &ExpectedVersion,
) -> Result<WebhookView, OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    expected.check(document.version)?;
    let settings = permit.gateway().connections();
    let keys = settings.sealing.as_deref();
    record::update(permit.directory(), keys, document, change, permit.by()).await
}

/// Puts another key in use. The one before it signs too for a day, so that the receiver can change over.
///
/// # Errors
///
/// As [`create`]; or there is no such webhook.
pub async fn rotate_secret(caller: &Caller, name: &str, new: NewSigningKey) -> Result<WebhookWithSecret, OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    let settings = permit.gateway().connections();
    let keys = settings.sealing.as_deref();
    record::rotate_secret(permit.directory(), keys, document, new, permit.by()).await
}

/// Deletes a webhook with its secret, what waits for it, and its log.
///
/// # Errors
///
/// When the caller may not, there is no such webhook, it is at another version, or the directory fails.
pub async fn delete(caller: &Caller, name: &str, expected: &ExpectedVersion) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    let at = expected
        .check(document.version)?
        .map_or(DocumentAt::Any, DocumentAt::Version);
    record::delete(permit.directory(), document, at, permit.by()).await
}

/// Lists the tries of a webhook, the newest first.
///
/// # Errors
///
/// When the caller may not, there is no such webhook, the page cannot be used, or the directory fails.
pub async fn attempts(caller: &Caller, name: &str, page: PageRequest) -> Result<Listing<RecordedAttempt>, OpError> {
    let permit = caller.permit(Action::ReadWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    Ok(permit
        .directory()
        .delivery_attempts(document.name, page.page()?)
        .await?)
}

/// Lists the deliveries of a webhook that wait, or that were given up, in the order of their events.
///
/// # Errors
///
/// As [`attempts`].
pub async fn deliveries(
    caller: &Caller,
    name: &str,
    state: WaitingState,
    page: PageRequest,
) -> Result<Listing<WaitingDelivery>, OpError> {
    let permit = caller.permit(Action::ReadWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    let directory = permit.directory();
    Ok(directory.waiting_deliveries(document.name, state, page.page()?).await?)
}

/// Tries everything that waits now, and with `dead` what was given up. Returns the number of deliveries.
///
/// # Errors
///
/// When the caller may not, there is no such webhook, or the directory fails.
pub async fn retry(caller: &Caller, name: &str, dead: bool) -> Result<usize, OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    let now_ms = permit.now_ms();
    Ok(permit.directory().retry_webhook(document.name, dead, now_ms).await?)
}

/// Sends the events after the one with this number again, with the same ids and bytes.
///
/// # Errors
///
/// As [`retry`].
pub async fn replay(caller: &Caller, name: &str, after: u64) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteWebhooks, None)?;
    let document = record::find(permit.directory(), name).await?;
    Ok(permit.directory().replay_webhook(document.name, after).await?)
}
