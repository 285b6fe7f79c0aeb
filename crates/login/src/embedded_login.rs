//! Embedded login: a portal signs its user in to an application in a frame, with a token or with a code that stands for one.

use askama::Template;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_directory::{Actor, By, SessionEnd, SessionSelection};
use narthex_engine::inbound::Inbound;
use narthex_engine::respond::{NOSNIFF, PAGE_STYLE, Refusal, framed_page};
use narthex_engine::session::{self, EmbeddedLogin};
use narthex_engine::sign_in::{LOGIN_PATH, encoded};
use narthex_engine::{Embedding, Engine, IssuerRuntime, Runtime, WebOrigin, check_origin, return_path, secure_origin};
use narthex_session::cookie::{self, Secret};
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::endpoint::redirect;
use crate::form;
use crate::one_time_code::{self, CODE_SECONDS, CodeContent};

/// Upper limit of the body that a session keeps for templates, in bytes.
const BODY_KEPT_BYTES_MAX: usize = 8 * 1024;
/// Fields of a login that are no part of the `body` of templates.
const OWN_FIELDS: [&str; 4] = ["token", "code", "issuer", "return"];
/// Destinations of requests whose page a frame shows (Fetch Metadata section 2.1).
const FRAMES: [&str; 4] = ["iframe", "frame", "embed", "object"];
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// An issuer, and its embedded login.
type Embedded<'r> = (&'r IssuerRuntime, &'r Embedding);

/// Page with a sentence, and one way to go on.
#[derive(Template)]
#[template(path = "embedded_login.html")]
struct Page<'a> {
    title: &'a str,
    sentence: &'a str,
    /// Form that goes on with a code.
    form: Option<CodeForm<'a>>,
    /// Address of a page outside of the frame that goes on.
    new_tab: Option<&'a str>,
    style: &'static str,
}

struct CodeForm<'a> {
    issuer: &'a str,
    code: &'a str,
    back: &'a str,
}

