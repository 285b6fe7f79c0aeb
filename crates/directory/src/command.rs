//! Commands of people and programs to the directory. Plain data; the rules are in the functions that turn each into
//! changes, which every store shares.

use std::fmt;

use narthex_names::{
    ApiKeyId, ExternalId, GrantId, IssuerName, OrganizationId, OrganizationName, Realm, TeamId, UserId, Username,
};

use crate::grant::Grant;
use crate::organization::{MembershipRule, OrganizationDetails, OrganizationStatus, OrganizationTags};
use crate::role::{PlatformRole, Scope, ScopedRole};
use crate::user::{Profile, User, UserStatus};

/// Edit of a field that may be empty.
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

/// Filter of a list of users. All conditions that are given must hold.
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
    /// With this text in the username, external id, e-mail or name; ASCII letters in any case.
    pub q: Option<String>,
}

/// A user to create by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Its realm.
    pub realm: Realm,
    /// Its id at the identity provider.
    pub external_id: ExternalId,
    /// Its username.
    pub username: Username,
    /// Its profile.
    pub profile: Profile,
}

/// An edit of one of several users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedUser {
    /// The user.
    pub user: UserId,
    /// The version that it must be at.
    pub version: u64,
    /// The change.
    pub edit: UserEdit,
}

/// A change of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserEdit {
    /// Another id at the identity provider: its tokens are the user's from now on, and those with the former one are not.
    pub external_id: Option<ExternalId>,
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
    /// The administrator's reason, for the audit trail.
    pub why: Option<String>,
}

/// Filter of a list of organizations. All conditions that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationFilter {
    /// Of this realm.
    pub realm: Option<Realm>,
    /// With exactly this external id.
    pub external_id: Option<String>,
    /// With exactly this tag in one of its lists.
    pub tag: Option<String>,
    /// With this text in the name or label; ASCII letters in any case.
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
    /// Its id at the identity provider.
    pub external_id: Option<ExternalId>,
    /// Contact, site, time zone.
    pub details: OrganizationDetails,
    /// Its lists of tags.
    pub tags: OrganizationTags,
    /// True if the tag patterns of its realm's issuers give roles here.
    pub tag_patterns: bool,
    /// Its membership rule.
    pub membership: MembershipRule,
    /// Open or suspended.
    pub status: OrganizationStatus,
}

/// A change of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationEdit {
    /// Another name in paths.
    pub name: Option<OrganizationName>,
    /// Another label.
    pub label: Option<String>,
    /// Another id at the identity provider.
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
    /// True if the tag patterns of its realm's issuers give roles here.
    pub tag_patterns: Option<bool>,
    /// Another membership rule. A change to `external_only` closes the manual grants.
    pub membership: Option<MembershipRule>,
    /// Open or suspended.
    pub status: Option<OrganizationStatus>,
    /// The administrator's reason, for the audit trail.
    pub why: Option<String>,
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
    /// Its id at the identity provider.
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
    /// Another id at the identity provider.
    pub external_id: Edit<ExternalId>,
}

/// A role to grant by hand. A manual grant that is open on the same scope is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// The user who gets it.
    pub user: UserId,
    /// The role, and its scope.
    pub role: ScopedRole,
    /// Time at which it expires, in milliseconds; `None` for one that stays until it is revoked.
    pub expires_at_ms: Option<i64>,
    /// The reason, in words.
    pub why: Option<String>,
}

/// Filter of a list of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrantFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// On this scope.
    pub scope: Option<Scope>,
    /// The moment in their history.
    pub when: GrantsWhen,
}

/// Moment in the history of grants.
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

/// Member of an organization or a team.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The user.
    pub user: User,
    /// The highest role held.
    pub role: ScopedRole,
    /// The open grants that give a role here.
    pub grants: Vec<Grant>,
}

/// Filter of a list of teams. All conditions that are given must hold.
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
    /// Its purpose, in words.
    pub name: String,
    /// The SHA-256 of the key. A key is 256 random bits, so nothing slower is needed.
    pub hash: SecretHash,
    /// Its role.
    pub role: ScopedRole,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of expiry, in milliseconds.
    pub expires_at_ms: Option<i64>,
    /// Time of revocation, in milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// Time of the last use, in milliseconds, to the minute: see [`ApiKey::use_is_due`].
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

    /// Tests whether the key works now: it is neither revoked nor expired.
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
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time from which it no longer signs, in milliseconds.
    pub signs_until_ms: i64,
    /// Time from which it is no longer published, in milliseconds.
    pub published_until_ms: i64,
}

/// The last good key set of an issuer, so that a restart does not need the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedKeySet {
    /// The issuer.
    pub issuer: IssuerName,
    /// Address it was fetched from: a set is not used for another address.
    pub source: String,
    /// The set as it came.
    pub body: Vec<u8>,
    /// Time of the fetch, in milliseconds.
    pub fetched_at_ms: i64,
}

/// A tag that tokens carried, or that organizations list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTag {
    /// Realm of the tokens.
    pub realm: Realm,
    /// The tag.
    pub tag: String,
    /// Time at which a token first carried it, in milliseconds.
    pub first_seen_at_ms: i64,
    /// Time at which a token last carried it, in milliseconds, to the hour.
    pub last_seen_at_ms: i64,
}
