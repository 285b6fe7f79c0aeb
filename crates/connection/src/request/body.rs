//! The body, as its type has it.

use narthex_template::{Masked, Random, Value};
use serde_json::Value as Json;

use super::{flat, multipart};
use crate::document::BodyType;
use crate::encode::Reader;
use crate::error::RunError;
use crate::evaluate::text;

/// A body that is ready to be sent.
#[derive(Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: Option<String>,
    /// Separator of the parts of a `multipart/form-data`.
    pub(super) boundary: Option<String>,
    /// Parts of it that may be shown.
    pub(super) shown: Option<Json>,
}

pub(super) fn body(pointer: &str, kind: BodyType, masked: &Masked, random: &Random) -> Result<Body, RunError> {
    let value = &masked.value;
    if matches!(value, Value::Undefined) {
        return Ok(Body::default());
    }
    let mut parting = None;
    let (bytes, content_type) = match kind {
        BodyType::Json => {
            let text = value.to_json_text().unwrap_or_default();
            (text.into_bytes(), Some("application/json".to_owned()))
        }
        BodyType::UrlEncoded => {
            let text = match value {
                Value::Object(members) => flat(pointer, members, Reader::Service)?,
                Value::Text(text) => text.clone(),
                other => return Err(wrong(pointer, "urlencoded", other)),
            };
            (text.into_bytes(), Some("application/x-www-form-urlencoded".to_owned()))
        }
        BodyType::Multipart => match value {
            Value::Object(members) => {
                let boundary = multipart::boundary(random);
                let content_type = format!("multipart/form-data; boundary={boundary}");
                let bytes = multipart::write(pointer, members, &boundary)?;
                parting = Some(boundary);
                (bytes, Some(content_type))
            }
            other => return Err(wrong(pointer, "multipart/form-data", other)),
        },
        BodyType::Text => (text(value).unwrap_or_default().into_bytes(), None),
        BodyType::Binary => match value {
            Value::Binary(bytes) => (bytes.clone(), None),
            other => (text(other).unwrap_or_default().into_bytes(), None),
        },
    };
    let shown = match kind {
        BodyType::Binary => Json::from(format!("{} bytes", bytes.len())),
        _ => masked.shown.to_json().unwrap_or_default(),
    };
    Ok(Body {
        bytes,
        content_type,
        boundary: parting,
        shown: Some(shown),
    })
}

fn wrong(pointer: &str, kind: &str, value: &Value) -> RunError {
    let problem = format!(
        "a body of type `{kind}` is a collection of names and values, not {}",
        value.kind()
    );
    RunError::request(pointer, problem)
}
