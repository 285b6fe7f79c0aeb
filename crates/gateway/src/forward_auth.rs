//! The forward-auth door: another proxy asks whether a request may pass.
//!
//! Each proxy has its own path, because each describes the original request in its own headers and understands its own
//! statuses. Only addresses of `listen.trusted_proxies` get an answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::{AnswerHeaders, OwnedHeaders, Reason};

use narthex_engine::ProofUse;
use narthex_engine::http_rules::{self, DuplicateHeader, single};
use narthex_engine::inbound::{Door, Inbound, Sender};
use narthex_engine::passed::Passed;
use narthex_engine::respond::{self, Format, Refusal};

/// Header in which nginx finds the address that a browser is sent to.
const LOCATION: HeaderName = HeaderName::from_static("x-narthex-location");

/// Headers in which one proxy describes the original request.
#[derive(Debug, Clone)]
struct Profile {
    method: HeaderName,
    uri: HeaderName,
    host: HeaderName,
}

const fn profile(door: Door) -> Profile {
    match door {
        Door::Nginx => Profile {
            method: HeaderName::from_static("x-original-method"),
            uri: HeaderName::from_static("x-original-uri"),
            host: header::HOST,
        },
        _ => Profile {
            method: HeaderName::from_static("x-forwarded-method"),
            uri: HeaderName::from_static("x-forwarded-uri"),
            host: HeaderName::from_static("x-forwarded-host"),
        },
    }
}

/// Question of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Door at which it is asked.
    pub(crate) door: Door,
    /// Answer that the proxy wants.
    pub(crate) wanted: Wanted,
}

/// Answer that a proxy wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The decision, in the statuses that the proxy understands.
    Decision,
    /// The refusal as the client gets it. nginx discards the body of a decision, and asks for it again.
    Refusal,
}

/// Returns the question that a path under `/.narthex/auth/` names.
pub(crate) fn question(path: &str) -> Option<Question> {
    let (door, wanted) = match path.strip_prefix("/.narthex/auth/")? {
        "nginx" => (Door::Nginx, Wanted::Decision),
        "nginx/refusal" => (Door::Nginx, Wanted::Refusal),
        "traefik" => (Door::Traefik, Wanted::Decision),
        "caddy" => (Door::Caddy, Wanted::Decision),
        "haproxy" => (Door::Haproxy, Wanted::Decision),
        _ => return None,
    };
    Some(Question { door, wanted })
}

/// Returns the refusal for a client whose proxy asks for one, although the request may pass now.
///
/// SECURITY: an answer that lets a request pass has the identity in it, and would go to the client.
pub(crate) fn changed_meanwhile() -> Refusal {
    Refusal {
        remedy: Some("send the request again".to_owned()),
        ..Refusal::because(
            Reason::StoreUnavailable,
            "the decision about the request changed while it was answered",
        )
    }
}

/// The original request, as its proxy describes it.
#[derive(Debug)]
pub(crate) struct Original<'r> {
    method: Method,
    path: &'r [u8],
    query: Option<&'r str>,
    host: &'r str,
    proof: ProofUse,
}

