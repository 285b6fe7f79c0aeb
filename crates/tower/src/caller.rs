//! Verified caller of a request.

use std::sync::Arc;

use narthex_token::VerifiedClaims;
use serde_json::{Map, Value};

/// Verified caller of a request, among its extensions. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Caller(Arc<VerifiedClaims>);

impl Caller {
    pub(crate) fn new(verified: VerifiedClaims) -> Self {
        Self(Arc::new(verified))
    }

    /// Returns everything that was verified.
    pub fn verified(&self) -> &VerifiedClaims {
        &self.0
    }

    /// Returns the claims.
    pub fn claims(&self) -> &Map<String, Value> {
        self.0.claims()
    }

    /// Returns `sub`: in an assertion, the user's id in the directory of Narthex.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Returns the username of an assertion.
    pub fn username(&self) -> Option<&str> {
        self.text("username")
    }

    /// Returns the e-mail address.
    pub fn email(&self) -> Option<&str> {
        self.text("email")
    }

    /// Returns the organization of an assertion: the one that the request is about, if the user is a member.
    pub fn organization(&self) -> Option<&str> {
        self.text("organization")
    }

    /// Returns the role in that organization: `admin`, `member` or `executor`.
    pub fn organization_role(&self) -> Option<&str> {
        self.text("organization_role")
    }

    /// Returns the role on the platform: `admin`, `viewer` or `user`.
    pub fn platform_role(&self) -> Option<&str> {
        self.text("platform_role")
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims().get(claim).and_then(Value::as_str)
    }
}
