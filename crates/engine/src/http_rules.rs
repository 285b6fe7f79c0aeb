//! Requirements of HTTP for every request, at every door and on every port (RFC 9110, RFC 9112, RFC 9113).
//!
//! SECURITY: a request that breaks one of them is repaired by one program and read differently by the next. It is
//! refused, never repaired.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use narthex_decision::{Reason, RequestHost, is_method_override, spelled_like};

use crate::respond::Refusal;

/// Headers that frame a message or come before it. A server may take another spelling for the header itself.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "http2-settings"];

/// Methods that an application may be asked for: the `Allow` of an answer that refuses another one.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Checks the target, the framing and the host of a request.
///
/// # Errors
///
/// `request.path`, `request.host` and `request.unforwardable`.
pub fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    check_with_optional_host(request)?;
    // Routes are chosen by the host, and HTTP/1.0 may leave it out.
    host_of(request)
        .map(|_| ())
        .ok_or_else(|| bad_host("the request names no host"))
}

/// Checks the same, but lets an HTTP/1.0 request leave the host out: for ports where no route is chosen by the host.
pub fn check_with_optional_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    ascii_target(request.uri().path().as_bytes(), request.uri().query())?;
    transfer_coding(request.headers())?;
    host(request)
}

/// Returns the host that a checked request was sent to: the target's authority (HTTP/2, or an absolute target), else
/// the `Host` header (RFC 9112 section 3.2, RFC 9113 section 8.3.1).
pub fn host_of<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(target) => Some(target.as_str()),
        None => request.headers().get(header::HOST)?.to_str().ok(),
    }
}

/// Checks that a request target is ASCII (RFC 9112 section 3.2, RFC 3986 section 2).
pub fn ascii_target(path: &[u8], query: Option<&str>) -> Result<(), Refusal> {
    if path.is_ascii() && query.is_none_or(str::is_ascii) {
        return Ok(());
    }
    Err(Refusal::because(
        Reason::RequestPath,
        "the target has a character beyond ASCII that is not percent-encoded",
    ))
}

/// Checks the method. `TRACE` makes a server echo the request, identity and assertion included; `CONNECT` asks for a
/// tunnel.
pub fn method(method: &Method) -> Result<(), Refusal> {
    let refused = ["TRACE", "TRACK", "CONNECT"];
    if refused.iter().any(|name| method.as_str().eq_ignore_ascii_case(name)) {
        return Err(Refusal::new(Reason::RequestMethod));
    }
    Ok(())
}

/// Returns the methods that method override headers name and that differ from the request's own. One that is no method
/// counts as `None`.
pub fn overriding_methods<'r>(headers: &'r HeaderMap, method: &'r Method) -> impl Iterator<Item = Option<Method>> + 'r {
    let overrides = headers.iter().filter(|(name, _)| is_method_override(name.as_str()));
    let others = overrides.filter(|(_, value)| {
        let named = value.as_bytes().trim_ascii();
        !named.eq_ignore_ascii_case(method.as_str().as_bytes())
    });
    others.map(|(_, value)| Method::from_bytes(&value.as_bytes().trim_ascii().to_ascii_uppercase()).ok())
}

/// Checks that a body is sent by its length or in chunks and in no other coding: any other coding would be forwarded
/// without being decoded (RFC 9112 section 6.1).
fn transfer_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(header::CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    };
    if plain {
        return Ok(());
    }
    Err(Refusal::because(
        Reason::RequestUnforwardable,
        "`Transfer-Encoding` may only be `chunked`, once",
    ))
}

/// Checks that no header is another spelling of one that frames a message. The error says so.
pub fn framing_names(headers: &HeaderMap) -> Result<(), &'static str> {
    let doubtful = headers.keys().any(|name| {
        FRAMING
            .iter()
            .any(|known| spelled_like(name.as_str(), known) && name.as_str() != *known)
    });
    if doubtful {
        return Err("a header is spelled like `Content-Length` or `Transfer-Encoding` and is neither");
    }
    Ok(())
}

/// Checks that a request names exactly one host, and that it is valid. Only HTTP/1.0 may name none.
///
/// SECURITY: of two hosts, or of an invalid one, each program makes its own choice; routes are chosen by the host.
fn host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let named =
        single(request.headers(), &header::HOST).map_err(|DuplicateHeader| bad_host("there are two `Host` headers"))?;
    let named = named
        .map(HeaderValue::to_str)
        .transpose()
        .map_err(|_| bad_host("the `Host` header is not a host"))?;
    if let Some(named) = named {
        parse(named)?;
    }
    match (request.uri().authority(), named) {
        (Some(target), Some(named))
            if request.version() == Version::HTTP_2 && !target.as_str().eq_ignore_ascii_case(named) =>
        {
            Err(bad_host("the `Host` header is not the `:authority`"))
        }
        (Some(_), None) if request.version() == Version::HTTP_11 => Err(bad_host("the `Host` header is missing")),
        (None, None) if request.version() != Version::HTTP_10 => Err(bad_host("the request names no host")),
        (Some(target), _) => parse(target.as_str()).map(|_| ()),
        (None, _) => Ok(()),
    }
}

