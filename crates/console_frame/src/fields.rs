//! Fields of a form or a query, as a person filled them in.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header;
use narthex_ops::PageRequest;
use url::form_urlencoded;

use crate::problem::Failed;

/// Media type of a form without files.
const FORM: &str = "application/x-www-form-urlencoded";

/// Fields by name, in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Parses fields in the format of `application/x-www-form-urlencoded` (URL Standard, section 5).
    pub fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Returns the text of a field, as it was typed; `None` if it was not sent.
    pub fn sent(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.as_str())
    }

    /// Returns the text of a field, as it was typed; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.sent(name).unwrap_or_default()
    }

    /// Returns the text of a field without blanks around it; `None` if there is none.
    pub fn filled(&self, name: &str) -> Option<String> {
        let text = self.text(name).trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Fields with these names and values.
    pub fn of(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// Two fields with these values.
    pub fn of_text(first: &str, value: &str, second: &str, other: &str) -> Self {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self(vec![field(first, value), field(second, other)])
    }

    /// Sets the value of a field that was sent.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *known = value;
        }
        self
    }

    /// Removes the fields of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// Returns the fields with a name that begins so, by the rest of the name.
    pub fn below<'f>(&'f self, root: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(root)?, value.as_str())))
    }

    /// Returns all fields but those with these names, to be sent again.
    pub fn but(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        fields.filter(|(name, _)| !names.contains(name)).collect()
    }

    /// Returns the page of a list that a query asks for.
    pub fn page(&self) -> PageRequest {
        PageRequest {
            cursor: self.filled("cursor"),
            limit: None,
        }
    }
}

/// A form that was sent.
#[derive(Debug)]
pub struct Form(pub Fields);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|text| text.to_str().ok()).unwrap_or_default();
        let name = media_type.split(';').next().unwrap_or_default().trim();
        if !name.eq_ignore_ascii_case(FORM) {
            return Err(Failed::NotAForm);
        }
        let bytes = Bytes::from_request(request, state).await;
        Ok(Self(Fields::parse(&bytes.map_err(|_| Failed::NotAForm)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_kept_as_they_were_typed() {
        let fields = Fields::parse(b"label=+Acme+%26+Co+&name=acme&empty=");
        assert_eq!(fields.text("label"), " Acme & Co ");
        assert_eq!(fields.filled("label").as_deref(), Some("Acme & Co"));
        assert_eq!((fields.sent("empty"), fields.filled("empty")), (Some(""), None));
        assert_eq!((fields.sent("absent"), fields.text("absent")), (None, ""));
    }

    #[test]
    fn the_first_of_two_fields_with_one_name_counts() {
        assert_eq!(Fields::parse(b"a=1&a=2").text("a"), "1");
    }
}
