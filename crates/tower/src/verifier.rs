//! Verifier of one issuer's tokens, with its keys.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};
use narthex_clock::Clock;
use narthex_fetch::keys::{IssuerKeys, KeyEdges, KeySettings, KeySource};
use narthex_token::{
    Algorithm, IssuerPolicy, Limits, ParsedToken, PolicyError, TrustedIssuer, VerifiedClaims, VerifyError, parse,
};

const ASSERTION: HeaderName = HeaderName::from_static("x-narthex-assertion");

/// Tolerated difference between the clocks of Narthex and of the application, in seconds. An assertion is signed when it is
/// sent, so that nothing but the clocks can differ.
const ASSERTION_LEEWAY_SECONDS: u64 = 10;

/// Error for a policy that no token could be verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblems(pub Vec<PolicyError>);

impl fmt::Display for PolicyProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the issuer's policy cannot be used")?;
        self.0.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

impl std::error::Error for PolicyProblems {}

/// Place of the token in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `X-Narthex-Assertion`.
    Assertion,
    /// `Authorization: Bearer`.
    Bearer,
}

/// Verifier of one issuer's tokens. Clones share its keys.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuer: TrustedIssuer,
    keys: IssuerKeys,
    clock: Clock,
    place: Place,
}

impl Verifier {
    /// Creates a verifier of assertions in `X-Narthex-Assertion`. `issuer` is `assertion.issuer` of Narthex, `narthex` by
    /// default; `audience` is the `audience` of the routes to this application.
    ///
    /// Must be called inside a tokio runtime, which fetches the keys.
    ///
    /// # Errors
    ///
    /// [`PolicyProblems`], if one of the two is empty.
    pub fn of_assertions(keys: KeySource, issuer: &str, audience: &str) -> Result<Self, PolicyProblems> {
        let policy = IssuerPolicy {
            algorithms: vec![Algorithm::Es256],
            audiences: vec![audience.to_owned()],
            leeway_seconds: ASSERTION_LEEWAY_SECONDS,
            ..IssuerPolicy::key_set("assertions", issuer)
        };
        Self::new(keys, policy, Place::Assertion)
    }

    /// Creates a verifier of an issuer's tokens in `Authorization: Bearer`.
    ///
    /// Must be called inside a tokio runtime, which fetches the keys.
    ///
    /// # Errors
    ///
    /// [`PolicyProblems`].
    pub fn of_tokens(keys: KeySource, policy: IssuerPolicy) -> Result<Self, PolicyProblems> {
        Self::new(keys, policy, Place::Bearer)
    }

    fn new(source: KeySource, policy: IssuerPolicy, place: Place) -> Result<Self, PolicyProblems> {
        let issuer = TrustedIssuer::new(policy).map_err(PolicyProblems)?;
        let clock = Clock::system();
        let edges = KeyEdges::new(clock.clone());
        let keys = IssuerKeys::new(issuer.name(), source, edges, KeySettings::default());
        keys.keep_fresh();
        Ok(Self(Arc::new(Inner {
            issuer,
            keys,
            clock,
            place,
        })))
    }

    /// Verifies a token. Waits for a fetch of keys only if the token's key is not known. A token that is bound to a key of its
    /// sender (`cnf`, RFC 7800) is refused, unless the policy takes it as a bearer token.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], the first rule that is broken.
    pub async fn verify(&self, token: &str) -> Result<VerifiedClaims, VerifyError> {
        let Inner {
            issuer, keys, clock, ..
        } = &*self.0;
        // SECURITY: what is no token at all makes no request wait for keys.
        let parsed = parse(token, &Limits::default())?;
        let mut parsed: Option<ParsedToken<'_>> = Some(parsed);
        let now_ms = clock.now_ms();
        let verified = keys.verify_with(now_ms, |keys| {
            let parsed = match parsed.take() {
                Some(parsed) => parsed,
                None => parse(token, &Limits::default())?,
            };
            parsed.verify(issuer, keys, now_ms)
        });
        let (claims, _) = verified.await?;
        // SECURITY: no proof of possession is checked here, so a token that is bound to a key proves nothing, whatever the
        // policy takes.
        if claims.bound_to().is_some() {
            return Err(VerifyError::Bound);
        }
        Ok(claims)
    }

    /// Returns the token of a request, from the place of this verifier's kind.
    pub(crate) fn token_in(&self, headers: &HeaderMap) -> Presented {
        let name = match self.0.place {
            Place::Assertion => ASSERTION,
            Place::Bearer => header::AUTHORIZATION,
        };
        let mut values = headers.get_all(&name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Presented::None,
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Presented::Several,
        };
        // What is not text is no token, which the verifier says.
        let text = value.to_str().unwrap_or_default();
        match self.0.place {
            Place::Assertion => Presented::One(text.to_owned()),
            Place::Bearer => match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Presented::One(token.trim().to_owned())
                }
                // Another scheme is another program's.
                _ => Presented::None,
            },
        }
    }
}

/// Token of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// There is none.
    None,
    /// There is one.
    One(String),
    /// There are several headers for it.
    ///
    /// SECURITY: one may be forged, and the application could read the other.
    Several,
}
