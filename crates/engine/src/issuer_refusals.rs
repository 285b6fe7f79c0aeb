//! The last refused tokens of each issuer, by stage: what an administrator looks at while an issuer is set up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use narthex_decision::Reason;
use narthex_directory::IssuerName;

use crate::inbound::Door;
use crate::respond::Refusal;

/// Number of refusals that are kept of each issuer.
pub const REFUSALS_KEPT: usize = 50;

/// Stage at which a token is refused, in the order of the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalStage {
    /// The issuer's keys were not available.
    Keys,
    /// The token did not pass the verifier.
    Token,
    /// The claims gave no identity.
    Mapping,
    /// The tags claim could not be used.
    Tags,
    /// The directory does not accept the identity.
    Directory,
}

impl RefusalStage {
    /// The stage of a reason; `None` where the token was accepted, or none of an issuer was looked at.
    pub fn of(reason: Reason) -> Option<Self> {
        let (first, _) = reason.code().split_once('.')?;
        Some(match first {
            "keys" => Self::Keys,
            "token" => Self::Token,
            "mapping" => Self::Mapping,
            "tags" => Self::Tags,
            "identity" => Self::Directory,
            _ => return None,
        })
    }

    /// Stable word of the stage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Token => "token",
            Self::Mapping => "mapping",
            Self::Tags => "tags",
            Self::Directory => "directory",
        }
    }
}

/// A refused token of an issuer.
///
/// SECURITY: it holds no token and no claim's value. The problem is the one that the caller is told, which names claims only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRefusal {
    /// Time of the refusal, in milliseconds.
    pub at_ms: i64,
    /// Id of the request, as in the log.
    pub request_id: String,
    /// The door.
    pub door: Door,
    /// The stage.
    pub stage: RefusalStage,
    /// The reason.
    pub reason: Reason,
    /// The problem in the words of this case, if the reason's own are not enough.
    pub problem: Option<String>,
}

/// The last refused tokens of each issuer on this node. An issuer has a name of the configuration, so their number is
/// bounded.
#[derive(Debug, Default)]
pub struct IssuerRefusals(Mutex<BTreeMap<IssuerName, VecDeque<IssuerRefusal>>>);

impl IssuerRefusals {
    /// Notes a refusal, if a token of an issuer is its cause.
    pub(crate) fn note(&self, refusal: &Refusal, door: Door, request_id: &str, at_ms: i64) {
        let issuer = refusal.about.as_ref().and_then(|about| about.issuer.as_ref());
        let (Some(issuer), Some(stage)) = (issuer, RefusalStage::of(refusal.reason)) else {
            return;
        };
        let noted = IssuerRefusal {
            at_ms,
            request_id: request_id.to_owned(),
            door,
            stage,
            reason: refusal.reason,
            problem: refusal.problem.clone(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.entry(issuer.clone()).or_default();
        if own.len() == REFUSALS_KEPT {
            own.pop_back();
        }
        own.push_front(noted);
    }

    /// The refusals of an issuer, the newest first.
    pub fn of(&self, issuer: &str) -> Vec<IssuerRefusal> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.iter().find(|(name, _)| name.as_str() == issuer);
        own.map(|(_, own)| own.iter().cloned().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reason: Reason) -> Refusal {
        Refusal::because(reason, "the token lacks the claim `aud`").of_issuer(&IssuerName::new("corp").unwrap())
    }

    #[test]
    fn the_last_fifty_refusals_of_an_issuer_are_kept_newest_first() {
        let refusals = IssuerRefusals::default();
        for number in 0..60 {
            refusals.note(&refusal(Reason::TokenExpired), Door::Proxy, &number.to_string(), number);
        }
        let kept = refusals.of("corp");
        assert_eq!(kept.len(), REFUSALS_KEPT);
        assert_eq!((kept[0].at_ms, kept[49].at_ms), (59, 10));
        assert_eq!(kept[0].stage, RefusalStage::Token);
        assert!(refusals.of("other").is_empty());
    }

    #[test]
    fn what_is_no_fault_of_a_token_is_not_noted() {
        let refusals = IssuerRefusals::default();
        for reason in [Reason::OrganizationRole, Reason::RouteUnmatched, Reason::RateLimited] {
            refusals.note(&refusal(reason), Door::Proxy, "1", 1);
        }
        refusals.note(&Refusal::new(Reason::TokenMissing), Door::Proxy, "1", 1);
        assert!(refusals.of("corp").is_empty());
    }
}
