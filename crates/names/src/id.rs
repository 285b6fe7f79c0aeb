//! Ids: lower-case ULIDs. Sixteen bytes, `Copy`, ordered as their text is, so a listing by id is a listing by
//! creation time. This crate has no randomness: the edge lends it some through [`NewId`].

use std::fmt;
use std::str::FromStr;

use ulid::Ulid;

use crate::error::NameError;

/// A source of ids, lent by the edge (or by a test, which wants the same ones every time).
pub trait NewId: Send {
    /// Fresh random bits; the low 80 are used. They need not be secret, but they must not repeat.
    fn random_bits(&mut self) -> u128;
}

impl<N: NewId + ?Sized> NewId for &mut N {
    fn random_bits(&mut self) -> u128 {
        (**self).random_bits()
    }
}

/// Ids that count up from a start: for tests, and for explain, whose ids are never written.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingIds(pub u64);

impl NewId for CountingIds {
    fn random_bits(&mut self) -> u128 {
        self.0 = self.0.wrapping_add(1);
        u128::from(self.0)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id for something made at `now_ms`.
            pub fn new(now_ms: i64, ids: &mut dyn NewId) -> Self {
                // A clock before 1970 would be a fault elsewhere; the id only loses its ordering by it.
                Self(Ulid::from_parts(u64::try_from(now_ms).unwrap_or(0), ids.random_bits()))
            }

            /// The id as a number: ordered as the ids are.
            pub const fn bits(self) -> u128 {
                self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text_of(self.0, &mut [0; TEXT_LENGTH]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self).ok_or(NameError::Id { what: $what })
            }
        }
    };
}

id!(
    /// One user.
    UserId,
    "user"
);
id!(
    /// One organization.
    OrganizationId,
    "organization"
);
id!(
    /// One team.
    TeamId,
    "team"
);
id!(
    /// One grant: one row of "who had which role when".
    GrantId,
    "grant"
);
id!(
    /// One API key (the record, not the secret).
    ApiKeyId,
    "api key"
);

id!(
    /// One machine key (the record, not the secret).
    MachineKeyId,
    "machine key"
);

id!(
    /// One connection that is held for an organization.
    ConnectionId,
    "connection"
);

id!(
    /// One session: a signed-in browser.
    SessionId,
    "session"
);

impl From<MachineKeyId> for UserId {
    /// The user that a machine key acts as has the key's id. No user of the directory has it.
    fn from(key: MachineKeyId) -> Self {
        Self(key.0)
    }
}

const TEXT_LENGTH: usize = ulid::ULID_LEN;

fn text_of(id: Ulid, buffer: &mut [u8; TEXT_LENGTH]) -> &str {
    let text = id.array_to_str(buffer);
    text.make_ascii_lowercase();
    text
}

/// Tests whether text is that of an id, of any kind.
/// INVARIANT: one id has one text. `Ulid` alone would also read upper case.
pub fn is_id(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<Ulid> {
    let id = Ulid::from_string(text).ok()?;
    (text_of(id, &mut [0; TEXT_LENGTH]) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_lower_case_text_that_reads_back() {
        let id = UserId::new(1_700_000_000_000, &mut CountingIds(40));
        assert_eq!(id.to_string(), "01hf7yat000000000000000019");
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
    }

    #[test]
    fn refuses_every_other_spelling() {
        let text = UserId::new(1_700_000_000_000, &mut CountingIds(40)).to_string();
        for wrong in [
            text.to_uppercase(),
            format!(" {text}"),
            text.replace('0', "o"),
            String::new(),
            "z".repeat(26),
        ] {
            assert!(wrong.parse::<UserId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sorts_by_time_then_by_bits_as_text_and_as_value() {
        let mut ids = CountingIds(0);
        let made: Vec<UserId> = [5, 5, 6, 1_700_000_000_000]
            .map(|at| UserId::new(at, &mut ids))
            .to_vec();
        let texts: Vec<String> = made.iter().map(ToString::to_string).collect();
        assert!(made.is_sorted() && texts.is_sorted());
    }
}
