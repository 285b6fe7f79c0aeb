//! The header of a token: the members that the rules need, read once; the whole of it only on demand.
//!
//! A map costs more to build than the header's few facts, and most tokens are decided without it.

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json::{JsonFault, Member, parse_object, walk_object};

/// Values of `typ` that every issuer may use.
///
/// SPEC: RFC 7519 5.1, RFC 9068 section 4.
const USUAL_TYPES: [&str; 2] = ["JWT", "at+jwt"];
/// The beginning of a media type that `typ` may leave out.
const APPLICATION: &str = "application/";

/// Number of members that the rules know.
const KNOWN_MEMBERS: usize = 7;

/// A member that must be text if it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum TextMember {
    #[default]
    Absent,
    Text(String),
    /// SECURITY: never taken for absent.
    NotText,
}

impl TextMember {
    fn of(value: Member<'_>) -> Self {
        match value {
            Member::Text(text) => Self::Text(text.into_owned()),
            Member::Other(_) => Self::NotText,
        }
    }
}

/// A protected header, checked to be one JSON object without duplicate names.
///
/// SECURITY: `jwk`, `jku`, `x5u` and `x5c` are among the members that are never looked at.
#[derive(Clone)]
pub(crate) struct Header {
    json: Vec<u8>,
    members: OnceLock<Map<String, Value>>,
    facts: Facts,
}

/// Members that the rules look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// `alg`, if it is the name of an algorithm.
    pub(crate) algorithm: Option<Algorithm>,
    /// True if `crit` is there, whatever it holds.
    pub(crate) critical: bool,
    /// True if `b64` is there and not `true`.
    pub(crate) unencoded: bool,
    /// `typ`, if it is not one of the [`USUAL_TYPES`].
    pub(crate) typ: TextMember,
    pub(crate) kid: TextMember,
    pub(crate) x5t_s256: TextMember,
    pub(crate) x5t: TextMember,
}

impl Header {
    /// Reads the decoded header.
    pub(crate) fn parse(json: Vec<u8>, depth_max: usize) -> Result<Self, JsonFault> {
        let mut facts = Facts::default();
        let mut seen = [false; KNOWN_MEMBERS];
        let mut strangers = HashSet::new();
        walk_object(&json, depth_max, |name, value| {
            let new = match facts.take(name, value) {
                Some(position) => seen
                    .get_mut(position)
                    .is_some_and(|seen| !std::mem::replace(seen, true)),
                None => strangers.insert(name.to_owned()),
            };
            if new { Ok(()) } else { Err(JsonFault::duplicate(name)) }
        })?;
        Ok(Self {
            json,
            members: OnceLock::new(),
            facts,
        })
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The whole header, built when first asked for.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        // INVARIANT: the same bytes passed the same parser, at no greater depth, in `parse`.
        self.members
            .get_or_init(|| parse_object(&self.json, usize::MAX, 4).unwrap_or_default())
    }
}

impl Facts {
    /// Takes note of a member the rules look at, and says which it is.
    fn take(&mut self, name: &str, value: Member<'_>) -> Option<usize> {
        Some(match name {
            "alg" => {
                if let Member::Text(name) = &value {
                    self.algorithm = Algorithm::from_name(name);
                }
                0
            }
            "kid" => {
                self.kid = TextMember::of(value);
                1
            }
            "typ" => {
                if !is_usual_type(&value) {
                    self.typ = TextMember::of(value);
                }
                2
            }
            "x5t" => {
                self.x5t = TextMember::of(value);
                3
            }
            "x5t#S256" => {
                self.x5t_s256 = TextMember::of(value);
                4
            }
            "crit" => {
                self.critical = true;
                5
            }
            "b64" => {
                self.unencoded = !matches!(value, Member::Other(Value::Bool(true)));
                6
            }
            _ => return None,
        })
    }
}

fn is_usual_type(value: &Member<'_>) -> bool {
    match value {
        Member::Text(text) => USUAL_TYPES.iter().any(|usual| is_same_type(usual, text)),
        Member::Other(_) => false,
    }
}

/// Tests whether two values of `typ` are the same media type: in any case, with or without `application/`.
///
/// SPEC: RFC 7515 4.1.9.
pub(crate) fn is_same_type(one: &str, other: &str) -> bool {
    short_type(one).eq_ignore_ascii_case(short_type(other))
}

fn short_type(typ: &str) -> &str {
    match typ.split_at_checked(APPLICATION.len()) {
        // With a second slash it is no media type that could be shortened.
        Some((start, rest)) if start.eq_ignore_ascii_case(APPLICATION) && !rest.contains('/') => rest,
        _ => typ,
    }
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, JsonFault> {
        Header::parse(text.as_bytes().to_vec(), 3)
    }

    #[test]
    fn facts_are_those_of_the_members() {
        let text = r#"{"typ":"JWT","alg":"RS256","kid":7,"x5t":"a","x5t#S256":null,"b64":true,"jwk":{"kty":"RSA"}}"#;
        let header = header(text).unwrap();
        let expected = Facts {
            algorithm: Some(Algorithm::Rs256),
            critical: false,
            unencoded: false,
            typ: TextMember::Absent,
            kid: TextMember::NotText,
            x5t_s256: TextMember::NotText,
            x5t: TextMember::Text("a".to_owned()),
        };
        assert_eq!(header.facts(), &expected);
        assert_eq!(
            Value::Object(header.members().clone()).to_string(),
            text.replace(' ', "")
        );
    }

    #[test]
    fn members_come_once_whether_known_or_not() {
        for name in ["alg", "kid", "typ", "x5t", "x5t#S256", "crit", "b64", "signer", ""] {
            let text = format!(r#"{{"other":1,"{name}":1,"more":{{}},"{name}":1}}"#);
            assert_eq!(header(&text).unwrap_err(), JsonFault::Duplicate(name.to_owned()));
        }
        assert_eq!(
            header(r#"{"a":{"b":1,"b":1}}"#).unwrap_err(),
            JsonFault::Duplicate("b".to_owned())
        );
    }

    #[test]
    fn headers_are_objects_of_bounded_depth() {
        assert!(header(r#"{"a":[[]]}"#).is_ok());
        assert_eq!(header(r#"{"a":[[[]]]}"#).unwrap_err(), JsonFault::TooDeep);
        assert_eq!(header("[]").unwrap_err(), JsonFault::NotAnObject);
        assert_eq!(header("{\"a\":1e400}").unwrap_err(), JsonFault::Syntax);
        assert_eq!(header("{} {}").unwrap_err(), JsonFault::Syntax);
    }
}
