//! Headers of every page.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use narthex_engine::respond::NOSNIFF;

/// SECURITY: nothing runs and nothing loads but the console's own files, no page of another site holds the console in a
/// frame, and no form posts elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// SECURITY: a page of another site that opened the console keeps no hold of its window.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Sets the headers of a page.
pub(crate) fn set_headers(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
}
