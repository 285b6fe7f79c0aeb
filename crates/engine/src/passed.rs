//! What a decision gives: a request that may pass, and where its answer is kept.

use narthex_decision::{HeaderPatch, Match, Preflight, Requirement};
use narthex_directory::UserId;

use crate::cache::by_token::{Caller, Decided, Seen};
use crate::cache::prefetch::Prefetched;
use crate::credentials::Place;
use smol_str::SmolStr;

/// A kept assertion is replaced when less than this share of what a new one would last is left.
const RENEW_AT_SHARE: i64 = 5;

/// A request that may pass.
#[derive(Debug, Clone)]
pub struct Passed {
    /// What was decided.
    pub answer: Answer,
    /// Where the token was, so that it can be taken out.
    pub place: Option<Place>,
    /// Whether it is a CORS preflight, which passes without a token.
    pub preflight: Preflight,
    /// The number of this request.
    pub request_id: String,
}

/// What was decided, and where it is kept.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With the token.
    Token(Prefetched<Decided>),
    /// With the account, for every token that says the same.
    Account(Prefetched<Allowed>, Seen),
    /// Nowhere: somebody who was not asked for a token, on a public route or with a preflight.
    Anonymous(Prefetched<Allowed>),
}

impl Answer {
    /// What was decided.
    pub fn allowed(&self) -> &Allowed {
        match self {
            Self::Token(decided) => decided.allowed(),
            Self::Account(allowed, _) | Self::Anonymous(allowed) => allowed,
        }
    }

    /// Whose token it was; `None` for somebody who was not asked for one.
    pub fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Token(decided) => Some(decided.caller()),
            Self::Account(_, seen) => Some(seen.caller()),
            Self::Anonymous(_) => None,
        }
    }
}

/// What was decided, ready to be used.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// The route, by its number in the configuration.
    pub route: usize,
    /// What stood in the path where the route names an organization.
    pub organization: Option<SmolStr>,
    /// The requirement that was satisfied; `public` for a preflight.
    pub rule: Requirement,
    /// Who it is; `None` for somebody who was not asked.
    pub user: Option<UserId>,
    /// The identity headers, the signed assertion among them.
    pub patch: HeaderPatch,
    /// When the assertion inside ends, in milliseconds: never after the token it stands for is refused.
    pub assertion_ends_ms: i64,
    /// How long an assertion lasts whose token lasts longer, in milliseconds.
    pub assertion_lifetime_ms: i64,
}

impl Allowed {
    /// Whether this is the decision about what was matched.
    pub(crate) fn answers(&self, matched: &Match<'_>) -> bool {
        self.route == matched.route.index && self.organization.as_deref() == matched.organization
    }

    /// Whether the assertion inside does not outlive the token (`ends_by_ms`), and has left more than a share of what one
    /// would have that is signed for it now: another token's may be about to end.
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

    /// A decision serves another token only while its assertion lasts about as long as one made for that token would.
    #[test]
    fn a_kept_assertion_serves_a_token_for_which_a_new_one_would_last_little_longer() {
        let signed = |ends_ms| Allowed {
            route: 0,
            organization: None,
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
