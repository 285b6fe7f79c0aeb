//! Sync as a plan: what a token asks for, against what the directory holds, gives a list of named changes.
//!
//! The order is user, organization, team, links (`draft`), then tags (`roles`). All roles that the token gives are
//! gathered first and compared with what is held once, so that two rules never undo one another.

mod draft;
mod named;
mod roles;
#[cfg(test)]
mod tests;

use std::fmt;

use narthex_names::{GrantId, IssuerName, NewId, Realm, TAGS_PER_TOKEN_MAX, UserId};

use crate::audit::Actor;
use crate::change::Change;
use crate::desired::{Desired, DesiredTags, SyncMode, SyncPolicy};
use crate::erasure::admit_again;
use crate::error::Refusal;
use crate::grant::TokenFingerprint;
use crate::order::{Mark, Said};
use crate::snapshot::{NearMiss, Snapshot, Standing, TagMatch};
use crate::user::{User, UserStatus};

use self::draft::Draft;

/// Plans what the directory has to change for it to agree with a token. Pure: the same arguments give the same
/// plan, and a plan made after its own changes is empty.
pub fn plan(
    desired: &Desired,
    snapshot: &Snapshot,
    policy: &SyncPolicy,
    now_ms: i64,
    ids: &mut dyn NewId,
) -> Result<SyncPlan, Refusal> {
    if let DesiredTags::Exactly(tags) = &desired.tags
        && tags.len() > TAGS_PER_TOKEN_MAX
    {
        return Err(Refusal::TooManyTags {
            found: tags.len(),
            limit: TAGS_PER_TOKEN_MAX,
        });
    }
    match &snapshot.standing {
        Some(standing) => admit(&standing.user, desired.issued_at_ms)?,
        None => admit_again(snapshot.erased, desired.issued_at_ms)?,
    }
    admit_session(desired, snapshot)?;
    let mut draft = Draft::new(desired, snapshot, policy, now_ms, ids);
    let stale = snapshot.standing.is_some()
        && (snapshot.last.as_ref()).is_some_and(|last| last.outdates(desired.issued_at_ms, draft.said, now_ms));
    if stale {
        return Ok(draft.stale());
    }
    draft.user()?;
    draft.organization();
    draft.team()?;
    draft.memberships()?;
    draft.roles();
    let mut plan = draft.finish();
    if policy.mode == SyncMode::Observe {
        plan.observe(snapshot);
    }
    Ok(plan)
}

/// SECURITY: status and revocation are checked before anything else, whatever else the token says, and nothing a
/// token says changes either.
pub(crate) fn admit(user: &User, issued_at_ms: Option<i64>) -> Result<(), Refusal> {
    if user.status == UserStatus::Disabled {
        return Err(Refusal::Disabled { user: user.id });
    }
    match (user.tokens_not_before_ms, issued_at_ms) {
        (None, _) => Ok(()),
        (Some(not_before), Some(issued)) if issued >= not_before => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::TokenRevoked { user: user.id }),
        // A token that does not say when it was issued may be an older one.
        (Some(_), None) => Err(Refusal::TokenUndated { user: user.id }),
    }
}

/// SECURITY: a token whose session the identity provider has ended is refused for a user who is not known yet, too: its
/// first use must not create one.
fn admit_session(desired: &Desired, snapshot: &Snapshot) -> Result<(), Refusal> {
    let Some(before) = snapshot.refused_before_ms else {
        return Ok(());
    };
    // A token that does not say when it was issued may be an older one.
    if desired.issued_at_ms.is_some_and(|issued| issued >= before) {
        return Ok(());
    }
    let user = snapshot.standing.as_ref().map(|standing| standing.user.id);
    Err(Refusal::LoggedOut { user })
}

/// Changes that sync will make, with the reasons. Made by [`plan`], carried out by [`crate::TokenSync::apply`].
#[derive(Debug, Clone, PartialEq)]
pub struct SyncPlan {
    /// The changes, in the order in which they are made: user, organization, team, links, tags.
    pub changes: Vec<Change>,
    /// Conditions that must still hold when they are made.
    pub expects: Expects,
    /// Grants and tags that the token asserts again, to be noted now and then whether anything changes or not.
    pub touch: Touch,
    /// Tags of the token, each with an organization that lists it.
    pub tag_matches: Vec<TagMatch>,
    /// Tags of the token that a tag pattern matches, each with the organization that it names.
    pub pattern_matches: Vec<TagMatch>,
    /// Tags that would match if case and blanks did not count (explain only).
    pub near_misses: Vec<NearMiss>,
    /// Omissions, with the reasons.
    pub notes: Vec<Note>,
    /// The token is older than the newest one this issuer synced for this user, or undated, or of the same second and says
    /// something else: it identifies, and changes nothing.
    pub stale_token: bool,
    /// The user was changed as often as the limit allows: what the token would add is left undone.
    pub limited: bool,
    /// The issuer's mode is `observe`: the changes are not made.
    pub observed: bool,
    /// Time before which tokens of this subject are refused although this one is not, in milliseconds: the identity provider
    /// has ended the user's sessions. An older token with the same content is refused, so the content alone says nothing.
    pub refused_before_ms: Option<i64>,
    /// The user as it will stand once the changes are made; `None` where the mode is `observe` and there is no user.
    pub(crate) after: Option<Standing>,
}

