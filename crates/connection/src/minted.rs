//! Record of a token that was minted. It never holds the token.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_template::HostCall;
use serde_json::{Map, Value as Json};

use crate::secrets::Secrets;

/// A token that `jwt(…)` made during a run, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// Its `alg`.
    pub algorithm: String,
    /// The names of its header parameters, in order; of many only the first, and how many more there are.
    pub header_names: Vec<String>,
    /// The names of its claims, likewise; none if the payload is no collection.
    pub claim_names: Vec<String>,
    /// SHA-256 of the whole token, in hexadecimal, so that a token found elsewhere can be traced to its run.
    pub sha256: String,
}

impl Minted {
    fn of(token: &str) -> Self {
        let mut parts = token.split('.');
        let mut members = || -> Map<String, Json> {
            let part = parts.next().unwrap_or_default();
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            // A header is latin1, so it may be no UTF-8; its names are what counts.
            serde_json::from_str(&String::from_utf8_lossy(&bytes)).unwrap_or_default()
        };
        let (header, claims) = (members(), members());
        let names = |map: &Map<String, Json>| {
            let more = map.len().saturating_sub(NAMES_MOST);
            let more = (more > 0).then(|| format!("\u{2026} and {more} more"));
            map.keys().take(NAMES_MOST).cloned().chain(more).collect()
        };
        Self {
            algorithm: header.get("alg").and_then(Json::as_str).unwrap_or_default().to_owned(),
            header_names: names(&header),
            claim_names: names(&claims),
            sha256: hex(digest(&SHA256, token.as_bytes()).as_ref()),
        }
    }

    /// The same without secrets: a name may be made of one.
    pub(crate) fn hushed(mut self, secrets: &Secrets) -> Self {
        for name in self.header_names.iter_mut().chain(&mut self.claim_names) {
            *name = secrets.mask_within(name, NAME_BYTES);
        }
        self
    }
}

/// Collects the tokens of an evaluation.
#[derive(Default)]
pub(crate) struct Mints(Mutex<Vec<(String, Minted)>>);

impl Mints {
    pub(crate) fn observe(&self, call: &HostCall<'_>) {
        if let ("jwt", Some(token)) = (call.function, call.result.as_text()) {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((token.to_owned(), Minted::of(token)));
        }
    }

    /// The tokens, each with what may be remembered of it.
    pub(crate) fn into_tokens(self) -> Vec<(String, Minted)> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Maximum number of recorded names of a token's header, and of its claims.
const NAMES_MOST: usize = 64;
/// Maximum length of a recorded name.
const NAME_BYTES: usize = 256;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}
