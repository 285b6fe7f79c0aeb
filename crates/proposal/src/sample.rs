//! Proposals from a token, and from an address alone.

use narthex_token::{Limits, parse};
use serde_json::{Map, Value};

use crate::Proposal;
use crate::address::issuer_url;
use crate::provider::Provider;
use crate::settings::Draft;

/// Reason for which nothing can be proposed. It holds no value of a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The text is no token.
    #[error(
        "this is no JWT: {0}; some providers issue opaque access tokens unless an audience is asked for, so try the ID token"
    )]
    NoToken(String),
    /// The token has no signature.
    #[error("the token is not signed (`alg` is `none`), and such tokens are never taken")]
    NotSigned,
    /// The token is signed with a shared secret.
    #[error(
        "the token is signed with a shared secret; an administrator of this machine configures such an issuer, with `secret_file`"
    )]
    SharedSecret,
    /// The token has no issuer.
    #[error("the token has no `iss`, so no issuer can be found by it; ask the provider for a token with one")]
    NoIssuer,
    /// The token of a load balancer of AWS.
    #[error(
        "tokens of AWS load balancers in `X-Amzn-Oidc-Data` have their audience in the header and padding against RFC 7515; \
         send the token of `X-Amzn-Oidc-Accesstoken` instead, and use that one as the sample"
    )]
    AwsLoadBalancer,
    /// The address cannot be that of an issuer.
    #[error(
        "this is no address of an issuer; write it as `https://id.example.com`, without a query and without a user"
    )]
    NoAddress,
}

/// Proposes an issuer that lets this token in, if its signature and times are right.
///
/// # Errors
///
/// When no configuration could let it in, with what to do.
pub fn propose_for_token(token: &str) -> Result<Proposal, ProposalError> {
    let token = token.trim();
    let bare = token.split_once(char::is_whitespace);
    let token = match bare {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ => token,
    };
    let parsed = parse(token, &Limits::default()).map_err(|error| ProposalError::NoToken(error.to_string()))?;
    let sample = parsed.into_unverified();
    propose(sample.header(), sample.claims())
}

pub(crate) fn propose(header: &Map<String, Value>, claims: &Map<String, Value>) -> Result<Proposal, ProposalError> {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if algorithm.is_empty() || algorithm.eq_ignore_ascii_case("none") {
        return Err(ProposalError::NotSigned);
    }
    if algorithm.starts_with("HS") {
        return Err(ProposalError::SharedSecret);
    }
    let provider = Provider::of_token(header, claims);
    if provider == Some(Provider::AwsLoadBalancer) {
        return Err(ProposalError::AwsLoadBalancer);
    }
    let issuer = claims
        .get("iss")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    let issuer = issuer.ok_or(ProposalError::NoIssuer)?;
    let mut draft = Draft::new(provider, header, claims);
    draft.name(issuer);
    draft.issuer(issuer, Some("iss"));
    draft.keys(issuer);
    draft.algorithm(algorithm);
    draft.token_type();
    draft.audience();
    draft.required_claims();
    draft.token_place();
    draft.user();
    draft.tags();
    Ok(draft.finish())
}

/// Proposes an issuer of which only the address is known, with the claims that its kind of provider usually writes.
///
/// # Errors
///
/// When the text is no address of an issuer.
pub fn propose_for_address(issuer: &str) -> Result<Proposal, ProposalError> {
    let issuer = issuer.trim();
    let provider = Provider::of_address(issuer);
    if issuer_url(issuer).is_none() {
        return Err(ProposalError::NoAddress);
    }
    let (header, claims) = (Map::new(), Map::new());
    let mut draft = Draft::new(provider, &header, &claims);
    draft.name(issuer);
    draft.issuer(issuer, None);
    draft.keys(issuer);
    draft.token_place();
    draft.usual_user();
    draft.usual_tags("the provider's usual claim");
    let mut proposal = draft.finish();
    proposal.is_complete = false;
    proposal.cautions.push(
        "the audience is missing: add `audiences` with the id of your application, or start from a token".to_owned(),
    );
    Ok(proposal)
}
