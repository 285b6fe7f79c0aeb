//! Step one and two: a compact JWS, taken apart and read, with nothing proved yet.

use std::fmt;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::UnverifiedClaims;
use crate::codec::base64url_decode;
use crate::error::{MalformedToken, VerifyError};
use crate::json::{JsonFault, parse_object};

/// What a token may cost before its signature is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest compact token.
    pub token_bytes_max: usize,
    /// Longest header, decoded.
    pub header_bytes_max: usize,
    /// Deepest nesting of header and payload; the object itself is level one.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes_max: 16 * 1024,
            header_bytes_max: 4 * 1024,
            depth_max: 32,
        }
    }
}

/// A token that has the right shape. Nothing it says is proved, so it says nothing:
/// its claims come out of [`ParsedToken::verify`], or as [`UnverifiedClaims`] for showing.
pub struct ParsedToken<'t> {
    pub(crate) signing_input: &'t str,
    pub(crate) signature: Vec<u8>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

/// Takes a compact JWS apart: size, three canonical base64url segments, two JSON objects without duplicate names.
///
/// SPEC: RFC 7519 7.2, RFC 7515 5.2 steps 1-3, RFC 8725 2.4 and 3.
pub fn parse<'t>(compact: &'t str, limits: &Limits) -> Result<ParsedToken<'t>, VerifyError> {
    if compact.len() > limits.token_bytes_max {
        return Err(VerifyError::TooLarge {
            part: "token",
            limit_bytes: limits.token_bytes_max,
        });
    }
    let (signing_input, header, payload, signature) = split(compact)?;
    // SECURITY: decided on the encoded length, before anything is allocated for it.
    if header.len() / 4 * 3 > limits.header_bytes_max {
        return Err(VerifyError::TooLarge {
            part: "header",
            limit_bytes: limits.header_bytes_max,
        });
    }
    let header = object("header", header, limits.depth_max, HEADER_MEMBERS)?;
    let claims = object("payload", payload, limits.depth_max, PAYLOAD_MEMBERS)?;
    let signature = base64url_decode(signature).ok_or(MalformedToken::Base64 { part: "signature" })?;
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
    Ok(ParsedToken {
        signing_input,
        signature,
        algorithm,
        header,
        claims,
    })
}

impl ParsedToken<'_> {
    /// Header and claims as they stand, for showing to the bearer of the token.
    ///
    /// SECURITY: the type says that nothing is proved, and no decision takes it.
    pub fn into_unverified(self) -> UnverifiedClaims {
        UnverifiedClaims::new(self.header, self.claims)
    }
}

impl fmt::Debug for ParsedToken<'_> {
    /// The header only: claims and signature stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedToken")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Signing input, header, payload, signature.
fn split(compact: &str) -> Result<(&str, &str, &str, &str), MalformedToken> {
    let parts = || compact.split('.').take(6).count();
    let (signing_input, signature) = compact.rsplit_once('.').ok_or(MalformedToken::Parts { parts: 1 })?;
    let (header, payload) = signing_input
        .split_once('.')
        .ok_or_else(|| MalformedToken::Parts { parts: parts() })?;
    if payload.contains('.') {
        return Err(match parts() {
            5 => MalformedToken::Encrypted,
            parts => MalformedToken::Parts { parts },
        });
    }
    Ok((signing_input, header, payload, signature))
}

fn object(
    part: &'static str,
    segment: &str,
    depth_max: usize,
    members_expected: usize,
) -> Result<Map<String, Value>, MalformedToken> {
    let bytes = base64url_decode(segment).ok_or(MalformedToken::Base64 { part })?;
    parse_object(&bytes, depth_max, members_expected).map_err(|fault| match fault {
        JsonFault::Syntax => MalformedToken::Json { part },
        JsonFault::NotAnObject => MalformedToken::NotAnObject { part },
        JsonFault::Duplicate(name) => MalformedToken::Duplicate { part, name },
        JsonFault::TooDeep => MalformedToken::TooDeep { part, limit: depth_max },
    })
}

/// How many members to make room for; more are no problem.
const HEADER_MEMBERS: usize = 3;
const PAYLOAD_MEMBERS: usize = 12;
