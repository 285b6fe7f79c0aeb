//! Refused sign-ins, for the log.

use narthex_clock::NoEntropy;
use narthex_decision::Reason;
use narthex_directory::{IssuerName, StoreError, UserId};
use narthex_engine::respond::Refusal;

use crate::caller::Caller;
use crate::error::OpError;

/// Refused sign-in to the console. It travels in the extensions of the response that the browser gets, to the port that
/// writes the log. It holds no credential, no code and no text of the browser's.
#[derive(Debug, Clone)]
pub struct RefusedSignIn {
    /// The refusal.
    pub error: OpError,
    /// User who was found, where the refusal does not say.
    pub user: Option<UserId>,
    /// Issuer of the credential, where the refusal does not say.
    pub issuer: Option<IssuerName>,
}

impl RefusedSignIn {
    /// Refuses a caller for whom the console has no page.
    pub(super) fn no_page(caller: Option<&Caller>) -> Self {
        Self {
            error: OpError::Forbidden {
                reason: Reason::PlatformRole,
                needs: "platform admins and viewers, and the admins of organizations",
                organization: None,
            },
            user: caller.and_then(Caller::user).map(|user| user.id),
            issuer: caller.and_then(Caller::issuer).cloned(),
        }
    }

    /// Adds the issuer at which the browser signs in, by its configured name.
    #[must_use]
    pub fn at_issuer(self, issuer: Option<IssuerName>) -> Self {
        Self {
            issuer: self.issuer.or(issuer),
            ..self
        }
    }
}

impl From<OpError> for RefusedSignIn {
    fn from(error: OpError) -> Self {
        Self {
            error,
            user: None,
            issuer: None,
        }
    }
}

impl From<Refusal> for RefusedSignIn {
    fn from(refusal: Refusal) -> Self {
        OpError::from(refusal).into()
    }
}

impl From<StoreError> for RefusedSignIn {
    fn from(error: StoreError) -> Self {
        OpError::from(error).into()
    }
}

impl From<NoEntropy> for RefusedSignIn {
    fn from(error: NoEntropy) -> Self {
        OpError::from(error).into()
    }
}

impl RefusedSignIn {
    /// Returns the stable code of the reason. A credential that is not known, and a link that was used, have that of sign-in.
    pub fn reason(&self) -> &'static str {
        match &self.error {
            OpError::Refused(refusal) => refusal.reason.code(),
            OpError::Forbidden { reason, .. } => reason.code(),
            _ => Reason::SignInRefused.code(),
        }
    }

    /// Returns the words for the log, if there are any beside the reason.
    pub fn detail(&self) -> Option<String> {
        match &self.error {
            OpError::Refused(refusal) => refusal.private().map(str::to_owned),
            OpError::Forbidden { needs, .. } => Some(format!("only {needs} can sign in to the console")),
            error => Some(error.to_string()),
        }
    }

    /// Returns the refusal of the token or of the sign-in, if it is one.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.error {
            OpError::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
