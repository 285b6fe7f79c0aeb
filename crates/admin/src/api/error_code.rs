//! Codes of errors that only the admin API returns. The others are reasons, which the doors return too.

use http::StatusCode;

macro_rules! codes {
    ($($name:ident = ($text:literal, $status:ident), $meaning:literal;)+) => {
        /// A stable code of the admin API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $name,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its text, which never changes its meaning.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// HTTP status of the response.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// Meaning of the code.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)+
                }
            }
        }
    };
}

codes! {
    KeyUnknown = ("api_key.unknown", UNAUTHORIZED), "The API key is not known here.";
    KeyRevoked = ("api_key.revoked", UNAUTHORIZED), "The API key has been revoked.";
    KeyExpired = ("api_key.expired", UNAUTHORIZED), "The API key has expired.";
    MachineKey = ("api_key.machine_key", UNAUTHORIZED), "The key is a machine key, which is for the routes of its organization alone.";
    PathUnknown = ("request.path_unknown", NOT_FOUND), "There is nothing at this path.";
    Method = ("request.method", METHOD_NOT_ALLOWED), "There is something at this path, but not for this method.";
    MediaType = ("request.media_type", UNSUPPORTED_MEDIA_TYPE), "The body is of another media type than is taken.";
    Malformed = ("request.malformed", BAD_REQUEST), "The request cannot be read: its body, its query or one of its headers.";
    ResourceUnknown = ("resource.unknown", NOT_FOUND), "There is no such record, or none that the caller may know of.";
    ResourceInvalid = ("resource.invalid", UNPROCESSABLE_ENTITY), "A value breaks its rule; the detail names it.";
    ResourceExists = ("resource.exists", CONFLICT), "Something that is unique is taken, a name for example.";
    ResourceChanged = ("resource.changed", PRECONDITION_FAILED), "The record is not at the version that `If-Match` names.";
    ResourceUnconditional = ("resource.unconditional", PRECONDITION_REQUIRED), "The change needs `If-Match`.";
    ResourceDeclared = ("resource.declared", CONFLICT), "The organization is declared in the configuration and changed there only.";
    ResourceConflict = ("resource.conflict", CONFLICT), "What is asked for does not go with what is there.";
    ExternalOnly = ("organization.external_only", CONFLICT), "The organization takes no roles by hand.";
    KeyReused = ("idempotency.key_reused", UNPROCESSABLE_ENTITY), "The `Idempotency-Key` was used for another request.";
    InProgress = ("idempotency.in_progress", CONFLICT), "The first request with this `Idempotency-Key` is still under way.";
    ConnectionFailed = ("connection.failed", UNPROCESSABLE_ENTITY), "A connection gave no request, or the service no answer that could be read.";
    ConnectionSecrets = ("connection.secrets", CONFLICT), "A connection's secrets cannot be kept or read; the detail says what to do.";
    Internal = ("internal", INTERNAL_SERVER_ERROR), "A fault of ours; the log has more under the `request_id`.";
}

impl ErrorCode {
    /// Status and text of the response.
    pub(super) const fn answer(self) -> (StatusCode, &'static str) {
        (self.status(), self.as_str())
    }
}
