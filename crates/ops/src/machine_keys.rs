//! Machine keys of an organization's programs, for the organization's routes. A key is shown when it is created, and never
//! again.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{
    Listing, MACHINE_KEY_NAME_LENGTH_MAX, MachineKey, MachineKeyId, Organization, OrganizationRole, changes_direction,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;

mod secret;

pub use secret::FreshMachineKey;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Lifetime of a machine key whose creator names no end, in milliseconds: 90 days.
pub const LIFETIME_DEFAULT_MS: i64 = 90 * DAY_MS;

/// The longest lifetime of a machine key, in milliseconds: a leap year.
///
/// SECURITY: a key that does not expire is a password that is never changed.
pub const LIFETIME_MAX_MS: i64 = 366 * DAY_MS;

/// A machine key to create.
#[derive(Debug, Clone)]
pub struct NewMachineKey {
    /// Purpose of the key.
    pub name: String,
    /// Role of the key in the organization.
    pub role: OrganizationRole,
    /// Time at which it stops working, in milliseconds since the epoch; `None` for [`LIFETIME_DEFAULT_MS`] from now.
    pub expires_at_ms: Option<i64>,
}

/// A machine key that was just created.
#[derive(Debug)]
pub struct CreatedMachineKey {
    /// Its record.
    pub record: MachineKey,
    /// The key itself, to be shown once.
    pub key: FreshMachineKey,
}

/// Lists an organization's machine keys, sorted by id, which is the order of creation; revoked and expired ones too.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, organization: &str, page: PageRequest) -> Result<Listing<MachineKey>, OpError> {
    let (permit, organization) = caller.organization(Action::ReadMachineKeys, organization).await?;
    Ok(permit.directory().machine_keys(organization.id, page.page()?).await?)
}

/// Reads the machine key with this id.
///
/// # Errors
///
/// When the caller may not, or the organization has no such key.
pub async fn read(caller: &Caller, organization: &str, key: &str) -> Result<MachineKey, OpError> {
    let (permit, organization) = caller.organization(Action::ReadMachineKeys, organization).await?;
    find(permit, &organization, key).await
}

/// Checks that the caller may create machine keys of the organization, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not, or there is no such organization.
pub async fn may_create(caller: &Caller, organization: &str) -> Result<(), OpError> {
    creation(caller, organization).await.map(|_| ())
}

async fn creation<'c>(caller: &'c Caller, organization: &str) -> Result<(Permit<'c>, Organization), OpError> {
    caller.organization(Action::WriteMachineKeys, organization).await
}

/// Creates a machine key of the organization.
///
/// # Errors
///
/// When the caller may not, there is no such organization, a value breaks its rule, or the directory fails.
pub async fn create(caller: &Caller, organization: &str, new: NewMachineKey) -> Result<CreatedMachineKey, OpError> {
    let (permit, organization) = creation(caller, organization).await?;
    let created = new_key(&organization, &new, permit.now_ms())?;
    let record = created.record.clone();
    permit.directory().create_machine_key(record, permit.by()).await?;
    Ok(created)
}

/// Makes a machine key that is in no directory yet. The command line stores it without a caller.
///
/// # Errors
///
/// When a value breaks its rule, or there is no randomness.
pub fn new_key(organization: &Organization, new: &NewMachineKey, now_ms: i64) -> Result<CreatedMachineKey, OpError> {
    let name = name(&new.name)?;
    let expires_at_ms = new
        .expires_at_ms
        .unwrap_or_else(|| now_ms.saturating_add(LIFETIME_DEFAULT_MS));
    if expires_at_ms <= now_ms {
        return Err(OpError::invalid("expires_at", "it has passed already"));
    }
    if expires_at_ms > now_ms.saturating_add(LIFETIME_MAX_MS) {
        let detail = "it is more than 366 days away; a key lives no longer, so create another one in time";
        return Err(OpError::invalid("expires_at", detail));
    }
    let key = FreshMachineKey::new()?;
    let record = MachineKey {
        id: MachineKeyId::new(now_ms, &mut NewIds::new()?),
        organization: organization.id,
        name,
        hash: key.hash()?,
        role: new.role,
        created_at_ms: now_ms,
        expires_at_ms,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    Ok(CreatedMachineKey { record, key })
}

/// Checks a key's name, which is a part of a username at the applications.
fn name(text: &str) -> Result<String, OpError> {
    let name = input_rules::required("name", text, "it is empty; say what it is for")?;
    if name.chars().count() > MACHINE_KEY_NAME_LENGTH_MAX {
        return Err(OpError::invalid("name", "it is longer than 128 characters"));
    }
    // SECURITY: as for usernames; such a name can look like that of another key.
    if name.chars().any(changes_direction) {
        let detail = "it holds a character that changes the direction of text; leave that out";
        return Err(OpError::invalid("name", detail));
    }
    Ok(name)
}

/// Revokes the machine key with this id. It is refused from now on, on every node within a second, and its record stays.
///
/// # Errors
///
/// When the caller may not, or the organization has no such key that is not revoked yet.
pub async fn revoke(caller: &Caller, organization: &str, key: &str) -> Result<(), OpError> {
    let (permit, organization) = caller.organization(Action::WriteMachineKeys, organization).await?;
    let key = find(permit, &organization, key).await?;
    if permit.directory().revoke_machine_key(key.id, permit.by()).await? {
        Ok(())
    } else {
        Err(OpError::Unknown {
            what: "machine key that works",
        })
    }
}

/// Finds a key of the organization.
///
/// SECURITY: the permit is for this organization alone. A key of another one is no key here.
async fn find(permit: Permit<'_>, organization: &Organization, key: &str) -> Result<MachineKey, OpError> {
    let id: MachineKeyId = input_rules::id(key, "machine key", "organizations/{organization}/machine-keys")?;
    let found = permit.directory().machine_key_of_id(id).await?;
    found
        .filter(|key| key.organization == organization.id)
        .ok_or(OpError::Unknown { what: "machine key" })
}
