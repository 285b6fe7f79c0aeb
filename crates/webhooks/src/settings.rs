//! Webhooks as the directory keeps them: a document whose body is shown, and a sealed secret.

use narthex_directory::AuditEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::signature::{SecretProblem, SignatureScheme, SigningKey};

/// Settings of a webhook: the body of its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSettings {
    /// Address that the events are sent to.
    pub url: String,
    /// Actions that are sent, such as `grant.opened`, or `grant.*`; all of them if it is empty.
    #[serde(default)]
    pub actions: Vec<String>,
    /// False for a webhook that sends nothing. Its events wait.
    pub enabled: bool,
    /// Cause, if Narthex disabled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<String>,
    /// Scheme of the signatures.
    #[serde(default)]
    pub signature: SignatureScheme,
    /// Public key of the key pair that signs: `whpk_` and base64; `None` for a shared secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl WebhookSettings {
    /// Reads the body of a document. `None` for one that this version does not understand.
    pub fn read(body: &Map<String, Value>) -> Option<Self> {
        serde_json::from_value(Value::Object(body.clone())).ok()
    }

    /// Returns the body of a document.
    pub fn body(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(body)) => body,
            // A struct of texts and flags is an object.
            _ => Map::new(),
        }
    }

    /// Tests whether an event is sent.
    pub fn admits(&self, event: &AuditEvent) -> bool {
        self.actions.is_empty() || self.actions.iter().any(|action| is_admitted(action, &event.action))
    }
}

fn is_admitted(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

/// Keys of a webhook, as they are sealed: shared secrets, or private keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookSecrets {
    /// Text of the key in use.
    pub current: SecretText,
    /// Text of the key before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<SecretText>,
    /// Time until which the key before it signs too, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until_ms: Option<i64>,
}

/// Text of a key. It shows itself to nothing but the sealing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub zeroize::Zeroizing<String>);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(***)")
    }
}

impl WebhookSecrets {
    /// The first key of a webhook.
    pub fn new(key: &SigningKey) -> Self {
        Self {
            current: SecretText(key.expose()),
            previous: None,
            previous_until_ms: None,
        }
    }

    /// Puts a new key in use. The one before it signs too until `until_ms`.
    #[must_use]
    pub fn rotated(self, key: &SigningKey, until_ms: i64) -> Self {
        Self {
            current: SecretText(key.expose()),
            previous: Some(self.current),
            previous_until_ms: Some(until_ms),
        }
    }

    /// Returns the keys that sign at a time: one, or two while it changes.
    ///
    /// # Errors
    ///
    /// [`SecretProblem`] for a text that is none.
    pub fn at(&self, now_ms: i64) -> Result<Vec<SigningKey>, SecretProblem> {
        let previous = self.previous.as_ref();
        let previous = previous.filter(|_| self.previous_until_ms.is_some_and(|until_ms| now_ms < until_ms));
        let texts = std::iter::once(&self.current).chain(previous);
        texts.map(|text| SigningKey::parse(&text.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::Actor;

    use super::*;

    fn settings(actions: &[&str]) -> WebhookSettings {
        WebhookSettings {
            url: "https://crm.example.com/hooks".to_owned(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            enabled: true,
            disabled_because: None,
            signature: SignatureScheme::V1,
            public_key: None,
        }
    }

    #[test]
    fn settings_from_before_there_were_schemes_are_read() {
        let mut body = settings(&[]).body();
        body.remove("signature");
        assert_eq!(WebhookSettings::read(&body), Some(settings(&[])));
    }

    #[test]
    fn settings_are_read_back_from_their_document() {
        let written = settings(&["user.*"]);
        assert_eq!(WebhookSettings::read(&written.body()), Some(written));
        assert_eq!(WebhookSettings::read(&Map::new()), None);
    }

    #[test]
    fn actions_are_named_whole_or_by_their_kind() {
        let event = |action: &str| AuditEvent::new(action, Actor::System, 0);
        assert!(settings(&[]).admits(&event("user.created")));
        assert!(settings(&["grant.opened", "user.*"]).admits(&event("user.created")));
        assert!(!settings(&["grant.opened"]).admits(&event("grant.closed")));
        assert!(!settings(&["user"]).admits(&event("user.created")));
    }

    #[test]
    fn sec_two_secrets_sign_during_a_rotation_only() {
        let key = |scheme, byte| SigningKey::from_random(scheme, [byte; 32]).unwrap();
        let (old, new) = (key(SignatureScheme::V1, 1), key(SignatureScheme::V1a, 2));
        let secrets = WebhookSecrets::new(&old).rotated(&new, 1_000);
        let texts = |now_ms| -> Vec<String> {
            let secrets = secrets.at(now_ms).unwrap();
            secrets.iter().map(|secret| secret.expose().to_string()).collect()
        };
        assert_eq!(texts(999), [new.expose().to_string(), old.expose().to_string()]);
        assert_eq!(texts(1_000), [new.expose().to_string()]);
        assert!(!format!("{secrets:?}").contains("whs"));
        let sealed = serde_json::to_vec(&secrets).unwrap();
        let read: WebhookSecrets = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(read.at(0).unwrap().len(), 2);
    }
}
