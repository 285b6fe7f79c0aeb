//! Responses of calls that succeed.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use narthex_directory::Listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::etag;

/// Page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Value for `cursor` to get the next page; `null` at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Converts a page of the directory, item by item, to the API's shape.
    pub fn of<U>(listing: Listing<U>, shape: impl FnMut(U) -> T) -> Self {
        Self {
            items: listing.items.into_iter().map(shape).collect(),
            next_cursor: listing.next_cursor.map(|cursor| cursor.to_string()),
        }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// One record, with its version as `ETag`.
pub(crate) struct VersionedRecord<T> {
    /// The version.
    pub(crate) version: u64,
    /// The record.
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for VersionedRecord<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        tag(&mut response, self.version);
        response
    }
}

/// A record that was just created: 201, with its location.
pub(crate) struct CreatedRecord<T> {
    /// Its path.
    pub(crate) location: String,
    /// Its version, if it has one.
    pub(crate) version: Option<u64>,
    /// The record.
    pub(crate) body: T,
}

impl<T: Serialize> CreatedRecord<T> {
    /// Returns the parts of the response, in a form that can be stored and sent again.
    pub(crate) fn stored(&self) -> StoredResponse {
        StoredResponse {
            location: self.location.clone(),
            version: self.version,
            // The bodies have text keys and finite numbers only: this does not fail.
            body: serde_json::to_vec(&self.body).unwrap_or_default().into(),
        }
    }
}

/// A [`CreatedRecord`] as bytes.
#[derive(Debug, Clone)]
pub(crate) struct StoredResponse {
    location: String,
    version: Option<u64>,
    body: bytes::Bytes,
}

impl StoredResponse {
    /// Memory that it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.location.len() + self.body.len()
    }
}

impl IntoResponse for StoredResponse {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let mut response = (StatusCode::CREATED, json, self.body).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(version) = self.version {
            tag(&mut response, version);
        }
        response
    }
}

fn tag(response: &mut Response, version: u64) {
    if let Ok(tag) = HeaderValue::from_str(&etag(version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}
