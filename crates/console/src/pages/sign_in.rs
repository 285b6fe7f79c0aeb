//! `/sign-in`, `/sign-in/link` and `/sign-out`: the pages for browsers without a session, and the way out.

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use axum::routing::get;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::frame::theme;
use narthex_console_frame::problem::{Failed, sentence};
use narthex_console_frame::visit::{Answer, Named, html, see};
use narthex_console_frame::{Console, origin, paths, stylesheet};
use narthex_decision::Reason;
use narthex_directory::{IssuerName, SessionClient};
use narthex_engine::inbound::ClientConnection;
use narthex_engine::is_cross_site;
use narthex_engine::respond::Refusal;
use narthex_ops::sessions::{self, BearerText, RefusedSignIn, SignInCredential};
use narthex_ops::{KeyFault, OpError, SignInAnswer, SignInBegin};
use narthex_session::cookie::{self, Secret};

/// Name of the field with the page to come back to.
pub(crate) const BACK: &str = "back";
/// Name of the field of the query that says why the page is shown.
pub(crate) const STATE: &str = "state";
/// Value of [`STATE`] after a session has ended.
pub(crate) const ENDED: &str = "ended";
/// Value of [`STATE`] after signing out.
const SIGNED_OUT: &str = "signed-out";

pub(crate) fn routes(console: Arc<Console>) -> Router {
    let routes = Router::new()
        .route("/sign-in", get(form).post(sign_in))
        .route("/sign-in/link", get(link).post(use_link))
        .route("/sign-in/at/{issuer}", get(at_issuer))
        .route("/sign-in/callback/{issuer}", get(callback))
        .route("/sign-out", get(async || see("/")).post(sign_out));
    routes.with_state(console)
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    theme: Option<&'static str>,
    stylesheet: &'static str,
    note: Option<&'static str>,
    /// Reason for which no browser can sign in here.
    barred: Option<&'a str>,
    /// Reason for which a sign-in at an issuer was refused.
    refused: Option<&'a str>,
    /// Issuers that browsers can sign in at: name and address.
    issuers: Vec<(String, String)>,
    /// Error of the credential.
    error: Option<&'a str>,
    back: &'a str,
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct LinkPage<'a> {
    theme: Option<&'static str>,
    stylesheet: &'static str,
    barred: Option<&'a str>,
    error: Option<&'a str>,
    code: &'a str,
}

/// A browser that wants to sign in.
struct Browser {
    headers: HeaderMap,
    query: Fields,
    raw_query: String,
    /// Host and port by which it reaches the console.
    host: String,
    connection: ClientConnection,
    /// `true` if it reaches the console by a name of this machine.
    is_local: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            headers: parts.headers.clone(),
            query: Fields::parse(query.as_bytes()),
            raw_query: query.to_owned(),
            host: origin::host(parts).unwrap_or_default().to_owned(),
            connection: parts.extensions.get().copied().unwrap_or_default(),
            is_local: origin::is_local(parts),
        })
    }
}

impl Browser {
    /// Returns the reason for which it cannot sign in over this connection.
    ///
    /// SECURITY: over plain http, every machine in between reads the credential and the cookie, and no browser keeps the
    /// cookie. What is sent to a name of this machine does not leave it.
    const fn barred(&self) -> Option<&'static str> {
        if self.connection.is_encrypted || self.is_local {
            return None;
        }
        Some(
            "This address is not reached over https, so that others could read what you type. Put a reverse proxy with TLS in \
             front of the admin port and list it in listen.trusted_proxies, or open the console by a name of this machine, \
             such as localhost through an SSH tunnel.",
        )
    }

    /// Returns the origin of the console as the browser knows it.
    fn origin(&self) -> String {
        let scheme = if self.connection.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    fn client(&self) -> SessionClient {
        let user_agent = self.headers.get(header::USER_AGENT);
        let address = self.connection.address;
        SessionClient {
            user_agent: user_agent.and_then(|value| value.to_str().ok()).map(str::to_owned),
            address: address.map(|address| address.to_canonical().to_string()),
        }
    }

    async fn sign_in(&self, console: &Console, credential: SignInCredential<'_>) -> Result<Secret, RefusedSignIn> {
        let (before, client) = (cookie::secret(&self.headers, cookie::CONSOLE), self.client());
        let operations = console.operations();
        let signed_in = operations.sign_in(credential, &self.headers, client, before.as_ref());
        signed_in.await
    }
}

