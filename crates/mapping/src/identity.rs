//! Who the claims say this is.

use narthex_directory::{Desired, TokenFingerprint};
use narthex_token::Fingerprint;

use crate::error::Breach;
use crate::field::Field;

/// Who a verified token says this is, and what it asks for.
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
#[derive(Debug, Clone)]
pub struct Identity {
    desired: Desired,
    skipped: Vec<Skipped>,
}

/// A value that broke its rule and was left out (`on_invalid = "skip"`).
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Which value.
    pub field: Field,
    /// Which rule it broke.
    pub breach: Breach,
}

impl Identity {
    // SECURITY: the only constructor, and private to the crate.
    pub(crate) const fn new(desired: Desired, skipped: Vec<Skipped>) -> Self {
        Self { desired, skipped }
    }

    /// What the directory is asked for.
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// What the directory is asked for, to keep.
    pub fn into_desired(self) -> Desired {
        self.desired
    }

    /// The values that were left out, in the order of the mapping.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Says which token it was. Mapping does not, because a hash costs more than the whole mapping; a plan that opens
    /// grants wants it.
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
