//! Interface of the console to the sign-in of browsers.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use narthex_ops::{Caller, OpError, Operations};
use narthex_session::cookie;

use crate::pages::sign_in::{BACK, ENDED, STATE};
use crate::paths;

/// Sign-in of browsers. The console asks it for the caller of each request.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// Returns the caller of this request; `None` if no valid session comes with it.
    ///
    /// # Errors
    ///
    /// When the session cannot be read now.
    async fn caller(&self, request: &Parts) -> Result<Option<Caller>, OpError>;

    /// Returns the address of the page to sign in at, for a request without a valid session. `back` is the path and query of
    /// the page to come back to, always of the console itself.
    fn address(&self, request: &Parts, back: &str) -> String;

    /// Returns the address that a form of the frame posts to in order to sign out; `None` if there is no way to.
    fn sign_out_address(&self) -> Option<&str>;
}

/// Sign-in by the sessions of the directory, each with a cookie.
#[derive(Debug)]
pub struct SessionSignIn {
    operations: Arc<Operations>,
}

impl SessionSignIn {
    /// Sessions that these operations begin and end.
    pub const fn new(operations: Arc<Operations>) -> Self {
        Self { operations }
    }
}

#[async_trait]
impl SignIn for SessionSignIn {
    async fn caller(&self, request: &Parts) -> Result<Option<Caller>, OpError> {
        match cookie::secret(&request.headers, cookie::CONSOLE) {
            Some(secret) => self.operations.caller_of_session(&secret, &request.headers).await,
            None => Ok(None),
        }
    }

    fn address(&self, request: &Parts, back: &str) -> String {
        let has_session = cookie::secret(&request.headers, cookie::CONSOLE).is_some();
        let fields = [
            (BACK, (back != "/").then_some(back)),
            (STATE, has_session.then_some(ENDED)),
        ];
        paths::with_query("/sign-in", &fields)
    }

    fn sign_out_address(&self) -> Option<&str> {
        Some("/sign-out")
    }
}