/// Shows the form.
async fn form(State(console): State<Arc<Console>>, browser: Browser) -> Answer {
    let back = back(browser.query.text(BACK));
    let page = SignInPage {
        note: match browser.query.text(STATE) {
            ENDED => Some("Your session ended. Sign in again to go on."),
            SIGNED_OUT => Some("You are signed out."),
            _ => None,
        },
        ..page(&console, &browser, back)
    };
    html(StatusCode::OK, &page)
}

fn page<'a>(console: &Console, browser: &Browser, back: &'a str) -> SignInPage<'a> {
    let at = |name: String| {
        let address = paths::with_query(&paths::sign_in_at(&name), &[(BACK, Some(back))]);
        (name, address)
    };
    SignInPage {
        theme: theme(&browser.headers),
        stylesheet: stylesheet::path(),
        note: None,
        barred: browser.barred(),
        refused: None,
        issuers: console.operations().sign_in_issuers().into_iter().map(at).collect(),
        error: None,
        back,
    }
}

/// Leads the browser to an issuer.
///
/// SECURITY: a page of another site does not choose the issuer, so that it cannot have a browser signed in as a user of its
/// choice (login CSRF). It leads to the page on which the browser's user chooses.
async fn at_issuer(State(console): State<Arc<Console>>, browser: Browser, Named(issuer): Named) -> Answer {
    let back = back(browser.query.text(BACK));
    let page = page(&console, &browser, back);
    if page.barred.is_some() {
        return barred(&page);
    }
    if is_cross_site(&browser.headers) {
        let note = Some("Another website has sent you here. Choose how to sign in.");
        return html(StatusCode::OK, &SignInPage { note, ..page });
    }
    let origin = browser.origin();
    let begun = console.operations().begin_sign_in(SignInBegin {
        issuer: &issuer,
        origin: &origin,
        back,
        headers: &browser.headers,
    });
    match begun.await {
        Ok(begun) => {
            let mut response = see(&begun.location);
            append_cookies(&mut response, &begun.cookies);
            Ok(response)
        }
        Err(refused) => show_refused(page, refused.at_issuer(known(&console, &issuer))),
    }
}

/// Adds `Set-Cookie` headers to those of a response.
fn append_cookies(response: &mut Response, cookies: &HeaderMap) {
    for value in cookies.get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, value.clone());
    }
}

/// Takes the answer of an issuer, which the browser brings.
async fn callback(State(console): State<Arc<Console>>, browser: Browser, Named(issuer): Named) -> Answer {
    let page = page(&console, &browser, "/");
    if page.barred.is_some() {
        return barred(&page);
    }
    let origin = browser.origin();
    let completed = console.operations().complete_sign_in(SignInAnswer {
        issuer: &issuer,
        origin: &origin,
        query: &browser.raw_query,
        headers: &browser.headers,
    });
    match Box::pin(completed).await {
        Ok(completed) => {
            let mut response = signed_in(&completed.session, self::back(&completed.back));
            append_cookies(&mut response, &completed.removed);
            Ok(response)
        }
        Err(refused) => show_refused(page, refused.at_issuer(known(&console, &issuer))),
    }
}

/// Returns the name of an issuer that browsers can sign in at; `None` for any other text of an address.
fn known(console: &Console, issuer: &str) -> Option<IssuerName> {
    let names = console.operations().sign_in_issuers();
    let found = names.into_iter().find(|name| name == issuer)?;
    IssuerName::new(found).ok()
}

fn show_refused(page: SignInPage<'_>, refused: RefusedSignIn) -> Answer {
    let words = words(&refused)?;
    let page = SignInPage {
        refused: Some(&words),
        ..page
    };
    Ok(logged(html(StatusCode::FORBIDDEN, &page)?, refused))
}

/// Shows a page to a browser that cannot sign in over its connection.
fn barred(page: &impl Template) -> Answer {
    let refusal = Refusal::logged(
        Reason::SignInRefused,
        "the browser does not reach the console over https",
    );
    Ok(logged(html(StatusCode::FORBIDDEN, page)?, refusal.into()))
}

/// Leaves a refused sign-in for the log, which the port writes.
fn logged(mut response: Response, refused: RefusedSignIn) -> Response {
    response.extensions_mut().insert(refused);
    response
}

/// Returns the page to come back to: the one that is asked for, if it is a page of the console.
///
/// SECURITY: an address that leads to another site lets an attacker send administrators from the console to theirs.
fn back(asked: &str) -> &str {
    // Only the path is taken, so that any origin is as good as the console's own.
    let back = narthex_engine::return_path::of(asked, "https://console.invalid");
    let is_way_in = back.starts_with("/sign-in") || back.starts_with("/sign-out");
    if is_way_in { "/" } else { back }
}

