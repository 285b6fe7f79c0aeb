//! The original request, as Envoy describes it in a check.

use std::net::{IpAddr, SocketAddr};

use envoy_types::ext_authz::v3::pb::{Address, CheckRequest};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use narthex_decision::Reason;
use narthex_engine::http_rules;
use narthex_engine::respond::Refusal;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The request that a client sent to Envoy.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) method: Method,
    /// Path as received, without the query.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
    /// True if the request has a body, as far as Envoy says.
    pub(crate) has_body: bool,
}

/// Returns the refusal of a check that lacks an attribute, or has one that cannot be read.
fn unreadable(what: &str) -> Refusal {
    Refusal {
        remedy: Some("ask the administrator to correct the configuration of Envoy".to_owned()),
        ..Refusal::because(Reason::RequestPath, format!("the check of the proxy {what}"))
    }
}

impl Original {
    /// Reads the attributes of a gRPC check.
    ///
    /// # Errors
    ///
    /// `request.path`, `request.host`, `request.too_large` and `request.unforwardable`: an attribute that is missing, or that
    /// is no part of an HTTP request.
    pub(crate) fn from_check(check: CheckRequest, head_bytes: usize) -> Result<Self, Refusal> {
        let attributes = check.attributes.ok_or_else(|| unreadable("has no attributes"))?;
        let source = attributes.source.and_then(|source| source.address);
        let source = source.and_then(|source| source.address);
        let source = source.ok_or_else(|| unreadable("has no `source.address`"))?;
        let http = attributes.request.and_then(|request| request.http);
        let http = http.ok_or_else(|| unreadable("has no `request.http`"))?;
        let method = method(http.method.as_bytes())?;
        let (path, query) = target(&http.path)?;
        if http.host.is_empty() {
            return Err(http_rules::bad_host(
                "the check of the proxy has no `request.http.host`",
            ));
        }
        let mut headers = headers(&http, head_bytes)?;
        if let Address::SocketAddress(source) = source {
            append_client(&mut headers, &source.address)?;
        }
        Ok(Self {
            method,
            path,
            query,
            has_body: http.size > 0 || has_body(&headers),
            host: http.host,
            headers,
        })
    }

    /// Reads a request of the HTTP mode: the original one, but for the prefix of its path.
    ///
    /// # Errors
    ///
    /// `request.path`, `request.host`, `request.unforwardable`.
    pub(crate) fn from_http<B>(request: &Request<B>, prefix: &str) -> Result<Self, Refusal> {
        http_rules::check(request)?;
        let whole = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
        let (path, query) = target(whole.strip_prefix(prefix).unwrap_or_default())?;
        let host = http_rules::host_of(request).ok_or_else(|| http_rules::bad_host("the request names no host"))?;
        let mut headers = request.headers().clone();
        let has_body = has_body(&headers);
        // They frame the check, and not the original request.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        Ok(Self {
            method: request.method().clone(),
            path,
            query,
            host: host.to_owned(),
            headers,
            has_body,
        })
    }
}

fn method(text: &[u8]) -> Result<Method, Refusal> {
    Method::from_bytes(text).map_err(|_| unreadable("has no `request.http.method`, or one that is no method"))
}

/// Returns path and query of a request target, byte for byte.
///
/// SECURITY: a target that is read differently by another program, such as one with a fragment, is refused.
fn target(target: &str) -> Result<(String, Option<String>), Refusal> {
    if target.is_empty() {
        return Err(unreadable("has no `request.http.path`"));
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    http_rules::ascii_target(path.as_bytes(), query)?;
    let parsed = PathAndQuery::try_from(target);
    if target.starts_with('/') && parsed.is_ok_and(|parsed| parsed.as_str() == target) {
        Ok((path.to_owned(), query.map(str::to_owned)))
    } else {
        Err(Refusal::because(
            Reason::RequestPath,
            "the target is not a path and a query",
        ))
    }
}

/// Returns the headers of a gRPC check: from `header_map`, where Envoy is told to send each line as it is
/// (`encode_raw_headers`), or else from `headers`, where the lines of one name are joined by commas.
fn headers(http: &HttpRequest, head_bytes: usize) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    let mut left = head_bytes;
    match &http.header_map {
        Some(map) => {
            for line in &map.headers {
                let value = if line.raw_value.is_empty() {
                    line.value.as_bytes()
                } else {
                    &line.raw_value
                };
                add(&mut headers, (&line.key, value), http, &mut left)?;
            }
        }
        None => {
            for (name, value) in &http.headers {
                if name.eq_ignore_ascii_case("authorization") && has_joined_token(value) {
                    return Err(Refusal::new(Reason::TokenMultiple));
                }
                add(&mut headers, (name, value.as_bytes()), http, &mut left)?;
            }
        }
    }
    Ok(headers)
}

