//! Reasons in words, as charts and lists show them. The code stands beside the words.

use narthex_decision::Reason;

/// Returns the words for a reason. The match names every reason, so that a new one does not compile without words.
pub const fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::TokenMissing => "no token",
        Reason::TokenMultiple => "more than one token",
        Reason::TokenTooLarge => "token too large",
        Reason::TokenMalformed => "damaged token",
        Reason::TokenAlgorithm => "wrong algorithm",
        Reason::TokenHeader => "unsupported token header",
        Reason::TokenIssuerUnknown => "unknown issuer",
        Reason::TokenIssuerDisabled => "issuer switched off",
        Reason::TokenKeyUnknown => "unknown key",
        Reason::TokenSignature => "wrong signature",
        Reason::TokenExpired => "token expired",
        Reason::TokenNotYetValid => "token not valid yet",
        Reason::TokenIssuedInFuture => "token issued in the future",
        Reason::TokenTooOld => "token too old",
        Reason::TokenAudience => "wrong audience",
        Reason::TokenClaimMissing => "claim missing",
        Reason::TokenClaimInvalid => "wrong claim",
        Reason::TokenRevoked => "token revoked",
        Reason::SessionEnded => "session ended",
        Reason::SignInRefused => "sign-in refused",
        Reason::TokenBound => "token bound to a key",
        Reason::TokenProof => "proof of the key missing",
        Reason::TokenInactive => "token not active",
        Reason::TokenScope => "scope missing",
        Reason::MachineKeyUnknown => "unknown machine key",
        Reason::MachineKeyRevoked => "machine key revoked",
        Reason::MachineKeyExpired => "machine key expired",
        Reason::TokenRule => "rule of the issuer not met",
        Reason::KeysUnavailable => "keys out of reach",
        Reason::MappingInvalid => "mapped value not usable",
        Reason::TagsMissing => "no tags claim",
        Reason::TagsMalformed => "damaged tags claim",
        Reason::TagsOverage => "too many tags",
        Reason::IdentityUsernameConflict => "username in use",
        Reason::IdentityTeamConflict => "team of another organization",
        Reason::IdentityNotProvisioned => "unknown user",
        Reason::IdentityDisabled => "disabled user",
        Reason::OrganizationUnknown => "no such organization",
        Reason::OrganizationSuspended => "suspended organization",
        Reason::OrganizationMissing => "no organization named",
        Reason::OrganizationRole => "role missing",
        Reason::PlatformRole => "platform role missing",
        Reason::RouteIssuer => "issuer not for this route",
        Reason::RouteTag => "tag missing",
        Reason::RouteUnmatched => "no such route",
        Reason::RequestPath => "unclear path",
        Reason::RequestHost => "unclear host",
        Reason::RequestMethod => "method not accepted",
        Reason::RequestOrigin => "request from another site",
        Reason::RequestProxyUntrusted => "untrusted proxy",
        Reason::StoreUnavailable => "directory out of reach",
        Reason::RateLimited => "too many requests",
        Reason::RequestTooLarge => "body too large",
        Reason::RequestUnforwardable => "request not forwardable",
        Reason::RequestLoop => "request came back",
        Reason::UpstreamTimeout => "application too slow",
        Reason::UpstreamBusy => "application busy",
        Reason::UpstreamUnreachable => "application out of reach",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_reasons_have_the_same_words() {
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| in_words(*reason)).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn words_are_few_and_in_lower_case() {
        for reason in Reason::ALL {
            let words = in_words(*reason);
            assert!(words.len() <= 30 && words.to_lowercase() == words, "{words}");
        }
    }
}