/// Signs the browser in with an API key or a token.
async fn sign_in(State(console): State<Arc<Console>>, browser: Browser, Form(fields): Form) -> Answer {
    let back = back(fields.text(BACK));
    let page = page(&console, &browser, back);
    if page.barred.is_some() {
        return barred(&page);
    }
    let Some(text) = fields.filled("credential") else {
        let error = Some("Type an API key, or paste a token.");
        return html(StatusCode::UNPROCESSABLE_ENTITY, &SignInPage { error, ..page });
    };
    let credential = SignInCredential::Bearer(BearerText(&text));
    match browser.sign_in(&console, credential).await {
        Ok(secret) => Ok(signed_in(&secret, back)),
        Err(refused) => {
            let words = words(&refused)?;
            let page = SignInPage {
                error: Some(&words),
                ..page
            };
            Ok(logged(html(StatusCode::UNPROCESSABLE_ENTITY, &page)?, refused))
        }
    }
}

/// Leads a browser on, with the cookie of its session.
fn signed_in(secret: &Secret, back: &str) -> Response {
    let mut response = see(back);
    let cookie = cookie::set(cookie::CONSOLE, secret, None);
    response
        .headers_mut()
        .extend(cookie.map(|value| (header::SET_COOKIE, value)));
    response
}

/// Says why a credential is refused.
///
/// # Errors
///
/// When nothing could be decided.
fn words(refused: &RefusedSignIn) -> Result<String, Failed> {
    Ok(match &refused.error {
        OpError::Key(fault) => {
            let what = match fault {
                KeyFault::Unknown => "That key is not known here.",
                KeyFault::Revoked => "That key has been revoked.",
                KeyFault::Expired => "That key has expired.",
                KeyFault::MachineKey => "That is a machine key, which opens routes and nothing here.",
            };
            format!("{what} Ask a platform admin for an API key.")
        }
        OpError::Forbidden { needs, .. } => format!("Only {needs} can sign in here."),
        OpError::Refused(refusal) if refusal.reason != Reason::StoreUnavailable => {
            let why = refusal.problem.as_deref().unwrap_or(refusal.reason.advice());
            format!("{} ({})", sentence(why), refusal.reason.code())
        }
        OpError::Secrets(text) => sentence(text),
        error => return Err(error.clone().into()),
    })
}

/// Asks before a link is used: a program that looks at addresses must not use it up.
async fn link(browser: Browser) -> Answer {
    let code = browser.query.text("code");
    html(StatusCode::OK, &link_page(&browser, code))
}

fn link_page<'a>(browser: &Browser, code: &'a str) -> LinkPage<'a> {
    LinkPage {
        theme: theme(&browser.headers),
        stylesheet: stylesheet::path(),
        barred: browser.barred(),
        error: None,
        code,
    }
}

/// Signs the browser in with a link.
async fn use_link(State(console): State<Arc<Console>>, browser: Browser, Form(fields): Form) -> Answer {
    let page = link_page(&browser, "");
    if page.barred.is_some() {
        return barred(&page);
    }
    let refused = match Secret::parse(fields.text("code")) {
        None => OpError::Unknown { what: "sign-in link" }.into(),
        Some(code) => match browser.sign_in(&console, SignInCredential::Link(&code)).await {
            Ok(secret) => return Ok(signed_in(&secret, "/")),
            Err(refused) => refused,
        },
    };
    let words = match &refused.error {
        OpError::Unknown { .. } => "This link was used before, or it is older than 15 minutes.".to_owned(),
        _ => words(&refused)?,
    };
    let page = LinkPage {
        error: Some(&words),
        ..page
    };
    Ok(logged(html(StatusCode::FORBIDDEN, &page)?, refused))
}

/// Ends the session of the browser.
async fn sign_out(State(console): State<Arc<Console>>, headers: HeaderMap) -> Answer {
    if let Some(secret) = cookie::secret(&headers, cookie::CONSOLE) {
        match console.operations().caller_of_session(&secret, &headers).await {
            Ok(Some(caller)) => sessions::sign_out(&caller).await?,
            // SECURITY: a session whose credential does not count now, or cannot be checked, would be good again later.
            Ok(None) | Err(_) => console.operations().sign_out_unknown(&secret).await?,
        }
    }
    let mut response = see(&format!("/sign-in?{STATE}={SIGNED_OUT}"));
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie::console_cleared());
    Ok(response)
}
