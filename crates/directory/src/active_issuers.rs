//! Active issuers: what an issuer's tokens gave is worth as much as the issuer is trusted now.

use std::collections::HashMap;

use crate::desired::SyncPolicy;
use crate::name::{IssuerName, Realm};
use crate::tag::{TagList, TagPatterns};

/// The issuers that are configured and enabled, with what each may give. Made anew with every configuration.
///
/// SECURITY: only the next token of an issuer closes what its tokens gave, and an issuer that was taken out of the
/// configuration, or disabled, has no next token. So grants by an issuer that is not in here count for nothing,
/// whichever caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActiveIssuers(HashMap<IssuerName, ActiveIssuer>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct ActiveIssuer {
    realm: Realm,
    platform_admin_tags: TagList,
    tag_patterns: TagPatterns,
}

impl ActiveIssuers {
    /// Adds one that is configured and enabled.
    pub fn add(&mut self, issuer: IssuerName, realm: Realm, policy: &SyncPolicy) {
        let platform_admin_tags = policy.platform_admin_tags.clone();
        self.0.insert(
            issuer,
            ActiveIssuer {
                realm,
                platform_admin_tags,
                tag_patterns: policy.tag_patterns.clone(),
            },
        );
    }

    /// The tags of this issuer that make platform admins, if it may give users of this realm anything.
    pub(crate) fn platform_admin_tags(&self, issuer: &IssuerName, realm: &Realm) -> Option<&TagList> {
        let found = self.0.get(issuer).filter(|found| found.realm == *realm)?;
        Some(&found.platform_admin_tags)
    }

    /// The tag patterns of this issuer, if it may give users of this realm anything.
    pub(crate) fn tag_patterns(&self, issuer: &IssuerName, realm: &Realm) -> Option<&TagPatterns> {
        let found = self.0.get(issuer).filter(|found| found.realm == *realm)?;
        Some(&found.tag_patterns)
    }
}
