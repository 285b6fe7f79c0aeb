//! A person or machine that a realm knows.

use std::fmt;

use narthex_names::{ExternalId, Realm, UserId, Username};
use serde_json::{Map, Value};

use crate::role::word;

word!(
    /// State of a user: let in, or refused.
    UserStatus, "user status", {
        /// As usual.
        Active = "active",
        /// Refused whatever the token says. Provisioning never re-enables.
        Disabled = "disabled",
    }
);

word!(
    /// Kind of the user that a principal is of.
    UserKind, "user kind", {
        /// A person or a machine that an identity provider knows, and whose record the directory keeps.
        Person = "person",
        /// A program of an organization, known by a machine key. The directory keeps the key and no record of a user.
        Service = "service",
    }
);

/// The profile that tokens and administrators write. Data, never a key: nothing is ever linked by e-mail.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Profile {
    /// E-mail address as given.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// ISO 3166-1 alpha-3, upper case.
    pub country: Option<String>,
    /// A tz database name.
    pub timezone: Option<String>,
    /// BCP 47.
    pub locale: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
}

impl Profile {
    /// The names of the fields, in the order of [`Profile::fields`].
    pub const FIELDS: [&'static str; 6] = ["email", "name", "country", "timezone", "locale", "language"];

    /// The values, in the order of [`Profile::FIELDS`].
    pub fn fields(&self) -> [&Option<String>; 6] {
        [
            &self.email,
            &self.name,
            &self.country,
            &self.timezone,
            &self.locale,
            &self.language,
        ]
    }

    pub(crate) fn fields_mut(&mut self) -> [&mut Option<String>; 6] {
        [
            &mut self.email,
            &mut self.name,
            &mut self.country,
            &mut self.timezone,
            &mut self.locale,
            &mut self.language,
        ]
    }
}

/// Shows only which fields are set: profiles are personal, logs are not.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::FIELDS
            .iter()
            .zip(self.fields())
            .filter(|(_, value)| value.is_some());
        f.debug_set().entries(set.map(|(name, _)| name)).finish()
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Realm in which its external id and username are unique.
    pub realm: Realm,
    /// Its id at the identity provider; unique in the realm.
    pub external_id: ExternalId,
    /// Name that people use for it; unique in the realm, compared exactly.
    pub username: Username,
    /// E-mail, name and the like.
    pub profile: Profile,
    /// Active or disabled.
    pub status: UserStatus,
    /// Custom contexts from the token (S1), kept with the user.
    pub context: Map<String, Value>,
    /// Tokens issued before this time, in milliseconds, are refused ("sign out everywhere").
    pub tokens_not_before_ms: Option<i64>,
    /// Time at which a token was last used, in milliseconds, to the hour.
    pub last_seen_at_ms: Option<i64>,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds.
    pub updated_at_ms: i64,
    /// Counts every change of the user, its grants included; starts at 1.
    pub version: u64,
}
