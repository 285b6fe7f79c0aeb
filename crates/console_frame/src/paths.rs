//! Addresses of pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::Serializer;

/// Characters that are encoded in a segment of a path: all but the unreserved ones (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes text as a segment of a path.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Returns the address of a user.
pub fn user(id: impl std::fmt::Display) -> String {
    format!("/users/{id}")
}

/// Returns the address of an organization.
pub fn organization(name: &str) -> String {
    format!("/organizations/{}", segment(name))
}

/// Returns the address of a page of an organization.
pub fn in_organization(name: &str, page: &str) -> String {
    format!("/organizations/{}/{page}", segment(name))
}

/// Returns the address of a person in an organization.
pub fn person(organization: &str, id: impl std::fmt::Display) -> String {
    format!("/organizations/{}/people/{id}", segment(organization))
}

/// Returns the address that leads to the sign-in of an issuer.
pub fn sign_in_at(issuer: &str) -> String {
    format!("/sign-in/at/{}", segment(issuer))
}

/// Returns the address of a refused request.
pub fn denial(request_id: &str) -> String {
    format!("/audit/denials/{}", segment(request_id))
}

/// Returns the address of the list of issuers.
pub fn issuers() -> String {
    "/issuers".to_owned()
}

/// Returns the address of an issuer.
pub fn issuer(name: &str) -> String {
    format!("/issuers/{}", segment(name))
}

/// Returns the address of a webhook.
pub fn webhook(name: &str) -> String {
    format!("/webhooks/{}", segment(name))
}

/// Returns an address with those fields that have a value as its query.
pub fn with_query(path: &str, fields: &[(&str, Option<&str>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in fields {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded() {
        assert_eq!(organization("acme-1.x_y"), "/organizations/acme-1.x_y");
        assert_eq!(organization("a/b?c"), "/organizations/a%2Fb%3Fc");
        assert_eq!(
            with_query("/users", &[("q", Some("a&b")), ("realm", None), ("cursor", Some("x"))]),
            "/users?q=a%26b&cursor=x"
        );
        assert_eq!(with_query("/users", &[("q", None)]), "/users");
    }
}
