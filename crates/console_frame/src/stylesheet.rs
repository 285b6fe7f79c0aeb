//! The console's one stylesheet, with its hash in its name, so that browsers keep it as long as it stays the same.

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use narthex_engine::respond::NOSNIFF;

/// Text of the stylesheet.
const STYLE: &str = include_str!("../assets/console.css");

/// Number of bytes of the hash that are in the name.
const HASH_BYTES: usize = 8;

static PATH: LazyLock<String> = LazyLock::new(|| named_by_hash(STYLE, ".css"));

/// Returns the path of a file of the console with this text: with its hash in its name.
pub(crate) fn named_by_hash(text: &str, ending: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let mut path = "/assets/console-".to_owned();
    for byte in hash.as_ref().iter().take(HASH_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(path, "{byte:02x}");
    }
    path + ending
}

/// Returns the path of the stylesheet.
pub fn path() -> &'static str {
    &PATH
}

/// Serves the stylesheet, to browsers without a session too: the page to sign in at uses it.
pub fn serve() -> Response {
    kept(HeaderValue::from_static("text/css; charset=utf-8"), STYLE)
}

/// Builds the answer with a file that browsers keep.
pub(crate) fn kept(media_type: HeaderValue, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, NOSNIFF),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_hash_of_the_text() {
        let hash = path().strip_prefix("/assets/console-").unwrap();
        let hash = hash.strip_suffix(".css").unwrap();
        assert_eq!(hash.len(), 2 * HASH_BYTES);
        assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    }

    #[test]
    fn the_stylesheet_is_small_and_loads_nothing() {
        assert!(STYLE.len() < 20 * 1024, "{} bytes", STYLE.len());
        for word in ["@import", "@font-face"] {
            assert!(!STYLE.contains(word), "{word}");
        }
        for address in STYLE.split("url(").skip(1) {
            assert!(address.trim_start_matches('"').starts_with("data:"), "{address}");
        }
    }
}
