//! Embedded login of an issuer: the pages that may show the application in a frame, and the cookie of its sessions there.

use http::{HeaderMap, HeaderValue, header};
use narthex_directory::IssuerName;
use narthex_session::cookie;

use crate::origin::WebOrigin;

/// Embedded login of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// Name of the cookie of its sessions.
    pub cookie: String,
    /// Origins of the pages that may embed the application.
    pub frame_ancestors: Vec<WebOrigin>,
    policy: Option<HeaderValue>,
}

impl Embedding {
    /// Creates the embedded login of an issuer; `None` if no page may embed the application.
    pub fn new(issuer: &IssuerName, frame_ancestors: Vec<WebOrigin>) -> Option<Self> {
        if frame_ancestors.is_empty() {
            return None;
        }
        let listed: Vec<String> = frame_ancestors.iter().map(WebOrigin::to_string).collect();
        let policy = format!("frame-ancestors 'self' {}", listed.join(" "));
        Some(Self {
            cookie: format!("{}{issuer}", cookie::EMBEDDED),
            policy: HeaderValue::try_from(policy).ok(),
            frame_ancestors,
        })
    }

    /// Adds the policy to an answer that a browser shows its page in the frames of these origins only, and in its own.
    ///
    /// SPEC: Content Security Policy Level 3 section 6.4.2. Of several policies all hold, so one of the application stays.
    pub fn restrict(&self, headers: &mut HeaderMap) {
        // SECURITY: never without a policy, which would let every page show the application.
        let policy = self.policy.clone();
        let policy = policy.unwrap_or_else(|| HeaderValue::from_static("frame-ancestors 'none'"));
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_listed_origins() {
        let issuer = IssuerName::new("corp").unwrap();
        assert_eq!(Embedding::new(&issuer, Vec::new()), None);
        let listed = ["https://portal.example", "https://b.example:8443"];
        let listed = listed.map(|text| WebOrigin::parse(text).unwrap()).to_vec();
        let embedding = Embedding::new(&issuer, listed).unwrap();
        assert_eq!(embedding.cookie, "__Host-narthex-corp");
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'self'"),
        );
        embedding.restrict(&mut headers);
        let policies = headers.get_all(header::CONTENT_SECURITY_POLICY).iter();
        assert!(policies.eq([
            "default-src 'self'",
            "frame-ancestors 'self' https://portal.example https://b.example:8443"
        ]));
    }
}
