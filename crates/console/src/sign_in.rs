//! Sign-in of browsers by the sessions of the directory.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use narthex_console_frame::{SignIn, paths};
use narthex_ops::{Caller, OpError, Operations};
use narthex_session::cookie;

use crate::pages::sign_in::{BACK, ENDED, STATE};

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
