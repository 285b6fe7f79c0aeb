//! Active issuers: what an issuer's tokens gave is worth as much as the issuer is trusted now.

use std::collections::HashMap;

use narthex_names::{IssuerName, Realm};

use crate::desired::SyncPolicy;

/// The issuers that are configured and enabled, with what each may give. Made anew with every configuration.
///
/// SECURITY: only the next token of an issuer closes what its tokens gave, and an issuer that was taken out of the
/// configuration, or disabled, has no next token. So grants by an issuer that is not in here count for nothing,
/// whichever caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActiveIssuers(HashMap<IssuerName, (Realm, SyncPolicy)>);

impl ActiveIssuers {
    /// Adds one that is configured and enabled.
    pub fn add(&mut self, issuer: IssuerName, realm: Realm, policy: &SyncPolicy) {
        self.0.insert(issuer, (realm, policy.clone()));
    }

    /// The policy of this issuer, if it may give users of this realm anything.
    pub(crate) fn policy(&self, issuer: &IssuerName, realm: &Realm) -> Option<&SyncPolicy> {
        let (own, policy) = self.0.get(issuer)?;
        (own == realm).then_some(policy)
    }
}
