//! The stable codes that say why: part of the contract, listed in `product.md` section 8; and after them those of requests that
//! may pass and could not be passed on.

/// Why a request was refused, or could not be decided. The text of a code never changes; logs, metrics, problem
/// documents and metrics all use it.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $advice:literal;)+) => {
        /// Why a request was refused, or could not be decided.
        ///
        /// The code ([`Reason::code`]) never changes once released: logs, metrics, problem documents and alerts rely
        /// on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, such as `token.expired`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence for the person who got the answer: what happened and what to do. It never contains
            /// anything from the request.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }

            /// What the reason means, for the generated reference.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+),)+ }
            }

            /// The reason with this code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                Some(match code { $($code => Self::$name,)+ _ => return None })
            }
        }
    };
}

reasons! {
    /// The request carries no token and the route asks for one.
    TokenMissing = "token.missing", "Send a token in the header `Authorization: Bearer …`.";
    /// The request carries more than one token.
    TokenMultiple = "token.multiple", "Send exactly one token, in one place.";
    /// The token is longer than the limit.
    TokenTooLarge = "token.too_large", "The token is larger than this gateway accepts; ask your identity provider for a smaller one, for example with fewer groups.";
    /// The token is not a compact JWS of three canonical base64url parts with JSON objects inside.
    TokenMalformed = "token.malformed", "The token is damaged or is not a signed JWT; get a new one.";
    /// The token's `alg` is not in the issuer's list.
    TokenAlgorithm = "token.algorithm", "The token is signed with an algorithm that is not accepted for its issuer.";
    /// The token's header asks for something that is not supported (`crit`, `b64`, an unknown `typ`).
    TokenHeader = "token.header", "The token's header asks for something that is not supported here.";
    /// No configured issuer has the token's `iss`.
    TokenIssuerUnknown = "token.issuer_unknown", "The token was issued by somebody this gateway does not trust; check which identity provider you signed in to.";
    /// The issuer is configured and switched off.
    TokenIssuerDisabled = "token.issuer_disabled", "The token's issuer is switched off here; ask the administrator.";
    /// The issuer has no key that fits the token.
    TokenKeyUnknown = "token.key_unknown", "The token is signed with a key its issuer does not publish; get a new token.";
    /// The signature does not fit the key.
    TokenSignature = "token.signature", "The token's signature is wrong; get a new token.";
    /// The token's `exp` has passed.
    TokenExpired = "token.expired", "The token has expired; get a new one.";
    /// The token's `nbf` lies in the future.
    TokenNotYetValid = "token.not_yet_valid", "The token is not valid yet; check the clocks, or wait.";
    /// The token's `iat` lies in the future.
    TokenIssuedInFuture = "token.issued_in_future", "The token says it was issued in the future; check the identity provider's clock.";
    /// The token is older than the issuer's `max_token_age`.
    TokenTooOld = "token.too_old", "The token was issued too long ago for this gateway; get a new one.";
    /// The token was made for another audience.
    TokenAudience = "token.audience", "The token was issued for another audience; ask for one meant for this service.";
    /// A claim that is required is not in the token.
    TokenClaimMissing = "token.claim_missing", "The token lacks a claim that is required here.";
    /// A claim has the wrong type or a value that is not accepted.
    TokenClaimInvalid = "token.claim_invalid", "A claim of the token has a type or value that is not accepted here.";
    /// The user signed out everywhere after this token was issued, or the token does not say when it was issued.
    TokenRevoked = "token.revoked", "The token was revoked: the user was signed out everywhere after it was issued, or it does not say when that was (`iat`); sign in again.";
    /// The issuer's keys could not be had, so nothing can be said about the token.
    KeysUnavailable = "keys.unavailable", "The issuer's keys cannot be reached right now, so the token cannot be checked; try again shortly.";
    /// A mapped value breaks its rule.
    MappingInvalid = "mapping.invalid", "A value that is read from the token is not acceptable; ask the administrator to look at the mapping.";
    /// The tags claim is not in the token.
    TagsMissing = "tags.missing", "The token lacks the claim that carries the permission tags; ask the identity provider to include it.";
    /// The tags claim is neither a string nor an array of strings.
    TagsMalformed = "tags.malformed", "The claim that carries the permission tags must be a string or an array of strings.";
    /// The identity provider left the tags out because there are too many.
    TagsOverage = "tags.overage", "The identity provider left the groups out of the token because there are too many; assign groups to the application, or use application roles.";
    /// Another user of the realm has this username.
    IdentityUsernameConflict = "identity.username_conflict", "Another user already has this username; ask the administrator.";
    /// The team belongs to another organization.
    IdentityTeamConflict = "identity.team_conflict", "The team named by the token belongs to another organization; ask the administrator.";
    /// The user is not known here and is not made from tokens.
    IdentityNotProvisioned = "identity.not_provisioned", "You are not known here, and users are not created from tokens; ask the administrator.";
    /// The user is disabled.
    IdentityDisabled = "identity.disabled", "Your account here is disabled; ask the administrator.";
    /// There is no organization with that name.
    OrganizationUnknown = "organization.unknown", "There is no organization with that name.";
    /// The organization is suspended.
    OrganizationSuspended = "organization.suspended", "The organization is suspended; ask the administrator.";
    /// The user lacks the role in the organization.
    OrganizationRole = "organization.role", "You do not have the role that is needed in this organization.";
    /// The user lacks the platform role.
    PlatformRole = "platform.role", "You do not have the platform role that is needed here.";
    /// No route matches.
    RouteUnmatched = "route.unmatched", "There is nothing here under that path and method.";
    /// The path could be read in two ways, or is not there.
    RequestPath = "request.path", "The request's path is missing, or programs read it differently (dot segments, empty segments, encoded slashes and the like); send it in plain form.";
    /// The host is missing, there twice, or could be read in two ways.
    RequestHost = "request.host", "The request must name exactly one host, by a name or an address.";
    /// The method is refused on every route.
    RequestMethod = "request.method", "This method is not accepted here.";
    /// A forward-auth request came from an address that is not a trusted proxy.
    RequestProxyUntrusted = "request.proxy_untrusted", "This endpoint answers only to the configured proxies (`listen.trusted_proxies`).";
    /// The directory could not be reached, or kept changing underfoot.
    StoreUnavailable = "store.unavailable", "The directory cannot be reached right now; try again shortly.";
    /// Too many requests.
    RateLimited = "rate.limited", "Too many requests; slow down.";
    /// The request may pass, and its body is longer than the route takes.
    RequestTooLarge = "request.too_large", "The request's body is larger than is accepted here.";
    /// The request may pass, and cannot be passed on as it is.
    RequestUnforwardable = "request.unforwardable", "The request cannot be passed on in this form.";
    /// The request may pass, and the application did not begin to answer in time.
    UpstreamTimeout = "upstream.timeout", "The application did not answer in time; try again.";
    /// The request may pass, and the application cannot be reached.
    UpstreamUnreachable = "upstream.unreachable", "The application cannot be reached; try again shortly.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_reason() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::ALL.len(), 42);
    }
}
