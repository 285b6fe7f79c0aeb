//! Limits of a document, a run and a response.

use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::inputs::Inputs;

/// The limits of a connection. The defaults are far above what the documents of real services need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest document, in bytes.
    pub document_bytes: usize,
    /// Deepest nesting of a document.
    pub depth: usize,
    /// The most requests of one document.
    pub requests: usize,
    /// The most headers of one request.
    pub headers: usize,
    /// Longest URL after evaluation, in bytes.
    pub url_bytes: usize,
    /// Longest header value after evaluation, in bytes.
    pub header_bytes: usize,
    /// Largest body that is sent, in bytes.
    pub request_bytes: usize,
    /// Largest body that is read, in bytes.
    pub response_bytes: usize,
    /// Deepest nesting of an XML response.
    pub xml_depth: usize,
    /// The most nodes of an XML response.
    pub xml_nodes: u32,
    /// The most values of a JSON or form response, and the most attributes of an XML one.
    pub response_values: usize,
    /// Maximum number of requests in one run, repeated ones included.
    pub sends: u32,
    /// The most bytes of parameters, common data and stored data, all together.
    pub secret_bytes: usize,
    /// Maximum number of repetitions of one request, whatever its document says.
    pub repeats: u32,
    /// Maximum total wait between repeated requests of one run, in milliseconds.
    pub wait_ms: u64,
    /// Maximum size of the part of a body that is shown, in bytes.
    pub shown_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 256 * 1024,
            depth: 32,
            requests: 20,
            headers: 100,
            url_bytes: 16 * 1024,
            header_bytes: 16 * 1024,
            request_bytes: 4 * 1024 * 1024,
            response_bytes: 4 * 1024 * 1024,
            xml_depth: 64,
            xml_nodes: 100_000,
            response_values: 200_000,
            sends: 100,
            secret_bytes: 256 * 1024,
            repeats: 100,
            wait_ms: 5 * 60 * 1000,
            shown_bytes: 16 * 1024,
        }
    }
}

/// Parameters, common data and stored data are too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("parameters, common data and stored data have {bytes} bytes together; at most {limit_bytes} are allowed")]
pub struct SecretsTooLarge {
    /// Size of the data, in bytes.
    pub bytes: usize,
    /// Maximum size, in bytes.
    pub limit_bytes: usize,
}

impl Limits {
    /// Checks whether a run with these inputs may begin. Call it when the inputs are saved, too.
    ///
    /// # Errors
    ///
    /// [`SecretsTooLarge`] if parameters, common data and stored data have more bytes than [`Limits::secret_bytes`].
    pub fn check_secrets(&self, inputs: &Inputs) -> Result<(), SecretsTooLarge> {
        let bytes = [&inputs.parameters, &inputs.common, &inputs.data]
            .into_iter()
            .fold(0, |bytes: usize, members| bytes.saturating_add(members_bytes(members)));
        if bytes <= self.secret_bytes {
            return Ok(());
        }
        Err(SecretsTooLarge {
            bytes,
            limit_bytes: self.secret_bytes,
        })
    }
}

fn members_bytes(members: &Map<String, Json>) -> usize {
    members.iter().fold(0, |bytes: usize, (name, value)| {
        bytes.saturating_add(name.len()).saturating_add(value_bytes(value))
    })
}

/// Size of a value: its text, and a little overhead.
fn value_bytes(value: &Json) -> usize {
    let inside = match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items
            .iter()
            .fold(0, |bytes: usize, item| bytes.saturating_add(value_bytes(item))),
        Json::Object(members) => members_bytes(members),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    };
    inside.saturating_add(VALUE_BYTES)
}

/// Overhead of a value besides its text.
const VALUE_BYTES: usize = 8;
