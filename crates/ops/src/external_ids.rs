//! External ids of many users at once, for a change of the identity provider: a preview, and then all of the list or nothing.

use std::collections::HashMap;

use narthex_decision::Action;
use narthex_directory::{Directory, EditedUser, ExternalId, Page, Realm, User, UserEdit, UserFilter, UserId};

use super::caller::Caller;
use super::error::OpError;
use super::input_rules;

/// The most entries in one list: all of them are one transaction.
pub const CHANGES_MAX: usize = 10_000;

/// Entry of a list: the external id that a user has, and the one that the user gets. Both are used exactly as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalIdChange {
    /// The external id that the user has.
    pub from: String,
    /// The external id that the user gets.
    pub to: String,
}

/// Entry of a list, and the effect that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The entry.
    pub change: ExternalIdChange,
    /// Its effect.
    pub effect: Effect,
}

/// Effect of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The user gets the other external id.
    Changes {
        /// The user.
        user: UserId,
        /// The version that the user is at.
        version: u64,
    },
    /// Both ids are the same, so nothing changes.
    Same {
        /// The user.
        user: UserId,
    },
    /// No user of the realm has the first id.
    Unknown,
    /// Another user of the realm has the second id. It may be one that a later entry changes.
    Taken {
        /// The user who has it.
        owner: UserId,
    },
    /// Another entry of the list has the same first or second id.
    Repeated,
    /// The second id breaks the rule of external ids.
    Unusable {
        /// The broken rule, as a sentence.
        problem: String,
    },
}

impl Effect {
    /// Returns true where the entry keeps the list from being carried out.
    pub const fn is_obstacle(&self) -> bool {
        !matches!(self, Self::Changes { .. } | Self::Same { .. })
    }

    /// Returns the user whom the entry is about, where there is one.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Changes { user, .. } | Self::Same { user } => Some(*user),
            Self::Unknown | Self::Taken { .. } | Self::Repeated | Self::Unusable { .. } => None,
        }
    }

    /// Returns its stable word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Changes { .. } => "changes",
            Self::Same { .. } => "same",
            Self::Unknown => "unknown",
            Self::Taken { .. } => "taken",
            Self::Repeated => "repeated",
            Self::Unusable { .. } => "unusable",
        }
    }

    /// Says what to do about an entry that cannot be carried out; `None` for the others.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Changes { .. } | Self::Same { .. } => return None,
            Self::Unknown => "no user of the realm has the first id; take the entry out, or correct the id".to_owned(),
            Self::Taken { owner } => format!(
                "the user `{owner}` has the second id; choose another one, or change that user in a list before this one"
            ),
            Self::Repeated => "another entry has the same first or second id; keep one of them".to_owned(),
            Self::Unusable { problem } => format!("the second id: {problem}"),
        })
    }
}

/// Previews a list or carries it out. Returns the effect of each entry, in the order of the list.
///
/// # Errors
///
/// When the caller may not, the list is too long, `apply` is set and an entry is an obstacle ([`Effect::is_obstacle`]), a
/// user has changed meanwhile, or the directory fails. Then nothing is changed.
pub async fn change(
    caller: &Caller,
    realm: Option<String>,
    changes: Vec<ExternalIdChange>,
    why: Option<String>,
    apply: bool,
) -> Result<Vec<PlannedChange>, OpError> {
    let permit = caller.permit(Action::WriteUsers, None)?;
    let (realm, why) = (permit.realm(realm)?, input_rules::why(why)?);
    let planned = plan(permit.directory(), &realm, changes).await?;
    if apply {
        let edits = edits(&planned, why.as_deref())?;
        permit.directory().update_users(edits, permit.by()).await?;
    }
    Ok(planned)
}

/// Works out the effect of each entry, and changes nothing. The command line calls it without a caller.
///
/// # Errors
///
/// When the list is too long, or the directory fails.
pub async fn plan(
    directory: &dyn Directory,
    realm: &Realm,
    changes: Vec<ExternalIdChange>,
) -> Result<Vec<PlannedChange>, OpError> {
    if changes.len() > CHANGES_MAX {
        let detail = format!("a list has at most {CHANGES_MAX} entries; send it in parts");
        return Err(OpError::invalid("changes", detail));
    }
    let (mut first, mut second) = (HashMap::new(), HashMap::new());
    for change in &changes {
        *first.entry(change.from.clone()).or_insert(0_usize) += 1;
        *second.entry(change.to.clone()).or_insert(0_usize) += 1;
    }
    let mut planned = Vec::with_capacity(changes.len());
    for change in changes {
        let is_repeated = first.get(&change.from).is_some_and(|count| *count > 1)
            || second.get(&change.to).is_some_and(|count| *count > 1);
        let effect = if is_repeated {
            Effect::Repeated
        } else {
            effect(directory, realm, &change).await?
        };
        planned.push(PlannedChange { change, effect });
    }
    Ok(planned)
}

async fn effect(directory: &dyn Directory, realm: &Realm, change: &ExternalIdChange) -> Result<Effect, OpError> {
    if let Err(error) = ExternalId::new(change.to.clone()) {
        return Ok(Effect::Unusable {
            problem: error.problem(),
        });
    }
    let Some(user) = find(directory, realm, &change.from).await? else {
        return Ok(Effect::Unknown);
    };
    if change.from == change.to {
        return Ok(Effect::Same { user: user.id });
    }
    Ok(match find(directory, realm, &change.to).await? {
        Some(owner) => Effect::Taken { owner: owner.id },
        None => Effect::Changes {
            user: user.id,
            version: user.version,
        },
    })
}

async fn find(directory: &dyn Directory, realm: &Realm, external_id: &str) -> Result<Option<User>, OpError> {
    let filter = UserFilter {
        realm: Some(realm.clone()),
        external_id: Some(external_id.to_owned()),
        ..UserFilter::default()
    };
    let found = directory.users(filter, Page::first(1)).await?.items;
    Ok(found.into_iter().next().map(|entry| entry.user))
}

/// Turns a planned list into edits. The command line carries them out without a caller.
///
/// # Errors
///
/// When an entry is an obstacle.
pub fn edits(planned: &[PlannedChange], why: Option<&str>) -> Result<Vec<EditedUser>, OpError> {
    let mut edits = Vec::with_capacity(planned.len());
    for PlannedChange { change, effect } in planned {
        match effect {
            Effect::Same { .. } => {}
            Effect::Changes { user, version } => edits.push(EditedUser {
                user: *user,
                version: *version,
                edit: UserEdit {
                    external_id: input_rules::external_id("to", Some(change.to.clone()))?,
                    why: why.map(str::to_owned),
                    ..UserEdit::default()
                },
            }),
            Effect::Unknown | Effect::Taken { .. } | Effect::Repeated | Effect::Unusable { .. } => {
                return Err(OpError::Conflict(
                    "some entries cannot be carried out, so nothing was changed; the preview names them",
                ));
            }
        }
    }
    Ok(edits)
}