/// Tests whether a value of `Authorization` that was joined of several has a token behind another value.
///
/// SECURITY: of two lines, one program reads the first and another the last.
fn has_joined_token(value: &str) -> bool {
    value.split(',').skip(1).any(|part| {
        let scheme = part.split_ascii_whitespace().next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop")
    })
}

/// Adds one line. Pseudo-headers are attributes of their own, and here only compared with them.
fn add(
    headers: &mut HeaderMap,
    (name, value): (&str, &[u8]),
    http: &HttpRequest,
    left: &mut usize,
) -> Result<(), Refusal> {
    let too_large = || Refusal::because(Reason::RequestTooLarge, "the headers of the request are too long");
    *left = left.checked_sub(name.len() + value.len()).ok_or_else(too_large)?;
    if name.starts_with(':') {
        let attribute = match name {
            ":path" => &http.path,
            ":method" => &http.method,
            ":authority" => &http.host,
            _ => return Ok(()),
        };
        // SECURITY: in the attributes, Envoy replaces bytes that are not UTF-8. It forwards the bytes as they came.
        return if attribute.as_bytes() == value {
            Ok(())
        } else {
            Err(unreadable("describes the request in two ways"))
        };
    }
    let invalid = |_| Refusal::because(Reason::RequestUnforwardable, "a header is not one that HTTP allows");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Refusal::because(
            Reason::RequestUnforwardable,
            "the name of a header is not one that HTTP allows",
        )
    })?;
    let value = HeaderValue::from_bytes(value).map_err(invalid)?;
    headers.try_append(name, value).map_err(|_| too_large())?;
    Ok(())
}

/// Appends the client's address, as Envoy knows it, to the addresses that the client's own headers may name.
fn append_client(headers: &mut HeaderMap, address: &str) -> Result<(), Refusal> {
    let parsed: Result<IpAddr, _> = address.parse();
    let Ok(parsed) = parsed.or_else(|_| address.parse().map(|address: SocketAddr| address.ip())) else {
        return Err(unreadable("has a `source.address` that is no address"));
    };
    let unreadable = || unreadable("has too many headers");
    let value = HeaderValue::try_from(parsed.to_string()).map_err(|_| unreadable())?;
    headers.try_append(FORWARDED_FOR, value).map_err(|_| unreadable())?;
    Ok(())
}

