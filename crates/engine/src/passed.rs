//! Result of a decision: a request that may pass, and the cache entry of its answer.

use std::sync::Arc;

use narthex_decision::{HeaderPatch, Match, Preflight, Requirement};
use narthex_directory::UserId;

use crate::cache::by_token::{CachedToken, Caller, DecidedCaller};
use crate::cache::prefetch::Prefetched;
use crate::credentials::FoundAt;
use crate::session::OpenSession;
use smol_str::SmolStr;

/// Divisor of a new assertion's lifetime: a cached assertion is replaced when less than the quotient is left.
const RENEW_AT_SHARE: i64 = 5;

/// A request that may pass.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The decision.
    pub answer: Answer,
    /// Places of the token, so that it can be removed; `None` if no token counts.
    pub token_at: Option<FoundAt>,
    /// Marks a CORS preflight, which passes without a token.
    pub preflight: Preflight,
    /// Id of this request.
    pub request_id: String,
    /// Session that the token is of, if it is of one.
    pub session: Option<Arc<OpenSession>>,
}

/// A decision, by the cache entry that holds it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Cached with the token.
    Token(Prefetched<DecidedCaller>),
    /// Cached with the account, for every token with the same content.
    Account(Prefetched<Allowed>, CachedToken),
    /// Not cached: a caller that needs no token, on a public route or with a preflight.
    Anonymous(Prefetched<Allowed>),
}

impl Answer {
    /// Returns the decision.
    pub fn allowed(&self) -> &Allowed {
        match self {
            Self::Token(decided) => decided.allowed(),
            Self::Account(allowed, _) | Self::Anonymous(allowed) => allowed,
        }
    }

    /// Returns the caller that the token belongs to; `None` if no token was required.
    pub fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Token(decided) => Some(decided.caller()),
            Self::Account(_, seen) => Some(seen.caller()),
            Self::Anonymous(_) => None,
        }
    }
}

/// A decision, ready for use.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// Number of the route in the configuration.
    pub route: usize,
    /// Name of the organization that the request is about, as far as it is known.
    pub organization: Option<SmolStr>,
    /// Text by which the request, or the route, names that organization.
    pub asked_for: Option<SmolStr>,
    /// The requirement that was satisfied; `public` for a preflight.
    pub rule: Requirement,
    /// The user; `None` if no token was required.
    pub user: Option<UserId>,
    /// Identity headers, with the signed assertion among them.
    pub patch: HeaderPatch,
    /// Time when the assertion in the headers ends, in milliseconds: never after its token is refused.
    pub assertion_ends_ms: i64,
    /// Lifetime of an assertion whose token lasts longer, in milliseconds.
    pub assertion_lifetime_ms: i64,
}

impl Allowed {
    /// Tests whether this decision is about the matched route and organization.
    pub(crate) fn answers(&self, matched: &Match<'_>) -> bool {
        self.route == matched.route.index && self.asked_for.as_deref() == matched.organization.as_deref()
    }

    /// Tests whether the assertion in the headers does not outlive the token (`ends_by_ms`), and has more than a share
    /// of a new one's lifetime left: it may have been signed for another token that is about to end.
    pub(crate) fn serves(&self, ends_by_ms: Option<i64>, now_ms: i64) -> bool {
        let left = self.assertion_ends_ms - now_ms;
        match ends_by_ms {
            None => left > self.assertion_lifetime_ms / RENEW_AT_SHARE,
            Some(end) => {
                self.assertion_ends_ms <= end && left > self.assertion_lifetime_ms.min(end - now_ms) / RENEW_AT_SHARE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_decision::IdentityHeaders;

    use super::*;

    /// A decision serves another token only while its assertion lasts about as long as a new one for that token would.
    #[test]
    fn a_kept_assertion_serves_a_token_for_which_a_new_one_would_last_little_longer() {
        let signed = |ends_ms| Allowed {
            route: 0,
            organization: None,
            asked_for: None,
            rule: Requirement::Public,
            user: None,
            patch: IdentityHeaders::new().into_patch(),
            assertion_ends_ms: ends_ms,
            assertion_lifetime_ms: 300_000,
        };
        for (assertion_ends, token_ends, now, serves) in [
            // The token that it was signed for, to its end: a new one would end then too.
            (3_000, Some(3_000), 0, true),
            (3_000, Some(3_000), 2_900, true),
            // One that lasts an hour.
            (3_000, Some(3_600_000), 0, false),
            (300_000, Some(3_600_000), 239_000, true),
            (300_000, Some(3_600_000), 241_000, false),
            (3_000, None, 0, false),
            (300_000, None, 239_000, true),
            (300_000, None, 241_000, false),
            // One that ends sooner.
            (300_000, Some(299_999), 0, false),
            // What has ended.
            (3_000, Some(3_000), 3_000, false),
            (3_000, Some(63_000), 4_000, false),
        ] {
            assert_eq!(
                signed(assertion_ends).serves(token_ends, now),
                serves,
                "assertion {assertion_ends}, token {token_ends:?}, now {now}"
            );
        }
    }
}
