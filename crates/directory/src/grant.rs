//! Grants: who had which role on what, when, and which token gave it. Never deleted, only closed.
//!
//! **How grants from several tags are kept.** Each pair of a tag and an organization that lists it has a grant of
//! its own, with the highest role the organization lists that tag for. So at most one grant is open per (user,
//! scope, source, issuer, tag): a tag that leaves the token, or an organization's list, closes exactly the grants
//! it gave and no other, and the effective role, the highest open grant, follows by itself. The same key covers
//! the other sources: one open manual grant per user and scope, one open claim grant per user, scope and issuer.
//! A role that changes closes the grant and opens another, so that history stays true.

use crate::id::{GrantId, UserId};
use crate::name::IssuerName;
use crate::role::{Scope, ScopedRole, word};

word!(
    /// Who said so.
    SourceKind, "grant source", {
        /// A person, by hand. Sync never touches these, but for `[]`.
        Manual = "manual",
        /// A claim of a token that names the organization or team (S1).
        Claim = "claim",
        /// A permission tag (S3).
        Tag = "tag",
    }
);

/// Who said so, with what identifies them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantSource {
    /// A person, by hand.
    Manual,
    /// A token of this issuer that names the organization or team.
    Claim {
        /// Whose token.
        issuer: IssuerName,
    },
    /// A permission tag in a token of this issuer.
    Tag {
        /// Whose token.
        issuer: IssuerName,
        /// Which tag.
        tag: String,
    },
}

impl GrantSource {
    /// Which kind it is.
    pub const fn kind(&self) -> SourceKind {
        match self {
            Self::Manual => SourceKind::Manual,
            Self::Claim { .. } => SourceKind::Claim,
            Self::Tag { .. } => SourceKind::Tag,
        }
    }

    /// Whose token, if it was one.
    pub const fn issuer(&self) -> Option<&IssuerName> {
        match self {
            Self::Manual => None,
            Self::Claim { issuer } | Self::Tag { issuer, .. } => Some(issuer),
        }
    }

    /// Which tag, if it was one.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag { tag, .. } => Some(tag),
            Self::Manual | Self::Claim { .. } => None,
        }
    }
}

/// Which token, without keeping the token: for "which token gave it".
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
    /// Whose it is.
    pub user: UserId,
    /// The role, and on what.
    pub role: ScopedRole,
    /// Who said so.
    pub source: GrantSource,
    /// The token that gave it, for claims and tags.
    pub token: TokenFingerprint,
    /// When it began.
    pub granted_at_ms: i64,
    /// When a token last said so again, to the hour; for manual grants when it began.
    pub asserted_at_ms: i64,
    /// When it lapses unless it is asserted again (`lease`).
    pub lapses_at_ms: Option<i64>,
    /// When it was closed.
    pub revoked_at_ms: Option<i64>,
    /// Why it was given, in words, where a person said so.
    pub why: Option<String>,
    /// Why it was closed.
    pub revoked_why: Option<String>,
}

impl Grant {
    /// What the role is held on.
    pub const fn scope(&self) -> Scope {
        self.role.scope()
    }

    /// Whether it held at a moment: begun, not closed, not lapsed.
    pub fn held_at(&self, at_ms: i64) -> bool {
        self.granted_at_ms <= at_ms
            && self.revoked_at_ms.is_none_or(|revoked| revoked > at_ms)
            && self.lapses_at_ms.is_none_or(|lapses| lapses > at_ms)
    }

    /// Whether it counts now: neither closed nor lapsed. Its beginning is not asked, for the clocks of two nodes
    /// may differ a little.
    pub fn counts_at(&self, now_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && !self.lapsed_at(now_ms)
    }

    /// Whether it has lapsed by then without having been closed.
    pub fn lapsed_at(&self, at_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && self.lapses_at_ms.is_some_and(|lapses| lapses <= at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CountingIds;
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
