//! Names of headers that a configuration may choose, and those that are taken.

use http::HeaderName;
use narthex_decision::{
    is_forwarding_header, is_identity_header, is_method_override, is_usual_identity_header, spelled_like,
};

/// Headers that belong to one connection (RFC 9110 section 7.6.1): each program on the way makes its own.
const OF_A_CONNECTION: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that say how a message is read, and by whom.
const OF_HTTP: [&str; 11] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "origin",
    "range",
    "referer",
    "via",
];

/// Reads the name of a header that the configuration chooses.
///
/// # Errors
///
/// The end of a sentence that begins with the name.
pub(super) fn chosen(text: &str) -> Result<HeaderName, &'static str> {
    let name: HeaderName = text.parse().map_err(|_| "is not the name of a header")?;
    let is = |known: &str| spelled_like(name.as_str(), known);
    if is("authorization") {
        Err("carries tokens, or credentials for the application")
    } else if is("cookie") || is("set-cookie") {
        Err("carries cookies")
    } else if is_identity_header(name.as_str()) {
        Err("must not be one of the headers that Narthex sets")
    } else if OF_A_CONNECTION.into_iter().any(is) {
        Err("belongs to one connection and is not forwarded")
    } else if OF_HTTP.into_iter().any(is) || is_method_override(name.as_str()) || name.as_str().starts_with("sec-") {
        Err("has a meaning of its own in HTTP")
    } else {
        Ok(name)
    }
}

/// The same for a header of which a request must not get another value on its way: not one of those in which proxies say
/// where a request came from.
///
/// # Errors
///
/// As [`chosen`].
pub(super) fn chosen_by_clients(text: &str) -> Result<HeaderName, &'static str> {
    let name = chosen(text)?;
    if is_forwarding_header(name.as_str()) {
        return Err("is written by proxies, and removed from the requests of clients");
    }
    Ok(name)
}

/// The same for the header of an organization: no usual name for a user either, which is removed on its way.
///
/// # Errors
///
/// As [`chosen_by_clients`].
pub(super) fn chosen_for_organization(text: &str) -> Result<HeaderName, &'static str> {
    let name = chosen_by_clients(text)?;
    if is_usual_identity_header(name.as_str()) {
        return Err("is a usual name for the user, and removed from the requests of clients");
    }
    Ok(name)
}

/// The same for a header that Narthex sets: also the usual names for a user that begin like a proxy's.
///
/// # Errors
///
/// As [`chosen`].
pub(super) fn chosen_for_identity(text: &str) -> Result<HeaderName, &'static str> {
    let name = chosen(text)?;
    if is_forwarding_header(name.as_str()) && !is_usual_identity_header(name.as_str()) {
        return Err("is one of the headers in which proxies say where a request came from");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header that another program writes, or reads in its own way, is no place for an identity or an organization.
    #[test]
    fn sec_header_names_that_are_taken() {
        for text in [
            "Authorization",
            "cookie",
            "X-Narthex-User",
            "x_narthex_anything",
            "Connection",
            "Keep_Alive",
            "TE",
            "Host",
            "Content-Length",
            "content_length",
            "X-HTTP-Method-Override",
            "Sec-WebSocket-Key",
            "a b",
            "",
        ] {
            assert!(chosen(text).is_err(), "{text}");
        }
        for text in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "x_original_url"] {
            assert!(chosen_by_clients(text).is_err(), "{text}");
            assert!(chosen_for_identity(text).is_err(), "{text}");
        }
        assert!(chosen_for_identity("X-Forwarded-User").is_ok() && chosen_by_clients("X-Forwarded-User").is_err());
        for text in ["X-Scope-OrgID", "Remote-User", "X-Goog-IAP-JWT-Assertion"] {
            assert!(chosen(text).is_ok() && chosen_by_clients(text).is_ok(), "{text}");
        }
        assert!(chosen_for_organization("X-Scope-OrgID").is_ok());
        for text in ["Remote-User", "X-Auth-Request-Org", "X-Forwarded-For"] {
            assert!(chosen_for_organization(text).is_err(), "{text}");
        }
    }
}
