//! The second layer of masking: the text of secrets, wherever it turns up.
//!
//! The first layer knows which hole of a template a secret went through. This one knows nothing but the secrets
//! themselves, so it also works on what comes back from a service, and on what the first layer overlooked.

use std::collections::BTreeSet;
use std::ops::Bound;

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use narthex_template::{Masked, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};

use crate::encode;
use crate::inputs::Inputs;

/// Texts that must not be shown, in every form they are likely to take.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Texts to search for, in the order of their bytes, so that those that begin alike stand together.
    needles: BTreeSet<Vec<u8>>,
    /// All of them together.
    bytes: usize,
    /// The texts of the parameters that may be shown. What is made of secrets may hold one of them.
    shown: BTreeSet<String>,
    /// SECURITY: there were more than can be searched for, so everything is masked.
    masks_all: bool,
}

impl Secrets {
    /// Every text and number of parameters, common data and stored data, but for the parameters that may be shown.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let mut secrets = Self::given(inputs);
        secrets.add_data(&inputs.data);
        secrets
    }

    /// The same without what earlier responses gave: a service repeats its own names and numbers in every response.
    pub(crate) fn given(inputs: &Inputs) -> Self {
        let mut secrets = Self::default();
        for (name, value) in &inputs.parameters {
            match value {
                Json::String(text) if inputs.shown.contains(name) => {
                    secrets.shown.insert(text.clone());
                }
                _ if inputs.shown.contains(name) => {}
                _ => secrets.add_json(value),
            }
        }
        secrets.add_data(&inputs.common);
        secrets
    }

    /// Adds stored data.
    pub(crate) fn add_data(&mut self, data: &Map<String, Json>) {
        data.values().for_each(|value| self.add_json(value));
    }

    /// Adds a value that was read from a response: every text and number of it.
    pub(crate) fn add_received(&mut self, value: &Value) {
        self.add_value(value, LEAST);
    }

    /// Adds a value that was made from secrets. What is not all of it may be the document's own, such as `HS256`, and is
    /// added if it is long enough to be a secret; so may a parameter that is shown, which stays shown.
    pub(crate) fn add_made(&mut self, value: &Value) {
        match value {
            Value::Array(_) | Value::Object(_) => self.add_parts(value),
            // One hole may give either of two parameters.
            Value::Text(text) if self.shown.contains(&**text) => {}
            _ => self.add_value(value, LEAST),
        }
    }

    fn add_parts(&mut self, value: &Value) {
        match value {
            // SECURITY: where a secret has the very text of what is shown, `of` has added it.
            Value::Text(text) if self.shown.contains(&**text) => {}
            Value::Array(items) => items.iter().for_each(|item| self.add_parts(item)),
            Value::Object(members) => members.values().for_each(|value| self.add_parts(value)),
            other => self.add_value(other, LEAST_PART),
        }
    }

    fn add_value(&mut self, value: &Value, least: usize) {
        match value {
            // A whole file is no text that a service would repeat.
            Value::Text(text) if text.len() > MADE_BYTES => {}
            Value::Text(text) => self.add(text, least),
            Value::Number(_) => {
                if let Some(text) = value.to_text() {
                    self.add_forms(&text, least);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item, least)),
            Value::Object(members) => members.values().for_each(|value| self.add_value(value, least)),
            _ => {}
        }
    }

    /// Adds a token.
    pub(crate) fn add_token(&mut self, token: &str) {
        self.add(token, LEAST);
    }

    /// The text with the mask in place of every secret.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.mask_within(text, usize::MAX)
    }

    /// A message about values, which quotes them, with the mask in place of every quotation that is a part of a secret.
    pub(crate) fn mask_quoted(&self, words: &str) -> String {
        // What a message ends with, behind a colon, it may quote without marks.
        if let Some((before, last)) = words.rsplit_once(": ")
            && !last.contains('"')
            && self.has_part(last)
        {
            return format!("{}: {}", self.mask_quoted(before), Masked::MASK);
        }
        // SECURITY: what is quoted may hold marks of its own, and then is what seems to stand between two quotations.
        let masked = words.split('"').enumerate().map(|(index, piece)| {
            let may_be_quoted = index % 2 == 1 || !self.masks_all;
            if may_be_quoted && self.has_part(piece) {
                Masked::MASK
            } else {
                piece
            }
        });
        masked.collect::<Vec<_>>().join("\"")
    }

    fn has_part(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let holds = |needle: &Vec<u8>| needle.windows(text.len()).any(|window| window == text);
        self.masks_all || (text.len() >= LEAST_QUOTED && self.needles.iter().any(holds))
    }

    /// The same of the first `bytes` bytes of the text, with a sign if there are more. A secret that begins within them is
    /// found even if it ends after them.
    pub(crate) fn mask_within(&self, text: &str, bytes: usize) -> String {
        let mut end = bytes.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let Some(mut masked) = self.masked(text, end) else {
            return Masked::MASK.to_owned();
        };
        if end < text.len() {
            masked.push('\u{2026}');
        }
        masked
    }

    /// `None` if the search would take too long.
    fn masked(&self, text: &str, end: usize) -> Option<String> {
        if self.masks_all && end > 0 {
            return None;
        }
        let mut work = WORK_MOST;
        let mut masked = self.round(text, end, &mut work)?;
        // What is left after one secret is taken out may be another one. Each round shortens the text.
        loop {
            let next = self.round(&masked, masked.len(), &mut work)?;
            if next.len() == masked.len() {
                return Some(masked);
            }
            masked = next;
        }
    }

    /// Masks every secret that begins before `end`, also where two of them overlap.
    fn round(&self, text: &str, end: usize, work: &mut usize) -> Option<String> {
        let mut masked = String::with_capacity(end.min(text.len()));
        let mut covered = 0;
        for (at, character) in text.char_indices().take_while(|(at, _)| *at < end) {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let length = self.longest_at(rest, work)?;
            if length == 0 {
                if at >= covered {
                    masked.push(character);
                }
                continue;
            }
            if at >= covered {
                masked.push_str(Masked::MASK);
            }
            covered = covered.max(at + length);
        }
        Some(masked)
    }

    /// The length of the longest secret that a text begins with.
    fn longest_at(&self, text: &[u8], work: &mut usize) -> Option<usize> {
        *work = work.checked_sub(STEP_WORK)?;
        let Some(beginning) = text.get(..LEAST) else {
            return Some(0);
        };
        let mut longest = 0;
        let alike = self
            .needles
            .range::<[u8], _>((Bound::Included(beginning), Bound::Unbounded));
        for needle in alike.take_while(|needle| needle.starts_with(beginning)) {
            *work = work.checked_sub(STEP_WORK + needle.len())?;
            if needle.len() > longest && text.starts_with(needle) {
                longest = needle.len();
            }
        }
        Some(longest)
    }

    fn add_json(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.add(text, LEAST),
            Json::Number(number) => {
                self.add_forms(&number.to_string(), LEAST);
                // `123456.0` is sent as `123456`.
                if let Some(text) = Value::from(value).to_text() {
                    self.add_forms(&text, LEAST);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.add_json(item)),
            Json::Object(members) => self.add_data(members),
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn add(&mut self, secret: &str, least: usize) {
        self.add_forms(secret, least);
        self.add_forms(secret.trim(), least);
        // Of a key in PEM, or of anything else that is put together again elsewhere, every line counts.
        if secret.trim().contains('\n') {
            for line in secret.lines() {
                self.add_forms(line.trim(), LEAST_PART);
            }
        }
    }

    fn add_forms(&mut self, secret: &str, least: usize) {
        if secret.chars().count() < least || WORDS.contains(&secret) || self.masks_all {
            return;
        }
        // What is there has its other forms there, too.
        if self.needles.contains(secret.as_bytes()) && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return;
        }
        self.needle(secret.to_owned());
        let quoted = Json::from(secret).to_string();
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        self.needle(inner.to_owned());
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let in_url = encode::url(secret);
        // Our own messages quote what they are about.
        self.needle(escaped(secret));
        self.needle(escaped(&in_url));
        for encoded in [encode::component(secret), in_url, percent, form] {
            self.needle(encoded.to_lowercase());
            self.needle(encoded);
        }
        for shift in 0..3 {
            for form in [
                in_base64(&STANDARD_NO_PAD, secret, shift),
                in_base64(&URL_SAFE_NO_PAD, secret, shift),
            ] {
                self.needle(form.unwrap_or_default());
            }
        }
    }

    fn needle(&mut self, needle: String) {
        if needle.chars().count() < LEAST || self.masks_all {
            return;
        }
        let length = needle.len();
        if self.needles.insert(needle.into_bytes()) {
            self.bytes = self.bytes.saturating_add(length);
        }
        if self.needles.len() > NEEDLES_MOST || self.bytes > NEEDLE_BYTES_MOST {
            self.masks_all = true;
            self.needles.clear();
        }
    }
}

