//! Choices that are wrong for a door and right for an administrator's tool.

use crate::error::PolicyError;
use crate::issuer::{Binding, IssuerPolicy, TrustedIssuer};

/// An issuer that checks `iss` only if the policy names an `issuer`, the audience only if it names `audiences`, and may
/// waive `exp` for public keys too: for a command that is asked "does this key verify this token?".
///
/// SECURITY: [`crate::Issuers::new`] refuses what this makes, so it cannot end up behind a door.
pub fn loosely_bound_issuer(policy: IssuerPolicy) -> Result<TrustedIssuer, Vec<PolicyError>> {
    TrustedIssuer::bound(policy, Binding::DangerWhereNamed)
}