impl<'r> Original<'r> {
    /// Parses the headers of one proxy, and only those.
    ///
    /// # Errors
    ///
    /// `request.path` and `request.host` if the description is missing, doubled or unreadable.
    pub(crate) fn read(headers: &'r HeaderMap, door: Door) -> Result<Self, Refusal> {
        let profile = profile(door);
        let unreadable = |name: &HeaderName, what: &str| Refusal {
            remedy: Some("ask the administrator to correct the proxy's configuration".to_owned()),
            ..Refusal::because(Reason::RequestPath, format!("the proxy's header `{name}` {what}"))
        };
        let uri = single(headers, &profile.uri).map_err(|DuplicateHeader| unreadable(&profile.uri, "is doubled"))?;
        let uri = uri.ok_or_else(|| unreadable(&profile.uri, "is missing"))?.as_bytes();
        let method =
            single(headers, &profile.method).map_err(|DuplicateHeader| unreadable(&profile.method, "is doubled"))?;
        let method = method.ok_or_else(|| unreadable(&profile.method, "is missing"))?;
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| unreadable(&profile.method, "is not a method"))?;
        let bad_host = |what: &str| http_rules::bad_host(format!("the proxy's header `{}` {what}", profile.host));
        let host = single(headers, &profile.host).map_err(|DuplicateHeader| bad_host("is doubled"))?;
        // SECURITY: a request whose host is missing or unreadable would bypass the routes for hosts.
        let host = host.ok_or_else(|| bad_host("is missing"))?;
        let host = host.to_str().map_err(|_| bad_host("is not a host"))?;
        let mut parts = uri.splitn(2, |byte| *byte == b'?');
        let path = parts.next().unwrap_or_default();
        let query = parts
            .next()
            .map(std::str::from_utf8)
            .transpose()
            .map_err(|_| unreadable(&profile.uri, "is not UTF-8"))?;
        http_rules::ascii_target(path, query)?;
        Ok(Self {
            method,
            path,
            query,
            host,
            proof: ProofUse::default(),
        })
    }

    /// Returns the original request, to be decided.
    pub(crate) fn inbound<'i>(&'i self, (headers, sender): (&'i HeaderMap, Sender<'i>), door: Door) -> Inbound<'i> {
        Inbound {
            method: &self.method,
            path: self.path,
            query: self.query,
            host: Some(self.host),
            headers,
            door,
            route: None,
            sender: Some(sender),
            proof: Some(&self.proof),
        }
    }
}

/// Refuses a request with another spelling of a header that some route sets or reads.
///
/// SECURITY: these doors cannot remove a header, and a server behind one may take the spelling for the header itself.
pub(crate) fn refuse_other_spellings(headers: &HeaderMap, owned: &OwnedHeaders) -> Result<(), Refusal> {
    let Some(name) = owned.other_spelling(headers) else {
        return Ok(());
    };
    let problem = "a header is another spelling of one that this service sets or reads";
    Err(Refusal {
        detail: Some(format!(
            "`{name}` is another spelling of a header that a route sets or reads"
        )),
        ..Refusal::because(Reason::RequestUnforwardable, problem)
    })
}

/// Builds the answer to a request that may pass: 200 and every identity header.
///
/// With sign-in, the answer has the request's `Cookie` without those of sessions, for the proxy to send on in its place.
pub(crate) fn allow(passed: Passed, headers: &AnswerHeaders, cookie: Option<HeaderValue>) -> Response<Full<Bytes>> {
    let request_id = HeaderValue::try_from(passed.request_id).ok();
    let mut response = Response::new(Full::default());
    *response.headers_mut() = headers.filled(&passed.answer.allowed().patch, request_id);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::COOKIE, cookie);
    }
    response
}

