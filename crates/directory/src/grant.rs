//! Grants: who had which role on what, when, and which token gave it. Never deleted, only closed.
//!
//! **How grants from several tags are kept.** Each pair of a tag and an organization that lists it has a grant of
//! its own, with the highest role the organization lists that tag for. So at most one grant is open per (user,
//! scope, source, issuer, tag): a tag that leaves the token, or an organization's list, closes exactly the grants
//! it gave and no other, and the effective role, the highest open grant, follows by itself. The same key covers
//! the other sources: one open manual grant per user and scope, one open claim grant per user, scope and issuer.
//! A role that changes closes the grant and opens another, so that history stays true.

use narthex_names::{GrantId, IssuerName, UserId};

use crate::role::{Scope, ScopedRole, word};

word!(
    /// Kind of source of a grant.
    SourceKind, "grant source", {
        /// A person, by hand. Sync never touches these, but for `[]`.
        Manual = "manual",
        /// A claim of a token that names the organization or team (S1).
        Claim = "claim",
        /// A permission tag (S3).
        Tag = "tag",
        /// A permission tag that a tag pattern of its issuer matches.
        Pattern = "pattern",
    }
);

/// Source of a grant, with what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantSource {
    /// A person, by hand.
    Manual,
    /// A token of this issuer that names the organization or team.
    Claim {
        /// The token's issuer.
        issuer: IssuerName,
        /// True if the token stated all organizations of its user (`each`): the next one that does ends what it leaves out.
        each: bool,
    },
    /// A permission tag in a token of this issuer.
    Tag {
        /// The token's issuer.
        issuer: IssuerName,
        /// The tag.
        tag: String,
    },
    /// A permission tag in a token of this issuer, which one of the issuer's tag patterns matches.
    Pattern {
        /// The token's issuer.
        issuer: IssuerName,
        /// The tag.
        tag: String,
    },
}

impl GrantSource {
    /// Kind of the source.
    pub const fn kind(&self) -> SourceKind {
        match self {
            Self::Manual => SourceKind::Manual,
            Self::Claim { .. } => SourceKind::Claim,
            Self::Tag { .. } => SourceKind::Tag,
            Self::Pattern { .. } => SourceKind::Pattern,
        }
    }

    /// Issuer of the token, for claims and tags.
    pub const fn issuer(&self) -> Option<&IssuerName> {
        match self {
            Self::Manual => None,
            Self::Claim { issuer, .. } | Self::Tag { issuer, .. } | Self::Pattern { issuer, .. } => Some(issuer),
        }
    }

    /// The tag, for tags.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag { tag, .. } | Self::Pattern { tag, .. } => Some(tag),
            Self::Manual | Self::Claim { .. } => None,
        }
    }
}

/// A grant's source as the databases keep it: two columns besides issuer and tag.
///
/// `via` is younger than `source`, whose words older programs know: one that reads a grant by a pattern takes it for one
/// by a tag that no organization lists, which gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSource {
    /// The column `source`: `manual`, `claim` or `tag`.
    pub source: SourceKind,
    /// The column `via`: `pattern`, `each`, or nothing.
    pub via: Option<&'static str>,
}

/// Word of the column `via` for grants by tag patterns.
const VIA_PATTERN: &str = "pattern";
/// Word of the column `via` for claims of a token that states all organizations.
const VIA_EACH: &str = "each";

impl StoredSource {
    /// The columns of a source.
    pub const fn of(source: &GrantSource) -> Self {
        match source {
            GrantSource::Pattern { .. } => Self {
                source: SourceKind::Tag,
                via: Some(VIA_PATTERN),
            },
            GrantSource::Claim { each: true, .. } => Self {
                source: SourceKind::Claim,
                via: Some(VIA_EACH),
            },
            other => Self {
                source: other.kind(),
                via: None,
            },
        }
    }

