//! API keys of administrators' programs. A key is shown when it is created, and never again.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{ApiKey, ApiKeyId, Listing, OrganizationRole, PAGE_LIMIT_MAX, Page, PlatformRole, ScopedRole};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;

pub(crate) mod secret;

pub use secret::{FreshApiKey, sha256};

/// Role of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// Reads everything, changes nothing.
    Viewer,
    /// Reads and changes everything, or administers one organization.
    Admin,
}

/// An API key to create.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Purpose of the key.
    pub name: String,
    /// Role of the key.
    pub role: KeyRole,
    /// The one organization that it reaches (id or name), with the role `admin`; `None` for everything.
    pub organization: Option<String>,
    /// Time at which it stops working, in milliseconds since the epoch; `None` for never.
    pub expires_at_ms: Option<i64>,
}

/// An API key that was just created.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// Its record.
    pub record: ApiKey,
    /// The key itself, to be shown once.
    pub key: FreshApiKey,
}

/// Lists API keys, sorted by id, which is the order of creation; revoked and expired ones too.
///
/// # Errors
///
/// When the caller may not, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, page: PageRequest) -> Result<Listing<ApiKey>, OpError> {
    let permit = caller.permit(Action::ReadApiKeys, None)?;
    Ok(permit.directory().api_keys(page.page()?).await?)
}

/// Reads the record of the API key with this id. Keys are few: the list is read until the key is found.
///
/// # Errors
///
/// When the caller may not, there is no such key, or the directory fails.
pub async fn read(caller: &Caller, id: &str) -> Result<ApiKey, OpError> {
    let permit = caller.permit(Action::ReadApiKeys, None)?;
    let id: ApiKeyId = input_rules::id(id, "API key", "api-keys")?;
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let Listing { items, next_cursor } = permit.directory().api_keys(page).await?;
        if let Some(key) = items.into_iter().find(|key| key.id == id) {
            return Ok(key);
        }
        page = match next_cursor {
            Some(cursor) => Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Err(OpError::Unknown { what: "API key" }),
        };
    }
}

/// Checks that the caller may create API keys, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not.
pub fn may_create(caller: &Caller) -> Result<(), OpError> {
    creation(caller).map(|_| ())
}

fn creation(caller: &Caller) -> Result<Permit<'_>, OpError> {
    caller.permit(Action::WriteApiKeys, None)
}

/// Creates an API key.
///
/// # Errors
///
/// When the caller may not, there is no such organization, a value breaks its rule, or the directory fails.
pub async fn create(caller: &Caller, new: NewApiKey) -> Result<CreatedApiKey, OpError> {
    let permit = creation(caller)?;
    let role = role(caller, new.role, new.organization.as_deref()).await?;
    let (now_ms, key) = (permit.now_ms(), FreshApiKey::new()?);
    let name = input_rules::required("name", &new.name, "it is empty; say what it is for")?;
    if new.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        return Err(OpError::invalid("expires_at", "it has passed already"));
    }
    let record = ApiKey {
        id: ApiKeyId::new(now_ms, &mut NewIds::new()?),
        name,
        hash: key.hash(),
        role,
        created_at_ms: now_ms,
        expires_at_ms: new.expires_at_ms,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    permit.directory().create_api_key(record.clone(), permit.by()).await?;
    Ok(CreatedApiKey { record, key })
}

async fn role(caller: &Caller, role: KeyRole, organization: Option<&str>) -> Result<ScopedRole, OpError> {
    match (role, organization) {
        (KeyRole::Viewer, None) => Ok(ScopedRole::Platform(PlatformRole::Viewer)),
        (KeyRole::Admin, None) => Ok(ScopedRole::Platform(PlatformRole::Admin)),
        (KeyRole::Admin, Some(text)) => {
            let (_, organization) = caller.organization(Action::WriteApiKeys, text).await?;
            Ok(ScopedRole::Organization(organization.id, OrganizationRole::Admin))
        }
        (KeyRole::Viewer, Some(_)) => Err(OpError::invalid(
            "role",
            "there is no role `viewer` in an organization; a key for one has the role `admin` there",
        )),
    }
}

/// Revokes the API key with this id. It is refused from now on, and its record stays.
///
/// # Errors
///
/// When the caller may not, or there is no such key that works.
pub async fn revoke(caller: &Caller, id: &str) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteApiKeys, None)?;
    let id = input_rules::id(id, "API key", "api-keys")?;
    if permit.directory().revoke_api_key(id, permit.by()).await? {
        Ok(())
    } else {
        Err(OpError::Unknown {
            what: "API key that works",
        })
    }
}
