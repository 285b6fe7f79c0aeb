//! Extractors for requests: the caller, and strict bodies and queries, in which unknown members and parameters are errors
//! that name them.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use narthex_decision::Reason;
use narthex_engine::credentials::{self, TokenPlaces};
use narthex_engine::respond::Refusal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::AdminState;
use super::error::ApiError;
use narthex_ops::api_keys::sha256;
use narthex_ops::{Caller, ExpectedVersion, PageRequest};

/// The largest JSON body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// The caller of a request.
pub(crate) struct RequestCaller(pub(crate) Caller);

impl FromRequestParts<Arc<AdminState>> for RequestCaller {
    type Rejection = ApiError;

    /// SECURITY: only a request without credentials is asked for them. Refused ones are refused.
    async fn from_request_parts(parts: &mut Parts, state: &Arc<AdminState>) -> Result<Self, ApiError> {
        let presented = credentials::present(&parts.headers, None, &TokenPlaces::default()).one()?;
        let (bearer, _) = presented.ok_or(Refusal::new(Reason::TokenMissing))?;
        let caller = state.operations.authenticate(bearer.word()?, &parts.headers).await?;
        if let Some(CallerSlot(slot)) = parts.extensions.get() {
            // Each request has one caller.
            let _ = slot.set(caller.clone());
        }
        Ok(Self(caller))
    }
}

/// Slot for the caller of a request, in the request's extensions: filled when the credential was accepted, and read by the layers
/// around the API. Clones share the slot.
#[derive(Debug, Clone, Default)]
pub struct CallerSlot(Arc<OnceLock<Caller>>);

impl CallerSlot {
    /// Returns the caller, if one was found.
    pub fn get(&self) -> Option<&Caller> {
        self.0.get()
    }
}

/// A JSON body, and the hash of its bytes.
pub(crate) struct Body<T> {
    /// The parsed body.
    pub(crate) value: T,
    /// SHA-256 of the bytes, to tell one request from another.
    pub(crate) digest: [u8; 32],
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::MediaType {
                expected: "application/json",
            });
        }
        let bytes = bytes(request, state).await?;
        // serde also reads a structure from an array, member by member. No client means that.
        if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(ApiError::Malformed {
                detail: "the body cannot be used: it must be a JSON object".to_owned(),
            });
        }
        let Json(value) = Json::<T>::from_bytes(&bytes).map_err(|rejection| ApiError::Malformed {
            detail: told("the body", &rejection.body_text()),
        })?;
        Ok(Self {
            value,
            digest: sha256(&bytes),
        })
    }
}

/// Reads the bytes of a body, up to the limit.
pub(crate) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| ApiError::of_status(rejection.status()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// Rewords an error of axum: replaces its first part with our own.
fn told(what: &str, text: &str) -> String {
    let why = text.split_once(": ").map_or(text, |(_, why)| why);
    format!("{what} cannot be used: {}", in_plain_words(&without_value(why)))
}

/// Rewords the standard library's error for a parameter that is no number or truth value, for readers who do not know
/// it.
fn in_plain_words(why: &str) -> String {
    let Some((parameter, said)) = why.split_once(": ") else {
        return why.to_owned();
    };
    let plain = match said {
        "invalid digit found in string" | "cannot parse integer from empty string" => "must be a whole number",
        "number too large to fit in target type" => "is too large a number",
        "number too small to fit in target type" => "is too small a number",
        "provided string was not `true` or `false`" => "must be `true` or `false`",
        _ => return why.to_owned(),
    };
    format!("`{parameter}` {plain}")
}

/// Removes the value from an error of serde.
///
/// SECURITY: a value of the wrong type may be a secret in the wrong place: `invalid type: string "…", expected a map`
/// keeps the kind, the expected type, and the place.
fn without_value(why: &str) -> String {
    let found = ["invalid type: ", "invalid value: ", "unknown variant "]
        .into_iter()
        .filter_map(|mark| why.split_once(mark).map(|(before, after)| (before, mark, after)))
        .min_by_key(|(before, ..)| before.len());
    let Some((before, mark, after)) = found else {
        return why.to_owned();
    };
    // The value may contain anything, and the expected type is our own text, so the last occurrence counts.
    let (value, expected) = after.rsplit_once(", expected ").unwrap_or((after, ""));
    let kind = value.split(['"', '`']).next().unwrap_or_default();
    let told = format!("{before}{mark}{kind}");
    let told = told.trim_end_matches([' ', ':']);
    if expected.is_empty() {
        told.to_owned()
    } else {
        format!("{told}, expected {expected}")
    }
}

/// The query, parsed.
pub(crate) struct QueryParameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| ApiError::Malformed {
            detail: told("the query", &rejection.body_text()),
        })?;
        Ok(Self(value))
    }
}

