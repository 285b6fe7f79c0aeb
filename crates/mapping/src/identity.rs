//! Identity: who the claims say this is.

use narthex_directory::{Desired, TokenFingerprint};
use narthex_token::Fingerprint;

use crate::error::Breach;
use crate::field::Field;

/// Identity that a verified token asserts, and the desired state that it asks for.
///
/// There is no way to make one but [`IssuerMapping::map`](crate::IssuerMapping::map), which takes verified claims only.
///
/// SECURITY: its fields are private, so a step that skips the mapping does not compile:
///
/// ```compile_fail,E0451
/// use narthex_mapping::Identity;
///
/// fn forged(real: Identity) -> Identity {
///     Identity { ..real }
/// }
/// ```
///
/// The same with a value that was made as it should be does, so nothing else stops the lines above:
///
/// ```
/// use narthex_mapping::Identity;
///
/// fn passed_on(real: Identity) -> Identity {
///     real
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Identity {
    desired: Desired,
    skipped: Vec<Skipped>,
}

/// A value that broke its rule and was left out (`on_invalid = "skip"`).
#[derive(Debug, Clone)]
pub struct Skipped {
    /// The field.
    pub field: Field,
    /// The broken rule.
    pub breach: Breach,
}

impl Identity {
    // SECURITY: the only constructor, and private to the crate.
    pub(crate) const fn new(desired: Desired, skipped: Vec<Skipped>) -> Self {
        Self { desired, skipped }
    }

    /// Desired state to ask the directory for.
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Desired state to ask the directory for, as an owned value.
    pub fn into_desired(self) -> Desired {
        self.desired
    }

    /// The values that were left out, in the order of the mapping.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Adds the token's fingerprint. Mapping leaves it out, because a hash costs more than the whole mapping; a plan
    /// that opens grants wants it.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: &Fingerprint) -> Self {
        let jti = self.desired.token.jti.take();
        self.desired.token = TokenFingerprint {
            jti,
            sha256_prefix: Some(fingerprint.to_string()),
        };
        self
    }
}
