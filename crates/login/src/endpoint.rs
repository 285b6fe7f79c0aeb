//! Choice of the endpoint for a request.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_engine::inbound::Inbound;
use narthex_engine::respond::Refusal;
use narthex_engine::{Engine, Runtime};

use crate::{backchannel, callback, embedded_login, logout, sign_in};

/// Largest body of a request, in bytes: a logout token of 16 KiB, encoded.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// An endpoint of sign-in or sign-out, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint<'p> {
    /// `/.narthex/sign-in`: the beginning.
    SignIn,
    /// `/.narthex/callback/{issuer}`: the browser comes back from the issuer.
    Callback(&'p str),
    /// `/.narthex/logout`: the user signs out.
    Logout,
    /// `/.narthex/login`: the login of a frame.
    Login,
    /// `/.narthex/backchannel-logout/{issuer}`: the issuer says that a session has ended.
    BackchannelLogout(&'p str),
}

impl<'p> Endpoint<'p> {
    /// Returns the endpoint with this path, if there is one.
    pub fn of(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/.narthex/")?;
        let issuer = |prefix: &str| {
            let name = rest.strip_prefix(prefix)?;
            (!name.is_empty() && !name.contains('/')).then_some(name)
        };
        match rest {
            "sign-in" => Some(Self::SignIn),
            "login" => Some(Self::Login),
            "logout" => Some(Self::Logout),
            _ => issuer("callback/")
                .map(Self::Callback)
                .or_else(|| issuer("backchannel-logout/").map(Self::BackchannelLogout)),
        }
    }

    /// Tests whether its requests have a body.
    pub fn has_body(self, method: &Method) -> bool {
        *method == Method::POST && matches!(self, Self::Login | Self::Logout | Self::BackchannelLogout(_))
    }
}

/// Answers a request to an endpoint. `body` is its body, if it [has one](Endpoint::has_body).
///
/// # Errors
///
/// The refusal, which the door turns into an answer.
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    endpoint: Endpoint<'_>,
    (inbound, body): (&Inbound<'_>, &[u8]),
) -> Result<Response<Full<Bytes>>, Refusal> {
    match (endpoint, inbound.method) {
        (Endpoint::SignIn, &Method::GET | &Method::HEAD) => sign_in::answer(engine, runtime, inbound).await,
        (Endpoint::Callback(issuer), &Method::GET) => {
            Box::pin(callback::answer(engine, runtime, issuer, inbound)).await
        }
        (Endpoint::Login, &Method::GET) => Box::pin(embedded_login::get(engine, runtime, inbound)).await,
        (Endpoint::Login, &Method::POST) => Box::pin(embedded_login::post(engine, runtime, inbound, body)).await,
        (Endpoint::Logout, &Method::GET | &Method::HEAD) => Ok(logout::question(runtime, inbound)),
        (Endpoint::Logout, &Method::POST) => Box::pin(logout::answer(engine, runtime, inbound, body)).await,
        (Endpoint::BackchannelLogout(issuer), &Method::POST) => {
            Box::pin(backchannel::answer(engine, runtime, issuer, body)).await
        }
        _ => Err(Refusal::new(Reason::RequestMethod)),
    }
}

/// Creates a redirect that is not cached.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Result<Response<Full<Bytes>>, Refusal> {
    let broken = |_| Refusal::logged(Reason::SignInRefused, "the address of a redirect is not a header value");
    let response = Response::builder()
        .status(status)
        .header(http::header::LOCATION, location)
        .header(http::header::CACHE_CONTROL, "no-store")
        .header(http::header::VARY, "Accept, Cookie, Authorization")
        .header(http::header::REFERRER_POLICY, "no-referrer");
    response.body(Full::default()).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_endpoint() {
        for (path, endpoint) in [
            ("/.narthex/sign-in", Some(Endpoint::SignIn)),
            ("/.narthex/callback/corp", Some(Endpoint::Callback("corp"))),
            ("/.narthex/logout", Some(Endpoint::Logout)),
            (
                "/.narthex/backchannel-logout/corp",
                Some(Endpoint::BackchannelLogout("corp")),
            ),
            ("/.narthex/login", Some(Endpoint::Login)),
            ("/.narthex/login/a", None),
            ("/.narthex/callback/", None),
            ("/.narthex/callback/a/b", None),
            ("/.narthex/sign-in/", None),
            ("/.narthex/me", None),
            ("/sign-in", None),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }
}