fn has_body(headers: &HeaderMap) -> bool {
    let lengths = headers.get_all(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || lengths.iter().any(|length| length != "0")
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, attribute_context};

    use super::*;

    fn check(path: &str, lines: &[(&str, &[u8])]) -> CheckRequest {
        let line = |(name, value): &(&str, &[u8])| core::HeaderValue {
            key: (*name).to_owned(),
            raw_value: value.to_vec(),
            ..core::HeaderValue::default()
        };
        let http = HttpRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            host: "app.test".to_owned(),
            header_map: Some(core::HeaderMap {
                headers: lines.iter().map(line).collect(),
            }),
            ..HttpRequest::default()
        };
        let address = core::SocketAddress {
            address: "192.0.2.7".to_owned(),
            ..core::SocketAddress::default()
        };
        CheckRequest {
            attributes: Some(AttributeContext {
                source: Some(attribute_context::Peer {
                    address: Some(core::Address {
                        address: Some(Address::SocketAddress(address)),
                    }),
                    ..attribute_context::Peer::default()
                }),
                request: Some(attribute_context::Request {
                    http: Some(http),
                    ..attribute_context::Request::default()
                }),
                ..AttributeContext::default()
            }),
        }
    }

    fn reason(check: CheckRequest) -> Reason {
        Original::from_check(check, 1_000).unwrap_err().reason
    }

    fn without(change: impl FnOnce(&mut AttributeContext)) -> CheckRequest {
        let mut check = check("/a", &[]);
        change(check.attributes.as_mut().unwrap());
        check
    }

    fn http(change: impl FnOnce(&mut HttpRequest)) -> CheckRequest {
        without(|attributes| change(attributes.request.as_mut().unwrap().http.as_mut().unwrap()))
    }

    #[test]
    fn path_query_and_headers_are_read_byte_for_byte() {
        let lines: &[(&str, &[u8])] = &[
            (":path", b"/a%2Fb?x=%20&y"),
            (":authority", b"app.test"),
            ("x-a", b"1"),
            ("x-a", b"\xff"),
        ];
        let original = Original::from_check(check("/a%2Fb?x=%20&y", lines), 1_000).unwrap();
        assert_eq!(original.path, "/a%2Fb");
        assert_eq!(original.query.as_deref(), Some("x=%20&y"));
        let values: Vec<&[u8]> = original
            .headers
            .get_all("x-a")
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        assert_eq!(values, [&b"1"[..], b"\xff"]);
        assert_eq!(original.headers.get(FORWARDED_FOR).unwrap(), "192.0.2.7");
        assert!(!original.has_body);
    }

    /// Without `encode_raw_headers`, Envoy joins the lines of one name.
    #[test]
    fn sec_a_token_behind_another_credential_is_refused() {
        let joined = |value: &str| {
            http(|http| {
                http.header_map = None;
                http.headers = [("authorization".to_owned(), value.to_owned())].into();
            })
        };
        for value in ["Basic x,Bearer forged", "Basic x, DPoP forged", "Bearer a,bearer b"] {
            assert_eq!(reason(joined(value)), Reason::TokenMultiple, "{value}");
        }
        for value in ["Bearer a", "Digest username=\"bearer\", realm=\"b\""] {
            assert!(Original::from_check(joined(value), 1_000).is_ok(), "{value}");
        }
    }

    #[test]
    fn sec_a_missing_attribute_is_a_denial() {
        assert_eq!(reason(CheckRequest { attributes: None }), Reason::RequestPath);
        assert_eq!(
            reason(without(|attributes| attributes.source = None)),
            Reason::RequestPath
        );
        assert_eq!(
            reason(without(|attributes| attributes.request = None)),
            Reason::RequestPath
        );
        assert_eq!(reason(http(|http| http.method.clear())), Reason::RequestPath);
        assert_eq!(reason(http(|http| http.path.clear())), Reason::RequestPath);
        assert_eq!(reason(http(|http| http.host.clear())), Reason::RequestHost);
    }

    /// Envoy replaces what is not UTF-8 in the attributes, and forwards it as it is.
    #[test]
    fn sec_a_request_that_is_described_in_two_ways_is_a_denial() {
        for line in [
            (":path", &b"/\xff"[..]),
            (":path", b"/other"),
            (":method", b"POST"),
            (":authority", b"other.test"),
        ] {
            assert_eq!(reason(check("/!", &[line])), Reason::RequestPath, "{line:?}");
        }
    }

    #[test]
    fn sec_a_target_that_others_read_differently_is_a_denial() {
        for path in [
            "/a#b",
            "/a?b#c",
            "/a b",
            "/caf\u{e9}",
            "/a?caf\u{e9}",
            "a",
            "http://b/a",
        ] {
            assert_eq!(reason(check(path, &[])), Reason::RequestPath, "{path}");
        }
    }

    #[test]
    fn sec_headers_that_are_too_long_or_no_headers_are_a_denial() {
        let long = vec![b'a'; 1_001];
        assert_eq!(reason(check("/a", &[("x-a", &long)])), Reason::RequestTooLarge);
        for line in [("x a", &b"1"[..]), ("", b"1"), ("x-a", b"1\r\nx-b: 2"), ("x-a", b"\0")] {
            assert_eq!(reason(check("/a", &[line])), Reason::RequestUnforwardable, "{line:?}");
        }
    }

    #[test]
    fn headers_that_envoy_joins_are_read_too() {
        let joined = http(|http| {
            http.header_map = None;
            http.headers.insert("x-a".to_owned(), "1,2".to_owned());
            http.size = 3;
        });
        let original = Original::from_check(joined, 1_000).unwrap();
        assert_eq!(original.headers.get("x-a").unwrap(), "1,2");
        assert!(original.has_body);
    }
}