/// Builds the answer to a request that may not pass, in the statuses that its proxy understands.
pub(crate) fn refuse(
    refusal: &Refusal,
    (request_id, format): (&str, Format),
    Question { door, wanted }: Question,
) -> Response<Full<Bytes>> {
    let mut response = respond::refuse(refusal, request_id, format);
    if wanted == Wanted::Refusal {
        return response;
    }
    let status = response.status();
    response
        .headers_mut()
        .insert("x-narthex-status", HeaderValue::from(status.as_u16()));
    response
        .headers_mut()
        .insert("x-narthex-decision", HeaderValue::from_static("deny"));
    // nginx knows 2xx, 401 and 403; it turns any other status into 500 and hides the reason.
    if door != Door::Nginx {
        return response;
    }
    // A redirect is 401 too, with the address in a header that the configuration of nginx reads.
    let location = response.headers_mut().remove(header::LOCATION);
    if location.is_some() {
        response
            .headers_mut()
            .insert("x-narthex-status", HeaderValue::from_static("401"));
    }
    *response.status_mut() = match location {
        Some(_) => StatusCode::UNAUTHORIZED,
        None if status == StatusCode::UNAUTHORIZED => status,
        None => StatusCode::FORBIDDEN,
    };
    response
        .headers_mut()
        .extend(location.map(|location| (LOCATION, location)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn each_proxy_is_read_by_its_own_headers_only() {
        let both = headers(&[
            ("x-original-method", "POST"),
            ("x-original-uri", "/nginx?a=1"),
            ("host", "nginx.example"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-uri", "/forwarded"),
            ("x-forwarded-host", "forwarded.example"),
        ]);
        let nginx = Original::read(&both, Door::Nginx).unwrap();
        assert_eq!(
            (nginx.method, nginx.path, nginx.query, nginx.host),
            (Method::POST, &b"/nginx"[..], Some("a=1"), "nginx.example")
        );
        for door in [Door::Traefik, Door::Caddy, Door::Haproxy] {
            let other = Original::read(&both, door).unwrap();
            assert_eq!(
                (other.method, other.path, other.query, other.host),
                (Method::GET, &b"/forwarded"[..], None, "forwarded.example")
            );
        }
        assert!(Original::read(&headers(&[("x-forwarded-uri", "/a")]), Door::Nginx).is_err());
    }

    /// To choose one of two values is a guess; so neither counts.
    #[test]
    fn sec_multi_value() {
        for name in ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-host"] {
            let mut doubled = headers(&[
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/a"),
                ("x-forwarded-host", "h"),
            ]);
            doubled.append(name, HeaderValue::from_static("/b"));
            let reason = if name.ends_with("host") {
                Reason::RequestHost
            } else {
                Reason::RequestPath
            };
            assert_eq!(
                Original::read(&doubled, Door::Caddy).unwrap_err().reason,
                reason,
                "{name}"
            );
        }
    }

    /// A host that is missing or unreadable would match the routes of every host.
    #[test]
    fn sec_a_host_that_is_no_text() {
        let mut request = headers(&[("x-original-method", "GET"), ("x-original-uri", "/a")]);
        assert_eq!(
            Original::read(&request, Door::Nginx).unwrap_err().reason,
            Reason::RequestHost
        );
        request.insert(header::HOST, HeaderValue::from_bytes(b"admin.ex\xe4mple").unwrap());
        assert_eq!(
            Original::read(&request, Door::Nginx).unwrap_err().reason,
            Reason::RequestHost
        );
    }

    #[test]
    fn sec_raw_bytes_in_the_original_target() {
        for uri in [&b"/caf\xc3\xa9"[..], b"/a?caf\xc3\xa9"] {
            let mut request = headers(&[("x-original-method", "GET"), ("host", "a")]);
            request.insert("x-original-uri", HeaderValue::from_bytes(uri).unwrap());
            assert_eq!(
                Original::read(&request, Door::Nginx).unwrap_err().reason,
                Reason::RequestPath
            );
        }
    }

    #[test]
    fn nginx_gets_statuses_it_understands_and_the_true_one_beside_them() {
        for (reason, true_status, nginx) in [
            (Reason::TokenExpired, 401, 401),
            (Reason::OrganizationRole, 403, 403),
            (Reason::KeysUnavailable, 503, 403),
            (Reason::RouteUnmatched, 404, 403),
            (Reason::RequestPath, 400, 403),
        ] {
            let asked = |path: &str| question(path).unwrap();
            let refusal = Refusal::new(reason);
            let response = refuse(&refusal, ("r", Format::Problem), asked("/.narthex/auth/nginx"));
            assert_eq!(response.status().as_u16(), nginx, "{reason}");
            assert_eq!(
                response.headers().get("x-narthex-status").unwrap(),
                &true_status.to_string()
            );
            for path in ["/.narthex/auth/traefik", "/.narthex/auth/nginx/refusal"] {
                let response = refuse(&refusal, ("r", Format::Problem), asked(path));
                assert_eq!(response.status().as_u16(), true_status, "{path}");
            }
        }
    }
}
