//! The options of `sign`: reading them, and the checks they must pass.

use narthex_template::{Object, Value};

use crate::error::MintError;
use crate::json::array_index;

/// The options as given, with an algorithm in place of their own. Options that are no collection have no members, and
/// fail when they are checked.
#[derive(Clone, Copy)]
pub(crate) struct Options<'o> {
    given: Option<&'o Value>,
    algorithm: Option<&'o Value>,
}

impl<'o> Options<'o> {
    /// Whatever JavaScript takes for false counts as no options.
    pub(crate) fn new(options: &'o Value) -> Self {
        Self::with_algorithm(options, &Value::Undefined)
    }

    /// `{...options, algorithm}`, if there is an algorithm.
    pub(crate) fn with_algorithm(options: &'o Value, algorithm: &'o Value) -> Self {
        Self {
            given: options.is_truthy().then_some(options),
            algorithm: algorithm.is_truthy().then_some(algorithm),
        }
    }

    /// An option; undefined if it is not there.
    pub(crate) fn member(self, name: &str) -> &'o Value {
        match (self.algorithm, self.given) {
            (Some(algorithm), _) if name == ALGORITHM => algorithm,
            (_, Some(Value::Object(members))) => members.get(name).unwrap_or(&Value::Undefined),
            _ => &Value::Undefined,
        }
    }

    /// Tests whether an option is there.
    pub(crate) fn has(self, name: &str) -> bool {
        !matches!(self.member(name), Value::Undefined)
    }

    /// Tests whether an option is there and JavaScript takes it for true.
    pub(crate) fn is_on(self, name: &str) -> bool {
        self.member(name).is_truthy()
    }

    /// Checks every option in the order of the object; the first problem is the error.
    pub(crate) fn check(self) -> Result<(), MintError> {
        let has_own = match self.given {
            None => false,
            Some(Value::Object(members)) => {
                for (name, value) in in_order(members) {
                    let replaced = self.algorithm.filter(|_| name == ALGORITHM);
                    check(name, replaced.unwrap_or(value))?;
                }
                members.contains_key(ALGORITHM)
            }
            Some(_) => return Err(MintError::NotAnObject { what: "options" }),
        };
        match self.algorithm {
            Some(algorithm) if !has_own => check(ALGORITHM, algorithm),
            _ => Ok(()),
        }
    }
}

/// The members as JavaScript enumerates them: integer-like names first, in ascending order.
fn in_order(members: &Object) -> Vec<(&str, &Value)> {
    let mut ordered: Vec<(&str, &Value)> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
    ordered.sort_by_key(|(name, _)| array_index(name).map_or((1, 0), |index| (0, index)));
    ordered
}

fn check(name: &str, value: &Value) -> Result<(), MintError> {
    let Some((option, is_valid, problem)) = RULES.iter().find(|(option, ..)| *option == name) else {
        return Err(MintError::UnknownOption {
            option: name.to_owned(),
        });
    };
    if is_valid(value) {
        Ok(())
    } else {
        Err(MintError::BadOption { option, problem })
    }
}

type Rule = (&'static str, fn(&Value) -> bool, &'static str);

const RULES: [Rule; 14] = [
    ("expiresIn", is_timespan, TIMESPAN),
    ("notBefore", is_timespan, TIMESPAN),
    (
        "audience",
        |value| matches!(value, Value::Text(_) | Value::Array(_)),
        "must be a string or array",
    ),
    (
        ALGORITHM,
        |value| value.as_text().is_some_and(|name| ALGORITHMS.contains(&name)),
        "must be a valid string enum value",
    ),
    ("header", |value| matches!(value, Value::Object(_)), "must be an object"),
    ("encoding", is_text, TEXT),
    ("issuer", is_text, TEXT),
    ("subject", is_text, TEXT),
    ("jwtid", is_text, TEXT),
    ("noTimestamp", is_bool, BOOL),
    ("keyid", is_text, TEXT),
    ("mutatePayload", is_bool, BOOL),
    ("allowInsecureKeySizes", is_bool, BOOL),
    ("allowInvalidAsymmetricKeyTypes", is_bool, BOOL),
];

fn is_timespan(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_finite() && number.fract() == 0.0,
        Value::BigInteger(_) => true,
        Value::Text(text) => !text.is_empty(),
        _ => false,
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

fn is_bool(value: &Value) -> bool {
    matches!(value, Value::Bool(_))
}

const ALGORITHM: &str = "algorithm";
const TIMESPAN: &str = "should be a number of seconds or string representing a timespan";
const TEXT: &str = "must be a string";
const BOOL: &str = "must be a boolean";

/// The algorithms that the library knows, in its order. Fewer are minted here.
const ALGORITHMS: [&str; 16] = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "HS256",
    "HS384",
    "HS512",
    "none",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
];

/// Tests whether an algorithm exists for the library, or is one of ML-DSA.
pub(crate) fn exists(algorithm: &str) -> bool {
    ALGORITHMS.contains(&algorithm)
}