/// Page of a list, as the query says.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

impl From<PageQuery> for PageRequest {
    fn from(PageQuery { cursor, limit }: PageQuery) -> Self {
        Self { cursor, limit }
    }
}

/// `If-Match`: the version of the record that the caller has seen. Optional: without it, the last write wins.
pub(crate) struct IfMatch(pub(crate) ExpectedVersion);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut tags: Option<Vec<&str>> = None;
        for value in parts.headers.get_all(header::IF_MATCH) {
            let text = value.to_str().map_err(|_| if_match_malformed())?;
            // An `ETag` of ours holds no comma.
            tags.get_or_insert_default().extend(text.split(',').map(str::trim));
        }
        Ok(Self(tags.map_or(ExpectedVersion::Unstated, |tags| expected(&tags))))
    }
}

/// Returns the versions that the tags name.
///
/// SPEC: RFC 9110 13.1.1: strong comparison, `*` matches whatever is there.
fn expected(tags: &[&str]) -> ExpectedVersion {
    if tags.contains(&"*") {
        return ExpectedVersion::Any;
    }
    ExpectedVersion::OneOf(tags.iter().filter_map(|tag| version(tag)).collect())
}

/// Returns the version whose `ETag` this is, byte for byte.
fn version(tag: &str) -> Option<u64> {
    let version = tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
    (etag(version) == tag).then_some(version)
}

fn if_match_malformed() -> ApiError {
    ApiError::Malformed {
        detail: "`If-Match` cannot be read; send the `ETag` of the last answer".to_owned(),
    }
}

/// The `ETag` of a version.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_errors_of_a_body_never_quote_its_values() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is never read")]
        struct Sample {
            parameters: Option<std::collections::BTreeMap<String, String>>,
            kind: Option<Kind>,
            count: Option<u8>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Kind {
            One,
        }
        for (body, said) in [
            (
                r#"{"parameters":"hunter2"}"#,
                "parameters: invalid type: string, expected a map at line 1 column 23",
            ),
            (
                r#"{"parameters":"hunter2, expected `x`, hunter2"}"#,
                "invalid type: string, expected a map",
            ),
            (
                r#"{"parameters":{"a":271828}}"#,
                "invalid type: integer, expected a string",
            ),
            (
                r#"{"parameters":{"a":true}}"#,
                "invalid type: boolean, expected a string",
            ),
            (r#"{"count":271828}"#, "invalid value: integer, expected u8"),
            (r#"{"kind":"hunter2"}"#, "unknown variant, expected `one`"),
            (r#"{"other":"hunter2"}"#, "unknown field `other`, expected one of"),
            (r#"{"count":[]}"#, "invalid type: sequence, expected u8"),
        ] {
            let rejection = Json::<Sample>::from_bytes(body.as_bytes()).unwrap_err();
            let told = told("the body", &rejection.body_text());
            assert!(told.contains(said), "{body}: {told}");
            for value in ["hunter2", "271828", "true"] {
                assert!(!told.contains(value), "{body}: {told}");
            }
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        assert_eq!(expected(&["*"]), ExpectedVersion::Any);
        assert_eq!(expected(&["\"2\"", "\"3\""]), ExpectedVersion::OneOf(vec![2, 3]));
        for other in ["W/\"3\"", "3", "", "\"", "\"03\"", "\"+3\""] {
            assert_eq!(expected(&[other]), ExpectedVersion::OneOf(Vec::new()), "{other}");
        }
    }
}
