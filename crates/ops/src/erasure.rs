//! Erasure of users, and its end.

use narthex_clock::random_bytes;
use narthex_decision::Action;
use narthex_directory::{
    Directory, DocumentKind, Erasure, ExternalId, PAGE_LIMIT_MAX, Page, RemovedIdentity, RemovedKind, SecretBytes,
    User, UserId, UserStatus,
};

use super::caller::Caller;
use super::error::OpError;
use super::input_rules;
use super::precondition::ExpectedVersion;

/// Terms of an erasure.
#[derive(Debug, Clone, Default)]
pub struct ErasureTerms {
    /// `true` to refuse every later token of the user, until an administrator lifts that. Without it, a token that is
    /// issued after the erasure creates the user anew, unless the user is disabled.
    pub refuse_later_tokens: bool,
    /// Reason, for the audit trail.
    pub why: Option<String>,
}

impl ErasureTerms {
    /// Builds the terms for the directory. The command line calls it without a caller.
    ///
    /// # Errors
    ///
    /// When the reason breaks its rule, or there is no randomness.
    pub fn checked(self) -> Result<Erasure, OpError> {
        Ok(Erasure {
            refuse_all: self.refuse_later_tokens,
            why: input_rules::why(self.why)?,
            new_key: SecretBytes(random_bytes::<32>()?.to_vec()),
        })
    }
}

/// A user that was erased.
#[derive(Debug, Clone)]
pub struct ErasedUser {
    /// The record under its pseudonym.
    pub user: User,
    /// `true` if every later token of the user is refused.
    pub refuses_all: bool,
    /// Names of the webhooks, whose receivers may hold copies of personal values.
    pub webhooks: Vec<String>,
    /// Files that get the events of the audit trail too, and hold copies.
    pub files: Vec<String>,
}

/// Erases a user: profile, context, external id and username go from the record, the audit trail and exports. What the user
/// held and when stays, under a pseudonym. It cannot be undone.
///
/// # Errors
///
/// When the caller may not, there is no such user, it is at another version, it is erased already, or the directory fails.
pub async fn erase(
    caller: &Caller,
    id: &str,
    expected: &ExpectedVersion,
    terms: ErasureTerms,
) -> Result<ErasedUser, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let id: UserId = input_rules::id(id, "user", "users")?;
    let found = permit.directory().user(id).await?;
    let before = found.ok_or(OpError::Unknown { what: "user" })?.user;
    let version = expected.check(before.version)?;
    let refuses_all = terms.refuse_later_tokens || before.status == UserStatus::Disabled;
    let erasure = terms.checked()?;
    let user = permit.directory().erase_user(id, version, erasure, permit.by()).await?;
    Ok(ErasedUser {
        user,
        refuses_all,
        webhooks: webhooks(permit.directory()).await?,
        files: permit.audit_files(),
    })
}

/// Lists the webhooks, whose receivers may hold copies of personal values. The command line calls it without a caller.
///
/// # Errors
///
/// When the directory fails.
pub async fn webhooks(directory: &dyn Directory) -> Result<Vec<String>, OpError> {
    let mut names = Vec::new();
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let listing = directory.documents(DocumentKind::Webhook, None, page).await?;
        names.extend(listing.items.into_iter().map(|document| document.name));
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, PAGE_LIMIT_MAX),
            None => return Ok(names),
        }
    }
}

/// Takes later tokens of an erased user again: the next one creates the user anew. Tokens from before the erasure stay
/// refused.
///
/// # Errors
///
/// When the caller may not, a value breaks its rule, no such user's tokens are refused, or the directory fails.
pub async fn lift(caller: &Caller, realm: Option<String>, external_id: String) -> Result<(), OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let identity = RemovedIdentity {
        kind: RemovedKind::User,
        realm: permit.realm(realm)?,
        external_id: ExternalId::new(external_id).map_err(input_rules::name("external_id"))?,
    };
    if permit.directory().lift_erasure(identity, permit.by()).await? {
        Ok(())
    } else {
        Err(OpError::Unknown {
            what: "erased user whose tokens are all refused",
        })
    }
}
