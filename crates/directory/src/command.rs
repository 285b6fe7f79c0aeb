//! What people and programs ask of the directory. Plain data; the rules are in the functions that turn each into
//! changes, which every store shares.

use std::fmt;

use crate::grant::Grant;
use crate::id::{ApiKeyId, GrantId, OrganizationId, TeamId, UserId};
use crate::name::{ExternalId, IssuerName, OrganizationName, Realm, Username};
use crate::organization::{MembershipRule, OrganizationDetails, OrganizationStatus, OrganizationTags};
use crate::role::{PlatformRole, Scope, ScopedRole};
use crate::user::{Profile, User, UserStatus};

/// What to do with a field that may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// Give it a value.
    Set(T),
}

impl<T> Edit<T> {
    /// Carries it out.
    pub(crate) fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }
}

/// A user with the role that the open grants give on the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct UserEntry {
    /// The user.
    pub user: User,
    /// The highest open platform role.
    pub platform_role: PlatformRole,
}

/// Which users to list. Everything given must agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserFilter {
    /// Of this realm.
    pub realm: Option<Realm>,
    /// With exactly this external id.
    pub external_id: Option<String>,
    /// With exactly this username.
    pub username: Option<String>,
    /// With exactly this e-mail.
    pub email: Option<String>,
    /// Whose username, external id, e-mail or name holds this text; ASCII letters in any case.
    pub q: Option<String>,
}

/// A user to create by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Its realm.
    pub realm: Realm,
    /// What the identity provider calls it.
    pub external_id: ExternalId,
    /// Its username.
    pub username: Username,
    /// Its profile.
    pub profile: Profile,
}

/// A change of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserEdit {
    /// Another username.
    pub username: Option<Username>,
    /// Enable or disable.
    pub status: Option<UserStatus>,
    /// Accept the tokens again that were issued before the user was signed out everywhere.
    pub accept_older_tokens: bool,
    /// E-mail.
    pub email: Edit<String>,
    /// Display name.
    pub name: Edit<String>,
    /// Country.
    pub country: Edit<String>,
    /// Time zone.
    pub timezone: Edit<String>,
    /// Locale.
    pub locale: Edit<String>,
    /// Language.
    pub language: Edit<String>,
}

/// Which organizations to list. Everything given must agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationFilter {
    /// Of this realm.
    pub realm: Option<Realm>,
    /// With exactly this external id.
    pub external_id: Option<String>,
    /// That lists exactly this tag.
    pub tag: Option<String>,
    /// Whose name or label holds this text; ASCII letters in any case.
    pub q: Option<String>,
}

/// An organization to create by hand, or to declare in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrganization {
    /// Its id (for a declared one that exists already: not used).
    pub id: OrganizationId,
    /// Its name in paths.
    pub name: OrganizationName,
    /// Its name for people.
    pub label: String,
    /// Its realm.
    pub realm: Realm,
    /// What the identity provider calls it.
    pub external_id: Option<ExternalId>,
    /// Contact, site, time zone.
    pub details: OrganizationDetails,
    /// Its lists of tags.
    pub tags: OrganizationTags,
    /// Who may say who belongs to it.
    pub membership: MembershipRule,
    /// Whether it is open.
    pub status: OrganizationStatus,
}

/// A change of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationEdit {
    /// Another name in paths.
    pub name: Option<OrganizationName>,
    /// Another label.
    pub label: Option<String>,
    /// What the identity provider calls it.
    pub external_id: Edit<ExternalId>,
    /// Contact.
    pub contact_name: Edit<String>,
    /// Contact.
    pub contact_email: Edit<String>,
    /// Site.
    pub website: Edit<String>,
    /// Time zone.
    pub timezone: Edit<String>,
    /// All three lists of tags.
    pub tags: Option<OrganizationTags>,
    /// Who may say who belongs to it. To `external_only` closes the manual grants.
    pub membership: Option<MembershipRule>,
    /// Open or suspended.
    pub status: Option<OrganizationStatus>,
}

