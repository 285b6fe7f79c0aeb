//! Interface of the console to the sign-in of browsers.

use async_trait::async_trait;
use http::request::Parts;
use narthex_ops::{Caller, OpError};

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
