//! Step one and two: a compact JWS, taken apart and read, with nothing proved yet.

use std::fmt;

use serde_json::{Map, Value};

use crate::claims::UnverifiedClaims;
use crate::codec::base64url_decode;
use crate::error::{MalformedToken, VerifyError};
use crate::header::Header;
use crate::json::{JsonFault, parse_object};

/// Limits for a token before its signature is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest compact token.
    pub token_bytes_max: usize,
    /// Deepest nesting of header and payload; the object itself is level one.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes_max: 16 * 1024,
            depth_max: 32,
        }
    }
}

/// A token that has the right shape. Nothing it says is proved, so it says nothing:
/// its claims come out of [`ParsedToken::verify`], or as [`UnverifiedClaims`] for showing.
pub struct ParsedToken<'t> {
    pub(crate) signing_input: &'t str,
    pub(crate) signature: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) claims: Map<String, Value>,
}

/// Takes a compact JWS apart: size, three canonical base64url segments, two JSON objects without duplicate names.
///
/// SPEC: RFC 7519 7.2, RFC 7515 5.2 steps 1-3, RFC 8725 2.4 and 3.
pub fn parse<'t>(compact: &'t str, limits: &Limits) -> Result<ParsedToken<'t>, VerifyError> {
    // SECURITY: before anything is allocated for it. A header may be most of it: a chain of certificates in `x5c` is long.
    if compact.len() > limits.token_bytes_max {
        return Err(VerifyError::TooLarge {
            limit_bytes: limits.token_bytes_max,
        });
    }
    let parts = CompactParts::of(compact)?;
    parts
        .decode(limits)
        .map_err(|fault| count_parts(compact).unwrap_or(fault).into())
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

/// Parts of a compact JWS (RFC 7515 section 7.1), still encoded.
struct CompactParts<'t> {
    /// Header and payload with the full stop between them.
    signing_input: &'t str,
    header: &'t str,
    /// With too many parts it holds a full stop, which no base64 has.
    payload: &'t str,
    signature: &'t str,
}

impl<'t> CompactParts<'t> {
    fn of(compact: &'t str) -> Result<Self, MalformedToken> {
        let parts = || count_parts(compact).unwrap_or(MalformedToken::Parts { parts: 3 });
        let (signing_input, signature) = compact.rsplit_once('.').ok_or_else(parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(parts)?;
        Ok(Self {
            signing_input,
            header,
            payload,
            signature,
        })
    }

    fn decode(self, limits: &Limits) -> Result<ParsedToken<'t>, MalformedToken> {
        let header = decode("header", self.header)?;
        let header = Header::parse(header, limits.depth_max).map_err(|fault| malformed("header", fault, limits))?;
        let claims = decode("payload", self.payload)?;
        let claims = parse_object(&claims, limits.depth_max, PAYLOAD_MEMBERS)
            .map_err(|fault| malformed("payload", fault, limits))?;
        let signature = decode("signature", self.signature)?;
        Ok(ParsedToken {
            signing_input: self.signing_input,
            signature,
            header,
            claims,
        })
    }
}

/// Returns the fault in the number of parts, if there is one. Counts only after a fault.
fn count_parts(compact: &str) -> Option<MalformedToken> {
    match compact.split('.').take(6).count() {
        3 => None,
        5 => Some(MalformedToken::Encrypted),
        parts => Some(MalformedToken::Parts { parts }),
    }
}

fn decode(part: &'static str, segment: &str) -> Result<Vec<u8>, MalformedToken> {
    base64url_decode(segment).ok_or(MalformedToken::Base64 { part })
}

fn malformed(part: &'static str, fault: JsonFault, limits: &Limits) -> MalformedToken {
    match fault {
        JsonFault::Syntax => MalformedToken::Json { part },
        JsonFault::NotAnObject => MalformedToken::NotAnObject { part },
        JsonFault::Duplicate(name) => MalformedToken::Duplicate { part, name },
        JsonFault::TooDeep => MalformedToken::TooDeep {
            part,
            limit: limits.depth_max,
        },
    }
}

/// Number of claims to make room for; more are no problem. So many fit into one kibibyte, up to which allocators are
/// fast.
const PAYLOAD_MEMBERS: usize = 9;