/// A team to create by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeam {
    /// Its id.
    pub id: TeamId,
    /// Its realm.
    pub realm: Realm,
    /// The organization it is in.
    pub organization: Option<OrganizationId>,
    /// What the identity provider calls it.
    pub external_id: Option<ExternalId>,
    /// Its name for people.
    pub name: String,
}

/// A change of a team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TeamEdit {
    /// Another name.
    pub name: Option<String>,
    /// Another organization, or none.
    pub organization: Edit<OrganizationId>,
    /// What the identity provider calls it.
    pub external_id: Edit<ExternalId>,
}

/// A role to give by hand. A manual grant that is open on the same scope is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// To whom.
    pub user: UserId,
    /// Which role, on what.
    pub role: ScopedRole,
    /// Why.
    pub why: Option<String>,
}

/// Which grants to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrantFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// On this.
    pub scope: Option<Scope>,
    /// Held when.
    pub when: GrantsWhen,
}

/// Which moment of the grants' history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GrantsWhen {
    /// Open and not closed (lapsed ones are among them until they are closed).
    #[default]
    Open,
    /// Held at this time, in milliseconds.
    AsOf(i64),
    /// All there ever were.
    Ever,
}

/// Somebody in an organization or a team.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// The highest role held.
    pub role: ScopedRole,
    /// The open grants that give a role here.
    pub grants: Vec<Grant>,
}

/// Which teams to list. Everything given must agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TeamFilter {
    /// Of this realm.
    pub realm: Option<Realm>,
    /// In this organization.
    pub organization: Option<OrganizationId>,
    /// With exactly this external id.
    pub external_id: Option<String>,
}

/// The SHA-256 of a secret. Printing it says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(***)")
    }
}

/// An API key: never the key itself, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for, in words.
    pub name: String,
    /// The SHA-256 of the key. A key is 256 random bits, so nothing slower is needed.
    pub hash: SecretHash,
    /// What it may do.
    pub role: ScopedRole,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it stops working.
    pub expires_at_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
    /// When it was last used, to the minute: see [`ApiKey::use_is_due`].
    pub last_used_at_ms: Option<i64>,
}

/// The time between two uses of an API key that are recorded, in milliseconds.
pub const API_KEY_USE_EVERY_MS: i64 = 60_000;

impl ApiKey {
    /// Returns true where a use now is to be recorded. Also where the last one is in the future: a clock was set back.
    pub fn use_is_due(&self, now_ms: i64) -> bool {
        self.last_used_at_ms
            .is_none_or(|last| now_ms.saturating_sub(last).unsigned_abs() >= API_KEY_USE_EVERY_MS.unsigned_abs())
    }

    /// Whether it works now.
    pub fn works_at(&self, now_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && self.expires_at_ms.is_none_or(|expires| expires > now_ms)
    }
}

/// Bytes that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(pub Vec<u8>);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(***)")
    }
}

/// A key that signs assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionKey {
    /// Its `kid`.
    pub kid: String,
    /// The private key, as the edge encoded (and perhaps encrypted) it.
    pub private: SecretBytes,
    /// The public key as a JWK, in JSON.
    pub public_jwk: String,
    /// When it was made.
    pub created_at_ms: i64,
    /// From when on it no longer signs.
    pub signs_until_ms: i64,
    /// From when on it is no longer published.
    pub published_until_ms: i64,
}

/// The last good key set of an issuer, so that a restart does not need the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedKeySet {
    /// Whose.
    pub issuer: IssuerName,
    /// Where it was fetched from: a set is not used for another address.
    pub source: String,
    /// The set as it came.
    pub body: Vec<u8>,
    /// When it was fetched.
    pub fetched_at_ms: i64,
}

/// A tag that tokens carried, or that organizations list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTag {
    /// Whose tokens.
    pub realm: Realm,
    /// The tag.
    pub tag: String,
    /// When a token first carried it.
    pub first_seen_at_ms: i64,
    /// When a token last carried it, to the hour.
    pub last_seen_at_ms: i64,
}
