//! Erasure of users: the record under a pseudonym, the audit trail without personal values, and what is remembered so
//! that an older token does not bring the user back.

use narthex_names::{ExternalId, NameError, Realm, UserId, Username};
use serde_json::{Map, Value};

use crate::change::Change;
use crate::command::SecretBytes;
use crate::error::{Refusal, StoreError};
use crate::grant::Grant;
use crate::role::word;
use crate::rules::{check_version, close_all};
use crate::user::{Profile, User, UserStatus};

word!(
    /// Kind of an identity that was removed.
    RemovedKind, "removed kind", {
        /// A user, who was erased.
        User = "user",
        /// An organization, which was deleted.
        Organization = "organization",
    }
);

/// Identity that was removed. The directory keeps a keyed hash of it, and not the external id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemovedIdentity {
    /// Its kind.
    pub kind: RemovedKind,
    /// The realm in which the external id was unique.
    pub realm: Realm,
    /// Its id at the identity provider.
    pub external_id: ExternalId,
}

/// Tokens of a removed identity that are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedTokens {
    /// Time before which a token must have been issued to be refused, in milliseconds. A token without `iat` is refused
    /// too.
    pub issued_before_ms: i64,
    /// True if every later token is refused as well, until a platform admin lifts that.
    pub all: bool,
}

impl RefusedTokens {
    /// Joins what is kept with what is added: whatever one of them refuses.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            issued_before_ms: self.issued_before_ms.max(other.issued_before_ms),
            all: self.all || other.all,
        }
    }
}

/// The terms of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// True to refuse every later token of the user, too.
    pub refuse_all: bool,
    /// The administrator's reason, for the audit trail.
    pub why: Option<String>,
    /// Thirty-two random bytes: the key of the hashes of removed identities, for a store that has none yet.
    pub new_key: SecretBytes,
}

/// Beginning of the external id of an erased user; its own id follows.
const PSEUDONYM: &str = "erased:";

/// The names that an erased user has instead of its own.
fn pseudonym(id: UserId) -> Result<(ExternalId, Username), NameError> {
    let name = format!("{PSEUDONYM}{id}");
    Ok((ExternalId::new(name.clone())?, Username::new(name)?))
}

impl User {
    /// Tests whether the user was erased: the record has a pseudonym, and cannot be changed.
    pub fn is_erased(&self) -> bool {
        let id = self.external_id.as_str().strip_prefix(PSEUDONYM);
        id.is_some_and(|id| id == self.id.to_string())
    }
}

/// Erases a user. `open` are the user's open grants, and `newest_issued_at_ms` is the newest `iat` of all tokens that were
/// seen of the user. Returns the changes and what is refused from now on.
///
/// SECURITY: the record stays disabled under its pseudonym, so that a token which names the pseudonym is refused.
pub fn erase_user(
    before: &User,
    version: Option<u64>,
    open: Vec<Grant>,
    (erasure, newest_issued_at_ms): (&Erasure, Option<i64>),
    at_ms: i64,
) -> Result<(Vec<Change>, RefusedTokens), StoreError> {
    check_version("user", version, before.version)?;
    if before.is_erased() {
        return Err(StoreError::Refused("the user is erased already"));
    }
    let (external_id, username) = pseudonym(before.id)?;
    let after_newest = newest_issued_at_ms.map(|newest| newest.saturating_add(1));
    let refused = RefusedTokens {
        issued_before_ms: at_ms.max(after_newest.unwrap_or(at_ms)),
        all: erasure.refuse_all || before.status == UserStatus::Disabled,
    };
    let after = User {
        external_id,
        username,
        profile: Profile::default(),
        status: UserStatus::Disabled,
        context: Map::new(),
        updated_at_ms: at_ms,
        version: before.version + 1,
        ..before.clone()
    };
    let mut changes = vec![Change::EraseUser {
        before: Box::new(before.clone()),
        after: Box::new(after),
        refuses_all: refused.all,
        why: erasure.why.clone(),
    }];
    let without_words = |mut grant: Grant| {
        grant.why = None;
        grant.token.jti = None;
        grant
    };
    let open = open.into_iter().map(without_words).collect();
    changes.extend(close_all(open, at_ms, Some("the user was erased")).1);
    Ok((changes, refused))
}

/// Members of an event's detail that are no personal values, whatever the action.
const IMPERSONAL: [&str; 9] = [
    "realm",
    "status",
    "tokens_not_before",
    "grant",
    "scope",
    "role",
    "source",
    "issuer",
    "tag",
];

/// The detail of an event about a user without the user's personal values: names, addresses, the external id, free text.
/// What is not known to be impersonal goes.
pub fn without_personal_values(action: &str, detail: Map<String, Value>) -> Map<String, Value> {
    detail
        .into_iter()
        .filter(|(name, _)| !is_personal(action, name))
        .collect()
}

/// Tests whether a member of the detail of an event about a user is a personal value.
pub(crate) fn is_personal(action: &str, name: &str) -> bool {
    // A session's events hold its id and words of ours, and those of refusals the id of the request.
    !action.starts_with("session.") && !action.starts_with("request.") && !IMPERSONAL.contains(&name)
}

/// SECURITY: an older token of an erased user is refused, as one of a user who was signed out everywhere; its first use must
/// not create the user again.
pub(crate) fn admit_again(refused: Option<RefusedTokens>, issued_at_ms: Option<i64>) -> Result<(), Refusal> {
    let Some(refused) = refused else {
        return Ok(());
    };
    // A token that does not say when it was issued may be an older one.
    let is_later = issued_at_ms.is_some_and(|issued| issued >= refused.issued_before_ms);
    if is_later && !refused.all {
        return Ok(());
    }
    Err(Refusal::Erased { all: refused.all })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_keeps_what_is_impersonal() {
        let detail = json!({
            "external_id": {"to": "ann"}, "email": {"to": "ann@example.com"}, "context": {"to": {"plan": "gold"}},
            "realm": {"to": "corp"}, "status": {"to": "active"}, "why": "Ann asked", "something new": "Ann",
        });
        let kept = without_personal_values("user.created", detail.as_object().unwrap().clone());
        assert_eq!(
            Value::Object(kept),
            json!({"realm": {"to": "corp"}, "status": {"to": "active"}})
        );
        let detail = json!({"session": "01h", "kind": "door", "why": "signed_out"});
        let kept = without_personal_values("session.ended", detail.as_object().unwrap().clone());
        assert_eq!(Value::Object(kept), detail);
    }

    #[test]
    fn a_token_brings_an_erased_user_back_only_if_it_is_newer_and_not_forbidden() {
        let refused = |all| {
            Some(RefusedTokens {
                issued_before_ms: 100,
                all,
            })
        };
        for (issued, admitted) in [(None, false), (Some(99), false), (Some(100), true), (Some(101), true)] {
            assert_eq!(admit_again(refused(false), issued).is_ok(), admitted, "{issued:?}");
            assert!(admit_again(refused(true), issued).is_err(), "{issued:?}");
            assert!(admit_again(None, issued).is_ok());
        }
    }
}