impl SyncPlan {
    /// Tests whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Tests whether the token names a record that does not exist and that it does not create. Another token may create it
    /// at any time, without a version that moves; then this one has more to say, so the plan is not what was agreed on.
    pub fn names_unknown(&self) -> bool {
        let names_unknown = |note: &Note| {
            matches!(
                note,
                Note::OrganizationNotProvisioned
                    | Note::TeamNotProvisioned
                    | Note::PatternOrganizationUnknown
                    | Note::TooManyOrganizations
            )
        };
        self.notes.iter().any(names_unknown)
    }

    /// The user as it will stand once the changes are made; `None` where that user would only be created and the
    /// mode is `observe`.
    pub const fn after(&self) -> Option<&Standing> {
        self.after.as_ref()
    }

    /// Actor of these changes, for the audit trail.
    pub fn actor(&self) -> Actor {
        Actor::Token {
            issuer: self.touch.issuer.clone(),
            token: self.touch.token.clone(),
        }
    }

    /// Keeps the report and lets the user stand as now.
    fn observe(&mut self, snapshot: &Snapshot) {
        self.observed = true;
        self.after.clone_from(&snapshot.standing);
    }
}

/// Conditions that must still hold when a plan is applied; otherwise the store answers [`crate::StoreError::Conflict`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expects {
    /// The user's version, or `None`: there is no such user yet.
    pub user_version: Option<u64>,
    /// The policy number, where the plan rests on records of organizations.
    pub policy: Option<u64>,
}

/// Use of a token. What it asserts is written at most once an hour (other tags than the last token's: with the next
/// batch), in batches, off the request; the newest `iat` is remembered at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The user whose token it is.
    pub user: UserId,
    /// The user's realm.
    pub realm: Realm,
    /// The token's issuer.
    pub issuer: IssuerName,
    /// Time of the use, in milliseconds.
    pub at_ms: i64,
    /// The mark that it leaves in the order of tokens; `None` for one without `iat`, and for one that is older than the last.
    pub mark: Option<Mark>,
    /// Digest of the token's words.
    pub said: Said,
    /// The open grants that it asserts again.
    pub asserted: Vec<GrantId>,
    /// Time until which those hold without being asserted again, in milliseconds.
    pub lapses_at_ms: Option<i64>,
    /// The tags that it carries; `None` where they are not configured or missing, or an older token's.
    pub tags: Option<Vec<String>>,
    /// The token itself.
    pub token: TokenFingerprint,
    /// True if what is stored is old enough to be written again.
    pub due: bool,
}

/// Something a plan leaves undone, for explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The claims name an organization that does not exist, and this issuer creates none.
    OrganizationNotProvisioned,
    /// The token names an organization that was deleted, and no token creates it again.
    OrganizationDeleted,
    /// The claims name a team that does not exist, and this issuer creates none.
    TeamNotProvisioned,
    /// The claims name a team without an organization.
    TeamWithoutOrganization,
    /// `provision = "off"`: the claims about the profile, organization and team are not used.
    ProvisionOff,
    /// The organization is declared in the configuration: its label and time zone stay as declared.
    OrganizationDeclared,
    /// The empty list of tags removes all permissions, the links in the same token included.
    EmptyTagsRemoveAll,
    /// A tag pattern names an organization that does not exist, and creates none.
    PatternOrganizationUnknown,
    /// A tag pattern names an organization that takes no roles from tag patterns.
    PatternRefused,
    /// Tag patterns name more organizations to create than one token may create.
    TooManyOrganizations,
    /// Tokens changed this user so often within a minute that this one only takes away.
    TooManyChanges,
    /// The claims name another organization than the one that the issuer is of.
    OtherOrganization,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OrganizationNotProvisioned => {
                "the organization in the claims does not exist and this issuer does not create organizations"
            }
            Self::OrganizationDeleted => {
                "the token names an organization that was deleted; no token creates it again until a platform admin lifts that"
            }
            Self::TeamNotProvisioned => "the team in the claims does not exist and this issuer does not create teams",
            Self::TeamWithoutOrganization => "the claims name a team but no organization, so the team is left alone",
            Self::ProvisionOff => "provision is off: claims about profile, organization and team are not used",
            Self::OrganizationDeclared => {
                "the organization is declared in the configuration and keeps what it says there"
            }
            Self::EmptyTagsRemoveAll => "the empty list of tags removes all permissions of the user in the realm",
            Self::PatternOrganizationUnknown => {
                "a tag pattern names an organization that does not exist in the realm, and it does not create organizations"
            }
            Self::PatternRefused => "a tag pattern names an organization that has `tag_patterns = false`",
            Self::TooManyOrganizations => "one token creates at most 100 organizations by tag patterns",
            Self::OtherOrganization => "the token names another organization than that of its issuer",
            Self::TooManyChanges => {
                "tokens changed this user as often within a minute as `[limits] sync_changes_per_minute` allows: until the \
                 minute is over, a token takes away what it no longer says and gives nothing"
            }
        })
    }
}