/// A text as `escape_debug` has it within another one.
fn escaped(text: &str) -> String {
    // Only at the very beginning of a text are characters that extend others escaped, too.
    let escaped = format!("x{text}").escape_debug().to_string();
    escaped.strip_prefix('x').unwrap_or_default().to_owned()
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
/// The same for one line of several, and for a part of what was made.
const LEAST_PART: usize = 8;
/// Shorter quotations than this tell nothing of a secret.
const LEAST_QUOTED: usize = 2;
/// Longer texts than this are not searched for.
const MADE_BYTES: usize = 64 * 1024;
/// SECURITY: the service and the document choose how many secrets there are; the most forms of them, all of their bytes,
/// and the most bytes that are compared in one text. Above any of them the whole text is masked.
const NEEDLES_MOST: usize = 20_000;
const NEEDLE_BYTES_MOST: usize = 4 * 1024 * 1024;
const WORK_MOST: usize = 16 * 1024 * 1024;
/// Cost of finding a place to compare, besides its bytes.
const STEP_WORK: usize = 16;
/// Texts that occur in every answer, and that no reader takes for a secret.
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
    fn sec_mask_numbers_and_quoted_texts_are_found() {
        let mut inputs = Inputs::default();
        for (name, value) in [("a", "123456.0"), ("b", "4711"), ("c", "1e21"), ("d", "\"it's\\n so\"")] {
            inputs
                .parameters
                .insert(name.to_owned(), serde_json::from_str(value).unwrap());
        }
        let mut found = Secrets::of(&inputs);
        for told in [
            "pin 123456.",
            "pin 123456.0",
            "4711",
            "1e+21",
            "it's\n so",
            "it\\'s\\n so",
        ] {
            let masked = found.mask(told);
            assert!(masked.contains("***"), "{told}: {masked}");
            assert!(!masked.contains("123456") && !masked.contains("so"), "{told}: {masked}");
        }
        assert_eq!(found.mask(&"say it's\n so".escape_debug().to_string()), "say ***");
        found.add_received(&Value::from(serde_json::json!({ "a": [8172, "k3y!"] })));
        found.add_made(&Value::from("p1n!"));
        found.add_made(&Value::from(serde_json::json!({ "alg": "HS256" })));
        assert_eq!(found.mask("8172, k3y!, p1n!, HS256"), "***, ***, ***, HS256");
    }

    #[test]
    fn what_may_be_shown_is_no_secret_within_something_made_of_it() {
        let mut inputs = Inputs::default();
        inputs.parameters.insert("id".to_owned(), Json::from("client-1"));
        inputs.parameters.insert("key".to_owned(), Json::from("s3cret-key"));
        inputs.shown.insert("id".to_owned());
        let mut found = Secrets::given(&inputs);
        found.add_made(&Value::from(
            serde_json::json!({ "iss": "client-1", "key": "s3cret-key", "both": "client-1 s3cret-key" }),
        ));
        assert_eq!(found.mask("client-1, s3cret-key"), "client-1, ***");
    }

    #[test]
    fn sec_mask_quotations_of_a_part() {
        let found = secrets("alpha7-bravo8");
        assert_eq!(
            found.mask_quoted("\"bravo8\" is not \"known\" here: \"a\""),
            "\"***\" is not \"known\" here: \"a\""
        );
        assert_eq!(found.mask_quoted("no quotation"), "no quotation");
        assert_eq!(found.mask_quoted("\"it\"bravo8\" is none"), "\"it\"***\" is none");
        assert_eq!(found.mask_quoted("Unknown encoding: bravo8"), "Unknown encoding: ***");
        assert_eq!(found.mask_quoted("not \"bravo8\": lost"), "not \"***\": lost");
    }

    #[test]
    fn sec_mask_overlaps_and_cuts_leave_nothing() {
        let mut inputs = Inputs::default();
        inputs.common.insert("a".to_owned(), Json::from("abcdef"));
        inputs.common.insert("b".to_owned(), Json::from("defghijk"));
        let found = Secrets::of(&inputs);
        assert_eq!(found.mask("xabcdefghijky"), "x***y");
        assert_eq!(found.mask_within("12345678abcdef90", 10), "12345678***\u{2026}");
        assert_eq!(found.mask_within("abcdef12345678", 10), "***1234\u{2026}");
        assert_eq!(found.mask_within("12\u{e9}", 3), "12\u{2026}");
    }

    #[test]
    fn sec_mask_dos_costs_are_bounded() {
        // More texts than are searched for.
        let mut many = Secrets::default();
        let texts: Vec<Json> = (0..200_000)
            .map(|number| Json::from(format!("text {number}")))
            .collect();
        many.add_json(&Json::from(texts));
        assert_eq!(many.mask("anything"), "***");
        assert_eq!(many.mask(""), "");
        assert!(many.needles.is_empty());
        // Texts that take long to be told from one another.
        let mut alike = Secrets::default();
        for length in 0..200 {
            alike.add_forms(&"a".repeat(1_000 + length), LEAST);
        }
        assert!(!alike.masks_all);
        assert_eq!(alike.mask(&format!("{}b", "a".repeat(999)).repeat(4_000)), "***");
        // Secrets that leave one another, again and again.
        let mut left = Secrets::default();
        left.add_forms("XXXX", LEAST);
        left.add_forms("a***b", LEAST);
        let nested = format!("{}XXXX{}", "a".repeat(2_000_000), "b".repeat(2_000_000));
        assert_eq!(left.mask(&nested), "***");
        // A long text of which little is shown.
        let shown = alike.mask_within(&"b".repeat(50_000_000), 100);
        assert_eq!(shown.len(), 103);
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
