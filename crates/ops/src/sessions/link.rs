//! One-time sign-in links: the way in to the console for an operator who has no credential yet.

use narthex_clock::NoEntropy;
use narthex_directory::{
    Directory, GrantFilter, GrantsWhen, OneTimeKind, OneTimeValue, PAGE_LIMIT_MAX, Page, PlatformRole, Scope,
    ScopedRole, StoreError,
};
use narthex_session::cookie::Secret;
use narthex_session::{Owner, SealError, SealingKeys};

/// Time for which a link is good, in milliseconds.
pub const LINK_MS: i64 = 15 * 60_000;
/// Upper limit of links that were created and not used yet.
pub const LINKS_MAX: usize = 20;

/// Reason for which there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// As many as are allowed wait for their use.
    #[error("there is a sign-in link already that was not used yet; it ends within 15 minutes")]
    Waiting,
    /// The directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness for its secret.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// Its content cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Creates a link in the name of this system user. It is good once, and for [`LINK_MS`]. At most `most` wait for their use
/// at a time: with 1, of several nodes that start at once, one gets a link.
///
/// # Errors
///
/// [`LinkError`].
pub async fn create_link(
    directory: &dyn Directory,
    keys: &SealingKeys,
    system_user: &str,
    most: usize,
    now_ms: i64,
) -> Result<Secret, LinkError> {
    let secret = Secret::draw()?;
    let value = OneTimeValue {
        kind: OneTimeKind::FirstRunLink,
        hash: secret.hash(),
        sealed: keys.seal(system_user.as_bytes(), OWNER)?,
        expires_at_ms: now_ms.saturating_add(LINK_MS),
    };
    match directory.put_once(value, most, now_ms).await {
        Ok(()) => Ok(secret),
        Err(StoreError::Unavailable(_)) => Err(LinkError::Waiting),
        Err(error) => Err(error.into()),
    }
}

/// SECURITY: a sealed value of another kind does not open as a link.
const OWNER: Owner<'static> = Owner {
    kind: "sign_in_link",
    name: "",
    organization: None,
    governed_by: "",
};

/// Takes a link. Returns the system user who created it; `None` if it was used before, has expired, or never was.
pub(super) async fn take(
    directory: &dyn Directory,
    keys: &SealingKeys,
    secret: &Secret,
    now_ms: i64,
) -> Result<Option<String>, StoreError> {
    let kind = OneTimeKind::FirstRunLink;
    let sealed = directory.take_once(kind, secret.hash(), now_ms).await?;
    let opened = sealed.and_then(|sealed| keys.open(&sealed, OWNER).ok());
    Ok(opened.and_then(|opened| String::from_utf8(opened.plain.to_vec()).ok()))
}

/// Tests whether no API key and no platform admin has ever existed, so that no credential could sign in.
///
/// # Errors
///
/// When the directory fails.
pub async fn is_first_run(directory: &dyn Directory) -> Result<bool, StoreError> {
    if !directory.api_keys(Page::first(1)).await?.items.is_empty() {
        return Ok(false);
    }
    let filter = GrantFilter {
        user: None,
        scope: Some(Scope::Platform),
        when: GrantsWhen::Ever,
    };
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let found = directory.grants(filter, page).await?;
        let mut roles = found.items.iter().map(|grant| grant.role);
        if roles.any(|role| role == ScopedRole::Platform(PlatformRole::Admin)) {
            return Ok(false);
        }
        page = match found.next_cursor {
            Some(cursor) => Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Ok(true),
        };
    }
}
