//! The second layer of masking: the text of secrets, wherever it turns up.
//!
//! The first layer knows which hole of a template a secret went through. This one knows nothing but the secrets
//! themselves, so it also works on what comes back from a service, and on what the first layer overlooked.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use narthex_template::{Masked, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};

use crate::encode;
use crate::inputs::Inputs;

/// Texts that must not be shown, in every form they are likely to take, longest first.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    needles: Vec<String>,
}

impl Secrets {
    /// Every text and number of parameters, common data and stored data, but for the parameters that may be shown.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let mut secrets = Self::default();
        for (name, value) in &inputs.parameters {
            if !inputs.shown.contains(name) {
                secrets.add_json(value);
            }
        }
        secrets.add_members(&inputs.common);
        secrets.add_members(&inputs.data);
        secrets.sort();
        secrets
    }

    /// Adds stored data that a response gave.
    pub(crate) fn add_data(&mut self, data: &Map<String, Json>) {
        self.add_members(data);
        self.sort();
    }

    /// Adds the texts of a value that was made from secrets, if they are long enough to be one.
    pub(crate) fn add_made(&mut self, value: &Value) {
        self.add_value(value);
        self.sort();
    }

    /// Adds a token.
    pub(crate) fn add_token(&mut self, token: &str) {
        self.add(token, LEAST);
        self.sort();
    }

    /// The text with the mask in place of every secret.
    pub(crate) fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        // What is left after one secret is taken out may be another one. Each round shortens the text.
        loop {
            let before = masked.len();
            for needle in &self.needles {
                if masked.contains(needle.as_str()) {
                    masked = masked.replace(needle.as_str(), Masked::MASK);
                }
            }
            if masked.len() == before {
                return masked;
            }
        }
    }

    fn add_members(&mut self, members: &Map<String, Json>) {
        members.values().for_each(|value| self.add_json(value));
    }

    fn add_json(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.add(text, LEAST),
            Json::Number(number) => self.add(&number.to_string(), LEAST),
            Json::Array(items) => items.iter().for_each(|item| self.add_json(item)),
            Json::Object(members) => self.add_members(members),
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            // A whole file is no text that a service would repeat.
            Value::Text(text) if text.len() <= MADE_BYTES => self.add(text, LEAST_MADE),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(members) => members.values().for_each(|value| self.add_value(value)),
            _ => {}
        }
    }

    fn add(&mut self, secret: &str, least: usize) {
        self.add_forms(secret, least);
        self.add_forms(secret.trim(), least);
        // Of a key in PEM, or of anything else that is put together again elsewhere, every line counts.
        if secret.trim().contains('\n') {
            for line in secret.lines() {
                self.add_forms(line.trim(), LEAST_MADE);
            }
        }
    }

    fn add_forms(&mut self, secret: &str, least: usize) {
        if secret.chars().count() < least || WORDS.contains(&secret) {
            return;
        }
        self.needles.push(secret.to_owned());
        let quoted = Json::from(secret).to_string();
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        self.needles.push(inner.to_owned());
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for encoded in [encode::component(secret), encode::url(secret), percent, form] {
            self.needles.push(encoded.to_lowercase());
            self.needles.push(encoded);
        }
        for shift in 0..3 {
            self.needles.extend(in_base64(&STANDARD_NO_PAD, secret, shift));
            self.needles.extend(in_base64(&URL_SAFE_NO_PAD, secret, shift));
        }
    }

    fn sort(&mut self) {
        self.needles
            .retain(|needle| needle.chars().count() >= LEAST && needle != Masked::MASK);
        self.needles
            .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.needles.dedup();
    }
}

/// The characters of a secret's base64 that do not depend on what stands around it, if `shift` bytes stand before it in
/// its group of three: `base64(user + ':' + password)` holds both.
fn in_base64<E: base64::Engine>(engine: &E, secret: &str, shift: usize) -> Option<String> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret.as_bytes());
    let text = engine.encode(&bytes);
    // A character holds six bits; the first ones mix with what stands before, the last one with what follows.
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text.get(first..last).map(str::to_owned)
}

/// Shorter texts than this would be found everywhere.
const LEAST: usize = 4;
/// The same for what was made from secrets: a status, a country.
const LEAST_MADE: usize = 8;
/// Longer texts than this are not searched for.
const MADE_BYTES: usize = 64 * 1024;
/// Texts that stand in every answer, and that nobody takes for a secret.
const WORDS: [&str; 4] = ["true", "false", "null", "undefined"];

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn secrets(text: &str) -> Secrets {
        let mut inputs = Inputs::default();
        inputs.parameters.insert("a".to_owned(), Json::from(text));
        Secrets::of(&inputs)
    }

    #[test]
    fn every_form_is_found() {
        let secret = "p\u{e4}ss/w\"rd+1";
        let found = secrets(secret);
        for form in [
            secret.to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("u:{secret}")),
            STANDARD.encode(format!("us:{secret};x")),
            URL_SAFE_NO_PAD.encode(format!("use:{secret};xy")),
            "p%C3%A4ss%2Fw%22rd%2B1".to_owned(),
            "https://example.com/p%C3%A4ss/w%22rd+1".to_owned(),
            "p%c3%a4ss%2fw%22rd%2b1".to_owned(),
            Json::from(secret).to_string(),
        ] {
            let masked = found.mask(&form);
            assert!(masked.contains("***") && !masked.contains("ss"), "{form}: {masked}");
        }
        assert_eq!(found.mask("nothing of it"), "nothing of it");
    }

    #[test]
    fn what_is_left_may_be_another_secret() {
        let mut inputs = Inputs::default();
        inputs.common.insert("a".to_owned(), Json::from("XXXX"));
        inputs.common.insert("b".to_owned(), Json::from("a***b"));
        inputs.common.insert("c".to_owned(), Json::from("****"));
        assert_eq!(Secrets::of(&inputs).mask("aXXXXb"), "***");
        assert_eq!(Secrets::of(&inputs).mask("********"), "***");
    }

    #[test]
    fn lines_of_a_key_are_secrets_of_their_own() {
        let found = secrets("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n");
        assert_eq!(found.mask("line kqhkiG9w0BAQEF."), "line ***.");
    }

    #[test]
    fn short_texts_and_plain_words_stay() {
        assert_eq!(secrets("abc").mask("abcabc"), "abcabc");
        assert_eq!(secrets("true").mask("true"), "true");
    }
}