/// A header that may occur once occurs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateHeader;

/// Returns the value of a header that may occur once.
///
/// SECURITY: of two values one program reads the first and another the last.
pub fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, DuplicateHeader> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(DuplicateHeader),
        (value, None) => Ok(value),
    }
}

fn parse(host: &str) -> Result<RequestHost<'_>, Refusal> {
    RequestHost::parse(host).map_err(|problem| bad_host(problem.to_string()))
}

/// Returns the refusal of a `Host` that HTTP does not allow.
pub fn bad_host(detail: impl Into<String>) -> Refusal {
    Refusal::because(Reason::RequestHost, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    /// Exactly one host, and a valid one.
    #[test]
    fn sec_exactly_one_host() {
        const V1: Version = Version::HTTP_11;
        const V2: Version = Version::HTTP_2;
        for (version, uri, headers, host) in [
            (V1, "/", &[("host", "a.example:80")][..], "a.example:80"),
            (Version::HTTP_10, "/", &[("host", "a")], "a"),
            (V1, "http://b/", &[("host", "a")], "b"),
            (V2, "https://b/", &[], "b"),
            (V2, "https://b/", &[("host", "B")], "B"),
        ] {
            let request = request(version, uri, headers);
            check(&request).unwrap();
            let found = host_of(&request).unwrap();
            assert!(found.eq_ignore_ascii_case(host), "{uri} {headers:?}: {found}");
        }
        for (version, uri, headers) in [
            (V1, "/", &[][..]),
            (Version::HTTP_10, "/", &[]),
            (V2, "/", &[]),
            (V1, "/", &[("host", "")]),
            (V1, "/", &[("host", "a"), ("host", "a")]),
            (V1, "/", &[("host", "a b")]),
            (V1, "/", &[("host", "user@a")]),
            (V1, "http://b/", &[]),
            (V1, "http://b/", &[("host", "a,b")]),
            (V1, "http://user@b/", &[("host", "b")]),
            (V2, "https://b/", &[("host", "a")]),
        ] {
            let request = request(version, uri, headers);
            let refused = check(&request).unwrap_err();
            assert_eq!(refused.reason, Reason::RequestHost, "{version:?} {uri} {headers:?}");
        }
        let old = request(Version::HTTP_10, "/", &[]);
        assert!(check_with_optional_host(&old).is_ok() && check(&old).is_err());
    }

    #[test]
    fn sec_raw_bytes_in_the_target() {
        for uri in ["/caf\u{e9}", "/a?caf\u{e9}"] {
            let refused = check(&request(Version::HTTP_11, uri, &[("host", "a")])).unwrap_err();
            assert_eq!(refused.reason, Reason::RequestPath, "{uri}");
        }
    }

    /// A coding that is not decoded here is not forwarded as if it were.
    #[test]
    fn sec_transfer_codings() {
        let coded = |headers: &[(&str, &str)]| {
            let mut all = vec![("host", "a")];
            all.extend(headers);
            check(&request(Version::HTTP_11, "/", &all))
        };
        assert!(coded(&[("transfer-encoding", "chunked")]).is_ok());
        assert!(coded(&[("transfer-encoding", "Chunked")]).is_ok());
        for headers in [
            &[("transfer-encoding", "gzip, chunked")][..],
            &[("transfer-encoding", "cow"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked, chunked")],
            &[("transfer-encoding", ",chunked")],
            &[("transfer-encoding", "chunked"), ("content-length", "3")],
        ] {
            assert_eq!(
                coded(headers).unwrap_err().reason,
                Reason::RequestUnforwardable,
                "{headers:?}"
            );
        }
        for name in [
            "transfer_encoding",
            "content.length",
            "content~length",
            "http2_settings",
        ] {
            let request = request(Version::HTTP_11, "/", &[("host", "a"), (name, "1")]);
            assert!(framing_names(request.headers()).is_err(), "{name}");
        }
        let plain = request(
            Version::HTTP_11,
            "/",
            &[("content-length", "1"), ("content-type", "a/b")],
        );
        assert!(framing_names(plain.headers()).is_ok());
    }

    #[test]
    fn sec_trace() {
        for name in ["TRACE", "trace", "TRACK", "CONNECT"] {
            let refused = method(&Method::from_bytes(name.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(refused.reason, Reason::RequestMethod, "{name}");
        }
        for name in ["GET", "DELETE", "PROPFIND"] {
            assert!(method(&Method::from_bytes(name.as_bytes()).unwrap()).is_ok(), "{name}");
        }
    }
}