    /// The source of such columns; `None` for words that no program writes.
    pub fn read(
        source: SourceKind,
        via: Option<&str>,
        issuer: impl FnOnce() -> Option<IssuerName>,
        tag: &str,
    ) -> Option<GrantSource> {
        let tag = tag.to_owned();
        Some(match (source, via) {
            (SourceKind::Manual, None) => GrantSource::Manual,
            (SourceKind::Claim, None) => GrantSource::Claim {
                issuer: issuer()?,
                each: false,
            },
            (SourceKind::Claim, Some(VIA_EACH)) => GrantSource::Claim {
                issuer: issuer()?,
                each: true,
            },
            (SourceKind::Tag, None) => GrantSource::Tag { issuer: issuer()?, tag },
            (SourceKind::Tag, Some(VIA_PATTERN)) => GrantSource::Pattern { issuer: issuer()?, tag },
            _ => return None,
        })
    }
}

/// Fingerprint of a token, without keeping the token: for "which token gave it".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TokenFingerprint {
    /// The token's `jti`, if it has one.
    pub jti: Option<String>,
    /// The first sixteen bytes of the token's SHA-256, in hex.
    pub sha256_prefix: Option<String>,
}

/// One role of one user on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The user who holds it.
    pub user: UserId,
    /// The role, and its scope.
    pub role: ScopedRole,
    /// Its source.
    pub source: GrantSource,
    /// The token that gave it, for claims and tags.
    pub token: TokenFingerprint,
    /// Time at which it began, in milliseconds.
    pub granted_at_ms: i64,
    /// Time at which a token last asserted it, in milliseconds, to the hour; for manual grants the time at which it
    /// began.
    pub asserted_at_ms: i64,
    /// Time at which it lapses, in milliseconds: a manual grant expires then, and any other lapses unless it is asserted
    /// again (`lease`).
    pub lapses_at_ms: Option<i64>,
    /// Time at which it was closed, in milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// Reason for granting it, in words, where a person gave one.
    pub why: Option<String>,
    /// Reason for closing it.
    pub revoked_why: Option<String>,
}

impl Grant {
    /// Scope that the role is held on.
    pub const fn scope(&self) -> Scope {
        self.role.scope()
    }

    /// Tests whether it held at a moment: begun, not closed, not lapsed.
    pub fn held_at(&self, at_ms: i64) -> bool {
        self.granted_at_ms <= at_ms
            && self.revoked_at_ms.is_none_or(|revoked| revoked > at_ms)
            && self.lapses_at_ms.is_none_or(|lapses| lapses > at_ms)
    }

    /// Tests whether it counts now: neither closed nor lapsed. Its beginning does not matter, for the clocks of two
    /// nodes may differ a little.
    pub fn counts_at(&self, now_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && !self.lapsed_at(now_ms)
    }

    /// Tests whether it has lapsed by then without having been closed.
    pub fn lapsed_at(&self, at_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && self.lapses_at_ms.is_some_and(|lapses| lapses <= at_ms)
    }
}

#[cfg(test)]
mod tests {
    use narthex_names::CountingIds;

    use super::*;
    use crate::role::PlatformRole;

    #[test]
    fn holds_from_its_grant_to_its_end() {
        let mut ids = CountingIds(0);
        let mut grant = Grant {
            id: GrantId::new(0, &mut ids),
            user: UserId::new(0, &mut ids),
            role: ScopedRole::Platform(PlatformRole::Admin),
            source: GrantSource::Manual,
            token: TokenFingerprint::default(),
            granted_at_ms: 100,
            asserted_at_ms: 100,
            lapses_at_ms: None,
            revoked_at_ms: None,
            why: None,
            revoked_why: None,
        };
        assert_eq!([99, 100, 500].map(|at| grant.held_at(at)), [false, true, true]);
        grant.revoked_at_ms = Some(200);
        assert_eq!([100, 199, 200].map(|at| grant.held_at(at)), [true, true, false]);
        grant.revoked_at_ms = None;
        grant.lapses_at_ms = Some(150);
        assert_eq!(
            [149, 150].map(|at| (grant.held_at(at), grant.lapsed_at(at))),
            [(true, false), (false, true)]
        );
    }
}