/// Answers a POST: a program that sends JSON gets a code, a form begins a session.
pub(crate) async fn post(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Refusal> {
    let origin = secure(inbound)?.to_string();
    if is_json(inbound) {
        return give_code(engine, runtime, &origin, body).await;
    }
    let asked = form::one(body, "return");
    let back = return_path::of(asked.as_deref().unwrap_or("/"), &origin);
    if let Some(code) = form::one(body, "code") {
        let embedded = named(runtime, form::one(body, "issuer").as_deref())?;
        from_parent(inbound, embedded)?;
        return by_code(engine, runtime, inbound, embedded, (&code, back)).await;
    }
    let token = Zeroizing::new(form::one(body, "token").ok_or_else(no_token)?.into_owned());
    let (issuer, embedding) = session::embedding_of(runtime, &token)?;
    let embedded = (&**issuer, embedding);
    // SECURITY: before anything is written. A page that is not listed must not sign a browser in, not even as its own user.
    from_parent(inbound, embedded)?;
    let body = kept(fields_of(body)).map_err(|refusal| refusal.framed_by(embedding))?;
    let login = EmbeddedLogin { token, body };
    begin(engine, runtime, inbound, embedded, (login, back)).await
}

/// Answers a GET: the address of a frame has a code, and the next one tests for the cookie.
pub(crate) async fn get(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let own = secure(inbound)?;
    let origin = own.to_string();
    let query = inbound.query.unwrap_or_default().as_bytes();
    let embedded = named(runtime, form::one(query, "issuer").as_deref())?;
    let asked = form::one(query, "return");
    let back = return_path::of(asked.as_deref().unwrap_or("/"), &origin);
    if let Some(code) = form::one(query, "check") {
        return check(engine, runtime, inbound, embedded, (&code, back)).await;
    }
    let code = form::one(query, "code").ok_or_else(|| used(embedded))?;
    match parent(inbound, (&own, embedded.1)) {
        Parent::Listed => by_code(engine, runtime, inbound, embedded, (&code, back)).await,
        Parent::Unlisted(parent) => Err(unlisted(embedded, Some(&parent))),
        // SECURITY: an attacker's code in an address must not sign a browser in as the attacker without its user's doing.
        Parent::Unknown => Ok(question(embedded, &code, back)),
    }
}

/// Gives a code for a token.
async fn give_code(
    engine: &Engine,
    runtime: &Runtime,
    origin: &str,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Refusal> {
    let problem = "the body is not a JSON object";
    let fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Refusal::because(Reason::SignInRefused, problem))?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let token = Zeroizing::new(text("token").ok_or_else(no_token)?.to_owned());
    let back = return_path::of(text("return").unwrap_or("/"), origin).to_owned();
    let issuer = Box::pin(session::verify_for_code(engine, runtime, &token)).await?;
    let login = EmbeddedLogin {
        token,
        body: kept(fields)?,
    };
    let content = CodeContent { login, replaces: None };
    let code = one_time_code::put(engine, runtime, &issuer.name, &content).await?;
    let answer = json!({
        "code": code.as_str(),
        "location": address(&issuer, ("code", code.as_str()), &back),
        "expires_in": CODE_SECONDS,
    });
    let mut response = Response::new(Full::from(answer.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    Ok(response)
}

/// Begins a session with the token that a code stands for.
async fn by_code(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    embedded: Embedded<'_>,
    (code, back): (&str, &str),
) -> Result<Response<Full<Bytes>>, Refusal> {
    let code = Secret::parse(code).ok_or_else(|| used(embedded))?;
    let taken = one_time_code::take(engine, runtime, &embedded.0.name, &code).await?;
    let CodeContent { login, replaces } = taken.ok_or_else(|| used(embedded))?;
    let response = begin(engine, runtime, inbound, embedded, (login, back)).await?;
    if let Some(id) = replaces {
        let by = By {
            actor: Actor::System,
            at_ms: engine.clock.now_ms(),
        };
        let one = SessionSelection::Session(id);
        let ended = engine.directory.end_sessions(one, SessionEnd::Replaced, by).await;
        ended.map_err(|error| session::unavailable(engine, error))?;
    }
    Ok(response)
}

/// Begins a session, and sends the browser to the address that tests for its cookie.
async fn begin(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (issuer, embedding): Embedded<'_>,
    (login, back): (EmbeddedLogin, &str),
) -> Result<Response<Full<Bytes>>, Refusal> {
    let begun = Box::pin(session::begin_embedded(engine, runtime, inbound, &login)).await;
    let begun = begun.map_err(|refusal| refusal.framed_by(embedding))?;
    let content = CodeContent {
        login,
        replaces: Some(begun.id),
    };
    // The code is for a browser that drops the cookie. Without one, that browser has to begin at its portal again.
    let code = one_time_code::put(engine, runtime, &issuer.name, &content).await.ok();
    let check = ("check", code.as_ref().map_or("", Secret::as_str));
    let mut response = redirect(StatusCode::SEE_OTHER, &address(issuer, check, back))?;
    let headers = response.headers_mut();
    if let Some(value) = cookie::set_partitioned(&embedding.cookie, &begun.secret) {
        headers.append(header::SET_COOKIE, value);
    }
    embedding.restrict(headers);
    Ok(response)
}

/// Sends a browser that kept the cookie to the application, and shows any other one a way to go on.
async fn check(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    embedded: Embedded<'_>,
    (code, back): (&str, &str),
) -> Result<Response<Full<Bytes>>, Refusal> {
    let (issuer, embedding) = embedded;
    if cookie::secret(inbound.headers, &embedding.cookie).is_some() {
        if let Some(code) = Secret::parse(code) {
            one_time_code::take(engine, runtime, &issuer.name, &code).await?;
        }
        let mut response = redirect(StatusCode::SEE_OTHER, back)?;
        embedding.restrict(response.headers_mut());
        return Ok(response);
    }
    let new_tab = Secret::parse(code).map(|code| address(issuer, ("code", code.as_str()), back));
    Ok(page(
        embedding,
        &Page {
            title: "Your browser does not keep you signed in here",
            sentence: "It blocks the cookie of this application inside of another site. Open the application in a new tab \
                       within a minute, or allow cookies for it and open this page again.",
            form: None,
            new_tab: new_tab.as_deref(),
            style: PAGE_STYLE,
        },
    ))
}

/// Asks whether to go on with a code.
fn question((issuer, embedding): Embedded<'_>, code: &str, back: &str) -> Response<Full<Bytes>> {
    let parents: Vec<String> = embedding.frame_ancestors.iter().map(WebOrigin::to_string).collect();
    let sentence = format!("Continue if you have come here from {}.", parents.join(" or "));
    page(
        embedding,
        &Page {
            title: "One click to continue",
            sentence: &sentence,
            form: Some(CodeForm {
                issuer: issuer.name.as_str(),
                code,
                back,
            }),
            new_tab: None,
            style: PAGE_STYLE,
        },
    )
}

fn page(embedding: &Embedding, page: &Page<'_>) -> Response<Full<Bytes>> {
    framed_page(page.render().unwrap_or_default(), embedding)
}

/// Page that a request comes from, as far as a login needs to know it.
#[derive(Debug, PartialEq, Eq)]
enum Parent {
    /// It embeds the frame, and may.
    Listed,
    /// It embeds the frame, and may not.
    Unlisted(WebOrigin),
    /// The request does not say, or is of no frame.
    Unknown,
}

fn parent(inbound: &Inbound<'_>, (own, embedding): (&WebOrigin, &Embedding)) -> Parent {
    let destination = single(inbound, &SEC_FETCH_DEST).unwrap_or_default();
    if !FRAMES.contains(&destination) {
        return Parent::Unknown;
    }
    let referer = single(inbound, &header::REFERER).and_then(|referer| Url::parse(referer).ok());
    let origin = referer.and_then(|referer| WebOrigin::parse(&referer.origin().ascii_serialization()));
    match origin {
        None => Parent::Unknown,
        Some(origin) if origin == *own || embedding.frame_ancestors.contains(&origin) => Parent::Listed,
        Some(origin) => Parent::Unlisted(origin),
    }
}

/// Refuses a POST that is neither of a parent nor of the application's own pages.
fn from_parent(inbound: &Inbound<'_>, embedded: Embedded<'_>) -> Result<(), Refusal> {
    check_origin(inbound, &embedded.1.frame_ancestors).map_err(|_| {
        let origin = single(inbound, &header::ORIGIN).and_then(WebOrigin::parse);
        unlisted(embedded, origin.as_ref())
    })
}

fn unlisted((issuer, embedding): Embedded<'_>, parent: Option<&WebOrigin>) -> Refusal {
    let parent = parent.map_or_else(|| "without an origin".to_owned(), WebOrigin::to_string);
    let detail = format!(
        "the parent {parent} is not in `frame_ancestors` of the issuer `{}`; add its origin there if it may embed the application",
        issuer.name
    );
    let refusal = Refusal::logged(Reason::RequestOrigin, detail);
    refusal.of_issuer(&issuer.name).framed_by(embedding)
}

fn used((issuer, embedding): Embedded<'_>) -> Refusal {
    let refusal = Refusal {
        remedy: Some("go back to the page that embeds this application and open it again".to_owned()),
        ..Refusal::because(
            Reason::SignInRefused,
            "this sign-in link was used already, or is older than a minute",
        )
    };
    refusal.of_issuer(&issuer.name).framed_by(embedding)
}

fn no_token() -> Refusal {
    Refusal {
        remedy: Some("send it in the field `token`, once".to_owned()),
        ..Refusal::because(Reason::SignInRefused, "the request has no token")
    }
}

/// Returns an issuer with an embedded login, by its configured name.
fn named<'r>(runtime: &'r Runtime, name: Option<&str>) -> Result<Embedded<'r>, Refusal> {
    let found = name.and_then(|name| runtime.embedding_at(name));
    let found = found.map(|(issuer, embedding)| (&**issuer, embedding));
    found.ok_or_else(|| Refusal {
        remedy: Some("check the address".to_owned()),
        detail: Some("no enabled issuer with the name in `issuer` has `frame_ancestors`".to_owned()),
        ..Refusal::because(Reason::SignInRefused, "there is no embedded login at this address")
    })
}

/// Returns the origin that the request was sent to, if browsers keep the cookies of sessions there.
///
/// SECURITY: a session over plain http is readable by every machine in between.
fn secure(inbound: &Inbound<'_>) -> Result<WebOrigin, Refusal> {
    secure_origin(inbound).ok_or_else(|| Refusal {
        remedy: Some("open the application by https".to_owned()),
        detail: Some(
            "the request came by plain http; if a proxy terminates TLS, list it in `listen.trusted_proxies` and have it send \
             `X-Forwarded-Proto`"
                .to_owned(),
        ),
        ..Refusal::because(Reason::SignInRefused, "sessions need https")
    })
}

/// Returns the address of this endpoint with a code; it is on the origin of the request.
fn address(issuer: &IssuerRuntime, (name, code): (&str, &str), back: &str) -> String {
    let issuer = encoded(issuer.name.as_str());
    format!("{LOGIN_PATH}?issuer={issuer}&{name}={code}&return={}", encoded(back))
}

/// Returns the fields of a form by name. Of several with one name the first counts.
fn fields_of(form: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(form) {
        fields
            .entry(name.into_owned())
            .or_insert_with(|| Value::String(value.into_owned()));
    }
    fields
}

/// Returns the `body` of templates: the fields of a login but its own ones.
///
/// SECURITY: never with the token, which templates could write into the directory.
fn kept(mut fields: Map<String, Value>) -> Result<Option<Value>, Refusal> {
    fields.retain(|name, _| !OWN_FIELDS.contains(&name.as_str()));
    if fields.is_empty() {
        return Ok(None);
    }
    let body = Value::Object(fields);
    if body.to_string().len() > BODY_KEPT_BYTES_MAX {
        return Err(Refusal {
            remedy: Some("send at most 8 KiB beside the token".to_owned()),
            ..Refusal::because(Reason::RequestTooLarge, "the fields of the login are too large")
        });
    }
    Ok(Some(body))
}

fn is_json(inbound: &Inbound<'_>) -> bool {
    let kind = single(inbound, &header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Returns the one value of a header; `None` also for several.
fn single<'r>(inbound: &Inbound<'r>, name: &HeaderName) -> Option<&'r str> {
    let mut values = inbound.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use narthex_directory::IssuerName;
    use narthex_engine::inbound::Door;

    use super::*;

    #[test]
    fn sec_the_body_of_templates_has_no_token() {
        let form = b"token=a.b.c&return=/a&code=x&issuer=corp&seat=12&seat=13&name=A+B";
        assert_eq!(
            kept(fields_of(form)).unwrap(),
            Some(json!({ "seat": "12", "name": "A B" }))
        );
        assert_eq!(kept(fields_of(b"token=a.b.c")).unwrap(), None);
        let large = format!("a={}", "b".repeat(BODY_KEPT_BYTES_MAX));
        assert_eq!(
            kept(fields_of(large.as_bytes())).unwrap_err().reason,
            Reason::RequestTooLarge
        );
    }

    #[test]
    fn sec_only_a_frame_of_a_listed_page_needs_no_click() {
        let own = WebOrigin::parse("https://app.example").unwrap();
        let listed = vec![WebOrigin::parse("https://portal.example").unwrap()];
        let embedding = Embedding::new(&IssuerName::new("corp").unwrap(), listed).unwrap();
        let evil = WebOrigin::parse("https://evil.example").unwrap();
        for (destination, referer, expected) in [
            ("iframe", "https://portal.example/", Parent::Listed),
            ("iframe", "https://app.example/a", Parent::Listed),
            ("iframe", "https://evil.example/", Parent::Unlisted(evil)),
            ("iframe", "", Parent::Unknown),
            ("document", "https://portal.example/", Parent::Unknown),
            ("", "https://portal.example/", Parent::Unknown),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SEC_FETCH_DEST, destination), (header::REFERER, referer)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let inbound = Inbound {
                method: &Method::GET,
                path: LOGIN_PATH.as_bytes(),
                query: None,
                host: Some("app.example"),
                headers: &headers,
                door: Door::SignIn,
                route: None,
                sender: None,
                proof: None,
            };
            assert_eq!(
                parent(&inbound, (&own, &embedding)),
                expected,
                "{destination} {referer}"
            );
        }
    }
}
