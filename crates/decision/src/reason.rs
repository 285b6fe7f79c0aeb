//! Stable codes of refusals: part of the contract, listed in `product.md` section 8. After them come the codes of
//! requests that may pass and could not be passed on.

/// Defines the reasons for which a request is refused, or cannot be decided. The text of a code never changes; logs,
/// metrics and problem documents all use it.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $fault:literal, $remedy:literal;)+) => {
        /// Reason for which a request was refused, or could not be decided.
        ///
        /// The code ([`Reason::code`]) never changes once released: logs, metrics, problem documents and alerts rely
        /// on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

            /// The problem, as the caller is told it: the first half of a sentence. It never contains anything from the
            /// request.
            pub const fn fault(self) -> &'static str {
                match self { $(Self::$name => $fault,)+ }
            }

            /// The remedy, as the caller is told it: the second half of a sentence. It names what a caller can do, never
            /// a setting of this gateway.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }

            /// Problem and remedy as one sentence.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => concat!($fault, "; ", $remedy, "."),)+ }
            }

            /// Meaning of the reason, for the generated reference.
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
    TokenMissing = "token.missing",
        "The request carries no token", "send one in the header `Authorization: Bearer …`";
    /// The request carries more than one token.
    TokenMultiple = "token.multiple",
        "The request carries more than one token", "send exactly one, in one place";
    /// The token is longer than the limit.
    TokenTooLarge = "token.too_large",
        "The token is larger than is accepted here", "ask your identity provider for a smaller one, for example with fewer groups";
    /// The token is not a compact JWS of three canonical base64url parts with JSON objects inside.
    TokenMalformed = "token.malformed",
        "The token is damaged or is not a signed JWT", "get a new one";
    /// The token's `alg` is not in the issuer's list.
    TokenAlgorithm = "token.algorithm",
        "The token is signed with an algorithm that is not accepted for its issuer", "get one that is signed in an accepted way, or ask the administrator";
    /// The token's header asks for something that is not supported (`crit`, `b64`, an unknown `typ`).
    TokenHeader = "token.header",
        "The token's header asks for something that is not supported here", "ask your identity provider for an ordinary access token";
    /// No configured issuer has the token's `iss`.
    TokenIssuerUnknown = "token.issuer_unknown",
        "The token comes from an issuer that is not trusted here", "check which identity provider you signed in to";
    /// The issuer is configured and switched off.
    TokenIssuerDisabled = "token.issuer_disabled",
        "The token's issuer is switched off here", "ask the administrator";
    /// The issuer has no key that fits the token.
    TokenKeyUnknown = "token.key_unknown",
        "The token is signed with a key that its issuer does not publish", "get a new token";
    /// The signature does not fit the key.
    TokenSignature = "token.signature",
        "The token's signature is wrong", "get a new token";
    /// The token's `exp` has passed.
    TokenExpired = "token.expired",
        "The token has expired", "get a new one";
    /// The token's `nbf` lies in the future.
    TokenNotYetValid = "token.not_yet_valid",
        "The token is not valid yet", "try again in a moment, and have the clocks compared if that does not help";
    /// The token's `iat` lies in the future.
    TokenIssuedInFuture = "token.issued_in_future",
        "The token was issued in the future", "try again in a moment, and have the identity provider's clock checked if that does not help";
    /// The token is older than the issuer's `max_token_age`.
    TokenTooOld = "token.too_old",
        "The token was issued too long ago", "sign in again";
    /// The token was made for another audience.
    TokenAudience = "token.audience",
        "The token was issued for another audience", "ask for one that is meant for this service";
    /// A claim that is required is not in the token.
    TokenClaimMissing = "token.claim_missing",
        "The token lacks a claim that is required here", "ask the administrator of your identity provider to add it";
    /// A claim has the wrong type or a value that is not accepted.
    TokenClaimInvalid = "token.claim_invalid",
        "A claim of the token has a type or value that is not accepted here", "ask the administrator of your identity provider to correct it";
    /// The user signed out everywhere after this token was issued, the token does not say when it was issued, the identity provider has ended its session, or an administrator has revoked the token.
    TokenRevoked = "token.revoked",
        "The token was revoked: its user was signed out", "sign in again";
    /// The token is bound to a key of its sender (`cnf`), and no proof of that key is checked.
    TokenBound = "token.bound",
        "The token is bound to a key of its sender, which is not checked here", "ask for a bearer token";
    /// The token does not meet a rule of its issuer. The answer carries the rule's message.
    TokenRule = "token.rule",
        "The token does not meet a condition of this service", "ask the administrator";
    /// The token is bound to a key of its sender (DPoP), and the request's proof of that key is missing, wrong or used; or the
    /// token is not bound, and has to be.
    TokenProof = "token.proof",
        "The request does not prove the key that its token is bound to", "send the token as `Authorization: DPoP …` with a new proof in the header `DPoP`";
    /// The issuer of an opaque token says that it is not active: expired, revoked or made up.
    TokenInactive = "token.inactive",
        "The token is not active: it has expired, was revoked, or never was one", "sign in again";
    /// The token lacks a scope that the route asks for. `WWW-Authenticate` names the scopes.
    TokenScope = "token.scope",
        "The token lacks a scope that is needed here", "ask for one with every scope that the answer's `WWW-Authenticate` names";
    /// The session of the request's cookie has ended, or its token has and could not be renewed.
    SessionEnded = "session.ended",
        "The session has ended", "sign in again";
    /// A sign-in could not be completed: it was started elsewhere, used before or too long ago, or the identity provider refused
    /// it.
    SignInRefused = "sign_in.refused",
        "The sign-in could not be completed", "sign in again from the application";
    /// No machine key of an organization is this one.
    MachineKeyUnknown = "key.unknown",
        "The machine key is not known here", "ask an administrator of the organization for one that works";
    /// The machine key was revoked.
    MachineKeyRevoked = "key.revoked",
        "The machine key was revoked", "ask an administrator of the organization for a new one";
    /// The machine key has expired.
    MachineKeyExpired = "key.expired",
        "The machine key has expired", "ask an administrator of the organization for a new one";
    /// The issuer's keys could not be had, so nothing can be said about the token.
    KeysUnavailable = "keys.unavailable",
        "The issuer's keys cannot be reached right now, so the token cannot be checked", "try again shortly";
    /// A mapped value breaks its rule.
    MappingInvalid = "mapping.invalid",
        "A value that the token gives cannot be used", "ask the administrator";
    /// The tags claim is not in the token.
    TagsMissing = "tags.missing",
        "The token lacks the claim that carries the permission tags", "ask the administrator of your identity provider to add it";
    /// The tags claim is neither a string nor an array of strings.
    TagsMalformed = "tags.malformed",
        "The claim that carries the permission tags is neither one text nor a list of texts", "ask the administrator of your identity provider to correct it";
    /// The identity provider left the tags out because there are too many.
    TagsOverage = "tags.overage",
        "The identity provider left the groups out of the token because there are too many", "ask its administrator to assign groups to the application, or to use application roles";
    /// Another user of the realm has this username.
    IdentityUsernameConflict = "identity.username_conflict",
        "Another user already has your username", "ask the administrator";
    /// The team belongs to another organization.
    IdentityTeamConflict = "identity.team_conflict",
        "The token names a team that belongs to another organization", "ask the administrator";
    /// The user is not known here and is not made from tokens.
    IdentityNotProvisioned = "identity.not_provisioned",
        "You are not known here, and users are not created from tokens", "ask the administrator";
    /// The user is disabled.
    IdentityDisabled = "identity.disabled",
        "Your account here is disabled", "ask the administrator";
    /// There is no organization with that name. Only callers with a platform role are told this; all others are told
    /// `organization.role`.
    OrganizationUnknown = "organization.unknown",
        "There is no organization with that name", "check the name";
    /// The organization is suspended. Its members and callers with a platform role are told this; all others are told
    /// `organization.role`.
    OrganizationSuspended = "organization.suspended",
        "The organization is suspended", "ask the administrator";
    /// The route reads the organization from a header, and the request does not name exactly one there.
    OrganizationMissing = "organization.missing",
        "The request does not name exactly one organization in the header that is read for it", "send that header once, with one organization as it is written";
    /// The user lacks the role in the organization, or holds nothing in an organization that is suspended or not there.
    OrganizationRole = "organization.role",
        "You do not have the role that is needed in this organization", "ask one of its administrators";
    /// The user lacks the platform role.
    PlatformRole = "platform.role",
        "You do not have the platform role that is needed here", "ask the administrator";
    /// The route takes no tokens of this issuer.
    RouteIssuer = "route.issuer",
        "Tokens of this issuer are not accepted here", "send one of another identity provider that is, or ask the administrator";
    /// The token has none of the permission tags that the route asks for.
    RouteTag = "route.tag",
        "The token has none of the permission tags that are needed here", "ask the administrator of your identity provider for one";
    /// No route matches.
    RouteUnmatched = "route.unmatched",
        "There is nothing here under that path and method", "check both";
    /// The path could be read in two ways, or is not there; or a segment is not a name of an organization as it is written.
    RequestPath = "request.path",
        "The request's path is missing, or programs read it differently (dot segments, encoded slashes and the like)", "send it in plain form";
    /// The host is missing, there twice, or could be read in two ways.
    RequestHost = "request.host",
        "The request does not name exactly one host", "send one, by its name or address";
    /// The method is refused on every route.
    RequestMethod = "request.method",
        "This method is not accepted here", "use another one";
    /// The token came in a cookie, and the request, which is a WebSocket or may change something, does not come from a page of
    /// its own origin or of one in the route's `cors_origins`.
    RequestOrigin = "request.origin",
        "The request's token came in a cookie, and the request does not come from the application's own pages", "send it from there, or send the token in `Authorization`";
    /// A forward-auth request came from an address that is not a trusted proxy.
    RequestProxyUntrusted = "request.proxy_untrusted",
        "This endpoint answers only to the configured proxies", "ask the administrator";
    /// The directory could not be reached, or kept changing underfoot.
    StoreUnavailable = "store.unavailable",
        "The directory cannot be reached right now", "try again shortly";
    /// Too many requests.
    RateLimited = "rate.limited",
        "Too many requests came from your address", "slow down";
    /// The request may pass, and its body is longer than the route takes.
    RequestTooLarge = "request.too_large",
        "The request's body is larger than is accepted here", "send a smaller one";
    /// The request may pass, and cannot be passed on as it is.
    RequestUnforwardable = "request.unforwardable",
        "The request cannot be passed on in this form", "send it in another";
    /// The request may pass, and has been here before: the route's upstream leads back here.
    RequestLoop = "request.loop",
        "The request came back here through the route's upstream", "ask the administrator";
    /// The request may pass, and the application did not begin to answer in time.
    UpstreamTimeout = "upstream.timeout",
        "The application did not answer in time", "try again";
    /// The request may pass, and as many as there may be are under way to the application.
    UpstreamBusy = "upstream.busy",
        "The application has too many requests at this moment", "try again shortly";
    /// The request may pass, and the application cannot be reached.
    UpstreamUnreachable = "upstream.unreachable",
        "The application cannot be reached", "try again shortly";
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
        assert_eq!(Reason::ALL.len(), 58);
    }
}
